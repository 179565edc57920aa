//! Input: a byte for the size of the writes, then what a client says on one connection.
#![no_main]

use eyelet::fuzzing::talk;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [write_len, said @ ..] = data else { return };
    let whole = talk(said, usize::MAX);
    assert_eq!(whole, talk(said, usize::from(*write_len)), "the cuts matter");
    if let Some(rest) = &whole.handed_over {
        // Nothing is lost, changed or added of what follows the handshake.
        assert!(said.ends_with(rest), "{whole:?}");
    }
    let bodies: usize = whole.asked.iter().filter_map(|(_, len)| *len).sum();
    assert!(bodies <= said.len(), "bytes are counted twice: {whole:?}");
});
