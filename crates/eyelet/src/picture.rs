//! A frame as a PNG file.

use eyelet_area::{FourCc, Frame, Matrix, Range};
use yuv::{YuvBiPlanarImage, YuvConversionMode, YuvPackedImage, YuvRange, YuvStandardMatrix};

use crate::error::{Error, Result};

/// Makes a PNG from a frame of any format that can be shown as it is.
///
/// # Errors
/// If the format cannot be converted, or a JPEG frame is damaged.
pub fn to_png(frame: &Frame) -> Result<Vec<u8>> {
    let format = frame.info().format;
    let bytes = frame.bytes()?;
    if format.fourcc == FourCc::MJPEG {
        let (width, height, rgb) = decode_jpeg(bytes)?;
        return encode(width, height, png::ColorType::Rgb, &rgb);
    }
    let (width, height) = (format.width, format.height);
    match format.fourcc {
        FourCc::RGB24 => encode(width, height, png::ColorType::Rgb, bytes),
        FourCc::GREY => encode(width, height, png::ColorType::Grayscale, bytes),
        FourCc::YUYV | FourCc::UYVY | FourCc::NV12 => {
            encode(width, height, png::ColorType::Rgb, &to_rgb(frame, bytes)?)
        }
        other => Err(Error::refused(format!("a snapshot of {other} frames is not possible yet"))),
    }
}

fn to_rgb(frame: &Frame, bytes: &[u8]) -> Result<Vec<u8>> {
    let format = frame.info().format;
    let (width, height) = (format.width, format.height);
    let range = if format.range == Range::Full { YuvRange::Full } else { YuvRange::Limited };
    let matrix = match format.matrix {
        Matrix::Bt709 => YuvStandardMatrix::Bt709,
        Matrix::Bt2020 => YuvStandardMatrix::Bt2020,
        Matrix::Smpte240m => YuvStandardMatrix::Smpte240,
        Matrix::Unspecified | Matrix::Bt601 => YuvStandardMatrix::Bt601,
    };
    let mut rgb = vec![0; width as usize * height as usize * 3];
    let stride = width * 3;
    let packed = || YuvPackedImage { yuy: bytes, yuy_stride: format.stride, width, height };
    let converted = match format.fourcc {
        FourCc::YUYV => yuv::yuyv422_to_rgb(&packed(), &mut rgb, stride, range, matrix),
        FourCc::UYVY => yuv::uyvy422_to_rgb(&packed(), &mut rgb, stride, range, matrix),
        _ => {
            let luma = format.stride as usize * height as usize;
            let (y_plane, uv_plane) = bytes.split_at(luma.min(bytes.len()));
            let image = YuvBiPlanarImage {
                y_plane,
                y_stride: format.stride,
                uv_plane,
                uv_stride: format.stride.next_multiple_of(2),
                width,
                height,
            };
            yuv::yuv_nv12_to_rgb(
                &image,
                &mut rgb,
                stride,
                range,
                matrix,
                YuvConversionMode::Balanced,
            )
        }
    };
    converted.map_err(|e| Error::failed(format!("failed to convert a {format} frame: {e}")))?;
    Ok(rgb)
}

fn decode_jpeg(bytes: &[u8]) -> Result<(u32, u32, Vec<u8>)> {
    let damaged = |e: &dyn std::fmt::Display| {
        Error::failed(format!("the camera's JPEG frame is damaged: {e}"))
    };
    let mut decoder =
        zune_jpeg::JpegDecoder::new(zune_jpeg::zune_core::bytestream::ZCursor::new(bytes));
    let rgb = decoder.decode().map_err(|e| damaged(&e))?;
    let info = decoder.info().ok_or_else(|| damaged(&"it has no size"))?;
    if rgb.len() != usize::from(info.width) * usize::from(info.height) * 3 {
        return Err(damaged(&"it is no colour picture"));
    }
    Ok((info.width.into(), info.height.into(), rgb))
}

fn encode(width: u32, height: u32, colour: png::ColorType, pixels: &[u8]) -> Result<Vec<u8>> {
    let failed = |e: png::EncodingError| Error::failed(format!("failed to write a PNG: {e}"));
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(colour);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(out)
}
