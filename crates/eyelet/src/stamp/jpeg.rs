//! A frame's number and time in a JPEG picture: text in comment segments, which every decoder passes over.
//!
//! One segment stands right behind the start marker, one right before the end marker, and both say the same:
//! `eyelet NUMBER TIME`, each 16 hexadecimal digits; the time is CLOCK_MONOTONIC in ns. A picture of two halves shows by
//! stamps that differ, a late one by its time.

use eyelet_area::MonotonicNs;

/// Bytes of a segment, its marker included.
pub const LEN: usize = 44;

/// Marker and length of a comment. Source: ITU-T T.81, section B.2.4.5.
const HEAD: [u8; 4] = [0xFF, 0xFE, 0, 42];
const WORD: &[u8] = b"eyelet ";
const DIGITS: usize = 16;
const MARKER_LEN: usize = 2;

/// What the two segments of one picture say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The frame's number in its stream.
    pub sequence: u64,
    /// When it was captured.
    pub captured_at: MonotonicNs,
}

impl Stamp {
    /// Gives the segment, marker included.
    #[must_use]
    pub fn segment(&self) -> [u8; LEN] {
        let mut bytes = [b' '; LEN];
        bytes[..HEAD.len()].copy_from_slice(&HEAD);
        let text = &mut bytes[HEAD.len()..];
        text[..WORD.len()].copy_from_slice(WORD);
        write_hex(&mut text[WORD.len()..][..DIGITS], self.sequence);
        write_hex(&mut text[WORD.len() + DIGITS + 1..][..DIGITS], self.captured_at.0);
        bytes
    }

    /// Reads a segment, marker included; `None` if it is another one. O(1).
    #[must_use]
    pub fn read(segment: &[u8]) -> Option<Self> {
        let text = segment.get(..LEN)?.strip_prefix(&HEAD)?.strip_prefix(WORD)?;
        let (number, time) = text.split_at(DIGITS);
        let time = time.strip_prefix(b" ")?;
        Some(Self { sequence: read_hex(number)?, captured_at: MonotonicNs(read_hex(time)?) })
    }

    /// Finds where the two segments are in a picture of `len` bytes; `None` if it is too short.
    #[must_use]
    pub fn places(len: usize) -> Option<[std::ops::Range<usize>; 2]> {
        let first = MARKER_LEN..MARKER_LEN + LEN;
        let last = len.checked_sub(MARKER_LEN + LEN)?..len - MARKER_LEN;
        (first.end <= last.start).then_some([first, last])
    }

    /// Writes both segments over those that a picture has; one that is too short to have them stays as it is.
    pub fn write(&self, picture: &mut [u8]) {
        for place in Self::places(picture.len()).into_iter().flatten() {
            picture[place].copy_from_slice(&self.segment());
        }
    }
}

fn write_hex(digits: &mut [u8], number: u64) {
    for (at, digit) in digits.iter_mut().rev().enumerate() {
        *digit = b"0123456789abcdef"[(number >> (4 * at) & 15) as usize];
    }
}

fn read_hex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(value))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn segments_are_comments_of_plain_text() {
        let stamp = Stamp { sequence: 0x1f, captured_at: MonotonicNs(0x00ab_cdef) };
        let segment = stamp.segment();
        assert_eq!(segment[..4], [0xFF, 0xFE, 0, 42]);
        assert_eq!(&segment[4..], b"eyelet 000000000000001f 0000000000abcdef");
    }

    #[test]
    fn pictures_have_one_at_either_end() {
        assert_eq!(Stamp::places(4 + 2 * LEN - 1), None);
        assert_eq!(Stamp::places(100), Some([2..46, 54..98]));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(sequence: u64, ns: u64, len in 92usize..300) {
            let stamp = Stamp { sequence, captured_at: MonotonicNs(ns) };
            let mut picture = vec![0; len];
            stamp.write(&mut picture);
            for place in Stamp::places(len).unwrap() {
                prop_assert_eq!(Stamp::read(&picture[place]), Some(stamp));
            }
        }

        #[test]
        fn anything_is_read_without_a_panic(bytes: Vec<u8>) {
            prop_assert_eq!(Stamp::read(&bytes), None);
        }
    }
}
