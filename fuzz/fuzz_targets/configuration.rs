//! Input: a configuration file.
#![no_main]

use eyelet::fuzzing::mistakes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lines = text.lines().count() + 1;
    for mistake in mistakes(text) {
        let line = mistake.strip_prefix("eyelet.toml:").and_then(|m| m.split(": ").next());
        let line: usize = line.and_then(|line| line.parse().ok()).expect("a line's number");
        assert!((1..=lines).contains(&line), "{mistake}");
    }
});
