//! The encode role: makes one stream from another, while somebody wants it.
//!
//! One thread polls the source's area, the subscribers of its own and the supervisor. It grants the source credit only
//! while somebody has granted it some, so what nobody watches costs nothing. One frame is made at a time, from the
//! newest there is; what came meanwhile is skipped and counted.

mod demand;
mod upstream;
mod work;

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use eyelet_area::{Frame, Owner, State};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::control::{Control, EncodeReport, FromChild, Opened, Report, ToChild};
use crate::due;
use crate::error::{Error, ErrorKind, Result};
use crate::role::Born;
use demand::Demand;
use upstream::{Heard, Upstream};
use work::Work;

/// Shortest time that a frame stays the newest: a subscriber that comes and goes does not start the work anew.
const MIN_SHELF_LIFE: Duration = Duration::from_millis(100);

/// Time in which a subscriber asks for its next frame, where the source's interval is not known.
const DEFAULT_GRACE: Duration = Duration::from_millis(10);

/// However many want a key frame, one comes no sooner than this after the last: each takes as many bits as ten others.
const KEY_EVERY: Duration = Duration::from_millis(500);

/// So many damaged frames in a row are no accident: the stream says that it has no signal.
const MAX_DAMAGED_IN_A_ROW: u32 = 3;

/// Least time between two lines about frames that were skipped.
const SKIP_LINE_EVERY: Duration = Duration::from_secs(10);

/// Runs the role until the supervisor ends it.
///
/// # Errors
/// When the area or the control line fails: the supervisor starts the role again.
pub fn run(area: usize, born: Born) -> Result<()> {
    let Born { boot, control, mut sockets } = born;
    let missing = || Error::failed(format!("there is no stream to make for area {area}"));
    let place = boot.place(area).ok_or_else(missing)?;
    let made = place.made().ok_or_else(missing)?;
    let source = boot.place(made.of).ok_or_else(missing)?;
    let listener = sockets.pop().ok_or_else(|| Error::failed("encode got no area socket"))?;
    // A byte on a socket of the poll below, so that no signal is missed just before it waits.
    let failed = |e: std::io::Error| Error::failed(format!("failed to hear signals: {e}"));
    let (stop, stopped_by) = UnixStream::pair().map_err(failed)?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGTERM, stopped_by)
        .map_err(failed)?;
    let now = Instant::now();
    let mut encode = Encode {
        name: place.name.clone(),
        owner: Owner::new(listener, boot.generation)?,
        upstream: Upstream::new(source.path.clone()),
        control,
        stop,
        work: Work::new(made.kind),
        last_key_at: None,
        demand: Demand::new(now),
        source_state: State::default(),
        broken: None,
        damaged_in_a_row: 0,
        interval: Duration::ZERO,
        forget_at: None,
        is_resting: true,
        skips: Skips::default(),
        report: EncodeReport::default(),
    };
    while encode.turn()? == Turn::GoOn {}
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Turn {
    GoOn,
    Stop,
}

#[derive(Debug)]
struct Encode {
    name: String,
    owner: Owner,
    upstream: Upstream,
    control: Control,
    /// Readable when the process is to end.
    stop: UnixStream,
    work: Work,
    /// When a key frame was made last.
    last_key_at: Option<Instant>,
    demand: Demand,
    /// What the source's owner says.
    source_state: State,
    /// Why nothing can be made of the source's frames.
    broken: Option<String>,
    damaged_in_a_row: u32,
    /// Of the last frame.
    interval: Duration,
    /// When the newest frame is too old for whoever comes.
    forget_at: Option<Instant>,
    /// Nobody has wanted anything for a while, and nothing is kept.
    is_resting: bool,
    skips: Skips,
    report: EncodeReport,
}

/// Frames skipped since the last line about them.
#[derive(Debug, Default)]
struct Skips {
    since: Option<Instant>,
    frames: u64,
}

impl Encode {
    /// Waits for something to happen and deals with it.
    fn turn(&mut self) -> Result<Turn> {
        if self.wait()? == Turn::Stop {
            return Ok(Turn::Stop);
        }
        // Before subscribers are let in, who must not get an old frame.
        self.forget(Instant::now());
        self.look_at_subscribers()?;
        self.answer()?;
        while let Some(heard) = self.upstream.hear(Instant::now()) {
            match heard {
                // What was published used up credit, and others may have come or left meanwhile.
                Heard::Frame(frame, missed) => {
                    self.take(frame, missed);
                    self.look_at_subscribers()?;
                }
                Heard::State(state) => self.follow(state),
                Heard::Gone(why) => self.follow(State::NoSignal { why }),
            }
        }
        if self.demand.idle_since().is_none() {
            self.is_resting = false;
            if let Err(why) = self.upstream.want() {
                self.follow(State::NoSignal { why });
            }
        }
        Ok(Turn::GoOn)
    }

