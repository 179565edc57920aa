//! How many frames come in a second, measured.

use std::time::{Duration, Instant};

/// Counts over windows of a second.
#[derive(Debug, Default)]
pub(super) struct Rate {
    window_start: Option<Instant>,
    in_window: u64,
    last: u64,
}

const WINDOW: Duration = Duration::from_secs(1);

impl Rate {
    /// Counts a frame.
    pub(super) fn count(&mut self, now: Instant) {
        let start = *self.window_start.get_or_insert(now);
        let elapsed = now.saturating_duration_since(start);
        if elapsed >= WINDOW {
            self.last = per_1000_s(self.in_window, elapsed);
            self.window_start = Some(now);
            self.in_window = 0;
        }
        self.in_window += 1;
    }

    /// Gives the frames in 1000 seconds of the last whole window; 0 when no frame has come for two.
    pub(super) fn millifps(&self, now: Instant) -> u64 {
        match self.window_start {
            Some(start) if now.saturating_duration_since(start) < 2 * WINDOW => self.last,
            _ => 0,
        }
    }
}

fn per_1000_s(frames: u64, elapsed: Duration) -> u64 {
    let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX).max(1);
    frames.saturating_mul(1_000_000_000) / micros
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_frames_a_second_are_thirty() {
        let start = Instant::now();
        let mut rate = Rate::default();
        for n in 0..=61 {
            rate.count(start + Duration::from_micros(33_333) * n + Duration::from_micros(30));
        }
        let after = start + Duration::from_secs(2);
        assert!((29_900..=30_100).contains(&rate.millifps(after)), "{}", rate.millifps(after));
        assert_eq!(rate.millifps(start + Duration::from_secs(9)), 0);
    }
}
