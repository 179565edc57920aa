//! Input: a byte for the size of the reads, a byte for the options, then what a file or a command gives.
#![no_main]

use eyelet::fuzzing::frames;
use libfuzzer_sys::fuzz_target;

const OPTIONS: [&str; 4] = ["", "format=MJPG", "format=YUYV&size=4x2", "format=NV12&size=6x4"];

fuzz_target!(|data: &[u8]| {
    let [read_len, options, stream @ ..] = data else { return };
    let options = OPTIONS[usize::from(*options) % OPTIONS.len()];
    let whole = frames(options, stream, usize::MAX);
    let parts = frames(options, stream, usize::from(*read_len));
    // What is known only when more has come is told later; the frames are the same.
    assert_eq!(whole.0, parts.0, "the cuts matter: {whole:?} {parts:?}");
});
