//! What a frame looks like: size, stride, pixel format, colour.

use std::fmt;

/// The four-character code of a pixel format, as V4L2 defines it.
///
/// Any four bytes are representable, so that an unknown format of a camera can be named in a message;
/// `Display` escapes what is not printable ASCII. All zero means "no picture" (application data).
///
/// Source: "Image Formats" and `v4l2_fourcc`, Linux Media Userspace API.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FourCc(pub [u8; 4]);

impl FourCc {
    /// Packed Y'CbCr 4:2:2, bytes `Y0 Cb Y1 Cr`.
    pub const YUYV: Self = Self(*b"YUYV");
    /// Packed Y'CbCr 4:2:2, bytes `Cb Y0 Cr Y1`.
    pub const UYVY: Self = Self(*b"UYVY");
    /// Planar luma, then interleaved `Cb Cr` at half size in both directions.
    pub const NV12: Self = Self(*b"NV12");
    /// Luma only, 8 bits.
    pub const GREY: Self = Self(*b"GREY");
    /// Packed `R G B`, 8 bits each.
    pub const RGB24: Self = Self(*b"RGB3");
    /// Packed `R G B A`, 8 bits each; alpha is not premultiplied, and 255 where nothing is see-through.
    ///
    /// Source: `V4L2_PIX_FMT_RGBA32`, "RGB Formats", Linux Media Userspace API.
    pub const RGBA32: Self = Self(*b"AB24");
    /// One JPEG picture per frame.
    pub const MJPEG: Self = Self(*b"MJPG");
    /// H.264 access units with start codes.
    pub const H264: Self = Self(*b"H264");

    /// Tells how many bytes a frame of this format has, without padding; `None` for compressed or unknown formats.
    #[must_use]
    pub fn packed_len(self, width: u32, height: u32) -> Option<u64> {
        let (width, height) = (u64::from(width), u64::from(height));
        // Saturating: a driver or a caller may state any two numbers.
        match self {
            Self::YUYV | Self::UYVY => Some((width.div_ceil(2) * 4).saturating_mul(height)),
            Self::NV12 => {
                let chroma = (width.div_ceil(2) * 2).saturating_mul(height.div_ceil(2));
                Some((width * height).saturating_add(chroma))
            }
            Self::GREY => Some(width * height),
            Self::RGB24 => Some((width * 3).saturating_mul(height)),
            Self::RGBA32 => Some((width * 4).saturating_mul(height)),
            _ => None,
        }
    }

    /// Tells how many bytes the first plane has from one row to the next, without padding; 0 for compressed formats.
    #[must_use]
    pub fn packed_stride(self, width: u32) -> u32 {
        match self {
            Self::YUYV | Self::UYVY => width.div_ceil(2).saturating_mul(4),
            Self::NV12 | Self::GREY => width,
            Self::RGB24 => width.saturating_mul(3),
            Self::RGBA32 => width.saturating_mul(4),
            _ => 0,
        }
    }

    /// Tells whether pixels are R'G'B', so that no matrix has to do with them.
    #[must_use]
    pub fn is_rgb(self) -> bool {
        matches!(self, Self::RGB24 | Self::RGBA32)
    }

    /// Tells whether frames may need those before them to be decoded, so that none but a key frame can stand alone.
    #[must_use]
    pub fn is_predicted(self) -> bool {
        matches!(self, Self::H264) || self == Self(*b"HEVC")
    }

    /// Tells whether a frame is compressed, so that its length says nothing about its size in pixels.
    #[must_use]
    pub fn is_compressed(self) -> bool {
        matches!(self, Self::MJPEG | Self::H264) || self == Self(*b"JPEG") || self == Self(*b"HEVC")
    }
}

impl fmt::Display for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for FourCc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FourCc({self})")
    }
}

/// The matrix that made Y'CbCr from R'G'B'.
///
/// Source: `enum v4l2_ycbcr_encoding`, Linux Media Userspace API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Matrix {
    /// Not Y'CbCr, or not known; viewers take BT.601.
    #[default]
    Unspecified = 0,
    /// ITU-R BT.601, what webcams send.
    Bt601 = 1,
    /// ITU-R BT.709, high definition.
    Bt709 = 2,
    /// ITU-R BT.2020, constant luminance not included.
    Bt2020 = 3,
    /// SMPTE 240M.
    Smpte240m = 4,
}

/// How the code values of luma and chroma are used.
///
/// Source: `enum v4l2_quantization`, Linux Media Userspace API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Range {
    /// Not known; viewers take limited for Y'CbCr and full for the rest.
    #[default]
    Unspecified = 0,
    /// Luma 16 to 235, chroma 16 to 240.
    Limited = 1,
    /// 0 to 255.
    Full = 2,
}

