//! From the driver's 32-bit frame counter to a number that always grows.

/// A forward jump of more than this is a counter that was set anew, not that many lost frames: four hours at 60 frames
/// per second, in which nobody dequeued while the driver counted.
const LONGEST_GAP: u32 = 1 << 20;

/// A step back of more than this is a counter that was set anew; a smaller one is a driver that repeats itself (`vivid`
/// does under load) and is expected to come back to its count.
const LONGEST_STEP_BACK: u32 = 64;

/// Widens the driver's frame counter: 1, 2, 3 … for one stream, across wraps, restarts and other devices.
///
/// The driver counts frames in 32 bits, from a start of its own, wraps, starts again with each stream, and may repeat or
/// decrease a number. What this gives always grows, starts at 1, and has gaps where the driver counted frames that nobody
/// dequeued. It belongs to whoever lives as long as the stream, and is told of a reopened device by
/// [`restart`](Self::restart).
///
/// ```
/// use eyelet_v4l2::sequence::{Sequence, Step};
///
/// let mut sequence = Sequence::new();
/// assert_eq!(sequence.advance(0), Step { sequence: 1, dropped: 0 });
/// assert_eq!(sequence.advance(1), Step { sequence: 2, dropped: 0 });
/// assert_eq!(sequence.advance(4), Step { sequence: 5, dropped: 2 });
/// sequence.restart();
/// assert_eq!(sequence.advance(0), Step { sequence: 6, dropped: 0 });
/// ```
#[derive(Debug, Clone, Default)]
pub struct Sequence {
    /// What was given last; 0 before the first.
    last: u64,
    /// The driver's number at the highest point of its count, and the number that was meant by it.
    anchor: Option<(u32, u64)>,
}

/// One frame's number, and what was lost before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Greater than each before.
    pub sequence: u64,
    /// How many frames the driver counted since the one before.
    pub dropped: u64,
}

impl Sequence {
    /// Before the first frame of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next frame has the driver's number `raw`. O(1), no allocation.
    pub fn advance(&mut self, raw: u32) -> Step {
        let follows = self.last + 1;
        let (anchor, meant) = match self.anchor {
            None => (raw, follows),
            Some((highest, at)) => {
                let ahead = raw.wrapping_sub(highest);
                let behind = highest.wrapping_sub(raw);
                if behind <= LONGEST_STEP_BACK {
                    // Repeated or decreased: this frame follows, and the count goes on from where it was.
                    (highest, at)
                } else if ahead == 1 {
                    // One after the other: counting works, and what was repeated before is not expected back.
                    (raw, follows.max(at + 1))
                } else if ahead <= LONGEST_GAP {
                    (raw, at + u64::from(ahead))
                } else {
                    (raw, follows)
                }
            }
        };
        let sequence = meant.max(follows);
        self.anchor = Some((anchor, meant));
        self.last = sequence;
        Step { sequence, dropped: sequence - follows }
    }

    /// The driver's count starts anew: the stream was stopped and started, or the device was opened again. The next frame
    /// follows the last one without a gap, since nobody knows how many there would have been.
    pub fn restart(&mut self) {
        self.anchor = None;
    }

    /// What was given last; 0 before the first frame.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(raw: &[u32]) -> Vec<(u64, u64)> {
        let mut sequence = Sequence::new();
        raw.iter().map(|&raw| sequence.advance(raw)).map(|s| (s.sequence, s.dropped)).collect()
    }

    #[test]
    fn first_frame_is_one_whatever_the_driver_says() {
        assert_eq!(numbers(&[0]), [(1, 0)]);
        assert_eq!(numbers(&[4_000_000_000]), [(1, 0)]);
    }

    #[test]
    fn repeated_number_follows_without_inventing_a_gap() {
        assert_eq!(numbers(&[5, 5, 6, 7]), [(1, 0), (2, 0), (3, 0), (4, 0)]);
        assert_eq!(numbers(&[5, 5, 7, 8]), [(1, 0), (2, 0), (3, 0), (4, 0)]);
    }

    #[test]
    fn decreased_number_follows_too() {
        assert_eq!(numbers(&[5, 6, 5, 7]), [(1, 0), (2, 0), (3, 0), (4, 0)]);
        assert_eq!(numbers(&[9, 7, 8, 13]), [(1, 0), (2, 0), (3, 0), (5, 1)]);
    }

    #[test]
    fn counter_wraps_without_a_trace() {
        assert_eq!(numbers(&[u32::MAX - 1, u32::MAX, 0, 2]), [(1, 0), (2, 0), (3, 0), (5, 1)]);
        assert_eq!(numbers(&[0x7fff_ffff, 0x8000_0000]), [(1, 0), (2, 0)]);
    }

    #[test]
    fn counter_set_anew_loses_nothing() {
        assert_eq!(numbers(&[1000, 0, 1, 3]), [(1, 0), (2, 0), (3, 0), (5, 1)]);
        assert_eq!(numbers(&[0, 1 << 30]), [(1, 0), (2, 0)], "too far ahead to be a loss");
    }

    #[test]
    fn gap_after_a_repetition_is_counted_in_full() {
        let mut raw = vec![0; 40];
        raw.extend([1, 2, 3, 10]);
        let steps = numbers(&raw);
        assert_eq!(steps[..43].iter().map(|s| s.1).sum::<u64>(), 0);
        assert_eq!(steps[43], (50, 6));
    }

    proptest! {
        #[test]
        fn numbers_always_grow(raw in prop::collection::vec(any::<u32>(), 1..200), restart in 0usize..200) {
            let mut sequence = Sequence::new();
            let mut last = 0;
            for (at, raw) in raw.into_iter().enumerate() {
                if at == restart {
                    sequence.restart();
                }
                let step = sequence.advance(raw);
                prop_assert!(step.sequence > last);
                prop_assert_eq!(step.sequence - last - 1, step.dropped);
                last = step.sequence;
            }
        }

        /// A driver that only ever skips: the numbers are the true ones, from any start, across the wrap.
        #[test]
        fn honest_counter_is_kept(start in any::<u32>(), skips in prop::collection::vec(0u32..1000, 1..200)) {
            let mut sequence = Sequence::new();
            sequence.advance(start);
            let mut truth = 0u64;
            for skip in skips {
                truth += u64::from(skip) + 1;
                let raw = u32::try_from((u64::from(start) + truth) & 0xffff_ffff).expect("masked");
                let step = sequence.advance(raw);
                prop_assert_eq!(step.sequence, truth + 1);
                prop_assert_eq!(step.dropped, u64::from(skip));
            }
        }
    }
}
