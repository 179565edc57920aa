//! `v4l2:`, a camera.

mod controls;
mod negotiate;
mod panel;
mod payload;
mod place;
mod settings;
mod signal;
#[cfg(test)]
mod tests;

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use eyelet_area::{Frame, FrameFlags, MonotonicNs};
use eyelet_v4l2::ErrorKind;
use eyelet_v4l2::buffer::Buffer;
use eyelet_v4l2::event::{Kind, Topic};
use eyelet_v4l2::queue::{Dequeued, Streaming};
use eyelet_v4l2::sequence::Sequence;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::capture::source::{Counters, Description, Next, Source, Wait};
use crate::config::SourceSpec;
use crate::error::{Error, Result};
use crate::panel::Panel;
use panel::DevicePanel;
use payload::Payload;
pub(super) use place::Memory;

/// One is read, one is filled, two are there for when reading takes longer than a frame.
const BUFFERS: u32 = 4;

/// A camera that gives no frame for so long, and so many intervals, is opened again.
const STALLED_AFTER: Duration = Duration::from_secs(2);
const STALLED_AFTER_INTERVALS: u32 = 20;

/// The first frame of a camera may take longer: sensors start, exposure settles.
const FIRST_FRAME_WITHIN: Duration = Duration::from_secs(5);

/// A driver's stamp older than this, or from the future, is another clock than it claims to be.
const OLDEST_STAMP: Duration = Duration::from_secs(3600);

/// So many failures of one kind in a row are not going to end.
const MOST_FAILURES: u32 = 16;

/// A camera that streams.
#[derive(Debug)]
pub(super) struct Camera {
    description: Description,
    streaming: Streaming,
    /// The same descriptor once more, to ask for further frames while a buffer is held.
    poll_fd: OwnedFd,
    payload: Payload,
    sequence: Sequence,
    counters: Counters,
    has_events: bool,
    /// None where the device cannot be opened twice.
    panel: Option<DevicePanel>,
    /// Frames depend on those before, so none is left out on purpose.
    is_predicted: bool,
    failures: u32,
    /// When it is given up, unless a frame comes before.
    stalled_at: Instant,
    stall: Duration,
    corrupt_at_last_frame: u64,
}

/// What became of one look at the queue.
enum Taken {
    Frame(Frame),
    /// A frame that nobody wants.
    Unmade,
    /// A buffer that is no frame, or a failure that may pass.
    Nothing,
    Empty,
}

impl Camera {
    /// Opens the camera at `device`, or, if it was open before, wherever it is now; agrees on a format; starts it.
    ///
    /// # Errors
    /// [`Unavailable`](crate::error::ErrorKind::Unavailable) while it is not there or busy,
    /// [`Refused`](crate::error::ErrorKind::Refused) if it is no camera, may not be opened, or cannot do what is asked.
    pub(super) fn open(device: &Path, spec: &SourceSpec, memory: &mut Memory) -> Result<Self> {
        let mut camera = memory.open(device)?;
        let name = camera.path().display().to_string();
        signal::tune(&mut camera)?;
        let agreed = negotiate::negotiate(&mut camera, &spec.wish)?;
        settings::apply(&camera, &spec.settings)?;
        let driver_format = camera.format().map_err(|e| unavailable(&e))?;
        let strides: Vec<u32> = driver_format.planes.iter().map(|plane| plane.stride).collect();
        let payload = Payload::new(driver_format.fourcc, agreed.format, &strides);
        let has_events = camera.subscribe(Topic::SourceChange).is_ok();
        let path = camera.path().to_owned();
        let allocated = camera.allocate(BUFFERS).map_err(|e| place::explain(&path, &e))?;
        let streaming = allocated.start().map_err(|e| place::explain(&path, &e))?;
        let poll_fd = streaming.as_fd().try_clone_to_owned();
        let poll_fd =
            poll_fd.map_err(|e| Error::failed(format!("failed to watch `{name}`: {e}")))?;
        memory.remember(&path);
        Ok(Self {
            streaming,
            poll_fd,
            payload,
            sequence: Sequence::new(),
            counters: Counters::default(),
            has_events,
            panel: DevicePanel::start(&path),
            is_predicted: agreed.format.fourcc == eyelet_area::FourCc::H264,
            failures: 0,
            stalled_at: Instant::now() + stall(agreed.interval).max(FIRST_FRAME_WITHIN),
            stall: stall(agreed.interval),
            corrupt_at_last_frame: 0,
            description: Description { name, format: agreed.format, interval: agreed.interval },
        })
    }

    /// Looks whether the signal at the camera's input is another one.
    fn look_at_events(&self) -> Result<()> {
        if !self.has_events {
            return Ok(());
        }
        loop {
            let event = match self.streaming.device().dequeue_event() {
                Ok(Some(event)) => event,
                Ok(None) => return Ok(()),
                Err(e) => return Err(unavailable(&e)),
            };
            if matches!(event.kind, Kind::SourceChange { is_resolution: true }) {
                let text = format!(
                    "the signal of `{}` has another size; it is opened again",
                    self.description.name
                );
                return Err(Error::unavailable(text));
            }
        }
    }

