//! H.264 from the camera to viewers: each begins with a key frame, and none gets a frame without the one that it needs.

#[cfg(feature = "h264")]
mod made;
mod passed;
mod viewer;
