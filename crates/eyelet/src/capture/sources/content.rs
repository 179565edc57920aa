//! What the bytes of a file or a command are, and the frames in them.

use std::os::fd::AsFd;

use bytes::{Bytes, BytesMut};
use eyelet_area::{Format, FourCc, Frame, FrameBuilder, FrameFlags, MAX_FRAME_LEN, MonotonicNs};
use eyelet_wire::jpeg::{self, Splitter};
use eyelet_wire::y4m;
use rustix::io::Errno;

use super::access_units::{AccessUnits, Found};
use super::{planar, shape};
use crate::config::source::{Fps, Wish};
use crate::error::{Error, Result};

/// A longer JPEG, or access unit of H.264, is damaged: cameras give a few bits per pixel, and this is four for the largest sensors.
pub(super) const MAX_PICTURE_LEN: usize = 32 << 20;

/// After so many bytes without a picture there will be none.
const MAX_BARREN_LEN: u64 = 2 * MAX_PICTURE_LEN as u64;

/// Bytes that are read at once at most, and at least where the frame's end is not known.
const MOST_READ: usize = 1 << 20;
pub(super) const LEAST_READ: usize = 64 << 10;

/// How a Y4M stream begins.
const Y4M_MAGIC: &[u8] = b"YUV4MPEG2";

/// How each JPEG begins.
const JPEG_MAGIC: &[u8] = &[0xff, 0xd8];

/// How H.264 begins, with or without a zero more.
const H264_MAGIC: [&[u8]; 2] = [&[0, 0, 0, 1], &[0, 0, 1]];

/// What to write when nothing tells what the bytes are.
pub(super) const RAW_OPTIONS: &str = "`?format=YUYV&size=640x480&fps=30`";

/// Takes bytes apart into pictures.
#[derive(Debug)]
pub(crate) struct Cutter {
    wish: Wish,
    kind: Kind,
    /// Pictures that were whole and are no pictures after all.
    unusable: u64,
    barren_since: u64,
    /// The packed form of a planar frame.
    packed: Vec<u8>,
}

#[derive(Debug)]
enum Kind {
    Y4m(y4m::Parser),
    Jpeg(Splitter),
    H264(Box<AccessUnits>),
    Raw { format: Format, len: usize },
}

/// What the first bytes say.
#[derive(Debug)]
pub(crate) enum Recognised {
    As(Cutter),
    /// More bytes are needed.
    Unfinished,
    /// Nothing that is known.
    Unknown,
}

/// One picture, as it came, and its shape when it is a frame.
#[derive(Debug)]
pub(crate) struct Picture {
    bytes: Bytes,
    pub(super) format: Format,
    is_key: bool,
    /// When its first bytes came, where that is known.
    pub(super) begun_at: Option<MonotonicNs>,
}

impl Picture {
    /// One that needs no other.
    fn whole(bytes: Bytes, format: Format) -> Self {
        Self { bytes, format, is_key: true, begun_at: None }
    }
}

impl From<Found> for Picture {
    fn from(found: Found) -> Self {
        let Found { bytes, format, is_key, begun_at } = found;
        Self { bytes, format, is_key, begun_at: Some(begun_at) }
    }
}

impl Cutter {
    /// Tells what bytes that begin so are: Y4M, JPEG and H.264 by what they begin with, raw frames by the options.
    ///
    /// # Errors
    /// [`Usage`](crate::error::ErrorKind::Usage) for options that contradict what is there or leave something open.
    pub(crate) fn recognise(start: &[u8], wish: &Wish) -> Result<Recognised> {
        let begins = |magic: &[u8]| start.starts_with(magic);
        let may_begin = |magic: &[u8]| !begins(magic) && magic.starts_with(start);
        let kind = if begins(Y4M_MAGIC) {
            if wish.size.is_some() || wish.fourcc.is_some() {
                let text = "`size=` and `format=` are for raw frames, and this is Y4M, which says its own: leave them out";
                return Err(Error::usage(text));
            }
            Kind::Y4m(y4m::Parser::new(usize::try_from(MAX_FRAME_LEN).unwrap_or(usize::MAX)))
        } else if may_begin(Y4M_MAGIC) {
            return Ok(Recognised::Unfinished);
        } else if let Some(fourcc) = wish.fourcc {
            Self::asked_for(fourcc, wish)?
        } else if begins(JPEG_MAGIC) {
            Kind::Jpeg(Splitter::new(MAX_PICTURE_LEN))
        } else if H264_MAGIC.into_iter().any(begins) {
            Kind::H264(Box::new(AccessUnits::new(wish)))
        } else if may_begin(JPEG_MAGIC) || H264_MAGIC.into_iter().any(may_begin) {
            return Ok(Recognised::Unfinished);
        } else {
            return Ok(Recognised::Unknown);
        };
        Ok(Recognised::As(Self {
            wish: *wish,
            kind,
            unusable: 0,
            barren_since: 0,
            packed: Vec::new(),
        }))
    }

