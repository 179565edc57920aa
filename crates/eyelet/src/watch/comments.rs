//! The stamps of a JPEG picture: one comment behind its start, one before its end.

use crate::stamp::Stamps;
use crate::stamp::jpeg::{LEN, Stamp};

/// Bytes of a marker.
const MARKER: usize = 2;
/// Bytes of the picture that matter at either end.
const END: usize = MARKER + LEN;

/// Keeps the first and the last bytes of a picture. O(1) memory, and O(1) per piece.
#[derive(Debug)]
pub(crate) struct Comments {
    first: [u8; END],
    /// The last bytes that came, the newest at the end.
    last: [u8; END],
    len: usize,
}

impl Default for Comments {
    fn default() -> Self {
        Self { first: [0; END], last: [0; END], len: 0 }
    }
}

impl Comments {
    pub(super) fn part(&mut self, bytes: &[u8]) {
        if self.len < END {
            let taken = bytes.len().min(END - self.len);
            self.first[self.len..][..taken].copy_from_slice(&bytes[..taken]);
        }
        let kept = bytes.len().min(END);
        self.last.copy_within(kept.., 0);
        self.last[END - kept..].copy_from_slice(&bytes[bytes.len() - kept..]);
        self.len += bytes.len();
    }

    pub(super) fn end(&mut self) -> (Stamps, Option<u64>) {
        let is_long_enough = self.len >= 2 * END;
        let first = Stamp::read(&self.first[MARKER..]).filter(|_| is_long_enough);
        let last = Stamp::read(&self.last).filter(|_| is_long_enough);
        self.len = 0;
        match (first, last) {
            (None, None) => (Stamps::Absent, None),
            (Some(first), Some(last)) if first == last => {
                (Stamps::Whole(first.sequence), Some(first.captured_at.as_micros()))
            }
            _ => (Stamps::Torn, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelet_area::MonotonicNs;
    use proptest::prelude::*;

    fn picture(sequence: u64, len: usize) -> Vec<u8> {
        let mut picture = vec![7; len];
        Stamp { sequence, captured_at: MonotonicNs(5000) }.write(&mut picture);
        picture
    }

    fn read(bytes: &[u8], piece: usize) -> (Stamps, Option<u64>) {
        let mut comments = Comments::default();
        bytes.chunks(piece).for_each(|part| comments.part(part));
        comments.end()
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(len in 92usize..500, piece in 1usize..600, sequence: u64) {
            let bytes = picture(sequence, len);
            prop_assert_eq!(read(&bytes, piece), (Stamps::Whole(sequence), Some(5)));
        }
    }

    #[test]
    fn halves_of_two_are_torn() {
        let half = [&picture(1, 200)[..100], &picture(2, 200)[100..]].concat();
        assert_eq!(read(&half, 200).0, Stamps::Torn);
        assert_eq!(read(&picture(1, 200)[..150], 200).0, Stamps::Torn);
        assert_eq!(read(&[0; 200], 200).0, Stamps::Absent);
        assert_eq!(read(&[], 1).0, Stamps::Absent);
    }
}
