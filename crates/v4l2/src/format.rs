//! Which formats a camera offers, which one is in force, and setting it.
//!
//! A fourcc is its four bytes, and any four bytes: this crate gives what the driver says and hands on what it is given.

use std::fmt;
use std::os::fd::AsFd;

use crate::colour::{Colour, Matrix, Range};
use crate::device::Device;
use crate::error::{Error, ErrorKind, Result};
use crate::ioctl::format::{self as raw, Verb};
use crate::ioctl::{self, BufType, enumerate};

/// A list that a driver never ends is cut here; the longest known, of vivid, has 83 formats.
pub(crate) const MAX_LISTED: u32 = 4096;

/// One pixel format that a camera offers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// Its code.
    pub fourcc: [u8; 4],
    /// The driver's words for it.
    pub text: String,
    /// A picture has no fixed number of bytes.
    pub is_compressed: bool,
    /// A library, not the device, makes it of another one.
    pub is_emulated: bool,
}

/// What to ask a camera for. The driver answers with the nearest that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// The pixel format.
    pub fourcc: [u8; 4],
}

/// The format that frames come in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Format {
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// The pixel format.
    pub fourcc: [u8; 4],
    /// How the rows are ordered in time.
    pub field: Field,
    /// The memory of one picture: one plane, or, for formats such as `NM12`, one for each component. Never empty.
    pub planes: Vec<Plane>,
    /// What the numbers mean.
    pub colour: Colour,
}

/// One plane of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plane {
    /// Bytes from one row to the next (`bytesperline`); 0 for compressed formats, and from drivers that do not say. In a
    /// format with several components in one plane it is that of the first.
    pub stride: u32,
    /// The most bytes that a picture can take (`sizeimage`). For Motion JPEG that is often the uncompressed size.
    pub capacity: u32,
}

/// The order of rows in time.
///
/// Source: `enum v4l2_field`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// All rows are of one moment.
    Progressive,
    /// One field per buffer: every second row, from the first on.
    Top,
    /// One field per buffer: every second row, from the second on.
    Bottom,
    /// Both fields, row by row.
    Interlaced,
    /// Both fields, one after the other.
    Sequential,
    /// Fields in turn, each in its own buffer, which says which one it is.
    Alternate,
    /// Something else, by its number.
    Other(u32),
}

impl Field {
    pub(crate) fn new(raw: u32) -> Self {
        match raw {
            1 => Self::Progressive,
            2 => Self::Top,
            3 => Self::Bottom,
            4 | 8 | 9 => Self::Interlaced,
            5 | 6 => Self::Sequential,
            7 => Self::Alternate,
            other => Self::Other(other),
        }
    }
}

impl Format {
    /// The stride of the first plane, in bytes.
    #[must_use]
    pub fn stride(&self) -> u32 {
        self.planes.first().map_or(0, |plane| plane.stride)
    }

    /// The most bytes that a picture can take, over all planes.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.planes.iter().map(|plane| u64::from(plane.capacity)).sum()
    }

    /// The colour matrix, defaults resolved; see [`Colour::matrix`].
    #[must_use]
    pub fn matrix(&self) -> Matrix {
        self.colour.matrix()
    }

    /// The range, defaults resolved; see [`Colour::range`].
    #[must_use]
    pub fn range(&self) -> Range {
        self.colour.range(self.fourcc)
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}x{}", self.fourcc.escape_ascii(), self.width, self.height)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { width, height, fourcc, .. } = *self;
        Request { width, height, fourcc }.fmt(f)
    }
}

impl Device {
    /// Lists the pixel formats, in the driver's order, which is usually from best to worst.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`] if the device was unplugged.
    pub fn formats(&self) -> Result<Vec<Description>> {
        let mut formats = Vec::new();
        for index in 0..MAX_LISTED {
            let found = enumerate::format(self.as_fd(), self.buf_type(), index);
            let Some(raw) = found.map_err(|errno| self.failed("list the formats of", errno))?
            else {
                break;
            };
            formats.push(Description::new(&raw));
        }
        Ok(formats)
    }