    /// What the options alone say.
    fn asked_for(fourcc: FourCc, wish: &Wish) -> Result<Kind> {
        if fourcc == FourCc::MJPEG {
            return Ok(Kind::Jpeg(Splitter::new(MAX_PICTURE_LEN)));
        }
        if fourcc == FourCc::H264 {
            return Ok(Kind::H264(Box::new(AccessUnits::new(wish))));
        }
        let format = raw_format(wish)?.ok_or_else(|| {
            let text =
                "frames cannot be told apart: write format=YUYV, UYVY, NV12, GREY, RGB24, MJPG or H264";
            Error::usage(format!("in a stream of {fourcc} {text}"))
        })?;
        let len = format.packed_len().and_then(|len| usize::try_from(len).ok()).unwrap_or(0);
        Ok(Kind::Raw { format, len })
    }

    /// Splits the next whole picture off the front of `input`; `None` when more bytes are needed.
    ///
    /// # Errors
    /// A text that says why the bytes cannot be followed any further.
    pub(crate) fn next(
        &mut self,
        input: &mut BytesMut,
    ) -> std::result::Result<Option<Picture>, String> {
        let (wish, parser) = match &mut self.kind {
            Kind::Raw { format, len } => {
                let whole = (input.len() >= *len).then(|| input.split_to(*len).freeze());
                return Ok(whole.map(|bytes| Picture::whole(bytes, *format)));
            }
            Kind::Jpeg(_) => return self.next_jpeg(input),
            Kind::H264(_) => return self.next_h264(input),
            Kind::Y4m(parser) => (self.wish, parser),
        };
        let planes = parser.next_frame(input).map_err(|e| e.to_string())?;
        let format = parser.header().map(planar::format_of).transpose()?;
        let picture = planes
            .zip(format)
            .map(|(bytes, format)| Picture::whole(bytes.freeze(), shape(format, &wish)));
        Ok(picture)
    }

    fn next_jpeg(&mut self, input: &mut BytesMut) -> std::result::Result<Option<Picture>, String> {
        let Kind::Jpeg(splitter) = &mut self.kind else { return Ok(None) };
        while let Some(bytes) = splitter.next_picture(input) {
            self.barren_since = splitter.skipped();
            if let Some((width, height)) = jpeg::dimensions(&bytes) {
                let format = shape(Format::packed(FourCc::MJPEG, width, height), &self.wish);
                return Ok(Some(Picture::whole(bytes, format)));
            }
            self.unusable += 1;
        }
        if splitter.skipped() - self.barren_since > MAX_BARREN_LEN {
            return Err(format!("there was no JPEG in the last {MAX_BARREN_LEN} bytes"));
        }
        Ok(None)
    }

    fn next_h264(&mut self, input: &mut BytesMut) -> std::result::Result<Option<Picture>, String> {
        let Kind::H264(units) = &mut self.kind else { return Ok(None) };
        if let Some(found) = units.next(input)? {
            self.barren_since = units.skipped();
            return Ok(Some(found.into()));
        }
        if units.skipped() - self.barren_since > MAX_BARREN_LEN {
            return Err(format!("there was no H.264 in the last {MAX_BARREN_LEN} bytes"));
        }
        Ok(None)
    }

