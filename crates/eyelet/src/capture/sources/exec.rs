//! `exec:`, a command that writes frames to its standard output.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd as _;
use std::process::ChildStdout;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use eyelet_area::{Frame, MonotonicNs};

use super::command::Command;
use super::content::{self, Cutter, Picture, Recognised};
use crate::capture::source::{Counters, Description, Next, Source, Wait};
use crate::config::source::{Fps, Wish};
use crate::error::{Error, Result};

/// What the pipe may hold, if the system lets it: the default of 64 KiB means ten wake-ups for a frame.
const PIPE_LEN: usize = 1 << 20;

/// Read in one go at most, so that a command that writes without end does not keep the role from everything else.
const MOST_READ: usize = 8 << 20;

/// Pictures of which none may be left out, and which came together, are given so long after each other: who receives them
/// takes one or two at a time.
const SPREAD: Duration = Duration::from_millis(2);

/// How long a command may take to end after it has closed its standard output.
const GRACE: Duration = Duration::from_millis(500);

/// How often it is looked whether it has.
const LOOK_AFTER: Duration = Duration::from_millis(10);

/// A command that writes Y4M, JPEG, H.264 or raw frames.
///
/// Frames come when the command writes them; of several that are there the newest is taken and the others are counted as
/// skipped, but of H.264, whose frames need each other, none. What the frames are is known with the first one, except for raw frames.
#[derive(Debug)]
pub(super) struct Exec {
    command: Command,
    stdout: ChildStdout,
    wish: Wish,
    /// `None` until the first bytes have told.
    cutter: Option<Cutter>,
    input: BytesMut,
    /// Pictures of which none may be left out, and when the first of them is due.
    waiting: VecDeque<Picture>,
    due: Instant,
    description: Description,
    counters: Counters,
    /// The last frame was cut off by the end.
    cut_off: u64,
    has_delivered: bool,
    /// When standard output was closed.
    closed_at: Option<Instant>,
    look_at: Instant,
}

impl Exec {
    /// Starts the command.
    ///
    /// # Errors
    /// [`Refused`](crate::error::ErrorKind::Refused) if there is no such command or it may not be run,
    /// [`Usage`](crate::error::ErrorKind::Usage) for raw frames without a size.
    pub(super) fn open(words: &[String], wish: &Wish) -> Result<Self> {
        // Options that make no sense are refused before anything is started.
        let known = match Cutter::recognise(b"?", wish)? {
            Recognised::As(cutter) => cutter.format(),
            Recognised::Unfinished | Recognised::Unknown => None,
        };
        let (command, stdout) = Command::spawn(words)?;
        rustix::io::ioctl_fionbio(&stdout, true)
            .map_err(|e| Error::failed(format!("failed to set up the pipe of {command}: {e}")))?;
        if let Err(e) = rustix::pipe::fcntl_setpipe_size(&stdout, PIPE_LEN) {
            log::debug!("source=exec the pipe keeps its size: {e}");
        }
        let description = Description {
            name: words.first().cloned().unwrap_or_default(),
            format: known.unwrap_or_default(),
            interval: wish.fps.map_or(Duration::ZERO, Fps::interval),
        };
        Ok(Self {
            command,
            stdout,
            wish: *wish,
            cutter: None,
            input: BytesMut::new(),
            waiting: VecDeque::new(),
            due: Instant::now(),
            description,
            counters: Counters::default(),
            cut_off: 0,
            has_delivered: false,
            closed_at: None,
            look_at: Instant::now(),
        })
    }

    /// Reads what is there; gives the newest whole picture in it.
    fn read(&mut self) -> Result<Option<Picture>> {
        let mut newest = None;
        let mut read = 0;
        while read < MOST_READ && self.closed_at.is_none() && self.waiting.is_empty() {
            let wanted =
                self.cutter.as_ref().map_or(content::LEAST_READ, |c| c.wanted(self.input.len()));
            match content::read_more(&self.stdout, &mut self.input, wanted) {
                Ok(None) => break,
                Ok(Some(0)) => self.closed_at = Some(Instant::now()),
                Ok(Some(len)) => read += len,
                Err(e) => {
                    let text =
                        format!("failed to read from {}: {}", self.command, io::Error::from(e));
                    return Err(Error::unavailable(text));
                }
            }
            self.cut(&mut newest)?;
        }
        Ok(newest)
    }

