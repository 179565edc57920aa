//! How often somebody may be wrong: guesses from one address are few, those from others are not held up by them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::serve::crowd;

/// Wrong passwords in a row before somebody has to wait: more than a person mistypes.
const MOST_IN_A_ROW: u32 = 10;
/// After it, one in so long: ten thousand guesses a day, of which a password has to stand none.
const ONE_EVERY: Duration = Duration::from_secs(8);
/// Addresses that are remembered; beyond it those that were wrong longest ago are forgotten.
const MOST_ADDRESSES: usize = 4096;

/// Who was wrong, and when that is forgiven.
#[derive(Debug, Default)]
pub(super) struct Failures(RefCell<HashMap<Option<IpAddr>, Instant>>);

impl Failures {
    /// Takes a try.
    ///
    /// # Errors
    /// How long to wait for the next one.
    pub(super) fn begin(&self, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        let mut all = self.0.borrow_mut();
        if all.len() >= MOST_ADDRESSES {
            all.retain(|_, forgiven| *forgiven > now);
            if all.len() >= MOST_ADDRESSES {
                let oldest = all.iter().min_by_key(|(_, forgiven)| **forgiven);
                let oldest = oldest.map(|(address, _)| *address);
                oldest.map(|address| all.remove(&address));
            }
        }
        let forgiven = all.entry(address.map(crowd::group)).or_insert(now);
        // Each try is forgiven after the one before it.
        let next = (*forgiven).max(now) + ONE_EVERY;
        match next.checked_duration_since(now + ONE_EVERY * MOST_IN_A_ROW) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                *forgiven = next;
                Ok(())
            }
        }
    }

    /// Gives a try back: it was right.
    pub(super) fn forgive(&self, address: Option<IpAddr>) {
        if let Some(forgiven) = self.0.borrow_mut().get_mut(&address.map(crowd::group)) {
            *forgiven -= ONE_EVERY;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }

    #[test]
    fn who_is_wrong_too_often_waits_and_nobody_else_does() {
        let (failures, now) = (Failures::default(), Instant::now());
        for _ in 0..MOST_IN_A_ROW {
            failures.begin(address("192.0.2.1"), now).unwrap();
        }
        let wait = failures.begin(address("192.0.2.1"), now).unwrap_err();
        assert_eq!(wait, ONE_EVERY);
        assert!(failures.begin(address("::ffff:192.0.2.1"), now).is_err(), "the same");
        assert!(failures.begin(address("192.0.2.2"), now).is_ok());
        assert!(failures.begin(None, now).is_ok(), "a socket of this machine");
        let later = now + wait;
        assert!(failures.begin(address("192.0.2.1"), later).is_ok());
        assert!(failures.begin(address("192.0.2.1"), later).is_err());
        let day = now + Duration::from_secs(86_400);
        for _ in 0..MOST_IN_A_ROW {
            failures.begin(address("192.0.2.1"), day).unwrap();
        }
    }

    #[test]
    fn who_is_right_has_lost_nothing() {
        let (failures, now) = (Failures::default(), Instant::now());
        for _ in 0..1000 {
            failures.begin(address("192.0.2.1"), now).unwrap();
            failures.forgive(address("192.0.2.1"));
        }
        assert!(failures.begin(address("192.0.2.1"), now).is_ok());
    }

    #[test]
    fn a_flood_of_addresses_takes_no_more_room() {
        let (failures, now) = (Failures::default(), Instant::now());
        for number in 0..10_000_u32 {
            failures.begin(Some(IpAddr::V4(number.into())), now).unwrap();
        }
        assert!(failures.0.borrow().len() <= MOST_ADDRESSES);
    }
}