    fn take(&mut self, is_wanted: bool) -> Result<Taken> {
        let dequeued = match self.streaming.dequeue() {
            Ok(dequeued) => dequeued,
            Err(e) => {
                self.failures += 1;
                let may_pass = matches!(e.kind(), ErrorKind::InvalidData | ErrorKind::InvalidInput);
                if !may_pass || self.failures >= MOST_FAILURES {
                    return Err(unavailable(&e));
                }
                self.counters.corrupt += u64::from(e.kind() == ErrorKind::InvalidData);
                return Ok(Taken::Nothing);
            }
        };
        let buffer = match dequeued {
            Dequeued::Buffer(buffer) => buffer,
            Dequeued::NotReady => return Ok(Taken::Empty),
            Dequeued::EndOfStream => {
                let text =
                    format!("`{}` ended its stream; it is opened again", self.description.name);
                return Err(Error::unavailable(text));
            }
        };
        self.failures = 0;
        if buffer.is_last() && buffer.is_empty() {
            return Ok(Taken::Nothing);
        }
        let dropped = self.sequence.advance(buffer.sequence()).dropped;
        self.counters.dropped += dropped;
        if dropped > 0 {
            self.payload.lose();
        }
        if buffer.is_corrupt() {
            self.counters.corrupt += 1;
            self.payload.lose();
            return Ok(Taken::Nothing);
        }
        if !self.is_predicted && has_another(&self.poll_fd) {
            self.counters.skipped += 1;
            return Ok(Taken::Nothing);
        }
        if !is_wanted {
            return Ok(Taken::Unmade);
        }
        let captured_at = captured_at(&buffer, MonotonicNs::now());
        let is_key = buffer.is_key();
        let planes: Vec<&[u8]> = buffer.planes().collect();
        let Some(frame) = self.payload.carry(&planes, captured_at)? else {
            if self.is_predicted {
                // The camera lives: up to its next key frame there is nothing to show.
                self.counters.skipped += 1;
                return Ok(Taken::Unmade);
            }
            self.counters.corrupt += 1;
            return Ok(Taken::Nothing);
        };
        let is_key = is_key || frame.info().flags.is_key;
        let frame =
            frame.with_interval(self.description.interval).with_flags(FrameFlags { is_key });
        Ok(Taken::Frame(frame))
    }

    fn next(&mut self, is_wanted: bool) -> Result<Next> {
        self.look_at_events()?;
        loop {
            match self.take(is_wanted)? {
                Taken::Frame(frame) => {
                    self.note_frame();
                    self.description.format = frame.info().format;
                    return Ok(Next::Frame(frame));
                }
                Taken::Unmade => {
                    self.note_frame();
                    return Ok(Next::Unmade);
                }
                Taken::Empty => break,
                // A failure is not asked for again at once: it may last.
                Taken::Nothing if self.failures > 0 => break,
                // After a pause of our own there are more behind it: only an empty queue is a stall.
                Taken::Nothing => {}
            }
        }
        self.check_stall()?;
        Ok(Next::NotReady)
    }

    fn note_frame(&mut self) {
        self.stalled_at = Instant::now() + self.stall;
        self.corrupt_at_last_frame = self.counters.corrupt;
    }

    /// Nothing is there: is it too long since something was?
    fn check_stall(&self) -> Result<()> {
        if Instant::now() < self.stalled_at {
            return Ok(());
        }
        let damaged = self.counters.corrupt - self.corrupt_at_last_frame;
        let (name, seconds) = (&self.description.name, self.stall.as_secs_f32());
        let what = match damaged {
            0 => format!("`{name}` stalled: no frame for {seconds:.1} s; it is opened again"),
            _ => format!(
                "`{name}` gave no whole frame for {seconds:.1} s, {damaged} damaged ones; it is opened again"
            ),
        };
        Err(Error::unavailable(what))
    }
}

impl Source for Camera {
    fn description(&self) -> &Description {
        &self.description
    }

    fn wait(&self) -> Wait<'_> {
        Wait {
            readable: Some(self.streaming.as_fd()),
            due: Some(self.stalled_at),
            panel: self.panel.as_ref().map(|panel| panel.as_fd()),
        }
    }

    fn try_next(&mut self) -> Result<Next> {
        self.next(true)
    }

    fn leave_next(&mut self) -> Result<Next> {
        // One that is left would be missed by all up to the next key frame; and they are small.
        self.next(self.is_predicted)
    }

    fn panel(&mut self) -> Option<&mut dyn Panel> {
        self.panel.as_mut().map(|panel| -> &mut dyn Panel { panel })
    }

    fn counters(&self) -> Counters {
        self.counters
    }
}

fn stall(interval: Duration) -> Duration {
    interval.saturating_mul(STALLED_AFTER_INTERVALS).max(STALLED_AFTER)
}

/// Whether a further frame waits behind the one that is held.
fn has_another(fd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)).is_ok() && fds[0].revents().contains(PollFlags::IN)
}

/// The driver's stamp, where it is one of our clock.
fn captured_at(buffer: &Buffer<'_>, now: MonotonicNs) -> MonotonicNs {
    believed(buffer.timestamp().monotonic_ns().map(MonotonicNs), now)
}

fn believed(stamp: Option<MonotonicNs>, now: MonotonicNs) -> MonotonicNs {
    stamp.filter(|stamp| *stamp <= now && now.since(*stamp) <= OLDEST_STAMP).unwrap_or(now)
}

/// Something failed that opening the camera again may mend.
fn unavailable(error: &eyelet_v4l2::Error) -> Error {
    match error.kind() {
        ErrorKind::Gone => {
            Error::unavailable(format!("`{}` was unplugged", error.path().display()))
        }
        _ => Error::unavailable(format!("{error}; it is opened again")),
    }
}