    /// Gives the last picture of a stream that has ended, where only the end tells that it is whole.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub(super) fn last(
        &mut self,
        input: &mut BytesMut,
    ) -> std::result::Result<Option<Picture>, String> {
        match &mut self.kind {
            Kind::H264(units) => Ok(units.last(input)?.map(Picture::from)),
            _ => Ok(None),
        }
    }

    /// Tells whether pictures need those before them, so that none may be left out.
    pub(super) fn is_predicted(&self) -> bool {
        matches!(self.kind, Kind::H264(_))
    }

    /// Makes a frame of a picture.
    pub(crate) fn publish(&mut self, picture: &Picture, captured_at: MonotonicNs) -> Result<Frame> {
        let mut builder = FrameBuilder::new()?;
        match &self.kind {
            Kind::Raw { .. } | Kind::H264(_) => builder.write(&picture.bytes)?,
            Kind::Jpeg(_) => write_jpeg(&mut builder, &picture.bytes)?,
            Kind::Y4m(parser) => {
                if let Some(header) = parser.header() {
                    planar::pack(header, &picture.bytes, &mut self.packed);
                }
                builder.write(&self.packed)?;
            }
        }
        let frame = builder.seal(picture.format, captured_at)?;
        Ok(frame.with_flags(FrameFlags { is_key: picture.is_key }))
    }

    /// The shape, where it is known before the first picture.
    pub(super) fn format(&self) -> Option<Format> {
        match &self.kind {
            Kind::Raw { format, .. } => Some(*format),
            Kind::Jpeg(_) | Kind::H264(_) => None,
            Kind::Y4m(parser) => {
                let format = planar::format_of(parser.header()?).ok()?;
                Some(shape(format, &self.wish))
            }
        }
    }

    /// The rate: what the user says, else what the stream says.
    pub(super) fn fps(&self) -> Option<Fps> {
        let own = match &self.kind {
            Kind::Y4m(parser) => parser.header().and_then(|header| header.rate),
            _ => None,
        };
        let own = own.map(|(frames, seconds)| Fps { frames, seconds });
        // A rate that nobody could have meant is none.
        let is_possible =
            |fps: &Fps| fps.frames / fps.seconds <= 1000 && fps.seconds / fps.frames <= 1000;
        self.wish.fps.or(own.filter(is_possible))
    }

    /// Pictures that were damaged.
    pub(super) fn damaged(&self) -> u64 {
        match &self.kind {
            Kind::Jpeg(splitter) => self.unusable + splitter.damaged(),
            Kind::H264(units) => units.damaged(),
            _ => 0,
        }
    }

    /// Whether what is left at the end is the beginning of a picture.
    pub(super) fn is_picture_begun(&self, rest: &[u8]) -> bool {
        match &self.kind {
            Kind::Jpeg(_) => rest.starts_with(JPEG_MAGIC),
            _ => !rest.is_empty(),
        }
    }

    /// Bytes of one picture where all have the same.
    pub(super) fn picture_len(&self) -> Option<usize> {
        match &self.kind {
            Kind::Raw { len, .. } => Some(*len),
            Kind::Y4m(parser) => parser.header().map(y4m::StreamHeader::frame_len),
            Kind::Jpeg(_) | Kind::H264(_) => None,
        }
    }

    /// How many bytes to read next, when `have` are there.
    pub(super) fn wanted(&self, have: usize) -> usize {
        let missing = self.picture_len().map_or(LEAST_READ, |len| len.saturating_sub(have));
        missing.clamp(LEAST_READ, MOST_READ)
    }
}

/// The format of raw frames that the options describe; `None` if it is not one whose length follows from its size.
///
/// # Errors
/// [`Usage`](crate::error::ErrorKind::Usage) if the size is missing or too large.
fn raw_format(wish: &Wish) -> Result<Option<Format>> {
    let Some(fourcc) = wish.fourcc.filter(|fourcc| fourcc.packed_len(1, 1).is_some()) else {
        return Ok(None);
    };
    let Some(size) = wish.size else {
        return Err(Error::usage(format!(
            "raw frames in {fourcc} need their size: write {RAW_OPTIONS}"
        )));
    };
    let format = shape(Format::packed(fourcc, size.width, size.height), wish);
    let len = format.packed_len().unwrap_or(0);
    if len > MAX_FRAME_LEN {
        let text = format!("frames of {format} have {len} bytes, more than {MAX_FRAME_LEN}");
        return Err(Error::usage(text));
    }
    Ok(Some(format))
}

/// Writes a JPEG, with the standard Huffman tables where it comes without any.
pub(super) fn write_jpeg(builder: &mut FrameBuilder, picture: &[u8]) -> Result<()> {
    let Some(offset) = jpeg::huffman_tables_offset(picture) else {
        return Ok(builder.write(picture)?);
    };
    let (before, after) = picture.split_at(offset);
    builder.write(before)?;
    builder.write(&jpeg::STANDARD_HUFFMAN_TABLES)?;
    Ok(builder.write(after)?)
}

