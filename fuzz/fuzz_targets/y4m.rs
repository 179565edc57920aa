//! Input: a byte for the size of the reads, then a stream.
#![no_main]

use bytes::BytesMut;
use eyelet_wire::y4m::{MAX_STREAM_HEADER_LEN, Parser, Y4mError};
use libfuzzer_sys::fuzz_target;

const MAX_FRAME: usize = 500;

fuzz_target!(|data: &[u8]| {
    let [read_len, stream @ ..] = data else { return };
    let whole = run(stream, usize::MAX);
    assert_eq!(whole, run(stream, usize::from(*read_len).max(1)), "the cuts matter");
});

fn run(stream: &[u8], read_len: usize) -> (Vec<BytesMut>, Option<Y4mError>) {
    let mut parser = Parser::new(MAX_FRAME);
    let (mut input, mut frames) = (BytesMut::new(), Vec::new());
    for read in stream.chunks(read_len) {
        input.extend_from_slice(read);
        loop {
            match parser.next_frame(&mut input) {
                Ok(Some(frame)) => {
                    assert_eq!(parser.header().map(|header| header.frame_len()), Some(frame.len()));
                    frames.push(frame);
                }
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
        assert!(input.len() < MAX_FRAME.max(MAX_STREAM_HEADER_LEN));
    }
    (frames, None)
}
