//! Input: a byte for the size of the reads, a byte for the limit (times 16), then a stream.
#![no_main]

use bytes::{Bytes, BytesMut};
use eyelet_wire::jpeg::{Splitter, dimensions, insert_huffman_tables, is_complete, picture_len};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [read_len, limit, stream @ ..] = data else { return };
    let max_len = usize::from(*limit) * 16;
    let whole = run(stream, max_len, usize::MAX);
    assert_eq!(whole, run(stream, max_len, usize::from(*read_len).max(1)), "the cuts matter");
    for picture in &whole.0 {
        assert!(picture.len() <= max_len);
        assert_eq!(picture_len(picture), Some(picture.len()));
        assert!(is_complete(&insert_huffman_tables(picture)));
        let _size = dimensions(picture);
    }
    let given: usize = whole.0.iter().map(Bytes::len).sum();
    assert!(given as u64 + whole.2 <= stream.len() as u64, "bytes are counted twice");
    let _any = (dimensions(stream), insert_huffman_tables(stream));
});

/// Pictures, and the counts of damaged ones and of skipped bytes.
fn run(stream: &[u8], max_len: usize, read_len: usize) -> (Vec<Bytes>, u64, u64) {
    let mut splitter = Splitter::new(max_len);
    let (mut input, mut pictures) = (BytesMut::new(), Vec::new());
    for read in stream.chunks(read_len) {
        input.extend_from_slice(read);
        while let Some(picture) = splitter.next_picture(&mut input) {
            pictures.push(picture);
        }
        assert!(input.len() <= max_len.max(2));
    }
    (pictures, splitter.damaged(), splitter.skipped())
}