/// Appends at most `most` bytes to `input`; 0 at the end. `None` when there is nothing yet.
pub(super) fn read_more(
    fd: impl AsFd,
    input: &mut BytesMut,
    most: usize,
) -> rustix::io::Result<Option<usize>> {
    let have = input.len();
    input.resize(have + most, 0);
    let answer = loop {
        match rustix::io::read(&fd, &mut input[have..]) {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => break Ok(None),
            other => break other.map(Some),
        }
    };
    input.truncate(have + answer.ok().flatten().unwrap_or(0));
    answer
}

/// The first bytes of something unknown, for a message.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    /// Enough for a person to recognise it.
    const SHOWN: usize = 32;
    let more = if bytes.len() > SHOWN { "…" } else { "" };
    format!("`{}{more}`", bytes[..bytes.len().min(SHOWN)].escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::SourceSpec;
    use crate::error::ErrorKind;

    fn wish(options: &str) -> Wish {
        format!("file:x?{options}").parse::<SourceSpec>().unwrap().wish
    }

    fn cutter(start: &[u8], options: &str) -> Cutter {
        match Cutter::recognise(start, &wish(options)) {
            Ok(Recognised::As(cutter)) => cutter,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn content_is_recognised_by_its_first_bytes() {
        let recognise = |start: &[u8]| Cutter::recognise(start, &Wish::default()).unwrap();
        assert!(matches!(cutter(b"YUV4MPEG2 W2", "").kind, Kind::Y4m(_)));
        assert!(matches!(cutter(&[0xff, 0xd8, 0xff], "").kind, Kind::Jpeg(_)));
        assert!(matches!(recognise(b""), Recognised::Unfinished));
        assert!(matches!(recognise(b"YUV4"), Recognised::Unfinished));
        assert!(matches!(recognise(&[0xff]), Recognised::Unfinished));
        assert!(matches!(recognise(b"hello"), Recognised::Unknown));
    }

    #[test]
    fn h264_is_recognised_by_its_start_code_or_asked_for() {
        assert!(matches!(cutter(&[0, 0, 1, 9], "").kind, Kind::H264(_)));
        assert!(matches!(cutter(b"x", "format=h264").kind, Kind::H264(_)));
        let unfinished = Cutter::recognise(&[0, 0], &Wish::default()).unwrap();
        assert!(matches!(unfinished, Recognised::Unfinished));
    }

    #[test]
    fn options_say_what_raw_frames_are() {
        let mut cutter = cutter(&[0xff, 0xd8], "format=GREY&size=2x1&range=full");
        let mut input = BytesMut::from(&[0xff, 0xd8, 3][..]);
        let picture = cutter.next(&mut input).unwrap().unwrap();
        assert_eq!(
            (&picture.bytes[..], picture.format.range),
            (&[0xff, 0xd8][..], eyelet_area::Range::Full)
        );
        assert!(cutter.next(&mut input).unwrap().is_none());
        assert!(cutter.is_picture_begun(&input));
    }

    #[test]
    fn options_that_make_no_sense_say_what_to_write() {
        for (start, options, needle) in [
            (&b"abc"[..], "format=YUYV", "need their size"),
            (b"abc", "format=HEVC", "cannot be told apart"),
            (b"abc", "format=GREY&size=65535x65535", "more than"),
            (b"YUV4MPEG2", "size=2x2", "leave them out"),
        ] {
            let error = Cutter::recognise(start, &wish(options)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains(needle), "{error}");
        }
    }

    #[test]
    fn y4m_says_its_rate_unless_the_user_does() {
        let head = b"YUV4MPEG2 W2 H2 F30000:1001\nFRAME\n123456";
        let mut cutter_of = cutter(head, "");
        let picture = cutter_of.next(&mut BytesMut::from(&head[..])).unwrap().unwrap();
        assert_eq!(picture.format, Format::packed(FourCc::NV12, 2, 2));
        assert_eq!(cutter_of.fps(), Some(Fps { frames: 30_000, seconds: 1001 }));
        let mut faster = cutter(head, "fps=60");
        faster.next(&mut BytesMut::from(&head[..])).unwrap();
        assert_eq!(faster.fps(), Some(Fps { frames: 60, seconds: 1 }));
    }

    #[test]
    fn an_excerpt_is_printable_and_short() {
        assert_eq!(excerpt(b"a\n\xff"), r"`a\n\xff`");
        assert!(excerpt(&[0; 100]).ends_with("…`"));
    }
}
