//! A picture as the encoder takes it: limited range, two by two pixels for a sample of chroma.

use openh264::formats::YUVSource;

use crate::picture::planes::{Planes, Sampling};

/// No colour.
const NEUTRAL_CHROMA: u8 = 128;

/// Planes of even width and height; their rows may be longer.
#[derive(Debug, Default)]
pub(super) struct Source {
    size: (usize, usize),
    strides: (usize, usize),
    luma: Vec<u8>,
    blue: Vec<u8>,
    red: Vec<u8>,
}

impl Source {
    /// Takes the first `size` pixels, which are even, out of `planes`; what is there afterwards is not theirs any more.
    pub(super) fn fill(&mut self, planes: &mut Planes, size: (usize, usize), is_full: bool) {
        let (across, rows) = planes.chroma_size();
        self.size = size;
        std::mem::swap(&mut self.luma, &mut planes.luma);
        let needed = size.1 / 2;
        self.strides = (planes.size.0, across);
        match planes.sampling {
            Sampling::Four => {
                std::mem::swap(&mut self.blue, &mut planes.blue);
                std::mem::swap(&mut self.red, &mut planes.red);
            }
            Sampling::Two => {
                halve(&planes.blue, across, rows, needed, &mut self.blue);
                halve(&planes.red, across, rows, needed, &mut self.red);
            }
            Sampling::Grey => {
                let across = size.0 / 2;
                self.strides.1 = across;
                for plane in [&mut self.blue, &mut self.red] {
                    plane.clear();
                    plane.resize(across * needed, NEUTRAL_CHROMA);
                }
            }
        }
        if is_full {
            self.luma.iter_mut().for_each(|code| *code = limited_luma(*code));
            if planes.sampling != Sampling::Grey {
                for plane in [&mut self.blue, &mut self.red] {
                    plane.iter_mut().for_each(|code| *code = limited_chroma(*code));
                }
            }
        }
    }
}

/// Each two rows become their mean.
fn halve(from: &[u8], across: usize, rows: usize, needed: usize, to: &mut Vec<u8>) {
    to.clear();
    to.reserve(across * needed);
    for pair in from.chunks(across * 2).take(needed.min(rows.div_ceil(2))) {
        let (upper, lower) = pair.split_at(across.min(pair.len()));
        let mean = |(a, b): (&u8, &u8)| a.midpoint(*b).saturating_add((a ^ b) & 1);
        to.extend(upper.iter().zip(lower).map(mean));
    }
}

/// 0 to 255 becomes 16 to 235. Source: ITU-R BT.601, section 2.5.3.
fn limited_luma(code: u8) -> u8 {
    let scaled = (u32::from(code) * 219 + 127) / 255 + 16;
    scaled.to_le_bytes()[0]
}

/// 0 to 255 around 128 becomes 16 to 240.
fn limited_chroma(code: u8) -> u8 {
    let scaled = (u32::from(code) * 224 + 128 * 31 + 127) / 255;
    scaled.to_le_bytes()[0]
}

impl YUVSource for Source {
    fn dimensions(&self) -> (usize, usize) {
        self.size
    }

    fn strides(&self) -> (usize, usize, usize) {
        (self.strides.0, self.strides.1, self.strides.1)
    }

    fn y(&self) -> &[u8] {
        &self.luma
    }

    fn u(&self) -> &[u8] {
        &self.blue
    }

    fn v(&self) -> &[u8] {
        &self.red
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_range_becomes_the_limited_one() {
        assert_eq!([0, 255].map(limited_luma), [16, 235]);
        assert_eq!([0, 2, 128, 255].map(limited_chroma), [16, 17, 128, 240]);
    }

    #[test]
    fn two_rows_of_chroma_become_one() {
        let mut to = Vec::new();
        halve(&[10, 20, 13, 20, 30, 40, 30, 44], 2, 4, 2, &mut to);
        assert_eq!(to, [12, 20, 30, 42]);
        halve(&[10, 20, 12, 20, 30, 40], 2, 3, 1, &mut to);
        assert_eq!(to, [11, 20]);
    }
}
