//! Whether anybody wants frames, and since when nobody does. Pure: time comes in.

use std::time::{Duration, Instant};

/// The demand for what an encoder makes.
#[derive(Debug)]
pub(super) struct Demand {
    /// Nobody has wanted a frame since then.
    idle_since: Option<Instant>,
    /// There was a pause in the demand since the last frame.
    has_paused: bool,
}

impl Demand {
    /// Nobody wants anything yet.
    pub(super) fn new(now: Instant) -> Self {
        Self { idle_since: Some(now), has_paused: true }
    }

    /// Notes how many want a frame now. Less than `grace` without any is no pause: whoever has just got a frame needs a
    /// moment to ask for the next.
    pub(super) fn note(&mut self, wanting: usize, now: Instant, grace: Duration) {
        if wanting == 0 {
            self.idle_since.get_or_insert(now);
        } else if let Some(since) = self.idle_since.take() {
            self.has_paused |= now.saturating_duration_since(since) >= grace;
        }
    }

    /// Tells whether frames were wanted all the time since it was asked last.
    pub(super) fn was_steady(&mut self) -> bool {
        !std::mem::take(&mut self.has_paused)
    }

    /// Since when nobody wants a frame; none while somebody does.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        self.idle_since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_between_two_frames_is_no_pause() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let grace = Duration::from_millis(30);
        let mut demand = Demand::new(start);
        demand.note(1, at(0), grace);
        assert!(!demand.was_steady(), "the first frame came after nobody wanted one");
        demand.note(0, at(40), grace);
        demand.note(2, at(45), grace);
        assert!(demand.was_steady());
        demand.note(0, at(50), grace);
        demand.note(0, at(90), grace);
        assert_eq!(demand.idle_since(), Some(at(50)));
        demand.note(1, at(95), grace);
        assert!(!demand.was_steady());
        assert_eq!(demand.idle_since(), None);
    }
}