impl Matrix {
    /// Gives the weights of red and blue in luma, in 1/10000; green has the rest. What nobody states is BT.601.
    ///
    /// Source: ITU-R BT.601, BT.709 and BT.2020, SMPTE 240M, as in "Defining Colorspaces", Linux Media Userspace API.
    #[must_use]
    pub fn weights(self) -> (i32, i32) {
        match self {
            Self::Unspecified | Self::Bt601 => (2990, 1140),
            Self::Bt709 => (2126, 722),
            Self::Bt2020 => (2627, 593),
            Self::Smpte240m => (2120, 870),
        }
    }

    /// Reads the value of a message; `None` for a number that no matrix has.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Unspecified, Self::Bt601, Self::Bt709, Self::Bt2020, Self::Smpte240m]
            .into_iter()
            .find(|m| *m as u8 == code)
    }

    /// Names the matrix as the wire protocol does: `bt601`, `bt709`, `bt2020`, `smpte240m`; unspecified is `bt601`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unspecified | Self::Bt601 => "bt601",
            Self::Bt709 => "bt709",
            Self::Bt2020 => "bt2020",
            Self::Smpte240m => "smpte240m",
        }
    }
}

impl Range {
    /// Reads the value of a message; `None` for a number that no range has.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Unspecified, Self::Limited, Self::Full].into_iter().find(|r| *r as u8 == code)
    }

    /// Names the range as the wire protocol does: `limited` or `full`; unspecified is `limited`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unspecified | Self::Limited => "limited",
            Self::Full => "full",
        }
    }
}

/// The shape of every frame of a stream, until it changes.
///
/// Rows go from top to bottom without padding between them; planes follow each other without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Format {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes from one row of the first plane to the next; 0 where rows have no fixed length (compressed formats).
    pub stride: u32,
    /// The pixel format.
    pub fourcc: FourCc,
    /// Which matrix made the Y'CbCr values.
    pub matrix: Matrix,
    /// How the code values are used.
    pub range: Range,
}

impl Format {
    /// Largest width and height that a frame may state, in pixels.
    ///
    /// The largest JPEG side is 65535 (ITU-T T.81 B.2.2); anything above is a mistake or an attack.
    pub const MAX_SIDE_PX: u32 = 65_535;

    /// Describes unpadded frames of `fourcc`, with the colour that V4L2 gives a webcam: BT.601, limited range.
    #[must_use]
    pub fn packed(fourcc: FourCc, width: u32, height: u32) -> Self {
        let (matrix, range) = match fourcc {
            FourCc::RGB24 | FourCc::RGBA32 => (Matrix::Unspecified, Range::Full),
            FourCc::MJPEG => (Matrix::Bt601, Range::Full),
            _ => (Matrix::Bt601, Range::Limited),
        };
        Self { width, height, stride: fourcc.packed_stride(width), fourcc, matrix, range }
    }

    /// Tells how many bytes a frame of this shape has; `None` for compressed or unknown formats.
    #[must_use]
    pub fn packed_len(&self) -> Option<u64> {
        self.fourcc.packed_len(self.width, self.height)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{} {}", self.width, self.height, self.fourcc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_lengths_are_those_of_v4l2() {
        assert_eq!(FourCc::YUYV.packed_len(640, 480), Some(614_400));
        assert_eq!(FourCc::NV12.packed_len(640, 480), Some(460_800));
        assert_eq!(FourCc::GREY.packed_len(3, 2), Some(6));
        assert_eq!(FourCc::RGB24.packed_len(5, 2), Some(30));
        assert_eq!(FourCc::RGBA32.packed_len(5, 2), Some(40));
        assert_eq!(FourCc::MJPEG.packed_len(640, 480), None);
    }

    #[test]
    fn no_size_overflows() {
        let packed = [FourCc::YUYV, FourCc::UYVY, FourCc::RGB24, FourCc::RGBA32];
        for fourcc in packed.into_iter().chain([FourCc::NV12, FourCc::GREY]) {
            assert!(fourcc.packed_len(u32::MAX, u32::MAX).unwrap() > 1 << 60);
            assert!(fourcc.packed_stride(u32::MAX) >= u32::MAX - 1);
        }
    }

    #[test]
    fn rgba_is_rgb_in_full_range() {
        let format = Format::packed(FourCc::RGBA32, 5, 2);
        assert_eq!(
            (format.stride, format.matrix, format.range),
            (20, Matrix::Unspecified, Range::Full)
        );
        assert!(format.fourcc.is_rgb() && FourCc::RGB24.is_rgb() && !FourCc::YUYV.is_rgb());
    }

    #[test]
    fn an_unprintable_code_is_escaped() {
        assert_eq!(FourCc([b'Y', 0, b'\n', 0xff]).to_string(), r"Y\x00\n\xff");
    }
}
