//! YUV4MPEG2 streams: one header line, then frames of planar Y'CbCr, each behind a short line.
//!
//! Nothing is copied: [`Parser`] splits frames off the buffer that they were read into, and a reader that wants the
//! pixels elsewhere uses [`parse_stream_header`] and [`parse_frame_header`] and reads [`StreamHeader::frame_len`]
//! bytes to where they belong.
//!
//! Source: the format as `yuv4mpeg(5)` of mjpegtools describes it.

#[cfg(test)]
mod tests;

use bytes::{Buf as _, BytesMut};
use thiserror::Error;

/// Bytes of a stream's header line at most; those in use are a tenth of it.
pub const MAX_STREAM_HEADER_LEN: usize = 1024;
/// Bytes of a frame's line at most.
pub const MAX_FRAME_HEADER_LEN: usize = 256;
/// Pixels of a side at most: more than sensors have, and products stay far from overflow.
pub const MAX_SIDE: u32 = 16_384;

const STREAM_MAGIC: &[u8] = b"YUV4MPEG2";
const FRAME_MAGIC: &[u8] = b"FRAME";

/// How the planes of a frame lie. Eight bits a sample, no padding, Y then Cb then Cr, top row first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Layout {
    /// Chroma of half the width and half the height, rounded up (V4L2 `YU12`).
    Yuv420,
    /// Chroma of half the width, rounded up (V4L2 `422P`).
    Yuv422,
    /// Chroma of full size.
    Yuv444,
    /// Luma alone (V4L2 `GREY`).
    Mono,
}

impl Layout {
    /// Width and height of each chroma plane for a picture of this size; zeros if there is none.
    #[must_use]
    pub const fn chroma(self, width: u32, height: u32) -> (u32, u32) {
        match self {
            Self::Yuv420 => (width.div_ceil(2), height.div_ceil(2)),
            Self::Yuv422 => (width.div_ceil(2), height),
            Self::Yuv444 => (width, height),
            Self::Mono => (0, 0),
        }
    }
}

/// Which rows belong to which moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Interlace {
    /// All rows at once; also what a stream that does not say is taken for.
    #[default]
    Progressive,
    /// Two fields, the top one first.
    TopFirst,
    /// Two fields, the bottom one first.
    BottomFirst,
    /// Each frame says for itself.
    Mixed,
}

/// Which values mean black and white.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Range {
    /// Black is 16, white is 235.
    Limited,
    /// Black is 0, white is 255.
    Full,
}

/// What a stream says of all its frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamHeader {
    /// Pixels in a row, 1 to [`MAX_SIDE`].
    pub width: u32,
    /// Rows, 1 to [`MAX_SIDE`].
    pub height: u32,
    /// Frames in so many seconds: 30000 in 1001. `None` if not known.
    pub rate: Option<(u32, u32)>,
    /// Which rows belong together.
    pub interlace: Interlace,
    /// How the planes lie.
    pub layout: Layout,
    /// `None` if the stream does not say, which is mostly limited.
    pub range: Option<Range>,
}

impl StreamHeader {
    /// Bytes of a frame's planes together.
    #[must_use]
    pub const fn frame_len(&self) -> usize {
        let (width, height) = self.layout.chroma(self.width, self.height);
        self.width as usize * self.height as usize + 2 * width as usize * height as usize
    }
}

/// Reads the stream's header line; gives the bytes that it takes, newline included. `None` until all of it is there.
///
/// # Errors
/// [`Y4mError`] if it is not one, or says what is not supported.
///
/// ```
/// use eyelet_wire::y4m::{Layout, parse_stream_header};
/// let (header, len) = parse_stream_header(b"YUV4MPEG2 W640 H480 F30:1 Ip C422\nFRAME\n")?.unwrap();
/// assert_eq!((header.layout, header.frame_len(), len), (Layout::Yuv422, 614_400, 34));
/// # Ok::<(), eyelet_wire::y4m::Y4mError>(())
/// ```
pub fn parse_stream_header(input: &[u8]) -> Result<Option<(StreamHeader, usize)>, Y4mError> {
    let line = match line(input, STREAM_MAGIC, MAX_STREAM_HEADER_LEN) {
        Line::Whole(line) => line,
        Line::Unfinished => return Ok(None),
        Line::Wrong => return Err(Y4mError::NotY4m),
        Line::TooLong => return Err(Y4mError::LongHeader),
    };
    let words = str::from_utf8(&line[STREAM_MAGIC.len()..]).map_err(|_| Y4mError::NotY4m)?;
    let (mut width, mut height, mut rate) = (None, None, None);
    let (mut interlace, mut layout, mut range) = (Interlace::default(), Layout::Yuv420, None);
    for word in words.split(' ').filter(|word| !word.is_empty()) {
        let bad = || Y4mError::Parameter(word.chars().take(40).collect());
        let mut rest = word.chars();
        match (rest.next(), rest.as_str()) {
            (Some('W'), side) => width = Some(parse_side(side).ok_or_else(bad)?),
            (Some('H'), side) => height = Some(parse_side(side).ok_or_else(bad)?),
            (Some('F'), ratio) => rate = parse_rate(ratio).ok_or_else(bad)?,
            (Some('I'), letter) => interlace = parse_interlace(letter).ok_or_else(bad)?,
            (Some('C'), name) => layout = parse_layout(name).ok_or_else(bad)?,
            (Some('X'), "COLORRANGE=LIMITED") => range = Some(Range::Limited),
            (Some('X'), "COLORRANGE=FULL") => range = Some(Range::Full),
            _ => {} // the shape of pixels, comments, and what is not known
        }
    }
    let width = width.ok_or(Y4mError::NoSize)?;
    let height = height.ok_or(Y4mError::NoSize)?;
    let header = StreamHeader { width, height, rate, interlace, layout, range };
    Ok(Some((header, line.len() + 1)))
}

