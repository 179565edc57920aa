//! From a driver's buffer to a frame: one copy, without padding.

use eyelet_area::{Format, FourCc, Frame, FrameBuilder, MonotonicNs};
use eyelet_wire::jpeg;

use super::super::content::write_jpeg;
use crate::error::{Error, Result};
use crate::h264::{Assumed, FrameMaker};

/// Copies the payload of buffers of one format.
#[derive(Debug)]
pub(super) struct Payload {
    format: Format,
    /// Where the rows are; empty for compressed formats.
    parts: Vec<Part>,
    /// Completes pictures of H.264.
    access_units: FrameMaker,
    /// A compressed picture, out of the driver's memory, which may be slow to look at twice.
    copy: Vec<u8>,
}

/// Rows that lie one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    plane: usize,
    offset: usize,
    stride: usize,
    row_len: usize,
    rows: usize,
}

impl Payload {
    /// For buffers of `fourcc`, as the driver calls it, which become frames of `format`; `strides` are those of the
    /// driver's planes, 0 where it does not say.
    pub(super) fn new(fourcc: [u8; 4], format: Format, strides: &[u32]) -> Self {
        let assumed = Assumed { matrix: Some(format.matrix), range: Some(format.range) };
        Self {
            format,
            parts: parts(fourcc, &format, strides),
            access_units: FrameMaker::new(assumed),
            copy: Vec::new(),
        }
    }

    /// Says that a buffer was lost or left: pictures of H.264 that need it are none.
    pub(super) fn lose(&mut self) {
        self.access_units.lose();
    }

    /// Makes a frame of the payload of a buffer's planes; `None` if it is no whole picture, or needs one that was lost.
    pub(super) fn carry(
        &mut self,
        planes: &[&[u8]],
        captured_at: MonotonicNs,
    ) -> Result<Option<Frame>> {
        match self.format.fourcc {
            FourCc::MJPEG => self.carry_jpeg(planes, captured_at),
            FourCc::H264 => self.carry_h264(planes, captured_at),
            _ => self.carry_rows(planes, captured_at),
        }
    }

    fn carry_rows(&self, planes: &[&[u8]], captured_at: MonotonicNs) -> Result<Option<Frame>> {
        let is_whole = self.parts.iter().all(|part| {
            planes.get(part.plane).is_some_and(|plane| plane.len() >= part.offset + part.needed())
        });
        if !is_whole {
            return Ok(None);
        }
        let mut builder = FrameBuilder::new()?;
        for Part { plane, offset, stride, row_len, rows } in self.parts.iter().copied() {
            builder.write_rows(&planes[plane][offset..], stride, row_len, rows)?;
        }
        Ok(Some(builder.seal(self.format, captured_at)?))
    }

    fn carry_jpeg(&mut self, planes: &[&[u8]], captured_at: MonotonicNs) -> Result<Option<Frame>> {
        self.copy.clear();
        planes.iter().for_each(|plane| self.copy.extend_from_slice(plane));
        // Without its end, or with a hole in its middle, it is half a picture; zeros behind its end are padding.
        let whole = jpeg::picture_len(&self.copy).map(|len| &self.copy[..len]);
        let Some((picture, (width, height))) = whole.and_then(|p| Some((p, jpeg::dimensions(p)?)))
        else {
            return Ok(None);
        };
        let mut builder = FrameBuilder::new()?;
        write_jpeg(&mut builder, picture)?;
        Ok(Some(builder.seal(Format { width, height, ..self.format }, captured_at)?))
    }

    fn carry_h264(&mut self, planes: &[&[u8]], captured_at: MonotonicNs) -> Result<Option<Frame>> {
        self.copy.clear();
        planes.iter().for_each(|plane| self.copy.extend_from_slice(plane));
        let unit = self.access_units.complete(&self.copy);
        let unit = unit.map_err(|e| Error::refused(format!("the camera's H.264: {e}")))?;
        unit.map(|unit| unit.seal(captured_at)).transpose()
    }
}

impl Part {
    fn needed(&self) -> usize {
        self.stride * self.rows.saturating_sub(1) + self.row_len
    }
}

