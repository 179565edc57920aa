//! The line between the supervisor and a child: one JSON message for each datagram of a `SOCK_SEQPACKET` pair.
//!
//! Nothing that a viewer sent ever travels on it unparsed: the supervisor parses nothing from the network.

mod line;

use std::collections::BTreeMap;
use std::time::Duration;

use eyelet_area::Format;
use eyelet_wire::v1::ControlInfo;
use serde::{Deserialize, Serialize};

use crate::capture::source::Counters;
use crate::config::Secret;
use crate::error::{Error, Result};
use crate::panel::{Done, Job};
pub use line::{Control, MAX_SOCKETS};

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
    /// A serve process says how many clients watch there.
    Watching(u64),
    /// A serve process wants something of a camera's controls; what a client sent was read there.
    AskPanel {
        /// Number of the question, the asker's own.
        ask: u64,
        /// The camera's area.
        area: usize,
        /// What is to be done.
        job: Job,
    },
    /// A serve process asks whether somebody may come in by the link that was printed.
    Redeem {
        /// Number of the question, the asker's own.
        ask: u64,
        /// The hash of what was shown.
        hash: Secret,
    },
    /// The answer to [`ToChild::Panel`].
    Panel {
        /// Which question.
        ask: u64,
        /// What came of it, or why the controls cannot be had.
        outcome: Result<Done>,
    },
    /// Controls of a capture role's source have changed.
    ControlsChanged(Vec<ControlInfo>),
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
    /// The answer to [`FromChild::Redeem`].
    Redeemed {
        /// Which question.
        ask: u64,
        /// That one may.
        is_right: bool,
    },
    /// The smallest load of all serve processes.
    LeastLoad(usize),
    /// To a serve role: so many clients watch, of the whole program.
    Viewers(u64),
    /// To a capture role: do this with your source's controls.
    Panel {
        /// Number of the question.
        ask: u64,
        /// What is to be done.
        job: Job,
    },
    /// To a serve role and to the keep role: what you were told at birth is now what is in the memfd that comes with this,
    /// and your sockets are those behind it.
    Renewed,
    /// The answer to [`FromChild::AskPanel`].
    PanelAnswer {
        /// Which question.
        ask: u64,
        /// What came of it, or why the controls cannot be had.
        outcome: Result<Done>,
    },
    /// To a serve role: controls of a camera have changed.
    ControlsChanged {
        /// The camera's area.
        area: usize,
        /// Those that changed, as they are now.
        controls: Vec<ControlInfo>,
    },
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
    /// Those of them that need no other.
    pub keys: u64,
    /// Frames of the source that came while another one was being made, and were left out for a newer one; and those that
    /// would have exceeded the bit rate.
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
    /// Requests that were refused, by the status of the answer.
    pub refused: BTreeMap<u16, u64>,
    /// WebSockets that were closed for what the client did, by the code of the close frame.
    pub closed: BTreeMap<u16, u64>,
    /// What goes through it to the app, where there is one.
    pub app: Option<AppReport>,
}

/// How the app is, as one serve process sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppReport {
    /// Requests that it handles at a time.
    pub places: usize,
    /// Those of them that are taken.
    pub taken: usize,
    /// Requests that it got.
    pub requests: u64,
    /// Those that it failed in, by the status of the answer.
    pub failures: BTreeMap<u16, u64>,
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
