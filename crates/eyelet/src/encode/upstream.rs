//! The subscription to the area that frames are made from.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use eyelet_area::{Event, Frame, State, Subscriber};

/// Pause before the area is connected to again after an error.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);
/// The same after its owner has gone: an owner that sends everybody away must not be asked without end.
const PAUSE_AFTER_END: Duration = Duration::from_millis(10);

/// What is heard from the area.
#[derive(Debug)]
pub(super) enum Heard {
    /// The newest frame, and how many this subscription did not get since the last.
    Frame(Frame, u64),
    /// What its owner says of the source.
    State(State),
    /// The owner has gone, for this reason; it is looked for again.
    Gone(String),
}

/// A subscription that is made again whenever it ends. At most one frame is on the way.
#[derive(Debug)]
pub(super) struct Upstream {
    path: PathBuf,
    subscriber: Option<Subscriber>,
    /// One frame is granted and has not come.
    has_credit: bool,
    /// A frame was granted since it was connected.
    is_used: bool,
    retry_at: Instant,
}

impl Upstream {
    pub(super) fn new(path: PathBuf) -> Self {
        let retry_at = Instant::now();
        Self { path, subscriber: None, has_credit: false, is_used: false, retry_at }
    }

    /// Polls readable when there is something to [hear](Self::hear).
    pub(super) fn readable(&self) -> Option<BorrowedFd<'_>> {
        self.subscriber.as_ref().map(AsFd::as_fd)
    }

    /// When it is to be connected again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.subscriber.is_none().then_some(self.retry_at)
    }

    /// Grants one frame if none is on the way.
    ///
    /// # Errors
    /// If the area refuses; it is connected to again.
    pub(super) fn want(&mut self) -> Result<(), String> {
        let Some(subscriber) = self.subscriber.as_mut().filter(|_| !self.has_credit) else {
            return Ok(());
        };
        match subscriber.grant(1) {
            Ok(()) => {
                (self.has_credit, self.is_used) = (true, true);
                Ok(())
            }
            Err(e) => Err(self.lose(&e)),
        }
    }

    /// Gives what there is to hear, one thing at a time. Never waits.
    pub(super) fn hear(&mut self, now: Instant) -> Option<Heard> {
        if self.due().is_some_and(|due| due <= now) {
            match Subscriber::connect(&self.path) {
                Ok(subscriber) => self.subscriber = Some(subscriber),
                Err(e) => return Some(Heard::Gone(self.lose(&e))),
            }
        }
        match self.subscriber.as_mut()?.try_receive() {
            Ok(Some(Event::Frame { frame, missed })) => {
                self.has_credit = false;
                Some(Heard::Frame(frame, missed))
            }
            Ok(Some(Event::State(state))) => Some(Heard::State(state)),
            Ok(Some(Event::Closed)) => {
                self.leave(PAUSE_AFTER_END);
                Some(Heard::Gone("the capture process is starting again".to_owned()))
            }
            // Nothing was asked here, so there is no answer either.
            Ok(None | Some(Event::Answer(_))) => None,
            Err(e) => Some(Heard::Gone(self.lose(&e))),
        }
    }

    /// Gives back the credit that is out, by connecting anew.
    ///
    /// So no frame comes that nobody wants, and the next that is wanted is the newest at once, not the one after it.
    pub(super) fn renew(&mut self) {
        if self.is_used {
            self.leave(Duration::ZERO);
        }
    }

    fn lose(&mut self, e: &eyelet_area::Error) -> String {
        self.leave(PAUSE_AFTER_ERROR);
        e.to_string()
    }

    fn leave(&mut self, pause: Duration) {
        self.subscriber = None;
        (self.has_credit, self.is_used) = (false, false);
        self.retry_at = Instant::now() + pause;
    }
}
