//! What a colour is in bytes, for each matrix and range.

use eyelet_area::{Format, FourCc, Range};

/// Three code values: Y Cb Cr, or R G B where the format is that. Grey formats use the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Codes(pub(super) [u8; 3]);

/// R'G'B' of the bars, left to right: white, yellow, cyan, green, magenta, red, blue, black.
pub(super) const BARS: [[u8; 3]; 8] = [
    [255, 255, 255],
    [255, 255, 0],
    [0, 255, 255],
    [0, 255, 0],
    [255, 0, 255],
    [255, 0, 0],
    [0, 0, 255],
    [0, 0, 0],
];

impl Codes {
    /// Computes the code values of a colour in `format`, rounded to the nearest.
    pub(super) fn of(format: &Format, rgb: [u8; 3]) -> Self {
        let is_full = format.range == Range::Full;
        let (foot, luma_span, chroma_span) = if is_full { (0, 255, 255) } else { (16, 219, 224) };
        let [r, g, b] = rgb.map(i64::from);
        if format.fourcc == FourCc::RGB24 {
            return Self([r, g, b].map(|c| byte(foot + rounded(luma_span * c, 255))));
        }
        let (kr, kb) = format.matrix.weights();
        let (kr, kb) = (i64::from(kr), i64::from(kb));
        // 10000 times luma, of 255 at most.
        let luma = kr * r + (10_000 - kr - kb) * g + kb * b;
        let chroma = |c: i64, weight: i64| {
            128 + rounded(chroma_span * (c * 10_000 - luma), 2 * (10_000 - weight) * 255)
        };
        let y = foot + rounded(luma_span * luma, 10_000 * 255);
        Self([byte(y), byte(chroma(b, kb)), byte(chroma(r, kr))])
    }
}

/// Divides and rounds to the nearest, halves away from zero; `by` is positive.
fn rounded(value: i64, by: i64) -> i64 {
    (value + by / 2 * value.signum()) / by
}

fn byte(value: i64) -> u8 {
    u8::try_from(value.clamp(0, 255)).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use eyelet_area::Matrix;

    use super::*;

    fn bars(matrix: Matrix, range: Range) -> [[u8; 3]; 8] {
        let format = Format { matrix, range, ..Format::packed(FourCc::YUYV, 640, 480) };
        BARS.map(|rgb| Codes::of(&format, rgb).0)
    }

    /// Source: ITU-R BT.801, table of 100 % colour bars in BT.601.
    #[test]
    fn bars_of_bt601_are_the_well_known_ones() {
        let expected = [
            [235, 128, 128],
            [210, 16, 146],
            [170, 166, 16],
            [145, 54, 34],
            [106, 202, 222],
            [81, 90, 240],
            [41, 240, 110],
            [16, 128, 128],
        ];
        assert_eq!(bars(Matrix::Bt601, Range::Limited), expected);
    }

    #[test]
    fn bars_of_bt709_differ() {
        let bars = bars(Matrix::Bt709, Range::Limited);
        assert_eq!(bars[0], [235, 128, 128]);
        assert_eq!(bars[1], [219, 16, 138]);
        assert_eq!(bars[5], [63, 102, 240]);
    }

    #[test]
    fn full_range_uses_all_codes() {
        let bars = bars(Matrix::Bt601, Range::Full);
        assert_eq!((bars[0], bars[7]), ([255, 128, 128], [0, 128, 128]));
        assert_eq!(bars[5], [76, 85, 255]);
    }

    #[test]
    fn rgb_is_itself() {
        let format = Format::packed(FourCc::RGB24, 640, 480);
        assert_eq!(Codes::of(&format, [255, 0, 7]).0, [255, 0, 7]);
    }
}
