//! The last frames of a stream whose frames need those before them.
//!
//! A viewer of such a stream may be late by so many frames, and gets them all, in their order. One that is later goes on
//! with a key frame. They are kept once for all viewers of a process.

use std::collections::VecDeque;
use std::sync::Arc;

use eyelet_area::{FourCc, Frame};
use eyelet_wire::h264;

/// Most frames that are kept: a quarter of a second at 30 frames a second, which a radio link may need now and then.
const MAX_FRAMES: usize = 8;
/// Most bytes of them, so that a stream with huge key frames does not take the budget of slow viewers. The newest frame
/// is kept in any case.
const MAX_BYTES: u64 = 4 << 20;

/// The frames, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recent {
    entries: VecDeque<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    frame: Arc<Frame>,
    codec: Option<Arc<str>>,
}

impl Recent {
    /// Adds the newest frame, of a stream of any kind: of the others none is kept.
    pub(crate) fn push(&mut self, frame: &Arc<Frame>) {
        let info = frame.info();
        if !info.format.fourcc.is_predicted() {
            return self.clear();
        }
        let codec = if info.flags.is_key && info.format.fourcc == FourCc::H264 {
            frame.bytes().ok().and_then(h264::codec).map(Arc::from)
        } else {
            self.entries.back().and_then(|entry| entry.codec.clone())
        };
        self.entries.push_back(Entry { frame: Arc::clone(frame), codec });
        while self.entries.len() > 1
            && (self.entries.len() > MAX_FRAMES || self.bytes() > MAX_BYTES)
        {
            self.entries.pop_front();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries = VecDeque::new();
    }

    /// Adds up what is kept.
    pub(crate) fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.frame.info().len).sum()
    }

    /// Gives the frame behind that of this sequence; else the newest key frame after it, as in between there is a gap.
    pub(crate) fn behind(&self, sequence: u64) -> Option<&Arc<Frame>> {
        self.frames()
            .find(|frame| frame.info().sequence == sequence + 1)
            .or_else(|| self.newest_key().filter(|frame| frame.info().sequence > sequence))
    }

    /// Gives the newest frame that needs none before.
    pub(crate) fn newest_key(&self) -> Option<&Arc<Frame>> {
        self.frames().rev().find(|frame| frame.info().flags.is_key)
    }

    /// Finds a frame by its sequence.
    pub(crate) fn of_sequence(&self, sequence: u64) -> Option<&Arc<Frame>> {
        self.frames().find(|frame| frame.info().sequence == sequence)
    }

    /// What a decoder of this frame must be able to, where that is known.
    pub(crate) fn codec(&self, sequence: u64) -> Option<&str> {
        let found = self.entries.iter().find(|entry| entry.frame.info().sequence == sequence);
        found.and_then(|entry| entry.codec.as_deref())
    }

    fn frames(&self) -> impl DoubleEndedIterator<Item = &Arc<Frame>> {
        self.entries.iter().map(|entry| &entry.frame)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use eyelet_area::{Event, Format, FrameBuilder, FrameFlags, MonotonicNs, Owner, Subscriber};

    use super::*;

    /// Frames with sequences from 1 on, of so many bytes; those at `keys` are key frames.
    pub(crate) fn published(count: u64, keys: &[u64], len: usize) -> Vec<Arc<Frame>> {
        // Only an area's owner numbers frames.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("area");
        let socket = eyelet_area::listen(&path, 0o600).unwrap();
        let mut owner = Owner::new(socket, 0).unwrap();
        let mut subscriber = Subscriber::connect(&path).unwrap();
        let mut frames = Vec::new();
        for number in 1..=count {
            let mut builder = FrameBuilder::new().unwrap();
            builder.write(&vec![0; len]).unwrap();
            let format = Format::packed(FourCc::H264, 64, 48);
            let frame = builder.seal(format, MonotonicNs::now()).unwrap();
            owner.publish(frame.with_flags(FrameFlags { is_key: keys.contains(&number) }));
            subscriber.grant(1).unwrap();
            while frames.len() < usize::try_from(number).unwrap() {
                owner.turn().unwrap();
                if let Some(Event::Frame { frame, .. }) = subscriber.try_receive().unwrap() {
                    frames.push(Arc::new(frame));
                }
            }
        }
        frames
    }

    fn recent(frames: &[Arc<Frame>]) -> Recent {
        let mut recent = Recent::default();
        frames.iter().for_each(|frame| recent.push(frame));
        recent
    }

    fn sequence(frame: Option<&Arc<Frame>>) -> Option<u64> {
        frame.map(|frame| frame.info().sequence)
    }

    #[test]
    fn frames_follow_each_other_and_a_gap_leads_to_the_newest_key_frame() {
        let frames = published(20, &[1, 14, 17], 10);
        let recent = recent(&frames);
        assert_eq!(recent.bytes(), 80);
        assert_eq!(sequence(recent.behind(13)), Some(14));
        assert_eq!(sequence(recent.behind(19)), Some(20));
        assert_eq!(sequence(recent.behind(20)), None);
        assert_eq!(sequence(recent.behind(11)), Some(17), "12 is gone");
        assert_eq!(sequence(recent.behind(0)), Some(17));
        assert_eq!(sequence(recent.of_sequence(15)), Some(15));
    }

    #[test]
    fn without_a_key_frame_there_is_nothing_behind_a_gap() {
        let recent = recent(&published(10, &[1], 10));
        assert_eq!(sequence(recent.behind(0)), None);
        assert_eq!(sequence(recent.behind(2)), Some(3));
        assert_eq!(sequence(recent.newest_key()), None);
    }

    #[test]
    fn it_is_bounded_in_bytes_and_empty_for_streams_of_another_kind() {
        let mut recent = recent(&published(5, &[1], 3 << 20));
        assert_eq!(recent.bytes(), 3 << 20);
        let mut builder = FrameBuilder::new().unwrap();
        builder.write(b"x").unwrap();
        let frame = builder.seal(Format::packed(FourCc::MJPEG, 8, 8), MonotonicNs(1)).unwrap();
        recent.push(&Arc::new(frame));
        assert_eq!(recent.bytes(), 0);
    }
}
