//! The number that a test picture carries in its pixels, so that a viewer can prove what it got.
//!
//! In every eighth row ([`ROW_STEP`]) the first 64 pixels ([`PIXELS`]) are one 64-bit word, most significant bit first:
//! white is 1, black is 0. The word is the low 48 bits of the sequence, then their check sum. Rows of one frame all say
//! the same, so a frame that is torn, stale or mixed up shows. In the first row a second word may follow: when the frame
//! was captured, in µs, so that it also shows how late a frame is.
//!
//! Belongs here: where the word is and what it means. Does not belong here: the rest of the picture.

pub mod jpeg;

use std::ops::Range;

use eyelet_area::{Format, FourCc, Range as CodeRange};

/// What the stamps of one frame say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stamps {
    /// There is none: not a test picture.
    Absent,
    /// All are there and say this.
    Whole(u64),
    /// They differ, or some are damaged or missing.
    Torn,
}

/// Pixels of a row that carry the word, one bit each.
pub const PIXELS: usize = 64;

/// Rows from one that carries the word to the next; the first row of the picture is one.
pub const ROW_STEP: usize = 8;

const SEQUENCE_BITS: u64 = (1 << 48) - 1;

/// No colour, in both ranges and all matrices.
const NEUTRAL_CHROMA: u8 = 128;

/// Between black and white, for reading what an encoder has blurred.
const BRIGHT: u8 = 128;

/// Gives the word for a frame's sequence, of which the low 48 bits count.
#[must_use]
pub fn word(sequence: u64) -> u64 {
    let sequence = sequence & SEQUENCE_BITS;
    let [_, _, bytes @ ..] = sequence.to_be_bytes();
    sequence << 16 | u64::from(check16(&bytes))
}

/// Reads a word; `None` if its check sum is wrong, so that it is no stamp or a damaged one.
#[must_use]
pub fn sequence_of(word: u64) -> Option<u64> {
    let sequence = word >> 16;
    (self::word(sequence) == word).then_some(sequence)
}

/// CRC-16/CCITT-FALSE: polynomial 0x1021, starts with 0xFFFF, most significant bit first, nothing inverted.
fn check16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xFFFF, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
        })
    })
}

/// Where the stamp is in the bytes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    fourcc: FourCc,
    stride: usize,
    width: usize,
    height: usize,
    /// Bytes from one pixel's luma to the next one's.
    step: usize,
    /// The luma's place among them.
    luma: usize,
    zero: u8,
    one: u8,
}

impl Layout {
    /// Finds the stamp in frames of `format`; `None` if it is compressed, unknown or too narrow.
    #[must_use]
    pub fn for_format(format: &Format) -> Option<Self> {
        let (step, luma) = match format.fourcc {
            FourCc::YUYV => (2, 0),
            FourCc::UYVY => (2, 1),
            FourCc::NV12 | FourCc::GREY => (1, 0),
            FourCc::RGB24 => (3, 0),
            _ => return None,
        };
        let [stride, height, width] =
            [format.stride, format.height, format.width].map(|n| usize::try_from(n).unwrap_or(0));
        if width < PIXELS || stride < PIXELS * step || height == 0 {
            return None;
        }
        let is_full = format.fourcc == FourCc::RGB24 || format.range == CodeRange::Full;
        let (zero, one) = if is_full { (0, 255) } else { (16, 235) };
        Some(Self { fourcc: format.fourcc, stride, width, height, step, luma, zero, one })
    }