    /// Reads the format in force.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] if the driver's answer makes no sense.
    pub fn format(&self) -> Result<Format> {
        self.apply(Verb::Read, None, || "read the format of".to_owned())
    }

    /// Asks what [`set_format`](Self::set_format) would give, and changes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] from drivers that cannot try.
    pub fn try_format(&self, request: Request) -> Result<Format> {
        self.apply(Verb::Try, Some(request), || format!("try the format {request} of"))
    }

    /// Sets the format; the answer is what frames will come in, which may differ in everything.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] while somebody streams from the device. `v4l2loopback` answers so while a program writes to it:
    /// take its [`format`](Self::format) then, the stream itself will work.
    pub fn set_format(&mut self, request: Request) -> Result<Format> {
        self.apply(Verb::Set, Some(request), || format!("set the format {request} of"))
    }

    fn apply(
        &self,
        verb: Verb,
        request: Option<Request>,
        doing: impl Fn() -> String,
    ) -> Result<Format> {
        let failed = |errno| self.failed(doing(), errno);
        let format = match self.buf_type() {
            BufType::Single => {
                let mut pix = request.map_or_else(raw::empty_single, single);
                raw::single(self.as_fd(), verb, &mut pix).map_err(failed)?;
                from_single(&pix)
            }
            BufType::Multi => {
                let mut pix = request.map_or_else(raw::empty_multi, multi);
                raw::multi(self.as_fd(), verb, &mut pix).map_err(failed)?;
                from_multi(&pix)
            }
        };
        check(format)
            .map_err(|cause| Error::stated(ErrorKind::InvalidData, doing(), self.path(), cause))
    }
}

impl Description {
    /// `V4L2_FMT_FLAG_COMPRESSED` and `V4L2_FMT_FLAG_EMULATED`.
    pub(crate) fn new(raw: &enumerate::FmtDesc) -> Self {
        Self {
            fourcc: raw.pixelformat.to_le_bytes(),
            text: ioctl::text(&raw.description),
            is_compressed: raw.flags & 1 != 0,
            is_emulated: raw.flags & 2 != 0,
        }
    }
}

/// A request for a single-planar node: what is not asked for is 0, "the driver's choice".
fn single(request: Request) -> raw::PixFormat {
    raw::PixFormat {
        width: request.width,
        height: request.height,
        pixelformat: u32::from_le_bytes(request.fourcc),
        priv_: raw::EXTENDED_FIELDS_ARE_VALID,
        ..raw::empty_single()
    }
}

/// The same for a multi-planar node.
fn multi(request: Request) -> raw::PixFormatMplane {
    raw::PixFormatMplane {
        width: request.width,
        height: request.height,
        pixelformat: u32::from_le_bytes(request.fourcc),
        ..raw::empty_multi()
    }
}

fn from_single(pix: &raw::PixFormat) -> Format {
    // An old driver that does not set the mark leaves stack rubbish or zeros behind it; the kernel clears neither for it.
    let is_extended = pix.priv_ == raw::EXTENDED_FIELDS_ARE_VALID;
    let extended = |value| if is_extended { value } else { 0 };
    Format {
        width: pix.width,
        height: pix.height,
        fourcc: pix.pixelformat.to_le_bytes(),
        field: Field::new(pix.field),
        planes: vec![Plane { stride: pix.bytesperline, capacity: pix.sizeimage }],
        colour: Colour {
            colorspace: pix.colorspace,
            encoding: extended(pix.ycbcr_enc),
            quantization: extended(pix.quantization),
            transfer: extended(pix.xfer_func),
        },
    }
}

