//! How many clients watch, over all serve processes, which all are told once a second at the most.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The count is told no more often: it is for people.
const PAUSE: Duration = Duration::from_secs(1);

/// The clients that watch at each living serve process, by its place among the children.
#[derive(Debug)]
pub(super) struct Viewers {
    of: BTreeMap<usize, u64>,
    /// What all were told last.
    told: u64,
    /// When they may be told again.
    may_tell_at: Instant,
    /// A process came that was told nothing yet.
    has_new: bool,
}

impl Viewers {
    /// Begins with nobody, which need not be told.
    pub(super) fn new(now: Instant) -> Self {
        Self { of: BTreeMap::new(), told: 0, may_tell_at: now, has_new: false }
    }

    /// A process says how many watch.
    pub(super) fn says(&mut self, child: usize, watching: u64) {
        let is_new = self.of.insert(child, watching).is_none();
        self.has_new |= is_new && self.told > 0;
    }

    /// A process has ended.
    pub(super) fn ended(&mut self, child: usize) {
        self.of.remove(&child);
    }

    /// Gives the sum if it is to be told now.
    pub(super) fn news(&mut self, now: Instant) -> Option<u64> {
        if self.deadline().is_none_or(|due| due > now) {
            return None;
        }
        self.told = self.sum();
        self.may_tell_at = now + PAUSE;
        self.has_new = false;
        Some(self.told)
    }

    /// When there is something to tell.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (self.sum() != self.told || self.has_new).then_some(self.may_tell_at)
    }

    fn sum(&self) -> u64 {
        self.of.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_told_when_it_changes_and_once_a_second_at_most() {
        let start = Instant::now();
        let at = |millis: u64| start + Duration::from_millis(millis);
        let mut viewers = Viewers::new(start);
        assert_eq!(viewers.news(at(0)), None);
        viewers.says(3, 2);
        assert_eq!((viewers.news(at(0)), viewers.news(at(0))), (Some(2), None));
        viewers.says(4, 5);
        assert_eq!(viewers.news(at(999)), None);
        assert_eq!(viewers.deadline(), Some(at(1000)));
        viewers.says(4, 0);
        assert_eq!(viewers.news(at(1000)), Some(2), "one that is new has not heard");
        viewers.says(4, 1);
        viewers.says(4, 0);
        assert_eq!((viewers.news(at(9000)), viewers.deadline()), (None, None));
        viewers.ended(3);
        assert_eq!(viewers.news(at(9000)), Some(0));
    }
}
