//! A frame's pixels as RGBA, whatever its format is.

use eyelet_area::{Format, FourCc, Frame, Matrix, Range};
use yuv::{YuvBiPlanarImage, YuvConversionMode, YuvGrayImage, YuvPackedImage};
use yuv::{YuvRange, YuvStandardMatrix};

use super::jpeg;
use crate::error::{Error, Result};

/// Bytes of a pixel: red, green, blue and 255.
pub(super) const BYTES_PER_PIXEL: usize = 4;

/// Fills `pixels` with those of a frame, row after row without padding, and gives width and height.
///
/// # Errors
/// [`Refused`](crate::error::ErrorKind::Refused) if no frame of that format can be taken; any other if this one is
/// damaged.
pub(crate) fn to_rgba(frame: &Frame, pixels: &mut Vec<u8>) -> Result<(u32, u32)> {
    let format = frame.info().format;
    if format.fourcc == FourCc::MJPEG {
        return Ok(jpeg::decode(frame.bytes()?, |(width, _)| width, pixels)?.size);
    }
    convert(&format, frame.bytes()?, pixels)?;
    Ok((format.width, format.height))
}

fn convert(format: &Format, bytes: &[u8], pixels: &mut Vec<u8>) -> Result<()> {
    let Format { width, height, stride, .. } = *format;
    let range = if format.range == Range::Full { YuvRange::Full } else { YuvRange::Limited };
    let matrix = match format.matrix {
        Matrix::Bt709 => YuvStandardMatrix::Bt709,
        Matrix::Bt2020 => YuvStandardMatrix::Bt2020,
        Matrix::Smpte240m => YuvStandardMatrix::Smpte240,
        Matrix::Unspecified | Matrix::Bt601 => YuvStandardMatrix::Bt601,
    };
    pixels.resize(width as usize * height as usize * BYTES_PER_PIXEL, 0);
    let packed = YuvPackedImage { yuy: bytes, yuy_stride: stride, width, height };
    let to = width * 4;
    let converted = match format.fourcc {
        FourCc::YUYV => yuv::yuyv422_to_rgba(&packed, pixels, to, range, matrix),
        FourCc::UYVY => yuv::uyvy422_to_rgba(&packed, pixels, to, range, matrix),
        FourCc::NV12 => {
            let luma = stride as usize * height as usize;
            let (y_plane, uv_plane) = bytes.split_at(luma.min(bytes.len()));
            let uv_stride = stride.next_multiple_of(2);
            let image =
                YuvBiPlanarImage { y_plane, y_stride: stride, uv_plane, uv_stride, width, height };
            let mode = YuvConversionMode::Balanced;
            yuv::yuv_nv12_to_rgba(&image, pixels, to, range, matrix, mode)
        }
        FourCc::GREY => {
            let image = YuvGrayImage { y_plane: bytes, y_stride: stride, width, height };
            yuv::yuv400_to_rgba(&image, pixels, to, range, matrix)
        }
        FourCc::RGB24 => {
            let from = bytes.chunks_exact(3);
            for (to, from) in pixels.chunks_exact_mut(BYTES_PER_PIXEL).zip(from) {
                to.copy_from_slice(&[from[0], from[1], from[2], 255]);
            }
            Ok(())
        }
        other => {
            return Err(Error::refused(format!("nothing can be made of {other} frames yet")));
        }
    };
    converted.map_err(|e| Error::failed(format!("failed to convert a {format} frame: {e}")))
}
