//! JPEG pictures: made of frames, and made pixels again.

use eyelet_area::{Format, FourCc, Frame};
use libjpeg_turbo_rs::{DecodeLimits, Decoder, PixelFormat, ScalingFactor, Subsampling};

use super::planes::{Planes, Sampling};
use super::scale::Scaler;
use crate::config::stream::Kind;
use crate::error::{Error, Result};

/// Most pixels of a JPEG that is decoded, twice those of an 8K camera: a header that lies must not cost all memory.
const MAX_PIXELS: u64 = 1 << 26;
/// The same of what decoding takes, a progressive picture included.
const MAX_MEMORY: u64 = 1 << 29;
/// Most scans of a progressive picture; encoders make about ten.
const MAX_SCANS: usize = 64;

/// Makes a JPEG picture of each frame. What it took for one is used again for the next.
#[derive(Debug)]
pub struct JpegMaker {
    quality: u8,
    width: Option<u32>,
    planes: Planes,
    scaled: Planes,
    scaler: Scaler,
    /// Of a frame that is a JPEG itself.
    pixels: Vec<u8>,
}

/// A JPEG picture.
#[derive(Debug)]
pub struct Jpeg {
    /// Width and height.
    pub size: (u32, u32),
    /// The file.
    pub bytes: Vec<u8>,
}

impl JpegMaker {
    /// Makes pictures of this quality, from 1 to 100, that are no wider than `width`.
    #[must_use]
    pub fn new(quality: u8, width: Option<u32>) -> Self {
        Self {
            quality,
            width,
            planes: Planes::default(),
            scaled: Planes::default(),
            scaler: Scaler::default(),
            pixels: Vec::new(),
        }
    }

    /// Makes a picture.
    ///
    /// # Errors
    /// [`Refused`](crate::error::ErrorKind::Refused) if no frame of that format can be taken; any other if this one is
    /// damaged.
    pub fn make(&mut self, frame: &Frame) -> Result<Jpeg> {
        let format = frame.info().format;
        let from = if format.fourcc == FourCc::MJPEG {
            self.take_apart_jpeg(frame.bytes()?)?
        } else {
            self.planes.take_apart(&format, frame.bytes()?)?;
            (format.width, format.height)
        };
        let size = self.size_of(from);
        let shall = (size.0 as usize, size.1 as usize);
        let planes = if shall == self.planes.size {
            &self.planes
        } else {
            self.scaler.scale(&self.planes, &mut self.scaled, shall)?;
            &self.scaled
        };
        Ok(Jpeg { size, bytes: encode(planes, self.quality)? })
    }

    fn size_of(&self, whole: (u32, u32)) -> (u32, u32) {
        Kind::Jpeg { quality: self.quality, width: self.width }.size_of(whole)
    }

    /// Decodes a JPEG no larger than it must be, and gives its whole size.
    fn take_apart_jpeg(&mut self, bytes: &[u8]) -> Result<(u32, u32)> {
        let mut pixels = std::mem::take(&mut self.pixels);
        let decoded = decode(bytes, |whole| self.size_of(whole).0, &mut pixels);
        self.pixels = pixels;
        let Decoded { whole, size: (width, height) } = decoded?;
        self.planes.take_apart(&Format::packed(FourCc::RGBA32, width, height), &self.pixels)?;
        Ok(whole)
    }
}

/// What a JPEG was decoded to.
#[derive(Debug)]
pub(super) struct Decoded {
    /// As it is stored.
    pub(super) whole: (u32, u32),
    /// As it was decoded.
    pub(super) size: (u32, u32),
}

/// Decodes a JPEG to RGBA, at a half, a quarter or an eighth where that is as wide as what `wanted` makes of its size.
///
/// # Errors
/// If it is damaged, or larger than anything that a camera gives.
pub(super) fn decode(
    bytes: &[u8],
    wanted: impl Fn((u32, u32)) -> u32,
    pixels: &mut Vec<u8>,
) -> Result<Decoded> {
    let damaged =
        |e: &dyn std::fmt::Display| Error::failed(format!("the camera's JPEG is damaged: {e}"));
    let side = |px: usize| u32::try_from(px).map_err(|e| damaged(&e));
    let limits = DecodeLimits {
        max_pixels: MAX_PIXELS,
        max_memory: Some(MAX_MEMORY),
        max_scans: MAX_SCANS,
        ..DecodeLimits::default()
    };
    let mut decoder = Decoder::new_with_limits(bytes, limits).map_err(|e| damaged(&e))?;
    decoder.set_output_format(PixelFormat::Rgba);
    let header = decoder.header();
    let whole = (u32::from(header.width), u32::from(header.height));
    let wanted = wanted(whole);
    if let Some(denominator) = [8, 4, 2].into_iter().find(|by| whole.0 / by >= wanted) {
        decoder.set_scale(ScalingFactor::try_new(1, denominator).map_err(|e| damaged(&e))?);
    }
    pixels.resize(decoder.output_buffer_size().map_err(|e| damaged(&e))?, 0);
    let info = decoder.decode_image_into(pixels).map_err(|e| damaged(&e))?;
    Ok(Decoded { whole, size: (side(info.width)?, side(info.height)?) })
}

/// Encodes planes as they are.
fn encode(planes: &Planes, quality: u8) -> Result<Vec<u8>> {
    let failed = |e: &dyn std::fmt::Display| Error::failed(format!("failed to make a JPEG: {e}"));
    let ((width, height), (across, down)) = (planes.size, planes.chroma_size());
    // The library writes the lower 16 bits of a longer side.
    for side in [width, height] {
        u16::try_from(side).map_err(|e| failed(&e))?;
    }
    let all: [&[u8]; 3] = [&planes.luma, &planes.blue, &planes.red];
    let (count, sampling) = match planes.sampling {
        Sampling::Grey => (1, Subsampling::S444),
        Sampling::Two => (3, Subsampling::S422),
        Sampling::Four => (3, Subsampling::S420),
    };
    libjpeg_turbo_rs::compress_raw(
        &all[..count],
        &[width, across, across][..count],
        &[height, down, down][..count],
        width,
        height,
        quality,
        sampling,
    )
    .map_err(|e| failed(&e))
}

#[cfg(test)]
mod tests;
