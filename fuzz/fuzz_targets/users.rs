//! Input: a file of users.
#![no_main]

use eyelet::mistakes::Mistakes;
use eyelet::users::{SecretKind, check_name, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut mistakes = Mistakes::default();
    for user in parse("users", text, &mut mistakes) {
        check_name(&user.name).expect("a name");
        SecretKind::of(&user.secret).expect("a hash");
    }
    let lines = text.lines().count();
    let Err(error) = mistakes.finish(()) else { return };
    for mistake in error.to_string().lines() {
        let line = mistake.strip_prefix("users:").and_then(|m| m.split(": ").next());
        let line: usize = line.and_then(|line| line.parse().ok()).expect("a line's number");
        assert!((1..=lines).contains(&line), "{mistake}");
    }
});