/// Reads the line before a frame; gives the bytes that it takes, newline included. `None` until all of it is there.
///
/// # Errors
/// [`Y4mError::NotAFrame`] if it is not one: bytes were lost, and nothing marks where the next frame starts.
pub fn parse_frame_header(input: &[u8]) -> Result<Option<usize>, Y4mError> {
    match line(input, FRAME_MAGIC, MAX_FRAME_HEADER_LEN) {
        Line::Whole(line) => Ok(Some(line.len() + 1)),
        Line::Unfinished => Ok(None),
        Line::Wrong | Line::TooLong => Err(Y4mError::NotAFrame),
    }
}

enum Line<'a> {
    /// Without its newline.
    Whole(&'a [u8]),
    Unfinished,
    Wrong,
    TooLong,
}

/// A line that begins with a word, as soon as it can be told.
fn line<'a>(input: &'a [u8], magic: &[u8], limit: usize) -> Line<'a> {
    let known = input.len().min(magic.len());
    if input[..known] != magic[..known]
        || !matches!(input.get(magic.len()), None | Some(b' ' | b'\n'))
    {
        return Line::Wrong;
    }
    match input.iter().take(limit).position(|&byte| byte == b'\n') {
        Some(end) => Line::Whole(&input[..end]),
        None if input.len() >= limit => Line::TooLong,
        None => Line::Unfinished,
    }
}

fn parse_side(side: &str) -> Option<u32> {
    side.parse().ok().filter(|side| (1..=MAX_SIDE).contains(side))
}

/// Two numbers; `0:0`, and any zero, says that the rate is not known.
fn parse_rate(ratio: &str) -> Option<Option<(u32, u32)>> {
    let (frames, seconds) = ratio.split_once(':')?;
    let (frames, seconds) = (frames.parse().ok()?, seconds.parse().ok()?);
    Some(Some((frames, seconds)).filter(|_| frames != 0 && seconds != 0))
}

fn parse_interlace(letter: &str) -> Option<Interlace> {
    Some(match letter {
        "p" | "?" => Interlace::Progressive,
        "t" => Interlace::TopFirst,
        "b" => Interlace::BottomFirst,
        "m" => Interlace::Mixed,
        _ => return None,
    })
}

/// The three names of 4:2:0 differ in where chroma was sampled, by less than a pixel.
fn parse_layout(name: &str) -> Option<Layout> {
    Some(match name {
        "420" | "420jpeg" | "420mpeg2" | "420paldv" => Layout::Yuv420,
        "422" => Layout::Yuv422,
        "444" => Layout::Yuv444,
        "mono" => Layout::Mono,
        _ => return None,
    })
}

/// Takes a stream apart, however it is cut into reads.
///
/// Memory: none of its own; the caller's buffer holds at most one frame that is not whole, and its line.
#[derive(Debug)]
pub struct Parser {
    max_frame: usize,
    header: Option<StreamHeader>,
    /// The line before the next frame has been taken.
    in_frame: bool,
}

impl Parser {
    /// Makes a parser for one stream, which refuses frames of more than `max_frame` bytes.
    #[must_use]
    pub const fn new(max_frame: usize) -> Self {
        Self { max_frame, header: None, in_frame: false }
    }

    /// What the stream said, once its header line has come.
    #[must_use]
    pub const fn header(&self) -> Option<&StreamHeader> {
        self.header.as_ref()
    }

    /// Splits the next frame's planes off the front of `input`; `None` when more input is needed.
    ///
    /// A buffer that has room for [`StreamHeader::frame_len`] and a line never moves what is in it. O(1) apart from
    /// the lines, does not copy.
    ///
    /// # Errors
    /// [`Y4mError`]; the stream cannot be followed further.
    pub fn next_frame(&mut self, input: &mut BytesMut) -> Result<Option<BytesMut>, Y4mError> {
        let header = match self.header {
            Some(header) => header,
            None => {
                let Some((header, len)) = parse_stream_header(input)? else { return Ok(None) };
                if header.frame_len() > self.max_frame {
                    let (len, limit) = (header.frame_len(), self.max_frame);
                    return Err(Y4mError::LongFrame { len, limit });
                }
                input.advance(len);
                *self.header.insert(header)
            }
        };
        if !self.in_frame {
            let Some(len) = parse_frame_header(input)? else { return Ok(None) };
            input.advance(len);
            self.in_frame = true;
        }
        if input.len() < header.frame_len() {
            return Ok(None);
        }
        self.in_frame = false;
        Ok(Some(input.split_to(header.frame_len())))
    }
}

/// Why a stream cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Y4mError {
    /// It does not begin with `YUV4MPEG2`.
    #[error("stream does not begin with `YUV4MPEG2`")]
    NotY4m,
    /// The header line is longer than [`MAX_STREAM_HEADER_LEN`].
    #[error("header line of the stream is longer than {MAX_STREAM_HEADER_LEN} bytes")]
    LongHeader,
    /// A value that cannot be, or that is not supported, such as more than eight bits a sample.
    #[error(
        "stream parameter `{0}` is wrong or not supported (C420, C422, C444, Cmono of 8 bits; sides to {MAX_SIDE})"
    )]
    Parameter(String),
    /// The size is missing.
    #[error("stream does not say its width and height")]
    NoSize,
    /// A frame is longer than the parser was told to take.
    #[error("frames of {len} bytes are longer than the limit of {limit}")]
    LongFrame {
        /// Bytes of a frame.
        len: usize,
        /// What the parser was made with.
        limit: usize,
    },
    /// Bytes were lost, or the command printed something else.
    #[error("`FRAME` does not stand where the next frame should begin")]
    NotAFrame,
}
