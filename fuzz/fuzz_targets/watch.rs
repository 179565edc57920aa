//! Input: a byte that is even for a multipart answer and odd for WebSocket frames, a byte for the size of the reads, then
//! what a server sends to a headless viewer.
#![no_main]

use eyelet::fuzzing::watch;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [kind, read_len, stream @ ..] = data else { return };
    let is_multipart = kind % 2 == 0;
    let whole = watch(is_multipart, stream, usize::MAX);
    assert_eq!(whole, watch(is_multipart, stream, usize::from(*read_len)), "the cuts matter");
    let given: usize = whole.0.iter().map(Vec::len).sum();
    assert!(given <= stream.len(), "bytes are counted twice");
});
