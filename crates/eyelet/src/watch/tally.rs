//! What one viewer got.

use eyelet_area::GENERATION_SHIFT;

use crate::stamp::Stamps;

/// A frame as it arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived {
    /// Its number, if it has one.
    pub(crate) sequence: Option<u64>,
    /// The server's count of frames dropped for this viewer.
    pub(crate) dropped: u32,
    /// Bytes of its payload.
    pub(crate) len: u64,
    /// `None` where they were not looked at.
    pub(crate) stamps: Option<Stamps>,
    /// When it was captured, in µs of the server's clock, if that is known.
    pub(crate) captured_us: Option<u64>,
    /// When its sending began, likewise.
    pub(crate) sent_us: Option<u64>,
    /// It can be decoded only behind the frame before it.
    pub(crate) needs_last: bool,
}

/// Counts since the measurement began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) received: u64,
    pub(crate) bytes: u64,
    /// Places where sequences were missing.
    pub(crate) gaps: u64,
    /// Sequences missing there.
    pub(crate) missed: u64,
    /// Frames that were not newer than the one before.
    pub(crate) backwards: u64,
    pub(crate) dropped: u64,
    /// Frames whose stamps were looked at.
    pub(crate) checked: u64,
    pub(crate) torn: u64,
    /// Frames with a new number and an old picture.
    pub(crate) stale: u64,
    /// Frames that cannot be decoded, as the one that they need did not come before them.
    pub(crate) undecodable: u64,
    /// Frames that no `config` describes.
    pub(crate) without_config: u64,
    /// The newest frame ever; stays when counting begins anew.
    pub(crate) last: Option<u64>,
    last_stamp: Option<u64>,
    last_dropped: u32,
    /// No frame came on this connection yet.
    is_fresh: bool,
}

impl Tally {
    /// Begins to count from zero at the last frame that came.
    pub(crate) fn restart(&mut self) {
        let Self { last, last_stamp, last_dropped, is_fresh, .. } = *self;
        *self = Self { last, last_stamp, last_dropped, is_fresh, ..Self::default() };
    }

    /// A connection begins: the server counts anew, a decoder begins anew, and sends its newest frame even if it is known.
    pub(crate) fn connected(&mut self) {
        self.last_dropped = 0;
        self.is_fresh = true;
    }

    /// Counts a frame; tells whether it was one to count.
    pub(crate) fn add(&mut self, frame: &Arrived) -> bool {
        let is_fresh = std::mem::take(&mut self.is_fresh);
        self.dropped += u64::from(frame.dropped.wrapping_sub(self.last_dropped));
        self.last_dropped = frame.dropped;
        let last = self.last;
        if let (Some(sequence), Some(last)) = (frame.sequence, last) {
            if is_fresh && sequence == last {
                return false;
            }
            self.follow(sequence, last);
        }
        let is_behind_last = !is_fresh && frame.sequence == last.map(|last| last + 1);
        self.undecodable += u64::from(frame.needs_last && !is_behind_last);
        self.last = self.last.max(frame.sequence);
        self.received += 1;
        self.bytes += frame.len;
        self.judge(frame.stamps, frame.sequence, last);
        true
    }

    fn follow(&mut self, sequence: u64, last: u64) {
        if sequence <= last {
            self.backwards += 1;
        } else if generation(sequence) == generation(last) && sequence > last + 1 {
            self.gaps += 1;
            self.missed += sequence - last - 1;
        }
    }

    fn judge(&mut self, stamps: Option<Stamps>, sequence: Option<u64>, last: Option<u64>) {
        let Some(stamps) = stamps else { return };
        self.checked += 1;
        let Stamps::Whole(stamp) = stamps else {
            self.torn += 1;
            return;
        };
        // A source that starts anew may count anew.
        let is_same_series = sequence.map(generation) == last.map(generation);
        if is_same_series && self.last_stamp.is_some_and(|before| stamp <= before) {
            self.stale += 1;
        }
        self.last_stamp = Some(stamp);
    }

