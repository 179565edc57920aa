//! What the numbers of a picture mean: matrix and range, with V4L2's rules for "default".

/// The colour description of a format, as the driver states it.
///
/// Source: Linux Media Userspace API, "Defining Colorspaces"; `enum v4l2_colorspace`, `v4l2_ycbcr_encoding`,
/// `v4l2_quantization`, `v4l2_xfer_func`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Colour {
    /// `enum v4l2_colorspace`; 0 is "default".
    pub colorspace: u32,
    /// `enum v4l2_ycbcr_encoding`; 0 is "default for the colorspace".
    pub encoding: u32,
    /// `enum v4l2_quantization`; 0 is "default for the colorspace and kind of format".
    pub quantization: u32,
    /// `enum v4l2_xfer_func`; 0 is "default for the colorspace".
    pub transfer: u32,
}

/// How luma and chroma are made of red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Matrix {
    /// ITU-R BT.601: cameras, standard definition, JPEG.
    Bt601,
    /// ITU-R BT.709: high definition.
    Bt709,
    /// ITU-R BT.2020, taken as non-constant luminance.
    Bt2020,
    /// SMPTE 240M, an early high definition.
    Smpte240m,
}

/// Which values of the bytes are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Range {
    /// Luma 16 to 235, chroma 16 to 240.
    Limited,
    /// 0 to 255.
    Full,
}

impl Colour {
    /// The matrix, following `V4L2_MAP_YCBCR_ENC_DEFAULT` where the driver leaves it open or says something unknown.
    ///
    /// ```
    /// use eyelet_v4l2::colour::{Colour, Matrix};
    /// // What uvcvideo says: sRGB primaries, all else by default.
    /// assert_eq!(Colour { colorspace: 8, ..Colour::default() }.matrix(), Matrix::Bt601);
    /// ```
    #[must_use]
    pub fn matrix(&self) -> Matrix {
        match self.encoding {
            // 601, xvYCC 601, sYCC.
            1 | 3 | 5 => Matrix::Bt601,
            // 709, xvYCC 709.
            2 | 4 => Matrix::Bt709,
            // BT.2020, and its constant-luminance form, which no camera is known to send.
            6 | 7 => Matrix::Bt2020,
            8 => Matrix::Smpte240m,
            _ => match self.colorspace {
                // Rec. 709, DCI-P3.
                3 | 12 => Matrix::Bt709,
                10 => Matrix::Bt2020,
                2 => Matrix::Smpte240m,
                _ => Matrix::Bt601,
            },
        }
    }

    /// The range of a format, following `V4L2_MAP_QUANTIZATION_DEFAULT` where the driver leaves it open: full for RGB, and
    /// limited for Y'CbCr, grey included, unless the colorspace is JPEG.
    ///
    /// One thing differs: JPEG data is full range whatever the colorspace, because JFIF says so and decoders assume it;
    /// `uvcvideo` labels Motion JPEG as sRGB, for which the rule would say limited.
    #[must_use]
    pub fn range(&self, fourcc: [u8; 4]) -> Range {
        /// `V4L2_COLORSPACE_JPEG`.
        const JPEG: u32 = 7;
        match self.quantization {
            1 => Range::Full,
            2 => Range::Limited,
            _ if is_rgb_or_hsv(fourcc) || is_jpeg(fourcc) || self.colorspace == JPEG => Range::Full,
            _ => Range::Limited,
        }
    }
}

/// Whether the format is made of red, green and blue, or of hue and saturation, or is the raw form of the former.
///
/// Source: `V4L2_PIX_FMT_*` under "RGB formats", "HSV formats" and "Bayer formats".
fn is_rgb_or_hsv(fourcc: [u8; 4]) -> bool {
    // Big-endian variants differ in the highest bit.
    let [a, b, c, d] = fourcc;
    matches!(
        &[a, b, c, d & 0x7f],
        b"RGB1"
            | b"R444"
            | b"AR12"
            | b"XR12"
            | b"RA12"
            | b"RX12"
            | b"AB12"
            | b"XB12"
            | b"GA12"
            | b"BX12"
            | b"RGBO"
            | b"AR15"
            | b"XR15"
            | b"RA15"
            | b"RX15"
            | b"AB15"
            | b"XB15"
            | b"BA15"
            | b"BX15"
            | b"RGBP"
            | b"RGBQ"
            | b"RGBR"
            | b"BGRH"
            | b"BGR3"
            | b"RGB3"
            | b"BGR4"
            | b"AR24"
            | b"XR24"
            | b"RA24"
            | b"RX24"
            | b"RGB4"
            | b"AB24"
            | b"XB24"
            | b"BA24"
            | b"BX24"
            | b"HSV3"
            | b"HSV4"
    ) || is_bayer(fourcc)
}

/// Whether the data are JPEG pictures.
fn is_jpeg(fourcc: [u8; 4]) -> bool {
    matches!(&fourcc, b"MJPG" | b"JPEG" | b"PJPG")
}

