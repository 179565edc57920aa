//! A frame as a PNG file.

use ::png::ColorType;
use eyelet_area::{Format, FourCc, Frame};

use super::rgba::{self, BYTES_PER_PIXEL};
use crate::error::{Error, Result};

/// Makes a PNG from a frame of any format that can be shown as it is.
///
/// # Errors
/// If the format cannot be converted, or a JPEG frame is damaged.
pub fn to_png(frame: &Frame) -> Result<Vec<u8>> {
    let Format { fourcc, width, height, .. } = frame.info().format;
    match fourcc {
        FourCc::RGB24 => encode(width, height, ColorType::Rgb, frame.bytes()?),
        FourCc::GREY => encode(width, height, ColorType::Grayscale, frame.bytes()?),
        FourCc::YUYV | FourCc::UYVY | FourCc::NV12 | FourCc::MJPEG => {
            let (width, height, rgb) = to_rgb(frame)?;
            encode(width, height, ColorType::Rgb, &rgb)
        }
        other => Err(Error::refused(format!("a snapshot of {other} frames is not possible yet"))),
    }
}

fn to_rgb(frame: &Frame) -> Result<(u32, u32, Vec<u8>)> {
    let mut pixels = Vec::new();
    let (width, height) = rgba::to_rgba(frame, &mut pixels)?;
    let rgb = pixels.chunks_exact(BYTES_PER_PIXEL).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]);
    Ok((width, height, rgb.collect()))
}

fn encode(width: u32, height: u32, colour: ColorType, pixels: &[u8]) -> Result<Vec<u8>> {
    let failed = |e: ::png::EncodingError| Error::failed(format!("failed to write a PNG: {e}"));
    let mut out = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut out, width, height);
    encoder.set_color(colour);
    encoder.set_depth(::png::BitDepth::Eight);
    encoder.set_compression(::png::Compression::Fast);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(out)
}
