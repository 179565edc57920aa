//! Input: lines: `Host`, `Authorization`, `Cookie`, and what stands behind the `?`.
#![no_main]

use eyelet::fuzzing::credentials;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut next = || lines.next().unwrap_or_default();
    let (host, authorization, cookie, query) = (next(), next(), next(), next());
    let query = String::from_utf8_lossy(query);
    let (is_in, is_ours) = credentials(host, authorization, cookie, &query);
    assert!(!is_in, "nobody was given anything");
    // Whatever port stands behind it.
    let name = String::from_utf8_lossy(host).to_ascii_lowercase();
    let name = name.rsplit_once(':').map_or(&*name, |(name, _)| name);
    assert!(!(is_ours && name.ends_with("evil.example")), "{name}");
});