fn parts(fourcc: [u8; 4], format: &Format, strides: &[u32]) -> Vec<Part> {
    let to_usize = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let (width, height) = (to_usize(format.width), to_usize(format.height));
    let row_len = to_usize(format.fourcc.packed_stride(format.width));
    if row_len == 0 {
        return Vec::new();
    }
    let stride = |plane: usize, least: usize| {
        strides.get(plane).map_or(least, |stride| to_usize(*stride).max(least))
    };
    let first = Part { plane: 0, offset: 0, stride: stride(0, row_len), row_len, rows: height };
    if format.fourcc != FourCc::NV12 {
        return vec![first];
    }
    let chroma_len = width.next_multiple_of(2);
    let chroma = Part { row_len: chroma_len, rows: height.div_ceil(2), ..first };
    // Two planes in one buffer have one stride, and the second begins where the first ends.
    let chroma = match &fourcc {
        b"NM12" => Part { plane: 1, stride: stride(1, chroma_len), ..chroma },
        _ => Part { offset: first.stride * height, stride: first.stride.max(chroma_len), ..chroma },
    };
    vec![first, chroma]
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use eyelet_area::Matrix;
    use eyelet_wire::h264::Splitter;

    use super::*;

    const AT: MonotonicNs = MonotonicNs(7);

    fn carried(
        fourcc: &[u8; 4],
        format: Format,
        strides: &[u32],
        planes: &[&[u8]],
    ) -> Option<Vec<u8>> {
        let frame = Payload::new(*fourcc, format, strides).carry(planes, AT).unwrap()?;
        assert_eq!(frame.info().captured_at, AT);
        Some(frame.bytes().unwrap().to_vec())
    }

    #[test]
    fn padding_is_left_out() {
        let grey = Format::packed(FourCc::GREY, 2, 2);
        assert_eq!(carried(b"GREY", grey, &[4], &[b"abXXcdXX"]).unwrap(), b"abcd");
        assert_eq!(carried(b"GREY", grey, &[4], &[b"abXXcd"]).unwrap(), b"abcd");
        assert_eq!(carried(b"GREY", grey, &[0], &[b"abcdXX"]).unwrap(), b"abcd");
    }

    #[test]
    fn nv12_is_put_together_from_one_plane_or_two() {
        let format = Format::packed(FourCc::NV12, 2, 2);
        assert_eq!(carried(b"NV12", format, &[4], &[b"abXXcdXXuvXX"]).unwrap(), b"abcduv");
        assert_eq!(carried(b"NM12", format, &[3, 4], &[b"abXcdX", b"uvXX"]).unwrap(), b"abcduv");
    }

    #[test]
    fn short_frames_are_no_frames() {
        let yuyv = Format::packed(FourCc::YUYV, 2, 2);
        assert_eq!(carried(b"YUYV", yuyv, &[4], &[b"1234567"]), None);
        assert_eq!(carried(b"NM12", Format::packed(FourCc::NV12, 2, 2), &[2, 2], &[b"abcd"]), None);
        assert_eq!(carried(b"H264", Format::packed(FourCc::H264, 2, 2), &[0], &[b""]), None);
    }

    fn jpeg() -> Vec<u8> {
        use libjpeg_turbo_rs::{Encoder, PixelFormat};
        Encoder::new(&[99; 16 * 8 * 3], 16, 8, PixelFormat::Rgb).encode().unwrap()
    }

    #[test]
    fn jpeg_says_its_own_size_and_loses_its_padding() {
        let mut padded = jpeg();
        let whole = padded.clone();
        padded.extend([0; 40]);
        let mut payload = Payload::new(*b"MJPG", Format::packed(FourCc::MJPEG, 640, 480), &[0]);
        let frame = payload.carry(&[&padded], AT).unwrap().unwrap();
        assert_eq!(frame.bytes().unwrap(), whole);
        assert_eq!((frame.info().format.width, frame.info().format.height), (16, 8));
    }

    #[test]
    fn half_a_jpeg_is_no_frame() {
        let whole = jpeg();
        let mut payload = Payload::new(*b"MJPG", Format::packed(FourCc::MJPEG, 16, 8), &[0]);
        for len in 0..whole.len() {
            assert!(payload.carry(&[&whole[..len]], AT).unwrap().is_none(), "{len}");
        }
        assert!(payload.carry(&[&whole], AT).unwrap().is_some());
    }

    #[test]
    fn h264_begins_with_a_key_picture_also_after_a_loss_and_says_its_size_and_colour() {
        let format = Format { matrix: Matrix::Bt709, ..Format::packed(FourCc::H264, 640, 480) };
        let mut payload = Payload::new(*b"H264", format, &[0]);
        let stream = include_bytes!("../../../../../wire/testdata/x264_34x18_baseline.h264");
        let mut input = BytesMut::from(&stream[..]);
        let mut splitter = Splitter::new(1 << 20);
        let units = std::iter::from_fn(|| splitter.next_access_unit(&mut input));
        let mut keys = Vec::new();
        for (at, unit) in units.enumerate() {
            if at == 1 {
                payload.lose();
            }
            let frame = payload.carry(&[&unit[..20], &unit[20..]], AT).unwrap();
            keys.push(frame.as_ref().map(|frame| frame.info().flags.is_key));
            let Some(frame) = frame else { continue };
            let made = frame.info().format;
            assert_eq!((made.width, made.height, made.matrix), (34, 18, Matrix::Bt709));
        }
        assert_eq!(keys, [Some(true), None, None, Some(true), Some(false)]);
    }
}
