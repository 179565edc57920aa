//! A frame's pixels in another form.

mod colour;
#[cfg(feature = "h264")]
mod h264;
mod jpeg;
mod planes;
mod png;
mod rgba;
mod scale;

#[cfg(feature = "h264")]
pub use h264::H264Maker;
pub use jpeg::{Jpeg, JpegMaker};
pub use png::to_png;
pub(crate) use rgba::to_rgba;
