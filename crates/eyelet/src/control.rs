//! The line between the supervisor and a child: one JSON message for each datagram of a `SOCK_SEQPACKET` pair.
//!
//! Nothing that a viewer sent ever travels on it unparsed: the supervisor parses nothing from the network.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use eyelet_area::Format;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::capture::source::Counters;
use crate::error::{Error, Result};

/// Longest message, in bytes; a report has a few hundred.
const MAX_MESSAGE_LEN: usize = 64 << 10;

/// From a child.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromChild {
    /// Capture opened its source.
    Opened(Opened),
    /// Capture has no source now; it tries again by itself.
    Lost(Error),
    /// The child cannot work as it is asked to: stop the program.
    Hopeless(Error),
    /// The answer to [`ToChild::Report`].
    Report {
        /// Which question.
        ask: u64,
        /// The answer.
        report: Report,
    },
    /// A serve process wants to know how everybody is.
    AskStatus {
        /// Number of the question, the asker's own.
        ask: u64,
    },
    /// A serve process, one of several, says how many connections watch, or may be about to.
    Load(usize),
}

/// To a child.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToChild {
    /// Say how you are.
    Report {
        /// Number of the question.
        ask: u64,
    },
    /// The answer to [`FromChild::AskStatus`].
    Status {
        /// Which question.
        ask: u64,
        /// How everybody is.
        status: Box<Status>,
    },
    /// The smallest load of all serve processes.
    LeastLoad(usize),
}

/// What a source or an encoder delivers, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The device, file or command; the stream's name if it is derived.
    pub name: String,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes from row to row.
    pub stride: u32,
    /// Pixel format.
    pub fourcc: String,
    /// Matrix and range, as the wire protocol names them.
    pub matrix: String,
    /// See `matrix`.
    pub range: String,
    /// Nominal frames in 1000 seconds; 0 where that is not known.
    pub millifps: u64,
    /// Bytes of a frame; 0 where that varies.
    pub len: u64,
}

impl Opened {
    /// Describes frames of `format` that come one `interval` after the other; zero where that is not known.
    #[must_use]
    pub fn new(name: &str, format: Format, interval: Duration) -> Self {
        let millifps = Duration::from_secs(1000).as_nanos().checked_div(interval.as_nanos());
        Self {
            name: name.to_owned(),
            width: format.width,
            height: format.height,
            stride: format.stride,
            fourcc: format.fourcc.to_string(),
            matrix: format.matrix.name().to_owned(),
            range: format.range.name().to_owned(),
            millifps: u64::try_from(millifps.unwrap_or(0)).unwrap_or(0),
            len: format.packed_len().unwrap_or(0),
        }
    }
}

/// How a child is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// A capture role.
    Capture(CaptureReport),
    /// An encode role.
    Encode(EncodeReport),
    /// A serve role.
    Serve(ServeReport),
    /// The keep role.
    Keep(KeepReport),
}

/// How the keep role is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeepReport {
    /// Its areas.
    pub areas: Vec<KeptArea>,
}

/// How an application area is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptArea {
    /// Its id.
    pub id: usize,
    /// Newest sequence.
    pub sequence: u64,
    /// Requests applied since the process started.
    pub requests: u64,
    /// Processes that receive the area, or ask of it.
    pub subscribers: usize,
}

/// How a capture role is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CaptureReport {
    /// What it reads, once it was open.
    pub opened: Option<Opened>,
    /// Why there are no frames; absent while there are.
    pub no_signal: Option<String>,
    /// Newest sequence.
    pub sequence: u64,
    /// Frames that the source gave this process, those included that nobody followed and that were not made.
    pub captured: u64,
    /// Frames published by this process.
    pub published: u64,
    /// Frames in 1000 seconds, measured over the last second or two.
    pub millifps: u64,
    /// What did not become a frame, since the process started.
    pub counters: Counters,
    /// Processes that receive the area.
    pub subscribers: usize,
}

impl CaptureReport {
    /// Tells whether frames come.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.no_signal.is_none() && self.captured > 0
    }
}

