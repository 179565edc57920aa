//! Viewers that look at every frame through a whole run: is it whole, is it newer than the one before, how old is it.
//!
//! A witness notices by itself what may never happen, whatever the faults are; what may happen only to those that a
//! fault concerns (a lost connection, a missed frame, a late one) it counts.

mod area;
mod mjpeg;
mod picture;
mod websocket;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;
use eyelet_area::{GENERATION_SHIFT, MonotonicNs};

use crate::plan::Camera;
use crate::stage::{Stage, fps};

pub(crate) use picture::Kind;

/// How long one wait for a frame lasts before the witness looks whether it shall end.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Intervals of the source that a frame may be old when it has been read: one, because the newest frame is as old as that
/// when the next comes, and two that the kernel holds, as a viewer has one or two frames in its socket (what serve lets
/// be outstanding) and an area's subscriber as many by its credit.
pub(crate) const MOST_INTERVALS: u64 = 3;

/// How a witness watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// WebSocket with `eyelet.v1`.
    V1,
    /// The JPEG stream in a multipart answer.
    Mjpeg,
    /// A WebSocket that the app fills.
    App,
    /// The area itself, as a program on this machine does.
    Area,
}

impl Way {
    pub(crate) fn is_network(self) -> bool {
        self != Self::Area
    }
}

/// What a witness has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) frames: u64,
    /// Published between two frames that it got, and not got.
    pub(crate) missing: u64,
    /// Older than [`MOST_INTERVALS`].
    pub(crate) late: u64,
    /// Late ones, one after the other: now, and the most there ever were.
    late_row: u64,
    pub(crate) longest_late_row: u64,
    /// Connections that were opened.
    pub(crate) connections: u64,
    /// Frames since the last gap, late frame or connection.
    pub(crate) run: u64,
    /// Its end of the connection.
    pub(crate) local: Option<SocketAddr>,
    /// Ages of frames since they were last taken, in µs.
    pub(crate) ages_us: Vec<u64>,
    last: Option<Sighting>,
    /// What may never be; the first of it.
    pub(crate) wrong: Option<String>,
}

impl Seen {
    /// The same without the ages, which are many.
    pub(crate) fn without_ages(&self) -> Self {
        Self { ages_us: Vec::new(), wrong: self.wrong.clone(), ..*self }
    }
}

/// A frame as a witness tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting {
    /// The sequence, or where none is told the number in the pixels.
    number: Number,
    captured_us: u64,
}

/// By what a witness tells one frame from the next.
#[derive(Clone, Copy, Debug)]
enum Number {
    Sequence(u64),
    /// Counted anew by each capture process.
    Stamp(u64),
}

/// What a witness is, and what it has in common with its thread.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) name: String,
    pub(crate) camera: Camera,
    pub(crate) way: Way,
    addr: SocketAddr,
    area: PathBuf,
    kind: Kind,
    /// No frame is older than that, in µs.
    oldest_us: u64,
    is_over: AtomicBool,
    /// It shall leave and come again.
    is_renewing: AtomicBool,
    seen: Mutex<Seen>,
}

/// A witness at work.
#[derive(Debug)]
pub(crate) struct Witness {
    pub(crate) post: Arc<Post>,
    thread: JoinHandle<()>,
}

impl Witness {
    pub(crate) fn start(stage: &Stage, camera: Camera, way: Way, number: usize) -> Self {
        let post = Arc::new(Post {
            name: format!("{} {way:?} {number}", camera.name()),
            camera,
            way,
            addr: stage.eyelet.addr(),
            area: stage.area(camera),
            kind: Kind::new(camera, way, stage),
            oldest_us: MOST_INTERVALS * 1_000_000 / u64::from(fps(camera)),
            is_over: AtomicBool::new(false),
            is_renewing: AtomicBool::new(false),
            seen: Mutex::default(),
        });
        let at_work = Arc::clone(&post);
        let thread = std::thread::spawn(move || at_work.watch());
        Self { post, thread }
    }

    /// Ends it.
    pub(crate) fn finish(self) -> Result<Seen> {
        self.post.is_over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("a witness panicked"))?;
        Ok(self.post.seen().clone())
    }
}

