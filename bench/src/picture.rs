//! The frames that are sent: the same bytes from every server, but for number and time.

use std::str::FromStr;

use anyhow::{Context as _, Error, Result, bail, ensure};
use eyelet::stamp::{self, jpeg};
use eyelet_area::{Format, FourCc, MonotonicNs};
use libjpeg_turbo_rs::{Encoder, PixelFormat};

/// What is on every frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Raw YUYV.
    Raw { width: u32, height: u32 },
    /// A JPEG picture of exactly so many bytes.
    Jpeg { len: usize },
}

impl FromStr for Content {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(len) = text.strip_prefix("jpeg:") {
            return Ok(Self::Jpeg { len: len.parse()? });
        }
        let (width, height) = text.split_once('x').context("write WIDTHxHEIGHT or jpeg:BYTES")?;
        Ok(Self::Raw { width: width.parse()?, height: height.parse()? })
    }
}

/// A frame that is stamped anew again and again.
#[derive(Debug)]
pub(crate) struct Picture {
    bytes: Vec<u8>,
    /// Where the stamp is in raw pixels; JPEG has it in comments.
    layout: Option<stamp::Layout>,
    sequence: u64,
}

impl Picture {
    /// Draws it once.
    pub(crate) fn new(content: Content) -> Result<Self> {
        let (bytes, layout) = match content {
            Content::Raw { width, height } => {
                let format = Format::packed(FourCc::YUYV, width, height);
                let len = usize::try_from(format.packed_len().context("too large")?)?;
                let layout = stamp::Layout::for_format(&format).context("too small for a stamp")?;
                (pattern(len), Some(layout))
            }
            Content::Jpeg { len } => (jpeg_of(len)?, None),
        };
        let mut picture = Self { bytes, layout, sequence: 0 };
        picture.stamp(MonotonicNs(0));
        Ok(picture)
    }

    /// Gives the next frame: captured now.
    pub(crate) fn next(&mut self) -> &[u8] {
        self.sequence += 1;
        self.stamp(MonotonicNs::now());
        &self.bytes
    }

    /// Gives the frame as it is.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn stamp(&mut self, captured_at: MonotonicNs) {
        match &self.layout {
            Some(layout) => {
                layout.write_frame(&mut self.bytes, self.sequence);
                layout.write_time(&mut self.bytes, captured_at.as_micros());
            }
            None => {
                jpeg::Stamp { sequence: self.sequence, captured_at }.write(&mut self.bytes);
            }
        }
    }
}

/// Bytes that are not all the same.
fn pattern(len: usize) -> Vec<u8> {
    (0..=u8::MAX).map(|n| n.wrapping_mul(31)).cycle().take(len).collect()
}

/// Encodes a picture and fills it up with comments to be `len` bytes long, with room for the stamps at both ends.
fn jpeg_of(len: usize) -> Result<Vec<u8>> {
    const SIDE: (usize, usize) = (640, 480);
    let pixels: Vec<u8> = (0..SIDE.1)
        .flat_map(|y| (0..SIDE.0).map(move |x| (x * y / 64 % 256).to_le_bytes()[0]))
        .collect();
    for quality in (1..=9).rev().map(|tenth| tenth * 10) {
        let encoder = Encoder::new(&pixels, SIDE.0, SIDE.1, PixelFormat::Grayscale);
        let bytes = encoder.quality(quality).encode()?;
        let Some(room) = len.checked_sub(bytes.len() + 2 * jpeg::LEN) else { continue };
        if (1..4).contains(&room) {
            continue; // no comment is so short
        }
        let scan = scan_start(&bytes)?;
        let stamp = jpeg::Stamp { sequence: 0, captured_at: MonotonicNs(0) }.segment();
        let end = bytes.len() - 2;
        return Ok([
            &bytes[..2],
            &stamp,
            &bytes[2..scan],
            &filler(room),
            &bytes[scan..end],
            &stamp,
            &bytes[end..],
        ]
        .concat());
    }
    bail!("no JPEG picture of {SIDE:?} pixels is as short as {len} bytes")
}

/// The offset of the scan's marker. Source: ITU-T T.81, section B.1.1.4.
fn scan_start(picture: &[u8]) -> Result<usize> {
    let mut at = 2;
    loop {
        let head = picture.get(at..at + 4).context("the picture has no scan")?;
        ensure!(head[0] == 0xFF, "the picture is damaged");
        if head[1] == 0xDA {
            return Ok(at);
        }
        at += 2 + usize::from(u16::from_be_bytes([head[2], head[3]]));
    }
}

/// Comments of `len` bytes in all, markers included; `len` is none or at least 4.
fn filler(len: usize) -> Vec<u8> {
    const LONGEST: usize = 60_000;
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        let left = len - bytes.len();
        // What is left for the last one must not be too short for a comment.
        let now = if left > LONGEST { LONGEST.min(left - 4) } else { left };
        let [high, low] = u16::try_from(now - 2).unwrap_or(u16::MAX).to_be_bytes();
        bytes.extend_from_slice(&[0xFF, 0xFE, high, low]);
        bytes.resize(bytes.len() + now - 4, b' ');
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jpeg_pictures_have_the_length_and_are_whole() {
        for len in [30_720, 102_400, 200_001] {
            let mut picture = Picture::new(Content::Jpeg { len }).unwrap();
            picture.next();
            let bytes = picture.next();
            assert_eq!(bytes.len(), len);
            assert_eq!(eyelet_wire::jpeg::picture_len(bytes), Some(len));
            assert_eq!(eyelet_wire::jpeg::dimensions(bytes), Some((640, 480)));
            for place in jpeg::Stamp::places(len).unwrap() {
                assert_eq!(jpeg::Stamp::read(&bytes[place]).unwrap().sequence, 2);
            }
        }
        assert!(Picture::new(Content::Jpeg { len: 1000 }).is_err());
    }

    #[test]
    fn raw_frames_are_numbered() {
        let mut picture = Picture::new("640x480".parse().unwrap()).unwrap();
        let layout = picture.layout.unwrap();
        assert_eq!(layout.read_frame(picture.next()), Some(1));
        assert_eq!((layout.read_frame(picture.next()), picture.bytes().len()), (Some(2), 614_400));
    }
}
