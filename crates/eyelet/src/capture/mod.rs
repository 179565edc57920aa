//! The capture role: one source, one area.
//!
//! One thread polls the source, the area's subscribers and the supervisor. A source that goes away is opened again with
//! back-off; meanwhile the area says "no signal" and its subscribers stay.

mod panels;
mod rate;
pub mod source;
pub mod sources;

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use eyelet_area::{Format, Owner, State};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::backoff::Backoff;
use crate::config::Camera;
use crate::control::{CaptureReport, Control, FromChild, Opened, Report, ToChild};
use crate::due;
use crate::error::{Error, ErrorKind, Result};
use crate::role::Born;
use panels::Panels;
use rate::Rate;
use source::{Counters, Description, Next, Source};
use sources::Opener;

/// Most frames taken from a source before subscribers are looked at again.
const BURST: usize = 4;

/// While nobody follows, frames that come at least so often are not made: whoever comes gets the next one soon enough.
const SOON: Duration = Duration::from_millis(100);

/// Runs the role until the supervisor ends it.
///
/// # Errors
/// When the area or the control line fails: the supervisor starts the role again.
pub fn run(area: usize, born: Born) -> Result<()> {
    let Born { boot, control, mut sockets } = born;
    let camera = boot.camera(area).cloned();
    let camera = camera.ok_or_else(|| Error::failed(format!("there is no source {area}")))?;
    let listener = sockets.pop().ok_or_else(|| Error::failed("capture got no area socket"))?;
    let owner = Owner::new(listener, boot.generation)?.with_deferred_credit();
    let is_stopped = Arc::new(AtomicBool::new(false));
    // The poll below is interrupted by the signal and then sees the flag.
    signal_hook::flag::register(signal_hook::consts::SIGTERM, is_stopped.clone())
        .map_err(|e| Error::failed(format!("failed to hear signals: {e}")))?;
    let restart = boot.config.restart;
    let mut capture = Capture {
        opener: Opener::new(camera.source.clone()),
        camera,
        source: None,
        owner,
        control,
        backoff: Backoff::new(
            restart.first,
            restart.cap,
            restart.healthy_after,
            u64::from(std::process::id()),
        ),
        retry_at: Instant::now(),
        was_open: boot.generation > 0,
        report: CaptureReport::default(),
        introduced: Format::default(),
        counted: Counters::default(),
        rate: Rate::default(),
        panels: Panels::new(boot.settings),
    };
    while !is_stopped.load(Ordering::Relaxed) {
        capture.turn()?;
    }
    Ok(())
}

struct Capture {
    camera: Camera,
    opener: Opener,
    source: Option<Box<dyn Source>>,
    owner: Owner,
    control: Control,
    backoff: Backoff,
    retry_at: Instant,
    /// This run of the program has had the source open; from then on nothing is hopeless.
    was_open: bool,
    report: CaptureReport,
    /// Shape of the frames that was reported last.
    introduced: Format,
    /// Counters of the sources that were open before this one.
    counted: Counters,
    rate: Rate,
    /// What is known of the source's controls.
    panels: Panels,
}

/// Who has something to say.
#[derive(Debug, Default)]
struct Ready {
    subscribers: bool,
    supervisor: bool,
    panel: bool,
}

impl Capture {
    /// Waits for something to happen and deals with it.
    fn turn(&mut self) -> Result<()> {
        if self.source.is_none() && Instant::now() >= self.retry_at {
            self.open();
        }
        let ready = self.wait()?;
        if ready.subscribers || self.owner.owes_turn() {
            for refused in self.owner.turn()?.refused {
                log::warn!("area={} subscriber refused: {refused}", self.camera.name);
            }
        }
        if ready.supervisor {
            self.answer()?;
        }
        if ready.panel {
            self.panels.tell_news(self.source.as_deref_mut(), &self.control);
        }
        self.publish();
        Ok(())
    }

    fn open(&mut self) {
        match self.opener.open() {
            Ok(source) => {
                let description = source.description().clone();
                log::info!("source={} open", description.name);
                self.was_open = true;
                self.backoff.started(Instant::now());
                let source = self.source.insert(source);
                self.panels.opened(source.as_mut(), &self.control);
                // A command that has not said a word yet is introduced by its first frame.
                if description.format.width > 0 {
                    self.introduce(&description);
                }
            }
            Err(e) => self.lose(&e),
        }
    }

