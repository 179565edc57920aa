//! Headless viewers: what `eyelet watch` counts, and the load that it makes.
//!
//! All viewers share one thread and one read buffer; no frame is ever stored. Belongs here: being a viewer, and judging
//! what a viewer gets. Does not belong here: the command line ([`crate::cmd::watch`]), and what the pixels mean
//! ([`crate::stamp`]).

mod check;
mod comments;
mod handshake;
mod latency;
pub(crate) mod multipart;
pub(crate) mod parser;
mod report;
mod run;
mod session;
mod tally;
mod target;
#[cfg(test)]
mod tests;
mod viewer;

use std::time::Duration;

pub use latency::Percentiles;
pub use report::{Report, Spread, Verdict};
pub use run::run;
pub use target::Target;

/// What a viewer asks the server for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The subprotocol `eyelet.v1`: frames have a number and times.
    V1,
    /// No subprotocol: every binary message is one frame.
    Bare,
    /// No WebSocket: JPEG pictures in a multipart answer that never ends, as an `<img>` shows them.
    Mjpeg,
}

impl Mode {
    /// Names it in reports.
    fn name(self) -> &'static str {
        match self {
            Self::V1 => eyelet_wire::v1::SUBPROTOCOL,
            Self::Bare => "bare",
            Self::Mjpeg => "mjpeg",
        }
    }
}

/// Whether the numbers in the pixels are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Verify {
    /// If the first frame carries them: the test picture does.
    Auto,
    /// Yes: a frame without them is torn.
    Always,
    /// No.
    Never,
}

/// How a viewer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// As fast as frames come.
    Fast,
    /// At most so many bytes a second.
    Slow(u32),
    /// Never, after frames were asked for.
    Never,
}

/// What to watch, how, and for how long.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server.
    pub target: Target,
    /// Connections.
    pub viewers: usize,
    /// How long to count.
    pub duration: Duration,
    /// What to speak.
    pub mode: Mode,
    /// The stream's name or number; without it the server's first.
    pub stream: Option<String>,
    /// The only format to take; without it the server's preference.
    pub format: Option<String>,
    /// Frames in flight at most, each acknowledged; without it the socket alone paces.
    pub window: Option<u8>,
    /// Asks for a window, and never acknowledges.
    pub no_ack: bool,
    /// Pauses after the first frame.
    pub pauses: bool,
    /// How to read.
    pub reading: Reading,
    /// Whether to look for torn frames.
    pub verify: Verify,
    /// Says on standard error when counting begins and ends, so that another program can measure meanwhile.
    pub announces: bool,
    /// Connects again when the server ends a connection.
    pub reconnects: bool,
}