/// How an encode role is. Everything is counted since the process started.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EncodeReport {
    /// What it makes; none before the first frame.
    pub made: Option<Opened>,
    /// Frames would come if somebody wanted them.
    pub is_live: bool,
    /// Why there are none; absent while there are, and before the source's first.
    pub no_signal: Option<String>,
    /// Newest sequence.
    pub sequence: u64,
    /// Frames published.
    pub published: u64,
    /// Frames of the source that came while another one was being made, and were left out for a newer one.
    pub skipped: u64,
    /// Frames of the source that nothing could be made of.
    pub corrupt: u64,
    /// Time that making frames took, in microseconds.
    pub busy_us: u64,
    /// Processes that receive the area.
    pub subscribers: usize,
    /// Why the last of the corrupt ones was.
    pub last_error: Option<String>,
}

/// How a serve role is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServeReport {
    /// Open connections.
    pub connections: usize,
    /// Connections that watch, for each area.
    pub viewers: BTreeMap<usize, usize>,
    /// Frames sent.
    pub frames_sent: u64,
    /// Bytes of frames sent.
    pub bytes_sent: u64,
    /// Frames that viewers were too late for.
    pub frames_dropped: u64,
    /// Viewers that were given up, so that what slow ones hold fits its budget.
    pub given_up: u64,
    /// Bytes of frames that this process holds now.
    pub held_bytes: u64,
    /// Requests and messages that were refused.
    pub refused: u64,
}

/// How everybody is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Every child.
    pub children: Vec<ChildStatus>,
    /// The supervisor's process id.
    pub supervisor_pid: u32,
    /// Seconds since the supervisor started.
    pub uptime_s: u64,
}

/// How one child is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChildStatus {
    /// `capture 0`, `serve 1`, `app`.
    pub role: String,
    /// Its process; absent between two starts.
    pub pid: Option<u32>,
    /// How often it was started again.
    pub restarts: u32,
    /// How it ended last.
    pub last_end: Option<String>,
    /// What it says; absent if it did not answer in time.
    pub report: Option<Report>,
}

/// One end of the line. Never waits.
#[derive(Debug)]
pub struct Control {
    socket: OwnedFd,
}

impl Control {
    /// Takes one end.
    ///
    /// # Errors
    /// If the kernel refuses to make it non-blocking.
    pub fn new(socket: OwnedFd) -> Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true).map_err(|e| failed("set up", e))?;
        Ok(Self { socket })
    }

    /// Makes both ends.
    ///
    /// # Errors
    /// If the kernel has no descriptors left.
    pub fn pair() -> Result<(OwnedFd, OwnedFd)> {
        rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .map_err(|e| failed("make", e))
    }

    /// Sends a message; one that finds the line full or closed is lost, and the other side asks again.
    pub fn send(&self, message: &impl Serialize) {
        match serde_json::to_vec(message) {
            Ok(bytes) => {
                let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
                if let Err(e) = rustix::net::send(&self.socket, &bytes, flags) {
                    log::debug!("a control message was lost: {e}");
                }
            }
            Err(e) => log::error!("a control message cannot be written: {e}"),
        }
    }

    /// Receives a message if there is one.
    ///
    /// # Errors
    /// When the other side has ended, or speaks nonsense.
    pub fn try_receive<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let mut bytes = vec![0; MAX_MESSAGE_LEN];
        match rustix::net::recv(&self.socket, &mut bytes[..], RecvFlags::DONTWAIT) {
            Ok((0, _)) | Err(Errno::CONNRESET) => Err(Error::failed("the control line has ended")),
            Ok((n, _)) => serde_json::from_slice(&bytes[..n])
                .map(Some)
                .map_err(|e| Error::failed(format!("a control message makes no sense: {e}"))),
            Err(Errno::AGAIN | Errno::INTR) => Ok(None),
            Err(e) => Err(failed("read", e)),
        }
    }
}

fn failed(what: &str, e: Errno) -> Error {
    Error::failed(format!("failed to {what} a control line: {e}"))
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
