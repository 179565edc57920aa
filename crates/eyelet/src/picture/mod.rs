//! A frame's pixels in another form.

mod colour;
mod jpeg;
mod planes;
mod png;
mod rgba;
mod scale;

pub use jpeg::{Jpeg, JpegMaker};
pub use png::to_png;
pub(crate) use rgba::to_rgba;
