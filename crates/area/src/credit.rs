//! Newest only, by credit: who may be sent the next frame, and how many it has missed.
//!
//! A pure state machine without time, memory or I/O. An owner keeps one for each subscriber; a server keeps one for
//! each viewer. The rule is the same: with credit a receiver gets the next frame at once; without, it is remembered
//! as behind and gets the newest when credit comes, with the count of those in between.

/// The state of one receiver. All operations are O(1).
///
/// Invariant: `available <= limit`; `missed > 0` only while `is_behind`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credit {
    limit: u32,
    available: u32,
    is_behind: bool,
    missed: u64,
}

/// A receiver granted more than its limit; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overdrawn;

impl Credit {
    /// Starts without credit; `limit` is the most that may be outstanding.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self { limit, available: 0, is_behind: false, missed: 0 }
    }

    /// Takes credit for `frames` more.
    ///
    /// # Errors
    /// [`Overdrawn`] if more than the limit would be outstanding.
    pub fn grant(&mut self, frames: u32) -> Result<(), Overdrawn> {
        match self.available.checked_add(frames) {
            Some(sum) if sum <= self.limit => self.available = sum,
            _ => return Err(Overdrawn),
        }
        Ok(())
    }

    /// Notes that there is a newer frame. If the one before was not sent, it is missed now.
    pub fn publish(&mut self) {
        if self.is_behind {
            self.missed = self.missed.saturating_add(1);
        }
        self.is_behind = true;
    }

    /// Tells whether the newest frame should be sent now.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.is_behind && self.available > 0
    }

    /// Tells how many frames were published and not sent since the last one that was.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// Tells whether the receiver would take a frame if there were one: the demand that encoders wait for.
    #[must_use]
    pub fn has_credit(&self) -> bool {
        self.available > 0
    }

    /// Tells whether there is a newer frame than the last one that was sent.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Notes that the newest frame was sent. Call it only when [`is_due`](Self::is_due).
    pub fn sent(&mut self) {
        debug_assert!(
            self.is_due(),
            "a frame was sent to a receiver that had no credit or was not behind"
        );
        self.available = self.available.saturating_sub(1);
        self.is_behind = false;
        self.missed = 0;
    }

    /// Holds the invariants; called by tests.
    ///
    /// # Panics
    /// If one does not hold.
    pub fn check_invariants(&self) {
        assert!(self.available <= self.limit);
        assert!(self.is_behind || self.missed == 0);
    }
}
