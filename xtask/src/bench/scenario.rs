//! What is measured: frames, viewers, and which servers take part.

use super::kind::Kind;

/// What viewers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// A message is a frame.
    WebSocket,
    /// A multipart answer of JPEG pictures.
    Mjpeg,
}

/// How viewers behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// All read as fast as they can.
    Healthy,
    /// So many more read slowly.
    WithSlow(u32),
    /// All pause after the first frame, which only `eyelet.v1` knows.
    Paused,
    /// All ask for frames and read none.
    Silent,
}

/// How an app has a place for each viewer; each is an option of Eyelet's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Places {
    Coroutines,
    Processes,
}

impl Places {
    /// The word on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Coroutines => "coroutines",
            Self::Processes => "processes",
        }
    }
}

/// One row of the bench.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// As `eyelet-bench` takes it: a size of raw YUYV or a length of JPEG.
    pub(super) content: &'static str,
    pub(super) frame_bytes: u32,
    pub(super) protocol: Protocol,
    pub(super) viewers: u32,
    pub(super) load: Load,
    /// Frames come through an app, with as many of these as there are viewers.
    pub(super) places: Option<Places>,
    pub(super) servers: &'static [Kind],
    /// Runs when nothing is named.
    pub(super) is_default: bool,
}

const SOCKET: &[Kind] =
    &[Kind::Eyelet, Kind::Write, Kind::Sendfile, Kind::Tee, Kind::UwsgiArticle, Kind::UwsgiFast];
const PICTURES: &[Kind] =
    &[Kind::Eyelet, Kind::Write, Kind::Sendfile, Kind::Tee, Kind::UwsgiFast, Kind::Ustreamer];
/// Who runs apps so that each viewer gets each frame.
const APPS: &[Kind] = &[Kind::Eyelet, Kind::UwsgiFast];
const OURS: &[Kind] = &[Kind::Eyelet, Kind::Write, Kind::Sendfile];

const RAW: Scenario = Scenario {
    name: "",
    content: "640x480",
    frame_bytes: 614_400,
    protocol: Protocol::WebSocket,
    viewers: 0,
    load: Load::Healthy,
    places: None,
    servers: SOCKET,
    is_default: false,
};
const SMALL: Scenario = Scenario { content: "160x96", frame_bytes: 30_720, ..RAW };
const MEDIUM: Scenario = Scenario { content: "320x160", frame_bytes: 102_400, ..RAW };
const APP: Scenario = Scenario { viewers: 10, servers: APPS, ..RAW };
const JPEG_SMALL: Scenario = Scenario {
    content: "jpeg:30720",
    frame_bytes: 30_720,
    protocol: Protocol::Mjpeg,
    servers: PICTURES,
    ..RAW
};
const JPEG_MEDIUM: Scenario =
    Scenario { content: "jpeg:102400", frame_bytes: 102_400, ..JPEG_SMALL };

/// All of them, at 30 frames a second.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "raw-10", viewers: 10, ..RAW },
    Scenario { name: "raw-50", viewers: 50, is_default: true, ..RAW },
    Scenario { name: "raw-100", viewers: 100, ..RAW },
    Scenario { name: "raw-200", viewers: 200, ..RAW },
    Scenario { name: "app-raw-10-coroutines", places: Some(Places::Coroutines), ..APP },
    Scenario { name: "app-raw-10-processes", places: Some(Places::Processes), ..APP },
    Scenario { name: "ws-30k-200", viewers: 200, is_default: true, ..SMALL },
    Scenario { name: "ws-30k-500", viewers: 500, ..SMALL },
    Scenario { name: "ws-30k-1000", viewers: 1000, ..SMALL },
    Scenario { name: "ws-30k-2000", viewers: 2000, ..SMALL },
    Scenario { name: "ws-100k-200", viewers: 200, ..MEDIUM },
    Scenario { name: "ws-100k-500", viewers: 500, ..MEDIUM },
    Scenario { name: "ws-100k-1000", viewers: 1000, ..MEDIUM },
    Scenario { name: "ws-100k-2000", viewers: 2000, ..MEDIUM },
    Scenario { name: "mjpeg-30k-200", viewers: 200, is_default: true, ..JPEG_SMALL },
    Scenario { name: "mjpeg-30k-500", viewers: 500, ..JPEG_SMALL },
    Scenario { name: "mjpeg-30k-1000", viewers: 1000, ..JPEG_SMALL },
    Scenario { name: "mjpeg-30k-2000", viewers: 2000, ..JPEG_SMALL },
    Scenario { name: "mjpeg-100k-200", viewers: 200, ..JPEG_MEDIUM },
    Scenario { name: "mjpeg-100k-500", viewers: 500, ..JPEG_MEDIUM },
    Scenario { name: "mjpeg-100k-1000", viewers: 1000, ..JPEG_MEDIUM },
    Scenario { name: "mjpeg-100k-2000", viewers: 2000, ..JPEG_MEDIUM },
    Scenario {
        name: "slow",
        viewers: 20,
        load: Load::WithSlow(100),
        servers: OURS,
        is_default: true,
        ..RAW
    },
    Scenario {
        name: "paused",
        viewers: 100,
        load: Load::Paused,
        servers: &[Kind::Eyelet],
        is_default: true,
        ..RAW
    },
    Scenario {
        name: "silent",
        viewers: 100,
        load: Load::Silent,
        servers: OURS,
        is_default: true,
        ..RAW
    },
];

impl Scenario {
    /// One line for people.
    pub(super) fn about(&self) -> String {
        let Self { viewers, frame_bytes, .. } = self;
        let protocol = match (self.load, self.protocol) {
            (Load::Paused, _) => "eyelet.v1",
            (_, Protocol::WebSocket) => "bare WebSocket",
            (_, Protocol::Mjpeg) => "MJPEG",
        };
        let who = match self.load {
            Load::Healthy => format!("{viewers} viewers"),
            Load::WithSlow(slow) => format!("{viewers} viewers beside {slow} slow ones"),
            Load::Paused => format!("{viewers} viewers that pause"),
            Load::Silent => format!("{viewers} viewers that never read"),
        };
        let app = self.places.map_or(String::new(), |places| {
            format!(" through an app, with {viewers} {} in eyelet", places.name())
        });
        format!("{who}{app}, {frame_bytes} bytes by {protocol}")
    }

    /// Whether frames reach the viewers that count.
    pub(super) fn delivers(&self) -> bool {
        matches!(self.load, Load::Healthy | Load::WithSlow(_))
    }
}
