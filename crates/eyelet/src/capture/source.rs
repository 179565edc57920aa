//! What every source of frames can do.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use eyelet_area::{Format, Frame};

use crate::error::Result;
use crate::panel::Panel;

/// What a source delivers, as far as it knows; printed at the start and shown in the status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// What a person calls it: `/dev/video0`, `test`, a file's path, a command's name.
    pub name: String,
    /// Shape of the frames. It may change while the source runs; each frame carries its own.
    pub format: Format,
    /// Nominal time from frame to frame; zero where that is not known.
    pub interval: Duration,
}

/// What a source waits for before it has something new.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wait<'a> {
    /// Readable (or in error) when there may be a frame.
    pub readable: Option<BorrowedFd<'a>>,
    /// At this time there is a frame, or something else to do.
    pub due: Option<Instant>,
    /// Readable when the source's panel may have news.
    pub panel: Option<BorrowedFd<'a>>,
}

/// What [`Source::try_next`] found.
#[derive(Debug)]
pub enum Next {
    /// A frame, complete and sealed, not yet published.
    Frame(Frame),
    /// A frame that was there and was not made, as [`Source::leave_next`] may.
    Unmade,
    /// Nothing yet: wait as [`Source::wait`] says.
    NotReady,
}

/// Frames that did not become frames, since the source was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counters {
    /// The driver or the source had it, and was told too late to keep it.
    pub dropped: u64,
    /// Left out on purpose, because a newer one was there already.
    pub skipped: u64,
    /// Flagged as damaged by the driver, or not parseable.
    pub corrupt: u64,
}

/// Something that produces frames inside the capture role.
///
/// Single-threaded and never waiting: the role polls [`wait`](Self::wait), then calls [`try_next`](Self::try_next)
/// until it is not ready. When several frames are there, a source skips to the newest and counts the others; a source
/// that has its own rate never runs ahead of it.
pub trait Source: std::fmt::Debug {
    /// Describes what comes.
    fn description(&self) -> &Description;

    /// Says what to wait for.
    fn wait(&self) -> Wait<'_>;

    /// Gives the next frame if there is one. Never waits longer than reading what is there takes.
    ///
    /// # Errors
    /// [`Unavailable`](crate::error::ErrorKind::Unavailable) when the source has gone and may come back (drop it and open
    /// it again, with back-off); [`Refused`](crate::error::ErrorKind::Refused) when trying again cannot help.
    fn try_next(&mut self) -> Result<Next>;

    /// The same while nobody follows: a source that can leave a frame unmade, for less than making it costs, does so.
    ///
    /// # Errors
    /// As [`try_next`](Self::try_next).
    fn leave_next(&mut self) -> Result<Next> {
        self.try_next()
    }

    /// Gives the source's controls, where it has some.
    fn panel(&mut self) -> Option<&mut dyn Panel> {
        None
    }

    /// Counts what did not become a frame.
    fn counters(&self) -> Counters;
}