fn from_multi(pix: &raw::PixFormatMplane) -> Format {
    let planes = pix.plane_fmt.iter().take(usize::from(pix.num_planes));
    Format {
        width: pix.width,
        height: pix.height,
        fourcc: pix.pixelformat.to_le_bytes(),
        field: Field::new(pix.field),
        planes: planes.map(|p| Plane { stride: p.bytesperline, capacity: p.sizeimage }).collect(),
        colour: Colour {
            colorspace: pix.colorspace,
            encoding: u32::from(pix.ycbcr_enc),
            quantization: u32::from(pix.quantization),
            transfer: u32::from(pix.xfer_func),
        },
    }
}

/// Refuses an answer that nobody could use.
fn check(format: Format) -> Result<Format, String> {
    if format.width == 0 || format.height == 0 {
        Err(format!("the driver answers an empty picture, {format}"))
    } else if format.planes.is_empty() {
        Err(format!("the driver answers no planes for {format}"))
    } else {
        Ok(format)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VGA: Request = Request { width: 640, height: 480, fourcc: *b"YUYV" };

    #[test]
    fn request_asks_for_the_extended_fields_and_leaves_the_rest_open() {
        let pix = single(VGA);
        assert_eq!((pix.width, pix.height, pix.pixelformat), (640, 480, 0x5659_5559));
        assert_eq!(pix.priv_, 0xfeed_cafe);
        assert_eq!((pix.field, pix.bytesperline, pix.sizeimage, pix.colorspace), (0, 0, 0, 0));
    }

    #[test]
    fn single_planar_answer_is_read() {
        let pix = raw::PixFormat {
            field: 1,
            bytesperline: 1280,
            sizeimage: 614_400,
            colorspace: 8,
            quantization: 1,
            ..single(VGA)
        };
        let format = from_single(&pix);
        assert_eq!((format.stride(), format.capacity()), (1280, 614_400));
        assert_eq!((format.field, format.matrix()), (Field::Progressive, Matrix::Bt601));
        assert_eq!(format.range(), Range::Full);
        assert_eq!(format.to_string(), "YUYV 640x480");
    }

    #[test]
    fn fields_behind_a_missing_mark_are_not_believed() {
        let pix = raw::PixFormat { priv_: 0, ycbcr_enc: 2, quantization: 1, ..single(VGA) };
        assert_eq!(from_single(&pix).colour, Colour::default());
    }

    #[test]
    fn multi_planar_answer_is_read() {
        let mut pix = multi(Request { fourcc: *b"NM12", ..VGA });
        pix.num_planes = 2;
        pix.plane_fmt[0] =
            raw::PlanePixFormat { bytesperline: 640, sizeimage: 307_200, ..pix.plane_fmt[0] };
        pix.plane_fmt[1] =
            raw::PlanePixFormat { bytesperline: 640, sizeimage: 153_600, ..pix.plane_fmt[1] };
        (pix.ycbcr_enc, pix.quantization) = (2, 2);
        let format = from_multi(&pix);
        assert_eq!(format.planes.len(), 2);
        assert_eq!((format.stride(), format.capacity()), (640, 460_800));
        assert_eq!((format.matrix(), format.range()), (Matrix::Bt709, Range::Limited));
    }

    #[test]
    fn senseless_answers_are_refused() {
        assert!(check(from_single(&raw::empty_single())).is_err());
        assert!(check(from_multi(&multi(VGA))).is_err(), "no planes");
        let mut pix = multi(VGA);
        pix.num_planes = 255;
        assert_eq!(from_multi(&pix).planes.len(), 8, "no more than there are");
    }

    proptest! {
        /// Whatever the driver says can be printed and asked for its meaning.
        #[test]
        fn any_fourcc_is_fine(fourcc: [u8; 4], colorspace: u32, quantization: u32) {
            let colour = Colour { colorspace, quantization, ..Colour::default() };
            let format = Format { fourcc, colour, ..from_single(&single(VGA)) };
            prop_assert!(format.to_string().is_ascii());
            let _ = (format.matrix(), format.range());
        }
    }
}
