//! When the next frame of a source with a rate of its own is due.

use std::time::{Duration, Instant};

use crate::config::source::Fps;

/// Ticks at exact multiples of the interval since the start; the fraction is kept, so nothing drifts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    start: Instant,
    fps: Fps,
    /// The tick that comes next; tick 0 is the start.
    next: u64,
}

impl Pace {
    pub(super) fn new(start: Instant, fps: Fps) -> Self {
        Self { start, fps, next: 0 }
    }

    pub(super) fn interval(&self) -> Duration {
        self.fps.interval()
    }

    /// When the next tick is.
    pub(super) fn due(&self) -> Instant {
        self.start + self.after_start(self.next)
    }

    /// Takes the tick if it is time: gives how many were left out, because they are late by a whole interval or more.
    pub(super) fn tick(&mut self, now: Instant) -> Option<u64> {
        if now < self.due() {
            return None;
        }
        let elapsed = now.saturating_duration_since(self.start).as_nanos();
        let per_frame = u128::from(self.fps.seconds) * 1_000_000_000;
        let passed = elapsed * u128::from(self.fps.frames) / per_frame;
        // At the tick itself `due` is rounded down and `passed` may still be one too few.
        let newest = u64::try_from(passed).unwrap_or(u64::MAX).max(self.next);
        let left_out = newest - self.next;
        self.next = newest + 1;
        Some(left_out)
    }

    fn after_start(&self, tick: u64) -> Duration {
        let nanos = u128::from(tick) * u128::from(self.fps.seconds) * 1_000_000_000;
        Duration::from_nanos(u64::try_from(nanos / u128::from(self.fps.frames)).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(frames: u32, seconds: u32) -> (Pace, Instant) {
        let start = Instant::now();
        (Pace::new(start, Fps { frames, seconds }), start)
    }

    #[test]
    fn an_hour_of_29_97_has_all_its_frames() {
        let (mut pace, start) = pace(30_000, 1001);
        let mut ticks = 0u64;
        while pace.due() < start + Duration::from_secs(3600) {
            assert_eq!(pace.tick(pace.due()), Some(0));
            ticks += 1;
        }
        assert_eq!(ticks, 3600 * 30_000 / 1001 + 1);
    }

    #[test]
    fn it_never_ticks_early_or_twice() {
        let (mut pace, start) = pace(3, 1);
        assert_eq!(pace.tick(start), Some(0));
        assert_eq!(pace.tick(start), None);
        assert_eq!(pace.tick(pace.due() - Duration::from_nanos(1)), None);
        assert_eq!(pace.tick(pace.due()), Some(0));
    }

    #[test]
    fn what_is_late_by_a_whole_interval_is_left_out() {
        let (mut pace, start) = pace(10, 1);
        assert_eq!(pace.tick(start + Duration::from_millis(99)), Some(0));
        assert_eq!(pace.tick(start + Duration::from_millis(399)), Some(2));
        assert_eq!(pace.due(), start + Duration::from_millis(400));
    }
}
