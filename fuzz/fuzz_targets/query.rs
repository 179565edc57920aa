//! Input: what stands behind the `?` of an address.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = str::from_utf8(data) {
        eyelet::fuzzing::query(text);
    }
});
