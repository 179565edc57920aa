//! The control messages: JSON objects, told apart by their key `t`.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{ControlInfo, FormatInfo, StreamInfo, StreamState};

/// Bytes of a client's message at most: the longest sensible `start` is a tenth of it.
pub const MAX_CLIENT_MESSAGE_LEN: usize = 4096;
/// Frames in flight at most: more only adds latency, up to a round trip of a quarter second at 30 frames a second.
pub const MAX_WINDOW: u8 = 8;
/// Frames a second that `maxfps` may ask for at most: no camera gives more.
pub const MAX_FPS: u32 = 1000;
/// Names in `formats` at most: twice what there is.
pub const MAX_FORMATS: usize = 16;
/// Bytes of a name in `formats` at most.
const MAX_FORMAT_NAME_LEN: usize = 32;

/// What the server tells a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ServerMessage {
    /// The first message: who speaks and what there is.
    Hello {
        /// [`super::VERSION`].
        v: u32,
        /// The server's name and version.
        server: String,
        /// What can be started.
        streams: Vec<StreamInfo>,
    },
    /// What the frames with this config id are; comes before the first of them.
    Config {
        /// Matches [`super::FrameHeader::config_id`]; another one whenever anything below changes.
        id: u8,
        /// The stream's id.
        stream: u32,
        /// The shape of its frames; its keys stand beside `id` and `stream`.
        #[serde(flatten)]
        format: FormatInfo,
    },
    /// Answers a ping.
    Pong {
        /// The client's time, as it came.
        c: f64,
        /// The server's time when it answered: CLOCK_MONOTONIC in µs, as in frame headers.
        s: u64,
    },
    /// A stream's picture went away or came back.
    State {
        /// The stream's id.
        stream: u32,
        /// What it is now.
        state: StreamState,
        /// The reason, for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// Controls of a camera have changed, whoever did it.
    Controls {
        /// The camera's own stream.
        stream: u32,
        /// Those that changed, as they are now.
        controls: Vec<ControlInfo>,
    },
    /// More or fewer clients watch.
    Viewers {
        /// Those of the whole program.
        count: u64,
    },
    /// A request could not be met. The connection stays open unless a close frame follows.
    Error {
        /// For programs.
        code: ErrorCode,
        /// For people.
        message: String,
    },
    /// From a newer server: ignore it.
    #[serde(other)]
    Unknown,
}

/// What went wrong, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// The message was not understood.
    BadMessage,
    /// There is no stream of that id.
    NoStream,
    /// The stream has none of the formats that the client asked for.
    NoFormat,
    /// A limit of the server is reached.
    Busy,
    /// The server failed.
    Internal,
    /// From a newer server.
    #[serde(other)]
    Unknown,
}

impl ServerMessage {
    /// The text of the message.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_json(self)
    }

    /// Reads a message from a server.
    ///
    /// # Errors
    /// [`MessageError`] if it is not a JSON object, or a known message with a key missing or of the wrong type.
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        parse_object(text)
    }
}

/// What a client tells the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClientMessage {
    /// Starts a stream beside those that are started, or changes what is sent of it.
    Start(Start),
    /// Ends a stream.
    Stop {
        /// The stream's id; without it all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stream: Option<u32>,
    },
    /// This frame and all before it of its stream have been painted, or skipped.
    Ack {
        /// The frame's sequence.
        seq: u64,
        /// The stream's id; without it the one that was started first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stream: Option<u32>,
    },
    /// Wants a pong, to compare clocks.
    Ping {
        /// The client's time in µs, on any clock; may have a fraction.
        c: f64,
    },
    /// Nobody looks: stop sending frames.
    Pause {
        /// The stream's id; without it all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stream: Option<u32>,
    },
    /// Goes on after `pause`.
    Play {
        /// The stream's id; without it all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stream: Option<u32>,
    },
    /// The decoder lost its footing: wants a key frame.
    Key,
    /// From a newer client: ignore it.
    #[serde(other)]
    Unknown,
}

