//! What a child of the supervisor is, and what it is given at birth.
//!
//! The supervisor starts its own executable again with [`BOOT_VARIABLE`] in the environment. Descriptor 3 is then a
//! sealed memfd with a [`Boot`] as JSON, 4 the control socket, and from 5 on come the role's own sockets.

use std::io::Read;
use std::os::fd::OwnedFd;

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::config::{Camera, Config, Made, Mule, Origin, stream};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::inherit;
use crate::panel::Settings;
use crate::users::SessionKey;

/// Says that a process is a role; its value is the supervisor's process id.
pub const BOOT_VARIABLE: &str = "EYELET_ROLE_OF";
/// Where a child finds its [`Boot`].
pub const BOOT_FD: i32 = 3;
/// Where a child finds its control socket.
pub const CONTROL_FD: i32 = 4;
/// Where a child's own sockets begin.
pub const FIRST_SOCKET_FD: i32 = 5;

/// What a child does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads one source into its area.
    Capture {
        /// The area's id.
        area: usize,
    },
    /// Makes one stream from another, into an area of its own.
    Encode {
        /// The area's id.
        area: usize,
    },
    /// Sends to viewers.
    Serve {
        /// Which of the serve processes.
        index: usize,
    },
    /// Runs the user's application; becomes its host.
    App,
    /// Holds the application areas.
    Keep,
    /// Becomes a program of the user's.
    Mule {
        /// Which of the mules.
        index: usize,
    },
}

impl Role {
    /// Tells whether it becomes a program of the user's.
    #[must_use]
    pub fn is_program(self) -> bool {
        matches!(self, Self::App | Self::Mule { .. })
    }

    /// Tells whether it is one of those that viewers are connected to.
    #[must_use]
    pub fn is_serve(self) -> bool {
        matches!(self, Self::Serve { .. })
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Capture { area } => write!(f, "capture {area}"),
            Self::Encode { area } => write!(f, "encode {area}"),
            Self::Serve { index } => write!(f, "serve {index}"),
            Self::App => write!(f, "app"),
            Self::Keep => write!(f, "keep"),
            Self::Mule { index } => write!(f, "mule {index}"),
        }
    }
}

/// An area as every role knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AreaPlace {
    /// Its id; see [`Config::areas`].
    pub id: usize,
    /// Its name.
    pub name: String,
    /// Its socket.
    pub path: std::path::PathBuf,
    /// Where its frames come from.
    pub origin: Origin,
}

impl AreaPlace {
    /// What its frames are made from, and how; none where they come from elsewhere.
    #[must_use]
    pub fn made(&self) -> Option<Made> {
        match self.origin {
            Origin::Derived(made) => Some(made),
            Origin::Camera | Origin::Mule { .. } | Origin::App { .. } => None,
        }
    }

    /// The id of the area that its frames are made from.
    #[must_use]
    pub fn of(&self) -> Option<usize> {
        self.made().map(|made| made.of)
    }

    /// The id of the area of the camera that it shows: its own, or the one that its frames are made from.
    #[must_use]
    pub fn camera(&self) -> usize {
        self.of().unwrap_or(self.id)
    }

    /// What is made of another area's frames.
    #[must_use]
    pub fn kind(&self) -> Option<stream::Kind> {
        self.made().map(|made| made.kind)
    }
}

/// All that a child is told at birth.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Boot {
    /// What it does.
    pub role: Role,
    /// How many before it had the same role: the generation of what it publishes.
    pub generation: u32,
    /// The whole configuration.
    pub config: Config,
    /// Every area.
    pub areas: Vec<AreaPlace>,
    /// The app's socket, where there is an app.
    pub app_socket: Option<std::path::PathBuf>,
    /// Where the packages for the user's programs lie, if there are any.
    pub packages: Option<std::path::PathBuf>,
    /// What was asked of the source's controls before: a capture role sets them again.
    pub settings: Settings,
    /// The program of a mule role.
    pub mule: Option<Mule>,
    /// What a serve role signs sessions with; other roles have none.
    pub session_key: Option<SessionKey>,
    /// The numbers of a serve role's listeners, in the order of its sockets; they never move.
    pub listeners: Vec<u64>,
    /// Sockets from [`FIRST_SOCKET_FD`] on.
    pub sockets: usize,
}

impl Boot {
    /// Finds an area by its id.
    #[must_use]
    pub fn place(&self, id: usize) -> Option<&AreaPlace> {
        self.areas.iter().find(|place| place.id == id)
    }

    /// Finds the camera that an area shows.
    #[must_use]
    pub fn camera(&self, id: usize) -> Option<&Camera> {
        let place = self.place(id).filter(|place| place.origin == Origin::Camera)?;
        self.config.sources.iter().find(|camera| camera.name == place.name)
    }
}

/// Reads what a child is told with [`ToChild::Renewed`](crate::control::ToChild::Renewed): what it would be told at birth
/// now, and its sockets.
///
/// # Errors
/// If the supervisor speaks nonsense.
pub fn renewed(sockets: Vec<OwnedFd>) -> Result<(Boot, Vec<OwnedFd>)> {
    let failed = || Error::failed("a new configuration came incomplete");
    let mut sockets = sockets.into_iter();
    let boot = read_boot(sockets.next().ok_or_else(failed)?).ok_or_else(failed)?;
    let sockets: Vec<OwnedFd> = sockets.collect();
    if sockets.len() != boot.sockets {
        return Err(failed());
    }
    Ok((boot, sockets))
}

fn read_boot(file: OwnedFd) -> Option<Boot> {
    let mut text = String::new();
    std::fs::File::from(file).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// A child that has come to life.
#[derive(Debug)]
pub struct Born {
    /// What it was told.
    pub boot: Boot,
    /// The line to the supervisor.
    pub control: Control,
    /// Its own sockets, in the order that its role expects.
    pub sockets: Vec<OwnedFd>,
}

/// Comes to life as a role: takes what was inherited and ends with the supervisor.
///
/// # Errors
/// If the environment promises what is not there: somebody set [`BOOT_VARIABLE`] by hand.
pub fn be_born(supervisor: &str) -> Result<Born> {
    let by_hand = || {
        Error::usage(format!(
            "{BOOT_VARIABLE} is set, but this is no child of a supervisor: unset it"
        ))
    };
    let supervisor: u32 = supervisor.parse().map_err(|_| by_hand())?;
    end_with(supervisor)?;
    let boot = inherit::take(BOOT_FD).and_then(read_boot).ok_or_else(by_hand)?;
    let control = Control::new(inherit::take(CONTROL_FD).ok_or_else(by_hand)?)?;
    let fds = (FIRST_SOCKET_FD..).take(boot.sockets);
    let sockets = fds.map(|fd| inherit::take(fd).ok_or_else(by_hand)).collect::<Result<_>>()?;
    Ok(Born { boot, control, sockets })
}

/// Arranges that the kernel ends this process when its supervisor ends, however that happens.
///
/// Call it from the main thread: the kernel watches the thread that started us, and tells this one.
fn end_with(supervisor: u32) -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|e| Error::failed(format!("failed to tie a child to its supervisor: {e}")))?;
    // It may have ended before the call above.
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().cast_unsigned());
    if parent == Some(supervisor) {
        Ok(())
    } else {
        Err(Error::failed("the supervisor ended before its child came to life"))
    }
}
