//! Any camera's Y'CbCr as JPEG has it: BT.601, codes of 0 to 255.
//!
//! Source: ITU-T T.871, section 7, and the coefficients of the recommendations that [`Matrix`] names. All of it is 16-bit
//! arithmetic without branches, so that compilers can make vector instructions of it for any processor.

use eyelet_area::{Format, Matrix, Range};

/// What has to be done to a camera's values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Conversion {
    /// Nothing: they are JPEG's.
    None,
    /// Only the limited range becomes the full one: what nearly every camera needs, so it costs next to nothing.
    Expand,
    /// Another matrix, and perhaps another range.
    Turn(Turn),
}

impl Conversion {
    /// Finds out for a format. What nobody states is BT.601 in limited range.
    pub(super) fn of(format: &Format) -> Self {
        let is_full = format.range == Range::Full;
        match format.matrix {
            Matrix::Unspecified | Matrix::Bt601 if is_full => Self::None,
            Matrix::Unspecified | Matrix::Bt601 => Self::Expand,
            other => Self::Turn(Turn::new(other, is_full)),
        }
    }
}

/// Luma of 16 to 235 becomes 0 to 255: `255 / 219` is 149 / 128, less than half a code too low.
#[inline]
pub(super) fn expand_luma(code: u16) -> u16 {
    ((code * 149).saturating_sub(16 * 149 - 64) >> 7).min(255)
}

/// Chroma of 16 to 240 becomes 0 to 255 around 128: `255 / 224` is 146 / 128, less than half a code too high.
#[inline]
pub(super) fn expand_chroma(code: u16) -> u16 {
    ((code * 146).saturating_sub(128 * 146 - 128 * 128 - 64) >> 7).min(255)
}

/// From another matrix to BT.601: what is added to the values themselves, in parts of 32768.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Turn {
    black: i16,
    luma: i16,
    luma_of_blue: i16,
    luma_of_red: i16,
    blue: i16,
    blue_of_red: i16,
    red: i16,
    red_of_blue: i16,
}

impl Turn {
    fn new(from: Matrix, is_full: bool) -> Self {
        // R' is Y' and so much Cr, B' is Y' and so much Cb, both of full range.
        let spread = |weight: f64| 2.0 * (1.0 - weight);
        let (kr, kb) = weights(from);
        let (to_kr, to_kb) = weights(Matrix::Bt601);
        let to_kg = 1.0 - to_kr - to_kb;
        let green_of = |weight: f64| -weight * spread(weight) / (1.0 - kr - kb);
        let luma_of_red = to_kr * spread(kr) + to_kg * green_of(kr);
        let luma_of_blue = to_kb * spread(kb) + to_kg * green_of(kb);
        let (luma, chroma) = if is_full { (1.0, 1.0) } else { (255.0 / 219.0, 255.0 / 224.0) };
        let part = |factor: f64| {
            #[expect(clippy::cast_possible_truncation, reason = "all are below 1; `as` saturates")]
            let part = (factor * 32_768.0).round() as i16;
            part
        };
        Self {
            black: if is_full { 0 } else { 16 },
            luma: part(luma - 1.0),
            luma_of_blue: part(chroma * luma_of_blue),
            luma_of_red: part(chroma * luma_of_red),
            blue: part(chroma * (spread(kb) - luma_of_blue) / spread(to_kb) - 1.0),
            blue_of_red: part(-chroma * luma_of_red / spread(to_kb)),
            red: part(chroma * (spread(kr) - luma_of_red) / spread(to_kr) - 1.0),
            red_of_blue: part(-chroma * luma_of_blue / spread(to_kr)),
        }
    }

    /// Converts a row of chroma, and leaves what it adds to luma in `added`, in parts of 64.
    pub(super) fn chroma(&self, blue: &mut [u8], red: &mut [u8], added: &mut Vec<i16>) {
        added.clear();
        added.resize(blue.len(), 0);
        for ((blue, red), added) in blue.iter_mut().zip(red).zip(added) {
            let (b, r) = (i16::from(*blue) - 128, i16::from(*red) - 128);
            *added = times(b, self.luma_of_blue) + times(r, self.luma_of_red);
            *blue = code((b << 6) + times(b, self.blue) + times(r, self.blue_of_red), 128);
            *red = code((r << 6) + times(r, self.red) + times(b, self.red_of_blue), 128);
        }
    }

    /// Converts a row of luma, of which two pixels share what chroma adds.
    pub(super) fn luma(&self, luma: &mut [u8], added: &[i16]) {
        let convert = |luma: &mut u8, added: i16| {
            let value = i16::from(*luma) - self.black;
            *luma = code((value << 6) + times(value, self.luma) + added, 0);
        };
        let (pairs, last) = luma.as_chunks_mut::<2>();
        for ([first, second], added) in pairs.iter_mut().zip(added) {
            convert(first, *added);
            convert(second, *added);
        }
        if let ([last], Some(added)) = (last, added.last()) {
            convert(last, *added);
        }
    }
}

/// The parts of red and blue in luma.
fn weights(matrix: Matrix) -> (f64, f64) {
    let (red, blue) = matrix.weights();
    (f64::from(red) / 10_000.0, f64::from(blue) / 10_000.0)
}

/// A value from -256 to 255 times parts of 32768, in parts of 64.
#[inline]
fn times(value: i16, part: i16) -> i16 {
    let product = i32::from(value << 7) * i32::from(part);
    (product >> 16) as i16
}

/// Rounds parts of 64 to a code around `middle`.
#[inline]
fn code(value: i16, middle: i16) -> u8 {
    (((value + 32) >> 6) + middle).clamp(0, 255).to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expanded_codes_are_the_exact_ones_or_their_neighbours() {
        for code in 0..=255u8 {
            let is_near =
                |is: u16, shall: f64| (f64::from(is) - shall.clamp(0.0, 255.0)).abs() < 1.0;
            let exact = f64::from(code);
            let luma = (exact - 16.0) * 255.0 / 219.0;
            assert!(is_near(expand_luma(code.into()), luma), "{code}");
            let chroma = (exact - 128.0) * 255.0 / 224.0 + 128.0;
            assert!(is_near(expand_chroma(code.into()), chroma), "{code}");
        }
    }

    #[test]
    fn grey_stays_grey_whatever_the_matrix() {
        for matrix in [Matrix::Bt709, Matrix::Bt2020, Matrix::Smpte240m] {
            let turn = Turn::new(matrix, true);
            let (mut blue, mut red, mut added) = ([128; 3], [128; 3], Vec::new());
            turn.chroma(&mut blue, &mut red, &mut added);
            let mut luma = [0, 1, 99, 200, 255];
            turn.luma(&mut luma, &added);
            assert_eq!((blue, red, luma), ([128; 3], [128; 3], [0, 1, 99, 200, 255]));
        }
    }
}