    fn wait(&self) -> Result<Turn> {
        let due = [self.upstream.due(), self.forget_at, self.rest_at()].into_iter().flatten().min();
        let mut fds = vec![
            PollFd::new(&self.stop, PollFlags::IN),
            PollFd::new(&self.owner, PollFlags::IN),
            PollFd::from_borrowed_fd(self.control.as_fd(), PollFlags::IN),
        ];
        let upstream = self.upstream.readable();
        fds.extend(upstream.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        match poll(&mut fds, due::within(due).as_ref()) {
            Ok(_) if !fds[0].revents().is_empty() => Ok(Turn::Stop),
            Ok(_) | Err(Errno::INTR) => Ok(Turn::GoOn),
            Err(e) => Err(Error::failed(format!("failed to wait for frames: {e}"))),
        }
    }

    fn look_at_subscribers(&mut self) -> Result<()> {
        for refused in self.owner.turn()?.refused {
            log::warn!("area={} subscriber refused: {refused}", self.name);
        }
        let grace = if self.interval.is_zero() { DEFAULT_GRACE } else { self.interval };
        self.demand.note(self.owner.demand(), Instant::now(), grace);
        Ok(())
    }

    /// Drops what has grown old, and after a while without demand everything.
    fn forget(&mut self, now: Instant) {
        if self.forget_at.is_some_and(|at| at <= now) {
            self.forget_at = None;
            self.owner.clear();
        }
        if self.rest_at().is_some_and(|at| at <= now) {
            self.is_resting = true;
            self.work.rest();
            self.upstream.renew();
        }
    }

    fn rest_at(&self) -> Option<Instant> {
        self.demand.idle_since().filter(|_| !self.is_resting).map(|since| since + self.shelf_life())
    }

    /// How long a frame is worth giving to somebody who comes.
    fn shelf_life(&self) -> Duration {
        (self.interval * 2).max(MIN_SHELF_LIFE)
    }

    fn take(&mut self, frame: Frame, missed: u64) {
        if self.demand.idle_since().is_some() {
            // Whoever wanted it has left.
            return;
        }
        if self.demand.was_steady() && missed > 0 {
            self.report.skipped += missed;
            self.skips.count(missed, &self.name);
        }
        self.interval = frame.info().interval;
        let began = Instant::now();
        let is_key_due =
            self.last_key_at.is_none_or(|at| began.saturating_duration_since(at) >= KEY_EVERY);
        let made = self.work.make(frame, self.owner.is_key_wanted() && is_key_due);
        self.report.busy_us += u64::try_from(began.elapsed().as_micros()).unwrap_or(0);
        match made {
            Ok(Some(frame)) => self.publish(frame),
            Ok(None) => self.report.skipped += 1,
            Err(e) => self.fail(&e),
        }
    }

    fn publish(&mut self, frame: Frame) {
        let made = Opened::new(&self.name, frame.info().format, frame.info().interval);
        if self.report.made.as_ref() != Some(&made) {
            log::info!("area={} gives {}", self.name, frame.info().format);
            self.report.made = Some(made);
        }
        self.damaged_in_a_row = 0;
        self.broken = None;
        self.tell_state();
        self.report.published += 1;
        if frame.info().flags.is_key {
            self.last_key_at = Some(Instant::now());
            self.report.keys += 1;
        }
        self.report.sequence = self.owner.publish(frame);
        self.forget_at = Some(Instant::now() + self.shelf_life());
    }

    /// Nothing could be made of a frame. One that is damaged is passed over.
    fn fail(&mut self, error: &Error) {
        self.report.corrupt += 1;
        self.damaged_in_a_row += 1;
        let why = error.to_string();
        let is_hopeless = error.kind() == ErrorKind::Refused;
        if is_hopeless || self.damaged_in_a_row >= MAX_DAMAGED_IN_A_ROW {
            if self.broken.as_ref() != Some(&why) {
                log::warn!("area={} no signal: {why}", self.name);
            }
            self.broken = Some(why.clone());
            self.tell_state();
        }
        self.report.last_error = Some(why);
    }

    /// The source says something else than before.
    fn follow(&mut self, state: State) {
        if self.source_state != state {
            self.source_state = state;
            self.broken = None;
            self.tell_state();
        }
    }

    fn tell_state(&mut self) {
        let state = match &self.broken {
            Some(why) => State::NoSignal { why: why.clone() },
            None => self.source_state.clone(),
        };
        if !state.is_live() {
            self.forget_at = None;
            self.owner.clear();
        }
        self.report.is_live = state.is_live();
        self.report.no_signal = Some(state.why().to_owned()).filter(|why| !why.is_empty());
        self.owner.set_state(state);
    }

    fn answer(&mut self) -> Result<()> {
        while let Some(message) = self.control.try_receive()? {
            if let ToChild::Report { ask } = message {
                self.report.subscribers = self.owner.subscribers();
                let report = Report::Encode(self.report.clone());
                self.control.send(&FromChild::Report { ask, report });
            }
        }
        Ok(())
    }
}

impl Skips {
    fn count(&mut self, frames: u64, name: &str) {
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        self.frames += frames;
        let passed = now.saturating_duration_since(since);
        if passed >= SKIP_LINE_EVERY {
            let (frames, seconds) = (self.frames, passed.as_secs());
            log::warn!("area={name} cannot keep up: {frames} frames skipped in {seconds} s");
            *self = Self { since: Some(now), frames: 0 };
        }
    }
}
