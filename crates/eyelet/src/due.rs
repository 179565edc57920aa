//! Waiting in `poll` until something is due.

use std::time::Instant;

use rustix::event::Timespec;

/// Gives the time that `poll` may wait: until then, not at all if that is over, for ever where nothing is due.
pub(crate) fn within(due: Option<Instant>) -> Option<Timespec> {
    let left = due?.saturating_duration_since(Instant::now());
    // What no clock can count is for ever.
    Timespec::try_from(left).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_over_is_not_waited_for() {
        let now = Instant::now();
        assert_eq!(within(None), None);
        assert_eq!(within(Some(now)), Some(Timespec { tv_sec: 0, tv_nsec: 0 }));
        let left = within(Some(now + Duration::from_secs(100))).unwrap();
        assert!((90..=100).contains(&left.tv_sec), "{left:?}");
    }
}
