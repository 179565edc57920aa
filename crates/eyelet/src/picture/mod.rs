//! A frame's pixels in another form.

mod png;
mod rgba;

pub use png::to_png;
pub(crate) use rgba::{BYTES_PER_PIXEL, to_rgba};
