//! Input: a byte for the size of the reads, a byte for the limit (times 16), then a stream.
#![no_main]

use bytes::{Bytes, BytesMut};
use eyelet_wire::h264::{Colour, Mended, Mender, Splitter, Sps, codec, is_key, units};
use libfuzzer_sys::fuzz_target;

const BT601: Colour = Colour { primaries: 1, transfer: 13, matrix: 6, is_full_range: false };

fuzz_target!(|data: &[u8]| {
    let [read_len, limit, stream @ ..] = data else { return };
    let max_len = usize::from(*limit) * 16;
    let whole = run(stream, max_len, usize::MAX);
    assert_eq!(whole, run(stream, max_len, usize::from(*read_len).max(1)), "the cuts matter");
    let given: usize = whole.0.iter().map(Bytes::len).sum();
    assert!(given as u64 + whole.2 <= stream.len() as u64, "bytes are counted twice");
    let mut mender = Mender::new(BT601);
    let (mut once, mut twice) = (Vec::new(), Vec::new());
    for unit in &whole.0 {
        assert!(unit.len() <= max_len);
        let Ok(Mended::Picture { is_key: key }) = mender.mend(unit, &mut once) else { continue };
        assert_eq!(key, is_key(&once));
        let sets = units(&once).find_map(Sps::parse);
        if key {
            assert!(codec(&once).is_some() && sets.is_some_and(|sps| sps.colour.is_some()));
            // What was mended needs no more of it.
            let again = Mender::new(BT601).mend(&once, &mut twice);
            assert_eq!(again, Ok(Mended::Picture { is_key: true }));
            assert_eq!(once, twice);
        }
    }
    if let Some(sps) = Sps::parse(stream) {
        assert!(
            Sps::parse(&sps.complete(stream, BT601)).is_some_and(|sps| sps.reordered.is_some())
        );
    }
});

/// Access units, and the counts of damaged ones and of skipped bytes.
fn run(stream: &[u8], max_len: usize, read_len: usize) -> (Vec<Bytes>, u64, u64) {
    let mut splitter = Splitter::new(max_len);
    let (mut input, mut found) = (BytesMut::new(), Vec::new());
    for read in stream.chunks(read_len) {
        input.extend_from_slice(read);
        while let Some(unit) = splitter.next_access_unit(&mut input) {
            found.push(unit);
        }
        assert!(input.len() <= max_len + 6);
    }
    found.extend(splitter.finish(&mut input));
    (found, splitter.damaged(), splitter.skipped())
}
