//! Access units cut out of a byte stream.

use bytes::{Buf as _, Bytes, BytesMut};
use memchr::memmem;

use super::units::{START, kind, kind_of};

/// Finds access units in what a command, a pipe or a file gives: each is one picture with what stands before it.
///
/// Where one ends is known when the next one begins, so the last one is given by [`finish`](Self::finish). One that is
/// longer than the limit is skipped and counted. Slices of one picture must come in order, as they do from every camera:
/// a slice that begins with the first block is another picture's.
///
/// Memory: none of its own; the caller's buffer holds at most one access unit that is not whole.
///
/// ```
/// use bytes::BytesMut;
/// let mut input = BytesMut::from(&[0, 0, 1, 0x65, 0x88, 0, 0, 1, 0x41, 0x9a, 0, 0, 1, 0x41][..]);
/// let mut splitter = eyelet_wire::h264::Splitter::new(1 << 20);
/// assert_eq!(splitter.next_access_unit(&mut input).unwrap()[..], [0, 0, 1, 0x65, 0x88]);
/// assert_eq!(splitter.next_access_unit(&mut input), None);
/// assert_eq!(splitter.finish(&mut input).unwrap()[..], [0, 0, 1, 0x41, 0x9a, 0, 0, 1, 0x41]);
/// ```
#[derive(Debug)]
pub struct Splitter {
    max_len: usize,
    /// The input begins with a start code.
    is_begun: bool,
    /// So many bytes at the front have been looked at.
    scanned: usize,
    /// The access unit at the front has a slice.
    has_slice: bool,
    /// Its beginning was thrown away.
    is_too_long: bool,
    damaged: u64,
    skipped: u64,
}

impl Splitter {
    /// Makes a splitter for one stream, which skips access units of more than `max_len` bytes.
    #[must_use]
    pub const fn new(max_len: usize) -> Self {
        Self {
            max_len,
            is_begun: false,
            scanned: 0,
            has_slice: false,
            is_too_long: false,
            damaged: 0,
            skipped: 0,
        }
    }

    /// Access units that were too long.
    #[must_use]
    pub const fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Bytes of those, and what stood before the first one.
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Splits the next access unit off the front of `input`; `None` when more is needed.
    ///
    /// Between calls `input` may only be added to at its end. On `None` it holds at most `max_len` bytes and 6.
    pub fn next_access_unit(&mut self, input: &mut BytesMut) -> Option<Bytes> {
        loop {
            let found = memmem::find(input.get(self.scanned..).unwrap_or_default(), &START);
            let Some(at) = found.map(|found| self.scanned + found) else {
                // Two zeros at the end may be a start code's.
                self.scanned = self.scanned.max(input.len().saturating_sub(START.len() - 1));
                self.bound(input);
                return None;
            };
            let start = if at > 0 && input[at - 1] == 0 { at - 1 } else { at };
            if !self.is_begun {
                self.is_begun = true;
                self.skip(input, start);
                self.scanned = 0;
                continue;
            }
            let behind = at + START.len();
            let Some(&[first, second]) = input.get(behind..behind + 2).and_then(|b| b.as_array())
            else {
                self.scanned = at;
                self.bound(input);
                return None;
            };
            let is_slice = matches!(kind_of(first), kind::SLICE..=kind::IDR_SLICE);
            if self.has_slice && begins_another(kind_of(first), second) {
                self.scanned = behind - start;
                self.has_slice = is_slice;
                if let Some(unit) = self.take(input, start) {
                    return Some(unit);
                }
            } else {
                self.scanned = behind;
                self.has_slice |= is_slice;
            }
        }
    }

    /// Gives what is left at the end of the stream, if it has a picture.
    pub fn finish(&mut self, input: &mut BytesMut) -> Option<Bytes> {
        let has_slice = std::mem::take(&mut self.has_slice);
        let rest = self.take(input, input.len()).filter(|_| has_slice && self.is_begun);
        (self.is_begun, self.scanned) = (false, 0);
        rest
    }

    /// Takes the access unit that ends there, unless its beginning is lost.
    fn take(&mut self, input: &mut BytesMut, end: usize) -> Option<Bytes> {
        if std::mem::take(&mut self.is_too_long) || end > self.max_len {
            self.damaged += 1;
            self.skip(input, end);
            return None;
        }
        Some(input.split_to(end).freeze())
    }

    /// Throws away what is more than the longest access unit, or before the first one.
    fn bound(&mut self, input: &mut BytesMut) {
        // What comes behind, and the zero before it, may be the next access unit's.
        let lost = self.scanned.saturating_sub(1);
        if self.is_begun && lost <= self.max_len && !self.is_too_long {
            return;
        }
        self.is_too_long |= self.is_begun;
        self.skip(input, lost);
        self.scanned -= lost;
    }

    fn skip(&mut self, input: &mut BytesMut, len: usize) {
        input.advance(len);
        self.skipped += len as u64;
    }
}

/// Tells whether a unit behind a slice belongs to the next picture; `second` is the byte behind its first.
///
/// Source: ITU-T H.264, section 7.4.1.2.3. A slice begins with the number of its first block, of which 0 is one bit.
fn begins_another(kind: u8, second: u8) -> bool {
    match kind {
        kind::SEI..=kind::DELIMITER | 14..=18 => true,
        kind::SLICE..=kind::IDR_SLICE => second & 0x80 != 0,
        _ => false,
    }
}
