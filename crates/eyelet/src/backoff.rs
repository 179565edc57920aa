//! When to try again: doubling pauses with jitter up to a cap, anew after some healthy time. Pure: time comes in.

use std::time::{Duration, Instant};

/// One thing that is started again whenever it ends.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    cap: Duration,
    healthy_after: Duration,
    next: Duration,
    started: Option<Instant>,
    random: u64,
}

impl Backoff {
    /// Starts with no pause behind it. `seed` spreads the jitter of several.
    #[must_use]
    pub(crate) fn new(first: Duration, cap: Duration, healthy_after: Duration, seed: u64) -> Self {
        Self { first, cap, healthy_after, next: first, started: None, random: seed | 1 }
    }

    /// Notes that it runs.
    pub(crate) fn started(&mut self, now: Instant) {
        self.started = Some(now);
    }

    /// Notes that it ended, or could not start; gives the pause before the next try.
    ///
    /// After a healthy run there is none: what was good will be good again.
    pub(crate) fn ended(&mut self, now: Instant) -> Duration {
        let ran = self.started.take().map(|start| now.saturating_duration_since(start));
        if ran.is_some_and(|ran| ran >= self.healthy_after) {
            self.next = self.first;
            return Duration::ZERO;
        }
        let pause = self.next;
        self.next = (self.next * 2).min(self.cap);
        self.jittered(pause)
    }

    /// Takes up to a quarter off, so that what ended together does not start together.
    fn jittered(&mut self, pause: Duration) -> Duration {
        // Source: Marsaglia, "Xorshift RNGs" (2003); any spread will do.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let per_mille = u32::try_from(self.random % 250).unwrap_or(0);
        pause - pause * per_mille / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(100);
    const CAP: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_double_up_to_the_cap() {
        let mut backoff = Backoff::new(FIRST, CAP, Duration::from_secs(10), 7);
        let now = Instant::now();
        for expected_ms in [100, 200, 400, 800, 1000, 1000] {
            backoff.started(now);
            let pause = backoff.ended(now).as_millis();
            assert!(
                pause <= expected_ms && pause * 4 >= expected_ms * 3,
                "{pause} for {expected_ms}"
            );
        }
    }

    #[test]
    fn a_healthy_run_starts_anew_at_once() {
        let mut backoff = Backoff::new(FIRST, CAP, Duration::from_secs(10), 7);
        let now = Instant::now();
        for _ in 0..5 {
            backoff.started(now);
            backoff.ended(now);
        }
        backoff.started(now);
        assert_eq!(backoff.ended(now + Duration::from_secs(10)), Duration::ZERO);
        backoff.started(now);
        assert!(backoff.ended(now) <= FIRST);
    }
}
