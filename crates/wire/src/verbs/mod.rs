//! The app protocol: an app drives its request by one-line verbs, and each is answered by one line.
//!
//! A line ends with a newline and has words parted by spaces. Some verbs announce a payload, whose bytes follow the
//! newline at once; so do some answers. Normative, with what each verb does: `docs/ref/app.md`. Belongs here: the
//! grammar and its limits. Does not belong here: what a verb does.
//!
//! To add a verb: a variant of [`Verb`], an arm in `Words::verb`, a line in each table of `verbs/tests.rs` and in
//! `docs/ref/app.md`, and if it has a payload an arm in [`Verb::payload_len`].

mod answer;
mod parse;
#[cfg(test)]
mod tests;
mod wrong;

pub use answer::{Kind, err, ok};
pub use parse::parse;
pub use wrong::VerbError;

use std::time::Duration;

/// Bytes of a line at most, without its newline: verbs are short, and an answer may carry a sentence.
pub const MAX_LINE_LEN: usize = 4096;
/// Bytes of an app's HTTP head at most: more than browsers and proxies take.
pub const MAX_HEAD_LEN: usize = 64 * 1024;
/// Bytes of a payload at most: holds any message or part of a body that an app makes in one piece, and bounds what one
/// request keeps in memory; frames are sent from areas instead.
pub const MAX_PAYLOAD_LEN: usize = 16 * 1024 * 1024;
/// Bytes that one request to an application area carries at most: they go in one message.
pub const MAX_WRITE_LEN: usize = 64 * 1024;
/// Things that one `wait-any` waits for at most.
pub const MAX_WAITED_FOR: usize = 16;
/// Bytes of a close message's reason at most. Source: RFC 6455, section 5.5.
pub const MAX_REASON_LEN: usize = 123;
/// Seconds that a wait may last at most: a century, so that sums of times cannot overflow.
const MAX_SECONDS: u64 = 3_155_760_000;

/// What an app asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verb {
    /// Completes the WebSocket handshake.
    Handshake {
        /// The subprotocol that the app chose: an HTTP token.
        protocol: Option<String>,
    },
    /// Waits for a frame that is newer than the last one this request waited for, sent or read.
    Wait {
        /// Which area.
        area: Area,
        /// Accepted for old apps and ignored: nothing polls here.
        interval: Duration,
        /// `None` waits for ever.
        timeout: Option<Duration>,
    },
    /// Waits for the first of several things.
    WaitAny {
        /// `None` waits for ever.
        timeout: Option<Duration>,
        /// A message of the client is one of them.
        recv: bool,
        /// A newer frame of each of these.
        areas: Vec<Area>,
    },
    /// Sends the newest frame, or a part of it, as one message or as a part of the body.
    SendArea {
        /// Which area.
        area: Area,
        /// Bytes to leave out at the front.
        pos: u64,
        /// Bytes to send; `None` sends all from `pos` on.
        len: Option<u64>,
        /// What the message is.
        op: Op,
    },
    /// Sends each newest frame as one message until the client leaves.
    Follow {
        /// Which area.
        area: Area,
        /// What the messages are.
        op: Op,
    },
    /// Ends the `recv`, `wait`, `wait-any` or `follow` that is waiting; nothing where none waits.
    Stop,
    /// Sends the payload as one message.
    Send {
        /// What the message is.
        op: Op,
        /// Bytes of payload, at most [`MAX_PAYLOAD_LEN`].
        len: usize,
    },
    /// Waits for a message of the client.
    Recv {
        /// `None` waits for ever.
        timeout: Option<Duration>,
    },
    /// Gives a message of the client that is there.
    RecvNow,
    /// Closes the WebSocket; the payload is the reason.
    Close {
        /// One that may be sent.
        code: u16,
        /// Bytes of payload, at most [`MAX_REASON_LEN`].
        len: usize,
    },
    /// Reads from an area.
    Read {
        /// Which area.
        area: Area,
        /// The first byte.
        pos: u64,
        /// Bytes to read; `None` reads all from `pos` on.
        len: Option<u64>,
    },
    /// Writes the payload into an application area.
    Write {
        /// Which area.
        area: Area,
        /// The first byte.
        pos: u64,
        /// Bytes of payload, at most [`MAX_WRITE_LEN`].
        len: usize,
    },
    /// Adds to a number in an application area.
    Inc {
        /// Which area.
        area: Area,
        /// The number's first byte.
        pos: u64,
        /// How wide it is.
        bits: Bits,
        /// What is added; `dec` gives it with the other sign.
        amount: i64,
    },
    /// Lists the areas.
    Areas,
    /// Answers with the HTTP head in the payload; see [`crate::head`].
    Head {
        /// Bytes of payload, at most [`MAX_HEAD_LEN`].
        len: usize,
    },
    /// Sends the payload as a part of the body.
    Body {
        /// Bytes of payload, at most [`MAX_PAYLOAD_LEN`].
        len: usize,
    },
    /// Ends the request.
    End,
}

impl Verb {
    /// Bytes that follow the line.
    #[must_use]
    pub const fn payload_len(&self) -> usize {
        match self {
            Self::Send { len, .. }
            | Self::Close { len, .. }
            | Self::Write { len, .. }
            | Self::Head { len }
            | Self::Body { len } => *len,
            _ => 0,
        }
    }
}

/// How a verb names an area.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Area {
    /// By its number.
    Id(u32),
    /// By its name: letters, digits, `-` and `_`, not digits alone.
    Name(String),
}

impl std::fmt::Display for Area {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// How wide a number in an area is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say all")]
pub enum Bits {
    B8,
    B16,
    B32,
    B64,
}

impl Bits {
    /// The number of bits.
    #[must_use]
    pub const fn count(self) -> u16 {
        match self {
            Self::B8 => 8,
            Self::B16 => 16,
            Self::B32 => 32,
            Self::B64 => 64,
        }
    }
}

/// What a WebSocket message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// UTF-8; who sends it has to check that.
    Text,
    /// Any bytes.
    Binary,
}
