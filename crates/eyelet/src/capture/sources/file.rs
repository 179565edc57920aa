//! `file:`, a file of frames, played for ever at its own rate.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use eyelet_area::{Format, MonotonicNs};
use rustix::fs::{Mode, OFlags, SeekFrom};

use super::content::{self, Cutter, Picture, Recognised};
use super::pace::Pace;
use crate::capture::source::{Counters, Description, Next, Source, Wait};
use crate::config::source::{Fps, Wish};
use crate::error::{Error, Result};

/// The rate of a file that does not say one, and is not told one.
const DEFAULT_FPS: Fps = Fps { frames: 30, seconds: 1 };

/// How often the file is looked at, whether it is still the one that was opened.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// A file of Y4M, JPEG, H.264 or raw frames.
///
/// Read as it is played, a frame at a time. No frame is left out: when the role is late, the play is late, and the ticks
/// that passed are counted as skipped.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    file: fs::File,
    identity: (u64, u64),
    wish: Wish,
    cutter: Cutter,
    input: BytesMut,
    /// The first picture, which was read to find out what the file is.
    first: Option<Picture>,
    pace: Pace,
    description: Description,
    counters: Counters,
    /// Damaged pictures of the rounds before this one.
    damaged_before: u64,
    /// Pictures of this round.
    pictures: u64,
    looked_at: Instant,
    was_truncation_told: bool,
    /// It has played before, so what goes wrong now is a change of the file.
    is_playing: bool,
}

impl File {
    /// Opens the file and reads its first picture, which is due at once.
    ///
    /// # Errors
    /// [`Refused`](crate::error::ErrorKind::Refused) if there is no such file or nothing to play in it.
    pub(super) fn open(path: &Path, wish: &Wish) -> Result<Self> {
        let (file, len) = open_regular(path)?;
        let identity = identity(&file.metadata().map_err(|e| failed("look at", path, &e))?);
        let mut input = BytesMut::new();
        let cutter = recognise(&file, path, wish, &mut input)?;
        if let Some(frame) =
            cutter.picture_len().filter(|frame| u64::try_from(*frame).unwrap_or(u64::MAX) > len)
        {
            let text =
                format!("has {len} bytes and one frame has {frame}: correct size= or format=");
            return Err(Error::refused(format!("`{}` {text}", path.display())));
        }
        let description = Description {
            name: path.display().to_string(),
            format: Format::default(),
            interval: Duration::ZERO,
        };
        let mut source = Self {
            path: path.to_owned(),
            file,
            identity,
            wish: *wish,
            cutter,
            input,
            first: None,
            pace: Pace::new(Instant::now(), DEFAULT_FPS),
            description,
            counters: Counters::default(),
            damaged_before: 0,
            pictures: 0,
            looked_at: Instant::now(),
            was_truncation_told: false,
            is_playing: false,
        };
        let first = source.next_picture()?;
        source.is_playing = true;
        source.pace = Pace::new(Instant::now(), source.cutter.fps().unwrap_or(DEFAULT_FPS));
        source.description.interval = source.pace.interval();
        source.description.format = first.format;
        source.first = Some(first);
        Ok(source)
    }

    /// Reads on to the next whole picture, from the start again where the file ends.
    fn next_picture(&mut self) -> Result<Picture> {
        let path = self.path.display().to_string();
        loop {
            let found = self.cutter.next(&mut self.input);
            let found = found.map_err(|why| self.lost(&format!("cannot be played: {why}")))?;
            self.counters.corrupt = self.damaged_before + self.cutter.damaged();
            if let Some(picture) = found {
                self.pictures += 1;
                return Ok(picture);
            }
            let wanted = self.cutter.wanted(self.input.len());
            let read = content::read_more(&self.file, &mut self.input, wanted);
            let read = read.map_err(|e| self.lost(&format!("failed to be read: {e}")))?;
            if read.unwrap_or(0) > 0 {
                continue;
            }
            let last = self.cutter.last(&mut self.input);
            if let Some(picture) =
                last.map_err(|why| self.lost(&format!("cannot be played: {why}")))?
            {
                self.pictures += 1;
                return Ok(picture);
            }
            if self.pictures == 0 {
                let damaged = self.counters.corrupt;
                let text = format!("has no whole picture from start to end, {damaged} damaged");
                return Err(Error::refused(format!("`{path}` {text}")));
            }
            self.start_again()?;
        }
    }

