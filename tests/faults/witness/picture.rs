//! Whether a frame's bytes are those of one frame.

use eyelet::stamp::Layout;
use eyelet_area::{Format, FourCc};
use libjpeg_turbo_rs::PixelFormat;

use super::Way;
use crate::plan::Camera;
use crate::stage::{BARS, CLIP, Stage};

/// What a frame must be.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Pixels whose stamps all say the same, once in each stamped row.
    Raw(Layout, usize),
    /// A JPEG of such pixels.
    Jpeg,
    /// One of these files, to the last byte.
    OneOf(Vec<Vec<u8>>),
}

/// What the pixels say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamped {
    pub(super) number: u64,
    /// 0 where there is no room for it.
    pub(super) captured_us: u64,
}

impl Kind {
    pub(super) fn new(camera: Camera, way: Way, stage: &Stage) -> Self {
        let raw = |fourcc, (width, height): (u32, u32)| {
            let format = Format::packed(fourcc, width, height);
            let len = format.packed_len().and_then(|len| usize::try_from(len).ok());
            Self::Raw(Layout::for_format(&format).expect("room for a stamp"), len.unwrap_or(0))
        };
        match (camera, way) {
            (Camera::Bars, Way::Mjpeg) => Self::Jpeg,
            (Camera::Bars, _) => raw(FourCc::YUYV, BARS),
            (Camera::Clip, _) => raw(FourCc::GREY, CLIP),
            (Camera::Pipe, _) => Self::OneOf(stage.pictures.clone()),
        }
    }

    /// Reads what a frame says of itself.
    ///
    /// # Errors
    /// It is not one whole frame.
    pub(super) fn check(&self, frame: &[u8]) -> Result<Stamped, String> {
        match self {
            Self::Raw(layout, len) if frame.len() == *len => stamped(layout, frame),
            Self::Raw(_, len) => Err(format!("a frame of {} bytes, not {len}", frame.len())),
            Self::Jpeg => {
                let picture = libjpeg_turbo_rs::decompress_to(frame, PixelFormat::Rgb)
                    .map_err(|error| format!("a damaged JPEG of {} bytes: {error}", frame.len()))?;
                let side = |side: usize| u32::try_from(side).unwrap_or(0);
                let (width, height) = (side(picture.width), side(picture.height));
                let format = Format::packed(FourCc::RGB24, width, height);
                let layout = Layout::for_format(&format).ok_or("a JPEG without a stamp")?;
                stamped(&layout, &picture.data)
            }
            Self::OneOf(all) => match all.iter().any(|known| known == frame) {
                true => Ok(Stamped { number: 0, captured_us: 0 }),
                false => Err(format!("{} bytes that the camera never sent", frame.len())),
            },
        }
    }
}

fn stamped(layout: &Layout, frame: &[u8]) -> Result<Stamped, String> {
    let number = layout.read_frame(frame).ok_or("a torn frame")?;
    let time = layout.time_range().and_then(|range| layout.read(frame.get(range)?));
    Ok(Stamped { number, captured_us: time.unwrap_or(0) })
}
