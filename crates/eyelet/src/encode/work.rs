//! What is made of one frame.

use eyelet_area::{Format, FourCc, Frame, FrameBuilder, FrameFlags, MonotonicNs};

use crate::config::stream::Kind;
#[cfg(not(feature = "h264"))]
use crate::config::stream::NOT_BUILT;
use crate::error::Result;
#[cfg(feature = "h264")]
use crate::picture::H264Maker;
use crate::picture::{self, JpegMaker};

/// Makes frames of one kind from frames of any.
#[derive(Debug)]
pub(super) struct Work {
    kind: Kind,
    maker: Maker,
}

/// What is kept from frame to frame while there is demand.
#[derive(Debug)]
enum Maker {
    Jpeg(Box<JpegMaker>),
    Rgba(Vec<u8>),
    #[cfg(feature = "h264")]
    H264(Box<H264Maker>),
    /// Nothing was built in that could make it; nobody can ask for it either.
    #[cfg(not(feature = "h264"))]
    NotBuilt,
}

impl Maker {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Jpeg { quality, width } => Self::Jpeg(Box::new(JpegMaker::new(quality, width))),
            Kind::Rgba => Self::Rgba(Vec::new()),
            #[cfg(feature = "h264")]
            Kind::H264(wish) => Self::H264(Box::new(H264Maker::new(wish))),
            #[cfg(not(feature = "h264"))]
            Kind::H264(_) => Self::NotBuilt,
        }
    }
}

impl Work {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, maker: Maker::new(kind) }
    }

    /// Makes a frame with the times of the one that it is made from; none where it would be too much. A JPEG that shall be one passes as it is.
    /// `wants_key` matters where frames need those before them: the first is a key frame in any case.
    ///
    /// # Errors
    /// [`Refused`](crate::error::ErrorKind::Refused) if no frame of that format can be taken; any other if this one is
    /// damaged, or memory is short.
    #[cfg_attr(not(feature = "h264"), expect(unused_variables, reason = "all are key frames"))]
    pub(super) fn make(&mut self, frame: Frame, wants_key: bool) -> Result<Option<Frame>> {
        let is_jpeg = frame.info().format.fourcc == FourCc::MJPEG;
        match &mut self.maker {
            Maker::Jpeg(_) if is_jpeg && self.kind.width().is_none() => Ok(Some(frame)),
            Maker::Jpeg(maker) => {
                let made = maker.make(&frame)?;
                finish(&frame, self.kind.format_of(made.size), &made.bytes)
            }
            Maker::Rgba(pixels) => {
                let size = picture::to_rgba(&frame, pixels)?;
                finish(&frame, self.kind.format_of(size), pixels)
            }
            #[cfg(feature = "h264")]
            Maker::H264(maker) => maker.make(&frame, wants_key),
            #[cfg(not(feature = "h264"))]
            Maker::NotBuilt => Err(crate::error::Error::refused(NOT_BUILT)),
        }
    }

    /// Gives back what was kept from frame to frame.
    pub(super) fn rest(&mut self) {
        self.maker = Maker::new(self.kind);
    }
}

fn finish(of: &Frame, format: Format, bytes: &[u8]) -> Result<Option<Frame>> {
    let captured_at: MonotonicNs = of.info().captured_at;
    let mut builder = FrameBuilder::new()?;
    builder.write(bytes)?;
    let frame = builder.seal(format, captured_at)?.with_interval(of.info().interval);
    Ok(Some(frame.with_flags(FrameFlags { is_key: true })))
}

#[cfg(test)]
mod tests {
    use eyelet_area::Range;

    use super::*;

    fn grey(width: u32, height: u32, luma: u8) -> Frame {
        let mut builder = FrameBuilder::new().unwrap();
        builder.write(&vec![luma; (width * height) as usize]).unwrap();
        let format = Format { range: Range::Full, ..Format::packed(FourCc::GREY, width, height) };
        let frame = builder.seal(format, MonotonicNs(7)).unwrap();
        frame.with_interval(std::time::Duration::from_millis(40))
    }

    #[test]
    fn what_is_made_keeps_the_times_of_what_it_is_made_from() {
        let made = Work::new(Kind::JPEG).make(grey(32, 16, 200), false).unwrap().unwrap();
        let info = made.info();
        assert_eq!((info.captured_at, info.interval.as_millis()), (MonotonicNs(7), 40));
        assert_eq!(info.format, Format::packed(FourCc::MJPEG, 32, 16));
        assert!(info.flags.is_key);
    }

    #[test]
    fn a_jpeg_passes_as_it_is_and_is_decoded_for_all_else() {
        let jpeg = Work::new(Kind::JPEG).make(grey(64, 48, 90), false).unwrap().unwrap();
        let bytes = jpeg.bytes().unwrap().to_vec();
        let passed =
            Work::new(Kind::Jpeg { quality: 1, width: None }).make(jpeg, false).unwrap().unwrap();
        assert_eq!(passed.bytes().unwrap(), bytes);
        let rgba = Work::new(Kind::Rgba).make(passed, false).unwrap().unwrap();
        assert_eq!(rgba.info().format.stride, 256);
        let first = rgba.bytes().unwrap()[0];
        assert!(first.abs_diff(90) < 4, "{first}");
        assert_eq!(rgba.bytes().unwrap().len(), 64 * 48 * 4);
        assert_eq!(rgba.bytes().unwrap()[3], 255);
    }

    #[test]
    fn renditions_are_in_proportion_and_never_larger() {
        let rendition = |size, width| Kind::Jpeg { quality: 80, width }.size_of(size);
        assert_eq!(rendition((640, 480), Some(320)), (320, 240));
        assert_eq!(rendition((640, 480), Some(641)), (640, 480));
        assert_eq!(rendition((640, 480), None), (640, 480));
        assert_eq!(rendition((65_535, 1), Some(16)), (16, 1));
        let mut work = Work::new(Kind::Jpeg { quality: 80, width: Some(20) });
        let format = work.make(grey(40, 30, 1), false).unwrap().unwrap().info().format;
        assert_eq!((format.width, format.height), (20, 15));
    }

    #[test]
    fn what_cannot_be_is_told_apart_from_what_is_damaged() {
        use crate::error::ErrorKind;
        let frame = |fourcc| {
            let mut builder = FrameBuilder::new().unwrap();
            builder.write(b"no picture").unwrap();
            builder.seal(Format { fourcc, ..Format::default() }, MonotonicNs(1)).unwrap()
        };
        let mut work = Work::new(Kind::Rgba);
        assert_eq!(work.make(frame(FourCc::H264), false).unwrap_err().kind(), ErrorKind::Refused);
        assert_eq!(work.make(frame(FourCc::MJPEG), false).unwrap_err().kind(), ErrorKind::Failed);
    }
}
