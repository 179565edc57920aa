//! The stream of pictures: which frame is due, and its pieces with their headers.
//!
//! Source: USB Device Class Definition for Video Devices 1.0, 2.4.3.2: each payload starts with two bytes, its own length
//! and flags; the frame bit toggles with each frame.

use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use crate::options::Options;
use crate::picture::{Album, Kind};

/// The length of a payload's header.
const HEADER_BYTES: usize = 2;
const FLAG_FRAME: u8 = 0x01;
const FLAG_END_OF_FRAME: u8 = 0x02;
const FLAG_ERROR: u8 = 0x40;
const FLAG_END_OF_HEADER: u8 = 0x80;

/// A started stream: makes frames at their rate and hands them out in payloads.
///
/// Drawing the pictures takes longer than a USB request may, so a thread does it; the first frame is due when it is ready.
#[derive(Debug)]
pub(crate) struct Stream {
    interval: Duration,
    faults: Faults,
    album: Drawn,
    /// When the first frame was due.
    started: Instant,
    /// The frame being sent, and what was sent of it.
    frame: Vec<u8>,
    position: usize,
    flags: u8,
    /// The number of the newest frame; 0 before the first. Frames nobody fetched in time leave gaps.
    sequence: u64,
    /// Frames begun.
    begun: u64,
}

/// How the stream misbehaves.
#[derive(Clone, Copy, Debug)]
struct Faults {
    stall_after: Option<Duration>,
    err_every: Option<u64>,
    trunc_every: Option<u64>,
}

#[derive(Debug)]
enum Drawn {
    NotYet(Receiver<Album>),
    Ready(Album),
}

impl Stream {
    /// Starts a stream; an album of an earlier one is used again if it shows the same.
    pub(crate) fn start(
        kind: Kind,
        interval: Duration,
        options: &Options,
        album: Option<Album>,
    ) -> Self {
        let album = match album {
            Some(album) if album.kind() == kind => Drawn::Ready(album),
            _ => {
                let (sender, receiver) = channel();
                // A stream that ended meanwhile has no use for the album; nothing is lost.
                std::thread::spawn(move || drop(sender.send(Album::draw(kind))));
                Drawn::NotYet(receiver)
            }
        };
        let &Options { stall_after, err_every, trunc_every, .. } = options;
        Self {
            interval,
            faults: Faults { stall_after, err_every, trunc_every },
            album,
            started: Instant::now(),
            frame: Vec::new(),
            position: 0,
            flags: 0,
            sequence: 0,
            begun: 0,
        }
    }

    /// Ends the stream; returns how many frames it began, and its album for the next.
    pub(crate) fn stop(self) -> (u64, Option<Album>) {
        match self.album {
            Drawn::Ready(album) => (self.begun, Some(album)),
            Drawn::NotYet(_) => (self.begun, None),
        }
    }

    /// Appends one payload of at most `capacity` bytes, as it is due at `now`; returns its length, 0 if nothing is due.
    pub(crate) fn put_payload(&mut self, out: &mut Vec<u8>, capacity: usize, now: Instant) -> u32 {
        if capacity <= HEADER_BYTES || (self.position == self.frame.len() && !self.begin(now)) {
            return 0;
        }
        let end = self.frame.len().min(self.position + capacity - HEADER_BYTES);
        let last = if end == self.frame.len() { FLAG_END_OF_FRAME } else { 0 };
        let data = &self.frame[self.position..end];
        out.extend([2, self.flags | last]);
        out.extend(data);
        self.position = end;
        u32::try_from(HEADER_BYTES + data.len()).expect("no longer than the host's buffer")
    }