/// What a client wants; every key may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The stream's id; without it the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<u32>,
    /// Format names, the most wanted first; names that the server does not know are passed over. Without it, or
    /// empty, the server's preference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formats: Option<Vec<String>>,
    /// Frames in flight at most, 1 to [`MAX_WINDOW`]; without it the socket alone paces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<u8>,
    /// Frames a second at most, 1 to [`MAX_FPS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maxfps: Option<u32>,
}

impl ClientMessage {
    /// Reads and checks a message from a client.
    ///
    /// # Errors
    /// [`MessageError`] if it is too long, not a JSON object, or a known message with a key missing, of the wrong
    /// type or out of range. The text repeats at most 160 of the client's
    /// characters, and no control characters.
    ///
    /// ```
    /// use eyelet_wire::v1::ClientMessage;
    /// assert_eq!(ClientMessage::parse(r#"{"t":"ack","seq":12}"#)?, ClientMessage::Ack { seq: 12, stream: None });
    /// assert_eq!(ClientMessage::parse(r#"{"t":"sing"}"#)?, ClientMessage::Unknown);
    /// # Ok::<(), eyelet_wire::v1::MessageError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        if text.len() > MAX_CLIENT_MESSAGE_LEN {
            return Err(Wrong::TooLong(text.len()).into());
        }
        let message: Self = parse_object(text)?;
        if let Self::Start(start) = &message {
            start.check()?;
        }
        Ok(message)
    }

    /// The text of the message.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_json(self)
    }
}

impl Start {
    fn check(&self) -> Result<(), Wrong> {
        if let Some(window) = self.window.filter(|window| !(1..=MAX_WINDOW).contains(window)) {
            return Err(Wrong::Window(window));
        }
        if let Some(fps) = self.maxfps.filter(|fps| !(1..=MAX_FPS).contains(fps)) {
            return Err(Wrong::Fps(fps));
        }
        let formats = self.formats.as_deref().unwrap_or_default();
        if formats.len() > MAX_FORMATS {
            return Err(Wrong::Formats(formats.len()));
        }
        if formats.iter().any(|name| name.len() > MAX_FORMAT_NAME_LEN) {
            return Err(Wrong::FormatName);
        }
        Ok(())
    }
}

/// Why a control message is refused. A server tells the client with `error` and goes on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(transparent)]
pub struct MessageError(#[from] Wrong);

#[derive(Clone, Debug, PartialEq, Eq, Error)]
enum Wrong {
    #[error("message of {0} bytes is longer than {MAX_CLIENT_MESSAGE_LEN}")]
    TooLong(usize),
    #[error("message is not a JSON object")]
    NotAnObject,
    #[error("message is not understood: {0}")]
    Json(String),
    #[error("`window` is {0}, not 1 to {MAX_WINDOW}")]
    Window(u8),
    #[error("`maxfps` is {0}, not 1 to {MAX_FPS}")]
    Fps(u32),
    #[error("`formats` has {0} names, more than {MAX_FORMATS}")]
    Formats(usize),
    #[error("a name in `formats` is longer than {MAX_FORMAT_NAME_LEN} bytes")]
    FormatName,
}

/// The JSON reader alone would also take arrays for the tagged enums.
fn parse_object<T: DeserializeOwned>(text: &str) -> Result<T, MessageError> {
    if !text.trim_start().starts_with('{') {
        return Err(Wrong::NotAnObject.into());
    }
    serde_json::from_str(text).map_err(|error| {
        const KEPT: usize = 160; // it may quote the peer
        let text = error.to_string();
        Wrong::Json(text.chars().filter(|c| !c.is_control()).take(KEPT).collect()).into()
    })
}

fn to_json(message: &impl Serialize) -> String {
    serde_json::to_string(message).expect("the keys are strings and nothing else can fail")
}
