//! The subprotocol `eyelet.v1`: JSON text for control, and binary messages that are one frame each behind a header.
//!
//! Belongs here: the shape of messages and the limits on their values. Does not belong here: which stream a client
//! gets, and when a frame is sent. The normative page is `docs/ref/wire.md`.
//!
//! Both sides ignore an unknown `t` and unknown keys, so that either can be newer.

mod control;
mod frame_header;
mod message;
mod stream;
#[cfg(test)]
mod tests;

pub use control::{ControlChoice, ControlInfo, ControlKind, ControlValue};
pub use frame_header::{FRAME_HEADER_LEN, FrameFlags, FrameHeader, FrameHeaderError};
pub use message::{
    ClientMessage, ErrorCode, MAX_CLIENT_MESSAGE_LEN, MAX_FORMATS, MAX_FPS, MAX_WINDOW,
    MessageError, ServerMessage, Start,
};
pub use stream::{FormatInfo, Matrix, Range, StreamInfo, StreamState};

/// The name in `Sec-WebSocket-Protocol`. A client that does not ask for it gets bare frames and nothing else.
pub const SUBPROTOCOL: &str = "eyelet.v1";

/// The `v` of `hello`. Additions that an older reader may ignore do not change it.
pub const VERSION: u32 = 1;
