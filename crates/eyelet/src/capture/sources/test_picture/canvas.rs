//! One frame's bytes, to be drawn on in any of the formats that the test picture has.

use std::ops::Range;

use eyelet_area::{Format, FourCc};

use super::colour::Codes;
use super::font;

/// A rectangle in pixels, left and top included, right and bottom not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rect {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) right: usize,
    pub(super) bottom: usize,
}

/// The bytes of a frame. Drawing outside of it is cut off.
pub(super) struct Canvas {
    fourcc: FourCc,
    width: usize,
    height: usize,
    stride: usize,
    /// What is drawn at the left comes to the right.
    is_flipped: bool,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Canvas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Canvas({}x{} {})", self.width, self.height, self.fourcc)
    }
}

impl Canvas {
    /// A frame of zeros of an uncompressed format.
    pub(super) fn new(format: &Format, is_flipped: bool) -> Self {
        let to_usize = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        let len = usize::try_from(format.packed_len().unwrap_or(0)).unwrap_or(0);
        Self {
            fourcc: format.fourcc,
            width: to_usize(format.width),
            height: to_usize(format.height),
            stride: to_usize(format.stride),
            is_flipped,
            bytes: vec![0; len],
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Fills a rectangle. Chroma that a pixel shares with one outside is changed, too.
    pub(super) fn fill(&mut self, rect: Rect, codes: Codes) {
        let columns = rect.left..rect.right.min(self.width);
        if columns.is_empty() {
            return;
        }
        let columns = match self.is_flipped {
            true => self.width - columns.end..self.width - columns.start,
            false => columns,
        };
        for row in rect.top..rect.bottom.min(self.height) {
            self.fill_row(row, columns.clone(), codes);
        }
    }

    fn fill_row(&mut self, row: usize, columns: Range<usize>, Codes([y, cb, cr]): Codes) {
        let start = row * self.stride;
        let line = &mut self.bytes[start..start + self.stride];
        // Columns in pairs that share chroma.
        let pairs = columns.start / 2..columns.end.div_ceil(2);
        match self.fourcc {
            FourCc::YUYV => fill_422(line, columns, pairs.clone(), [0, 1, 3], [y, cb, cr]),
            FourCc::UYVY => fill_422(line, columns, pairs.clone(), [1, 0, 2], [y, cb, cr]),
            FourCc::RGB24 => line[columns.start * 3..columns.end * 3]
                .chunks_exact_mut(3)
                .for_each(|pixel| pixel.copy_from_slice(&[y, cb, cr])),
            _ => line[columns].fill(y),
        }
        if self.fourcc == FourCc::NV12 && row.is_multiple_of(2) {
            let start = self.stride * self.height + row / 2 * self.width.next_multiple_of(2);
            self.bytes[start + pairs.start * 2..start + pairs.end * 2]
                .chunks_exact_mut(2)
                .for_each(|pair| pair.copy_from_slice(&[cb, cr]));
        }
    }

    /// Draws a character, each of its dots `scale` pixels wide and high.
    pub(super) fn draw(&mut self, glyph: u8, at: (usize, usize), scale: usize, ink: [Codes; 2]) {
        let (left, top) = at;
        for (row, dots) in (0..).zip(font::rows(glyph)) {
            for column in 0..font::ADVANCE {
                let is_set = dots >> (font::ADVANCE - 1 - column) & 1 == 1;
                let left = left + column * scale;
                let top = top + row * scale;
                let rect = Rect { left, top, right: left + scale, bottom: top + scale };
                self.fill(rect, ink[usize::from(is_set)]);
            }
        }
    }
}

/// Fills columns of a 4:2:2 row whose pairs of pixels have luma and both chroma values at these places in four bytes.
fn fill_422(
    line: &mut [u8],
    columns: Range<usize>,
    pairs: Range<usize>,
    [luma, cb, cr]: [usize; 3],
    codes: [u8; 3],
) {
    for pixel in line[columns.start * 2..columns.end * 2].chunks_exact_mut(2) {
        pixel[luma] = codes[0];
    }
    for pair in line[pairs.start * 4..pairs.end * 4].chunks_exact_mut(4) {
        (pair[cb], pair[cr]) = (codes[1], codes[2]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(fourcc: FourCc, rect: Rect) -> Vec<u8> {
        let mut canvas = Canvas::new(&Format::packed(fourcc, 4, 2), false);
        canvas.fill(rect, Codes([9, 7, 5]));
        canvas.bytes
    }

    const RIGHT: Rect = Rect { left: 2, top: 0, right: 99, bottom: 1 };

    #[test]
    fn each_format_has_its_own_order() {
        assert_eq!(filled(FourCc::YUYV, RIGHT)[..8], [0, 0, 0, 0, 9, 7, 9, 5]);
        assert_eq!(filled(FourCc::UYVY, RIGHT)[..8], [0, 0, 0, 0, 7, 9, 5, 9]);
        assert_eq!(filled(FourCc::GREY, RIGHT), [0, 0, 9, 9, 0, 0, 0, 0]);
        assert_eq!(filled(FourCc::RGB24, RIGHT)[6..13], [9, 7, 5, 9, 7, 5, 0]);
        assert_eq!(filled(FourCc::NV12, RIGHT), [0, 0, 9, 9, 0, 0, 0, 0, 0, 0, 7, 5]);
    }

    #[test]
    fn what_is_outside_is_cut_off() {
        let outside = Rect { left: 5, top: 0, right: 9, bottom: 9 };
        assert!(filled(FourCc::YUYV, outside).iter().all(|byte| *byte == 0));
        let below = Rect { left: 0, top: 2, right: 4, bottom: 9 };
        assert!(filled(FourCc::NV12, below).iter().all(|byte| *byte == 0));
    }
}