    /// Tells how many frames were published for this viewer up to the frame `end`, and since counting began.
    pub(crate) fn expected(&self, end: Option<u64>) -> u64 {
        let tail = match (end, self.last) {
            (Some(end), Some(last)) if generation(end) == generation(last) => {
                end.saturating_sub(last)
            }
            (Some(end), Some(last)) if end > last => 1,
            _ => 0,
        };
        (self.received - self.backwards) + self.missed + tail
    }
}

/// Which life of its source a frame comes from.
pub(crate) fn generation(sequence: u64) -> u64 {
    sequence >> GENERATION_SHIFT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(sequence: u64) -> Arrived {
        Arrived {
            sequence: Some(sequence),
            dropped: 0,
            len: 10,
            stamps: None,
            captured_us: None,
            sent_us: None,
            needs_last: false,
        }
    }

    fn counted(sequences: &[u64]) -> Tally {
        let mut tally = Tally::default();
        tally.connected();
        for sequence in sequences {
            tally.add(&frame(*sequence));
        }
        tally
    }

    #[test]
    fn gaps_and_steps_back_are_counted() {
        let tally = counted(&[5, 6, 8, 9, 12, 11, 13]);
        assert_eq!((tally.received, tally.gaps, tally.missed, tally.backwards), (7, 2, 3, 1));
        assert_eq!((tally.expected(Some(13)), tally.expected(Some(15))), (9, 11));
        assert_eq!(counted(&[5, 5]).backwards, 1);
    }

    #[test]
    fn a_frame_without_the_one_that_it_needs_cannot_be_decoded() {
        let mut tally = counted(&[]);
        let needy = |sequence| Arrived { needs_last: true, ..frame(sequence) };
        for arrived in [needy(4), needy(5), frame(7), needy(8), needy(10), needy(11)] {
            tally.add(&arrived);
        }
        assert_eq!((tally.undecodable, tally.gaps), (2, 2));
        tally.connected();
        tally.add(&needy(12));
        assert_eq!(tally.undecodable, 3);
    }

    #[test]
    fn a_new_life_of_the_source_is_no_gap() {
        let tally = counted(&[5, 1 << 40, (1 << 40) + 2]);
        assert_eq!((tally.gaps, tally.missed, tally.backwards), (1, 1, 0));
    }

    #[test]
    fn the_frame_before_counting_and_a_repeat_after_reconnecting_do_not_count() {
        let mut tally = counted(&[5, 6]);
        tally.restart();
        tally.connected();
        assert!(!tally.add(&frame(6)));
        assert!(tally.add(&frame(8)));
        assert_eq!((tally.received, tally.missed, tally.backwards), (1, 1, 0));
        assert_eq!(tally.expected(Some(8)), 2);
    }

    #[test]
    fn the_servers_count_of_drops_may_wrap_and_begin_anew() {
        let mut tally = counted(&[]);
        for (sequence, dropped) in [(1, u32::MAX), (2, 1)] {
            tally.add(&Arrived { dropped, ..frame(sequence) });
        }
        assert_eq!(tally.dropped, u64::from(u32::MAX) + 2);
        tally.connected();
        tally.add(&Arrived { dropped: 3, ..frame(3) });
        assert_eq!(tally.dropped, u64::from(u32::MAX) + 5);
    }

    #[test]
    fn an_old_picture_under_a_new_number_is_stale() {
        let mut tally = counted(&[]);
        for (sequence, stamps) in [
            (1, Stamps::Whole(1)),
            (2, Stamps::Whole(1)),
            (3, Stamps::Torn),
            (4, Stamps::Absent),
            (1 << 40, Stamps::Whole(1)),
        ] {
            tally.add(&Arrived { stamps: Some(stamps), ..frame(sequence) });
        }
        assert_eq!((tally.checked, tally.torn, tally.stale), (5, 2, 1));
    }
}