    /// Says what the source delivers.
    fn introduce(&mut self, description: &Description) {
        log::info!("source={} gives {}", description.name, description.format);
        self.introduced = description.format;
        let opened = Opened::new(&description.name, description.format, description.interval);
        self.report.opened = Some(opened.clone());
        self.control.send(&FromChild::Opened(opened));
    }

    /// The source is not there (any more): say so, and try again later.
    fn lose(&mut self, error: &Error) {
        if let Some(source) = self.source.take() {
            self.counted = sum(self.counted, source.counters());
        }
        let is_hopeless = matches!(error.kind(), ErrorKind::Refused | ErrorKind::Usage);
        let is_hopeless = is_hopeless && !self.was_open;
        let message = if is_hopeless { FromChild::Hopeless } else { FromChild::Lost };
        self.control.send(&message(error.clone()));
        let why = error.to_string();
        // The supervisor says what is hopeless as it ends.
        if !is_hopeless && self.report.no_signal.as_deref() != Some(&why) {
            log::warn!("area={} no signal: {why}", self.camera.name);
        }
        self.panels.lost(&why, &self.control);
        self.report.no_signal = Some(why.clone());
        self.owner.clear();
        self.owner.set_state(State::NoSignal { why });
        self.retry_at = Instant::now() + self.backoff.ended(Instant::now());
    }

    fn wait(&self) -> Result<Ready> {
        let wait = self.source.as_ref().map(|s| s.wait()).unwrap_or_default();
        let due = if self.source.is_some() { wait.due } else { Some(self.retry_at) };
        let mut fds = vec![
            PollFd::new(&self.owner, PollFlags::IN),
            PollFd::from_borrowed_fd(self.control.as_fd(), PollFlags::IN),
        ];
        let panel = wait.panel.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        let has_panel = panel.is_some();
        fds.extend(panel);
        fds.extend(
            wait.readable.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN | PollFlags::PRI)),
        );
        match poll(&mut fds, due::within(due).as_ref()) {
            Ok(_) => Ok(Ready {
                subscribers: !fds[0].revents().is_empty(),
                supervisor: !fds[1].revents().is_empty(),
                panel: has_panel && !fds[2].revents().is_empty(),
            }),
            Err(Errno::INTR) => Ok(Ready::default()),
            Err(e) => Err(Error::failed(format!("failed to wait for frames: {e}"))),
        }
    }

    fn publish(&mut self) {
        for _ in 0..BURST {
            let Some(source) = &mut self.source else { return };
            let interval = source.description().interval;
            let comes_soon = !interval.is_zero() && interval <= SOON;
            let next = if comes_soon && !self.owner.is_followed() {
                source.leave_next()
            } else {
                source.try_next()
            };
            match next {
                Ok(Next::Frame(frame)) => {
                    if frame.info().format != self.introduced {
                        let description = source.description().clone();
                        self.introduce(&description);
                        self.introduced = frame.info().format;
                    }
                    self.note_live();
                    self.report.published += 1;
                    self.report.sequence = self.owner.publish(frame);
                }
                Ok(Next::Unmade) => {
                    self.note_live();
                    // Whoever comes must not get an old one.
                    self.owner.clear();
                }
                Ok(Next::NotReady) => return,
                Err(e) => return self.lose(&e),
            }
        }
    }

    fn note_live(&mut self) {
        self.rate.count(Instant::now());
        self.report.captured += 1;
        self.report.no_signal = None;
        self.owner.set_state(State::Live);
    }

    fn answer(&mut self) -> Result<()> {
        while let Some(message) = self.control.try_receive()? {
            if let ToChild::Panel { ask, job } = message {
                self.panels.ask(ask, job, self.source.as_deref_mut(), &self.control);
            } else if let ToChild::Report { ask } = message {
                let now = self.source.as_ref().map(|s| s.counters()).unwrap_or_default();
                self.report.counters = sum(self.counted, now);
                self.report.millifps = self.rate.millifps(Instant::now());
                self.report.subscribers = self.owner.subscribers();
                let report = Report::Capture(self.report.clone());
                self.control.send(&FromChild::Report { ask, report });
            }
        }
        Ok(())
    }
}

fn sum(a: Counters, b: Counters) -> Counters {
    Counters {
        dropped: a.dropped + b.dropped,
        skipped: a.skipped + b.skipped,
        corrupt: a.corrupt + b.corrupt,
    }
}
