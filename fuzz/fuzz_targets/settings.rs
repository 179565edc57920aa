//! Input: the body of a request that sets controls.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let named = eyelet::fuzzing::settings(data).unwrap_or(0);
    // The shortest is `"":1,`.
    assert!(named * 4 <= data.len(), "{named} of {} bytes", data.len());
});