    /// The end of the file: goes on with its start.
    fn start_again(&mut self) -> Result<()> {
        self.damaged_before += self.cutter.damaged();
        if self.cutter.is_picture_begun(&self.input) {
            self.damaged_before += 1;
            if !self.was_truncation_told {
                let (path, rest) = (self.path.display(), self.input.len());
                log::warn!(
                    "source={path} the last frame is cut off: {rest} bytes at the end are no whole frame"
                );
            }
            self.was_truncation_told = true;
        }
        rustix::fs::seek(&self.file, SeekFrom::Start(0))
            .map_err(|e| self.lost(&format!("failed to rewind: {e}")))?;
        self.input.clear();
        self.pictures = 0;
        self.cutter = recognise(&self.file, &self.path, &self.wish, &mut self.input)
            .map_err(|e| self.lost(&format!("changed while it was played: {e}")))?;
        Ok(())
    }

    /// Checks now and then that the path still names this file and that it has not become shorter than what was read.
    fn look(&mut self, now: Instant) -> Result<()> {
        if now.saturating_duration_since(self.looked_at) < LOOK_AFTER {
            return Ok(());
        }
        self.looked_at = now;
        let metadata = fs::metadata(&self.path)
            .map_err(|e| self.lost(&format!("vanished while it was played: {e}")))?;
        if identity(&metadata) != self.identity {
            return Err(self.lost("was replaced while it was played"));
        }
        let read = rustix::fs::tell(&self.file).unwrap_or(0);
        if metadata.len() < read {
            return Err(self.lost("became shorter while it was played"));
        }
        Ok(())
    }

    fn lost(&self, what: &str) -> Error {
        let path = self.path.display();
        match self.is_playing {
            true => Error::unavailable(format!("`{path}` {what}; it is opened again")),
            false => Error::refused(format!("`{path}` {what}")),
        }
    }
}

impl Source for File {
    fn description(&self) -> &Description {
        &self.description
    }

    fn wait(&self) -> Wait<'_> {
        Wait { due: Some(self.pace.due()), ..Wait::default() }
    }

    fn try_next(&mut self) -> Result<Next> {
        let now = Instant::now();
        let Some(late) = self.pace.tick(now) else { return Ok(Next::NotReady) };
        self.counters.skipped += late;
        self.look(now)?;
        let captured_at = MonotonicNs::now();
        let picture = match self.first.take() {
            Some(first) => first,
            None => self.next_picture()?,
        };
        self.description.format = picture.format;
        let frame = self.cutter.publish(&picture, captured_at)?;
        Ok(Next::Frame(frame.with_interval(self.description.interval)))
    }

    fn counters(&self) -> Counters {
        self.counters
    }
}

/// Opens a file that has bytes and an end.
fn open_regular(path: &Path) -> Result<(fs::File, u64)> {
    // Without O_NONBLOCK, opening a named pipe would wait for its writer.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let fd = rustix::fs::open(path, flags, Mode::empty())
        .map_err(|e| failed("open", path, &e.into()))?;
    let file = fs::File::from(fd);
    let metadata = file.metadata().map_err(|e| failed("look at", path, &e))?;
    let shown = path.display();
    if !metadata.is_file() {
        let text = "is no regular file: devices are written `v4l2:PATH`, pipes `exec:cat PATH`";
        return Err(Error::refused(format!("`{shown}` {text}")));
    }
    if metadata.len() == 0 {
        return Err(Error::refused(format!("`{shown}` is empty")));
    }
    Ok((file, metadata.len()))
}

/// Reads enough from the start to tell what the file is.
fn recognise(file: &fs::File, path: &Path, wish: &Wish, input: &mut BytesMut) -> Result<Cutter> {
    /// More than any magic number.
    const START: usize = 4096;
    let shown = path.display();
    loop {
        let read =
            content::read_more(file, input, START).map_err(|e| failed("read", path, &e.into()))?;
        match Cutter::recognise(input, wish)? {
            Recognised::As(cutter) => return Ok(cutter),
            Recognised::Unfinished if read.unwrap_or(0) > 0 => {}
            Recognised::Unfinished | Recognised::Unknown => {
                let start = content::excerpt(input);
                let options = content::RAW_OPTIONS;
                let text = format!(
                    "`{shown}` is neither Y4M, JPEG nor H.264, it begins with {start}; for raw frames add {options}"
                );
                return Err(Error::refused(text));
            }
        }
    }
}

fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn failed(doing: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::refused(format!("failed to {doing} `{}`: {error}", path.display()))
}