    /// Tells how many rows carry the stamp.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.height.div_ceil(ROW_STEP)
    }

    /// Gives the place of the stamp's bytes in a frame, for a stamped row from 0 to [`rows`](Self::rows).
    #[must_use]
    pub fn byte_range(&self, row_index: usize) -> Range<usize> {
        let start = row_index * ROW_STEP * self.stride;
        start..start + PIXELS * self.step
    }

    /// Reads the sequence from the bytes at [`byte_range`](Self::byte_range); `None` if there is no whole stamp.
    #[must_use]
    pub fn read(&self, row_bytes: &[u8]) -> Option<u64> {
        let pixels = row_bytes.chunks_exact(self.step);
        if pixels.len() < PIXELS {
            return None;
        }
        let bit = |pixel: &[u8]| u64::from(pixel[self.luma] >= BRIGHT);
        sequence_of(pixels.take(PIXELS).fold(0, |word, pixel| word << 1 | bit(pixel)))
    }

    /// Gives the place of the time's bytes in a frame, right behind those of its first row's number; `None` where the row
    /// has no room for both.
    #[must_use]
    pub fn time_range(&self) -> Option<Range<usize>> {
        let (start, end) = (PIXELS * self.step, 2 * PIXELS * self.step);
        (self.width >= 2 * PIXELS && self.stride >= end).then_some(start..end)
    }

    /// Writes the time in µs, of which the low 48 bits count, where there is room.
    ///
    /// # Panics
    /// If the frame is shorter than a row.
    pub fn write_time(&self, frame: &mut [u8], captured_us: u64) {
        if let Some(range) = self.time_range() {
            self.write(&mut frame[range], captured_us);
        }
    }

    /// Reads the sequence of a whole frame; `None` unless all its stamps are whole and say the same.
    #[must_use]
    pub fn read_frame(&self, frame: &[u8]) -> Option<u64> {
        let row = |index| self.read(frame.get(self.byte_range(index))?);
        let first = row(0)?;
        (1..self.rows()).all(|index| row(index) == Some(first)).then_some(first)
    }

    /// Writes the stamp over the bytes at [`byte_range`](Self::byte_range).
    ///
    /// Chroma that lies elsewhere (NV12) is not touched: [`write_frame`](Self::write_frame) does that, too.
    pub fn write(&self, row_bytes: &mut [u8], sequence: u64) {
        let word = word(sequence);
        let pixels = row_bytes.chunks_exact_mut(self.step).take(PIXELS);
        for (bit, pixel) in (0..64).rev().zip(pixels) {
            let value = if word >> bit & 1 == 1 { self.one } else { self.zero };
            let is_rgb = self.fourcc == FourCc::RGB24;
            pixel.fill(if is_rgb { value } else { NEUTRAL_CHROMA });
            pixel[self.luma] = value;
        }
    }

    /// Stamps a whole frame of [`Format::packed_len`] bytes, its chroma plane included where it has one.
    ///
    /// # Panics
    /// If the frame is shorter.
    pub fn write_frame(&self, frame: &mut [u8], sequence: u64) {
        let (first, rest) = (self.byte_range(0), 1..self.rows());
        self.write(&mut frame[first.clone()], sequence);
        for row in rest {
            frame.copy_within(first.clone(), self.byte_range(row).start);
        }
        if self.fourcc == FourCc::NV12 {
            let chroma_stride = self.stride.next_multiple_of(2);
            for row in 0..self.rows() {
                let start = self.stride * self.height + row * (ROW_STEP / 2) * chroma_stride;
                frame[start..start + PIXELS].fill(NEUTRAL_CHROMA);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_those_of_the_reference() {
        // The check value of CRC-16/CCITT-FALSE.
        assert_eq!(check16(b"123456789"), 0x29B1);
        assert_eq!(word(0), 0x0E10);
        assert_eq!(word(1), 0x1_1E31);
    }

    #[test]
    fn a_flipped_bit_is_noticed() {
        for bit in 0..64 {
            assert_eq!(sequence_of(word(0x1234_5678_9abc) ^ 1 << bit), None, "bit {bit}");
        }
    }

    #[test]
    fn limited_range_is_16_and_235() {
        let format = Format::packed(FourCc::UYVY, 64, 16);
        let layout = Layout::for_format(&format).unwrap();
        let mut frame = vec![0; 64 * 2 * 16];
        layout.write_frame(&mut frame, u64::MAX);
        assert_eq!(frame[..4], [128, 235, 128, 235]);
        assert_eq!(layout.byte_range(1), 8 * 128..8 * 128 + 128);
    }

    #[test]
    fn compressed_and_narrow_frames_have_none() {
        assert_eq!(Layout::for_format(&Format::packed(FourCc::MJPEG, 640, 480)), None);
        assert_eq!(Layout::for_format(&Format::packed(FourCc::GREY, 63, 480)), None);
    }

    #[test]
    fn a_torn_frame_is_noticed() {
        let layout = Layout::for_format(&Format::packed(FourCc::GREY, 64, 17)).unwrap();
        let (mut old, mut new) = (vec![0; 64 * 17], vec![0; 64 * 17]);
        layout.write_frame(&mut old, 7);
        layout.write_frame(&mut new, 8);
        new[64 * 16..].copy_from_slice(&old[64 * 16..]);
        assert_eq!((layout.rows(), layout.read_frame(&old)), (3, Some(7)));
        assert_eq!(layout.read_frame(&new), None);
    }

    #[test]
    fn the_time_follows_the_number_where_there_is_room() {
        let layout = |width| Layout::for_format(&Format::packed(FourCc::YUYV, width, 16)).unwrap();
        assert_eq!(layout(126).time_range(), None);
        let (layout, mut frame) = (layout(128), vec![0; 128 * 2 * 16]);
        let range = layout.time_range().unwrap();
        assert_eq!(range, 128..256);
        layout.write_frame(&mut frame, 7);
        assert_eq!(layout.read(&frame[range.clone()]), None);
        layout.write_time(&mut frame, 4711);
        assert_eq!((layout.read(&frame[range]), layout.read_frame(&frame)), (Some(4711), Some(7)));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(sequence: u64, at in 0usize..5, width in 32u32..100, height in 1u32..40, full: bool) {
            let fourcc = [FourCc::YUYV, FourCc::UYVY, FourCc::NV12, FourCc::GREY, FourCc::RGB24][at];
            let mut format = Format::packed(fourcc, width * 2, height);
            if full {
                format.range = CodeRange::Full;
            }
            let layout = Layout::for_format(&format).unwrap();
            let mut frame = vec![77; usize::try_from(format.packed_len().unwrap()).unwrap()];
            layout.write_frame(&mut frame, sequence);
            prop_assert_eq!(layout.read_frame(&frame), Some(sequence & SEQUENCE_BITS));
            prop_assert_eq!(layout.read(&frame[..10]), None);
        }

        #[test]
        fn anything_is_read_without_a_panic(bytes: Vec<u8>) {
            let layout = Layout::for_format(&Format::packed(FourCc::NV12, 64, 16)).unwrap();
            prop_assert!(bytes.len() >= 64 || layout.read_frame(&bytes).is_none());
        }
    }
}