/// Whether the format is what a sensor gives before any processing: one colour per pixel, or packed monochrome. To make
/// a picture of it takes the control loops of an image signal processor.
///
/// Source: `V4L2_PIX_FMT_S*` under "Bayer formats"; `V4L2_PIX_FMT_IPU3_*`; `PISP_COMP*` of the Raspberry Pi 5.
#[must_use]
pub fn is_bayer(fourcc: [u8; 4]) -> bool {
    match &fourcc {
        b"BA81" | b"GBRG" | b"GRBG" | b"RGGB" | b"BYR2" | b"BD10" => true,
        // 10 to 16 bits in 16. "BA14" is not one of them, and "GR" is only used for those that "BA" would confuse.
        [b'B' | b'G' | b'R', b'G' | b'B', b'1', b'0' | b'2' | b'4' | b'6'] => {
            matches!(&fourcc[..2], b"BG" | b"GB" | b"RG")
        }
        [b'B', b'A', b'1', b'0' | b'2'] | [b'G', b'R', b'1', b'4' | b'6'] => true,
        // Packed 10, 12, 14 bits; A-law and DPCM in 8; the same letter for the order of colours.
        [b'p', b'B' | b'G' | b'g' | b'R', x, y] => x == y && matches!(x, b'A' | b'C' | b'E'),
        [b'a' | b'b', b'B' | b'G' | b'g' | b'R', b'A', b'8'] => true,
        [b'i', b'p', b'3', b'b' | b'g' | b'G' | b'r'] => true,
        [b'P', b'C', b'1' | b'2', b'R' | b'G' | b'g' | b'B' | b'M'] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colour(colorspace: u32, encoding: u32, quantization: u32) -> Colour {
        Colour { colorspace, encoding, quantization, transfer: 0 }
    }

    /// `V4L2_MAP_YCBCR_ENC_DEFAULT` over all colorspaces, in order.
    #[test]
    fn default_matrix_follows_the_colorspace() {
        use Matrix::{Bt601, Bt709, Bt2020, Smpte240m};
        let expected = [
            Bt601, Bt601, Smpte240m, Bt709, Bt601, Bt601, Bt601, Bt601, Bt601, Bt601, Bt2020,
            Bt601, Bt709, Bt601,
        ];
        for (colorspace, matrix) in (0..).zip(expected) {
            assert_eq!(colour(colorspace, 0, 0).matrix(), matrix, "colorspace {colorspace}");
        }
    }

    #[test]
    fn stated_matrix_wins_over_the_colorspace() {
        for (encoding, matrix) in [
            (1, Matrix::Bt601),
            (2, Matrix::Bt709),
            (3, Matrix::Bt601),
            (4, Matrix::Bt709),
            (5, Matrix::Bt601),
            (6, Matrix::Bt2020),
            (7, Matrix::Bt2020),
            (8, Matrix::Smpte240m),
        ] {
            assert_eq!(colour(3, encoding, 0).matrix(), matrix, "encoding {encoding}");
        }
        assert_eq!(colour(3, 99, 0).matrix(), Matrix::Bt709, "unknown is default");
    }

    #[test]
    fn default_range_is_full_for_rgb_and_jpeg_only() {
        assert_eq!(colour(8, 0, 0).range(*b"YUYV"), Range::Limited);
        assert_eq!(colour(8, 0, 0).range(*b"NV12"), Range::Limited);
        assert_eq!(colour(8, 0, 0).range(*b"GREY"), Range::Limited);
        assert_eq!(colour(7, 0, 0).range(*b"YUYV"), Range::Full);
        assert_eq!(colour(8, 0, 0).range(*b"RGB3"), Range::Full);
        assert_eq!(colour(8, 0, 0).range([b'A', b'R', b'1', b'5' | 0x80]), Range::Full);
        assert_eq!(colour(8, 0, 0).range(*b"MJPG"), Range::Full);
    }

    #[test]
    fn stated_range_wins() {
        assert_eq!(colour(8, 0, 1).range(*b"YUYV"), Range::Full);
        assert_eq!(colour(8, 0, 2).range(*b"RGB3"), Range::Limited);
        assert_eq!(colour(7, 0, 2).range(*b"MJPG"), Range::Limited);
    }

    #[test]
    fn bayer_formats_are_known() {
        for fourcc in [
            b"BA81", b"GBRG", b"GRBG", b"RGGB", b"BG10", b"GB10", b"BA10", b"RG10", b"pBAA",
            b"pGAA", b"pgAA", b"pRAA", b"aBA8", b"agA8", b"bBA8", b"BD10", b"BG12", b"GB12",
            b"BA12", b"RG12", b"pBCC", b"pRCC", b"BG14", b"GB14", b"GR14", b"RG14", b"pgEE",
            b"BYR2", b"GB16", b"GR16", b"RG16", b"ip3G", b"PC1B",
        ] {
            assert!(is_bayer(*fourcc), "{}", fourcc.escape_ascii());
        }
    }

    #[test]
    fn pictures_are_no_bayer() {
        for fourcc in [
            b"YUYV", b"UYVY", b"NV12", b"GREY", b"MJPG", b"H264", b"RGB3", b"BGR3", b"BA15",
            b"BA24", b"GA12", b"RA12", b"P010", b"PAL8", b"pAAA", b"Y16 ",
        ] {
            assert!(!is_bayer(*fourcc), "{}", fourcc.escape_ascii());
        }
    }
}
