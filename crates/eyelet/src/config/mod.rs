//! What the program shall do: filled once, validated whole, immutable after.
//!
//! The command line fills it ([`crate::cli`]); the supervisor passes it on to its children as JSON. Every limit is a
//! number here, with its default and the reason.

pub mod access;
pub mod allowed;
pub mod app;
pub mod app_area;
pub mod control_access;
pub mod lan;
pub mod listen;
pub mod mule;
pub mod origin;
pub mod secret;
pub mod source;
pub mod stream;
pub mod tls;
pub mod words;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use access::{Access, AllowedHost, Anonymous, Rights, User};
pub use allowed::AllowedOrigin;
pub use app::{App, Host};
pub use app_area::AppArea;
pub use control_access::ControlAccess;
pub use lan::Lan;
pub use listen::{Listen, UnixListen};
pub use mule::Mule;
pub use origin::{Made, Origin};
pub use secret::Secret;
pub use source::SourceSpec;
pub use stream::Derived;
pub use tls::Tls;

/// Everything that a run of the program is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Cameras, in the order of their area ids; at least one.
    pub sources: Vec<Camera>,
    /// Streams that are made from theirs and from the mules', in the order of their area ids, which go on behind the
    /// cameras'.
    pub streams: Vec<Derived>,
    /// The user's programs beside the streams. The areas of those that own one come behind the streams.
    pub mules: Vec<Mule>,
    /// Areas of application data, behind those of the mules.
    pub app_areas: Vec<AppArea>,
    /// Names of areas that clients may change by HTTP: mules' and application areas.
    pub writable: Vec<String>,
    /// Other sites whose pages may watch; every page of this server may.
    pub allowed_origins: Vec<AllowedOrigin>,
    /// The user that the program becomes when it has what only root can have: `NAME` or `NAME:GROUP`.
    pub user: Option<String>,
    /// What TCP connections are encrypted with, if they are.
    pub tls: Option<Tls>,
    /// Who may watch, and who may change something.
    pub access: Access,
    /// Who may change cameras' controls by HTTP, where there are no users.
    pub control_access: ControlAccess,
    /// Where to listen for browsers; at least one address.
    pub listen: Vec<Listen>,
    /// Print the addresses for other devices, and how.
    pub lan: Option<Lan>,
    /// Serve processes: one for each core that is wanted. 1 by default.
    pub serve_processes: usize,
    /// The user's application, where there is one.
    pub app: Option<App>,
    /// Where the area sockets lie; made and removed by the supervisor where it is not given.
    pub runtime_folder: Option<PathBuf>,
    /// When a role that ended is started again.
    pub restart: Restart,
    /// What one viewer and all of them may take.
    pub limits: Limits,
}

/// A source and its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Camera {
    /// What viewers and the status call it: letters, digits, `-` and `_`.
    pub name: String,
    /// Where its frames come from.
    pub source: SourceSpec,
}

/// When a role that ended is started again: doubling, with jitter, from `first` to `cap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// Pause before the second start; 0.1 s: a viewer hardly sees it, and a role that dies at once costs ten starts a second at most.
    pub first: Duration,
    /// Longest pause; 5 s: what is mended by hand comes back before one looks twice.
    pub cap: Duration,
    /// A role that ran so long is healthy and starts anew with `first`; 10 s.
    pub healthy_after: Duration,
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            cap: Duration::from_secs(5),
            healthy_after: Duration::from_secs(10),
        }
    }
}

/// What one viewer and all of them may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Connections of one serve process; 4096: above what a network card of 10 Gbit/s carries in pictures.
    pub connections: usize,
    /// Connections of one serve process from one address, or one /64 of IPv6; as many as there may be at all: behind a proxy
    /// or a router many people have one address. Who listens to the open net sets it.
    pub connections_per_address: Option<NonZeroUsize>,
    /// Time for a request's head to arrive; 10 s: slower is no browser.
    pub head_timeout: Duration,
    /// Longest head of a request, in bytes; 32 KiB: browsers send less than 8.
    pub head_bytes: usize,
    /// Longest body that is passed to an app, in bytes; 1 MiB: forms, not uploads.
    pub body_bytes: usize,
    /// Time for a body to arrive; 20 s: 1 MiB at half a megabit a second.
    pub body_timeout: Duration,
    /// Longest WebSocket message to an app, in bytes; 64 KiB: what is larger is an upload.
    pub message_bytes: usize,
    /// Frames that slow viewers of one serve process may hold in all, in bytes, beside the newest; 32 MiB: fifty
    /// different ones of a webcam. Beyond it the viewer that is furthest behind is given up.
    pub held_bytes: u64,
    /// Time that streams have to end when the program is stopped; 5 s.
    pub stop_timeout: Duration,
    /// Time that a client waits for a place in the app before it gets 503; 5 s.
    pub app_wait: Duration,
    /// Time that one `send-area` may take before the viewer is given up; 30 s.
    pub send_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_address: None,
            head_timeout: Duration::from_secs(10),
            head_bytes: 32 << 10,
            body_bytes: 1 << 20,
            body_timeout: Duration::from_secs(20),
            message_bytes: 64 << 10,
            held_bytes: 32 << 20,
            stop_timeout: Duration::from_secs(5),
            app_wait: Duration::from_secs(5),
            send_timeout: Duration::from_secs(30),
        }
    }
}

/// Most connections that a serve process may be told to have: the kernel's own limit for descriptors.
pub const MAX_CONNECTIONS: usize = 1_000_000;

/// Most processes that `--serve-processes` and `--processes` take: far above any machine's cores, and a typing
/// mistake of three digits does not end the machine.
pub const MAX_PROCESSES: usize = 256;

impl Config {
    /// Says what each area is, in the order of their ids: cameras, derived streams, the mules' areas, application areas.
    #[must_use]
    pub fn areas(&self) -> Vec<(&str, Origin)> {
        let cameras = self.sources.iter().map(|camera| (camera.name.as_str(), Origin::Camera));
        let streams = self
            .streams
            .iter()
            .map(|s| (s.name.as_str(), Origin::Derived(Made { of: s.of, kind: s.kind })));
        let mules = self.mules.iter().enumerate();
        let mules = mules.filter_map(|(mule, m)| Some((m.area.as_deref()?, Origin::Mule { mule })));
        let app = self.app_areas.iter().map(|a| (a.name.as_str(), Origin::App { len: a.len }));
        cameras.chain(streams).chain(mules).chain(app).collect()
    }
}