/// Why a connection ended.
#[derive(Debug)]
enum End {
    /// It is over, or to be renewed.
    Wanted,
    /// As connections end whose other side has gone.
    Lost,
    /// As nothing may.
    Wrong(String),
}

impl Post {
    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has it leave and come again.
    pub(crate) fn renew(&self) {
        self.is_renewing.store(true, Ordering::Relaxed);
    }

    /// Tells whether this connection shall end.
    fn is_leaving(&self) -> bool {
        self.is_over.load(Ordering::Relaxed) || self.is_renewing.load(Ordering::Relaxed)
    }

    /// Watches until the end, and comes again whenever it is thrown out.
    fn watch(&self) {
        while !self.is_over.load(Ordering::Relaxed) {
            self.is_renewing.store(false, Ordering::Relaxed);
            let end = match self.way {
                Way::V1 | Way::App => websocket::watch(self),
                Way::Mjpeg => mjpeg::watch(self),
                Way::Area => area::watch(self),
            };
            let mut seen = self.seen();
            (seen.local, seen.run) = (None, 0);
            if let End::Wrong(what) = end {
                seen.wrong.get_or_insert(what);
            }
            drop(seen);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn connected(&self, local: Option<SocketAddr>) {
        let mut seen = self.seen();
        seen.connections += 1;
        (seen.local, seen.run, seen.last) = (local, 0, seen.last.filter(|_| self.way == Way::Area));
    }

    /// Counts a frame that was read in this moment.
    fn saw(&self, now: Sighting) -> Result<(), End> {
        let age_us = (MonotonicNs::now().0 / 1000).saturating_sub(now.captured_us);
        let mut seen = self.seen();
        let gap = seen.last.map_or(Ok(0), |last| gap(last, now));
        let gap = gap.map_err(|what| End::Wrong(format!("{}: {what}", self.name)))?;
        let is_late = age_us > self.oldest_us;
        seen.last = Some(now);
        seen.frames += 1;
        seen.missing += gap;
        seen.late += u64::from(is_late);
        seen.late_row = if is_late { seen.late_row + 1 } else { 0 };
        seen.longest_late_row = seen.longest_late_row.max(seen.late_row);
        seen.run = if gap > 0 || is_late { 0 } else { seen.run + 1 };
        seen.ages_us.push(age_us);
        Ok(())
    }
}

/// Counts what is missing between two frames.
///
/// # Errors
/// The second is not the newer one.
fn gap(last: Sighting, now: Sighting) -> Result<u64, String> {
    let is_older = match now.number {
        Number::Sequence(_) => now.captured_us <= last.captured_us,
        // An encoder that has just been started makes the newest frame once more.
        Number::Stamp(_) => now.captured_us < last.captured_us,
    };
    if is_older {
        return Err(format!("an old frame after a newer one: {now:?} after {last:?}"));
    }
    match (last.number, now.number) {
        (Number::Sequence(last), Number::Sequence(now)) if now > last => {
            let is_same_owner = last >> GENERATION_SHIFT == now >> GENERATION_SHIFT;
            Ok(if is_same_owner { now - last - 1 } else { 0 })
        }
        (Number::Stamp(last), Number::Stamp(now)) => {
            Ok((now.saturating_sub(last)).saturating_sub(1))
        }
        _ => Err(format!("the sequence does not grow: {now:?} after {last:?}")),
    }
}

#[test]
fn witnesses_tell_old_frames_and_gaps() {
    let by = |number, captured_us| Sighting { number, captured_us };
    let sequence = |number, at| by(Number::Sequence(number), at);
    assert_eq!(gap(sequence(4, 10), sequence(7, 11)), Ok(2));
    assert_eq!(gap(sequence(4, 10), sequence(1 << GENERATION_SHIFT | 1, 11)), Ok(0));
    assert_eq!(gap(by(Number::Stamp(9), 10), by(Number::Stamp(1), 11)), Ok(0));
    assert!(gap(sequence(4, 10), sequence(4, 11)).unwrap_err().contains("does not grow"));
    assert!(gap(sequence(4, 10), sequence(5, 10)).unwrap_err().contains("old frame"));
    assert!(gap(by(Number::Stamp(9), 10), by(Number::Stamp(9), 9)).is_err());
}