    /// Takes all whole pictures from the input; only the last one stays.
    fn cut(&mut self, newest: &mut Option<Picture>) -> Result<()> {
        if self.cutter.is_none() {
            self.cutter = self.recognise()?;
        }
        let Some(cutter) = &mut self.cutter else { return Ok(()) };
        loop {
            match cutter.next(&mut self.input) {
                Ok(Some(picture)) if cutter.is_predicted() => self.waiting.push_back(picture),
                Ok(Some(picture)) => {
                    self.counters.skipped += u64::from(newest.is_some());
                    *newest = Some(picture);
                }
                Ok(None) => break,
                Err(why) if self.has_delivered || newest.is_some() || !self.waiting.is_empty() => {
                    let text =
                        format!("{} cannot be followed: {why}; it is started again", self.command);
                    return Err(Error::unavailable(text));
                }
                Err(why) => {
                    return Err(Error::refused(format!("{} cannot be used: {why}", self.command)));
                }
            }
        }
        if self.closed_at.is_some() {
            // What is wrong with it does not matter any more.
            self.waiting.extend(cutter.last(&mut self.input).ok().flatten());
        }
        if self.closed_at.is_some() && cutter.is_picture_begun(&self.input) {
            self.cut_off = 1;
        }
        self.counters.corrupt = cutter.damaged() + self.cut_off;
        Ok(())
    }

    fn recognise(&self) -> Result<Option<Cutter>> {
        let command = &self.command;
        match Cutter::recognise(&self.input, &self.wish)? {
            Recognised::As(cutter) => Ok(Some(cutter)),
            // That it ended is told with how it ended.
            Recognised::Unfinished => Ok(None),
            Recognised::Unknown => {
                let start = content::excerpt(&self.input);
                let options = content::RAW_OPTIONS;
                let text =
                    "writes neither Y4M, JPEG nor H.264 to its standard output, it begins with";
                Err(Error::refused(format!(
                    "{command} {text} {start}; for raw frames add {options}"
                )))
            }
        }
    }

    fn publish(&mut self, picture: &Picture) -> Result<Option<Frame>> {
        let captured_at = picture.begun_at.unwrap_or_else(MonotonicNs::now);
        let Some(cutter) = &mut self.cutter else { return Ok(None) };
        self.has_delivered = true;
        self.description.format = picture.format;
        self.description.interval = cutter.fps().map_or(Duration::ZERO, Fps::interval);
        let frame = cutter.publish(picture, captured_at)?;
        Ok(Some(frame.with_interval(self.description.interval)))
    }

    /// Standard output was closed: tells how the command ended, or that it has not.
    fn ended(&mut self, closed_at: Instant) -> Result<Next> {
        let command = &self.command;
        let unread = match (self.has_delivered, self.input.is_empty()) {
            (true, _) => String::new(),
            (false, true) => " without writing anything".to_owned(),
            (false, false) if self.cutter.is_some() => " before its first whole frame".to_owned(),
            (false, false) => format!(" after writing {}", content::excerpt(&self.input)),
        };
        if let Some(how) = command.ending()? {
            return Err(Error::unavailable(format!(
                "{command} {how}{unread}; it is started again"
            )));
        }
        let now = Instant::now();
        if now.saturating_duration_since(closed_at) >= GRACE {
            let text = format!("{command} closed its standard output{unread}; it is started again");
            return Err(Error::unavailable(text));
        }
        self.look_at = now + LOOK_AFTER;
        Ok(Next::NotReady)
    }
}

impl Source for Exec {
    fn description(&self) -> &Description {
        &self.description
    }

    fn wait(&self) -> Wait<'_> {
        if !self.waiting.is_empty() {
            return Wait { due: Some(self.due), ..Wait::default() };
        }
        match self.closed_at {
            // The closed pipe stays readable for ever.
            Some(_) => Wait { due: Some(self.look_at), ..Wait::default() },
            None => Wait { readable: Some(self.stdout.as_fd()), ..Wait::default() },
        }
    }

    fn try_next(&mut self) -> Result<Next> {
        if self.waiting.is_empty() {
            if let Some(closed_at) = self.closed_at {
                return self.ended(closed_at);
            }
            if let Some(picture) = self.read()? {
                return Ok(self.publish(&picture)?.map_or(Next::NotReady, Next::Frame));
            }
        }
        let now = Instant::now();
        if now < self.due {
            return Ok(Next::NotReady);
        }
        let Some(picture) = self.waiting.pop_front() else { return Ok(Next::NotReady) };
        self.due = now + SPREAD;
        Ok(self.publish(&picture)?.map_or(Next::NotReady, Next::Frame))
    }

    fn counters(&self) -> Counters {
        self.counters
    }
}
