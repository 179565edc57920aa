//! Viewers: whoever gets the newest frame whenever it can take one.
//!
//! The rule is that of the areas: one frame in flight (with a window, so many unacknowledged), then the newest, and a count
//! of what was left out. A viewer that cannot take frames costs nobody else anything. The feed offers each new frame to
//! its viewers, which send it there and then; a viewer's own task wakes only for what the client says, and for a socket
//! that was full.

mod multipart;
mod pace;
mod session;
mod task;
mod track;
mod untold;
mod websocket;

pub(crate) use multipart::{Wanted as WantedPictures, run as run_multipart};
pub(crate) use pace::Pace;
pub(crate) use websocket::{Following, Wanted as WantedFrames, run as run_websocket};
