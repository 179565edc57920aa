//! Input: what an app host reads of a request; then the same bytes as a value that the server writes.
#![no_main]

use eyelet_wire::scgi::{MAX_VARS_LEN, decode_request, encode_request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(Some((vars, len))) = decode_request(data) {
        assert!(len <= data.len());
        assert!(
            vars.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
                <= MAX_VARS_LEN
        );
        // Cut anywhere, it is not whole and nothing else.
        assert_eq!(decode_request(&data[..len / 2]), Ok(None));
    }
    if let Ok(written) = encode_request(7, [("NAME", data)]) {
        let read = decode_request(&written).ok().flatten();
        assert!(read.is_some_and(|(vars, len)| len == written.len() && vars[2].1 == data));
    }
});