    /// Makes the frame that is due at `now` the current one; false if none is.
    fn begin(&mut self, now: Instant) -> bool {
        let album = match &self.album {
            Drawn::Ready(album) => album,
            Drawn::NotYet(receiver) => {
                match receiver.try_recv() {
                    Ok(album) => {
                        self.album = Drawn::Ready(album);
                        self.started = Instant::now();
                    }
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
                }
                return false;
            }
        };
        let age = now.saturating_duration_since(self.started);
        if self.faults.stall_after.is_some_and(|limit| age > limit) {
            return false;
        }
        let slots = age.as_nanos() / self.interval.as_nanos();
        let due = 1 + u64::try_from(slots).expect("a test is shorter than 500 years");
        if due <= self.sequence {
            return false;
        }
        self.sequence = due;
        self.begun += 1;
        album.copy_to(&mut self.frame, due);
        let is_turn = |every: Option<u64>| every.is_some_and(|n| self.begun.is_multiple_of(n));
        if is_turn(self.faults.trunc_every) {
            self.frame.truncate(self.frame.len() / 2);
        }
        let error = if is_turn(self.faults.err_every) { FLAG_ERROR } else { 0 };
        let toggled = (self.flags ^ FLAG_FRAME) & FLAG_FRAME;
        self.flags = FLAG_END_OF_HEADER | toggled | error;
        self.position = 0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptors::FORMAT_YUYV;
    use crate::options::HuffmanTables;

    const INTERVAL: Duration = Duration::from_millis(100);
    const FRAME: usize = 320 * 240 * 2;

    fn stream(options: &Options) -> Stream {
        let kind = Kind { format: FORMAT_YUYV, size: (320, 240), huffman: HuffmanTables::Kept };
        Stream::start(kind, INTERVAL, options, Some(Album::draw(kind)))
    }

    /// The payloads due at the middle of the frame interval number `slot`.
    fn fetch(stream: &mut Stream, slot: u32, capacity: usize) -> Vec<Vec<u8>> {
        let now = stream.started + INTERVAL * slot + INTERVAL / 2;
        std::iter::from_fn(|| {
            let mut out = Vec::new();
            let len = stream.put_payload(&mut out, capacity, now);
            assert_eq!(out.len(), usize::try_from(len).unwrap());
            (len > 0).then_some(out)
        })
        .collect()
    }

    #[test]
    fn frame_is_cut_into_payloads() {
        let payloads = fetch(&mut stream(&Options::default()), 0, 3072);
        assert_eq!(payloads.len(), FRAME.div_ceil(3070));
        assert!(payloads.iter().all(|p| p[0] == 2 && p.len() <= 3072));
        let (last, others) = payloads.split_last().unwrap();
        assert_eq!(last[1], FLAG_END_OF_HEADER | FLAG_FRAME | FLAG_END_OF_FRAME);
        assert!(others.iter().all(|p| p[1] == FLAG_END_OF_HEADER | FLAG_FRAME));
        assert_eq!(payloads.iter().map(|p| p.len() - 2).sum::<usize>(), FRAME);
    }

    #[test]
    fn one_frame_per_interval_with_toggling_bit() {
        let mut stream = stream(&Options::default());
        let first = fetch(&mut stream, 0, 1 << 20);
        assert_eq!((first.len(), first[0][1] & FLAG_FRAME), (1, 1));
        assert!(fetch(&mut stream, 0, 1 << 20).is_empty());
        let third = fetch(&mut stream, 2, 1 << 20);
        assert_eq!((third.len(), third[0][1] & FLAG_FRAME), (1, 0));
        assert_eq!((stream.sequence, stream.begun), (3, 2));
    }

    #[test]
    fn stalled_stream_has_no_more_frames() {
        let options = Options { stall_after: Some(INTERVAL * 2), ..Options::default() };
        let mut stream = stream(&options);
        assert_eq!(fetch(&mut stream, 1, 1 << 20).len(), 1);
        assert!(fetch(&mut stream, 2, 1 << 20).is_empty());
    }

    #[test]
    fn faults_come_at_their_turn() {
        let options = Options { err_every: Some(2), trunc_every: Some(3), ..Options::default() };
        let mut stream = stream(&options);
        for slot in 0..6 {
            let payload = fetch(&mut stream, slot, 1 << 20).remove(0);
            let turn = slot + 1;
            assert_eq!(payload[1] & FLAG_ERROR != 0, turn % 2 == 0);
            let expected = if turn % 3 == 0 { FRAME / 2 } else { FRAME };
            assert_eq!(payload.len() - 2, expected);
        }
    }
}
