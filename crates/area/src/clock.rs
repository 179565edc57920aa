//! The one clock of frames: `CLOCK_MONOTONIC`, which V4L2 stamps with and every process of the machine shares.

use std::time::Duration;

/// A moment on `CLOCK_MONOTONIC`, in nanoseconds; comparable between the processes of one machine.
///
/// Source: `clock_gettime(2)`; `V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC`, Linux Media Userspace API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MonotonicNs(pub u64);

impl MonotonicNs {
    /// Reads the clock. Does not enter the kernel where the vDSO serves it.
    #[must_use]
    pub fn now() -> Self {
        let t = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let secs = u64::try_from(t.tv_sec).unwrap_or(0);
        let nanos = u64::try_from(t.tv_nsec).unwrap_or(0);
        Self(secs * 1_000_000_000 + nanos)
    }

    /// Gives the time from `earlier` to this moment; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Gives the moment in whole microseconds, as the wire protocol counts.
    #[must_use]
    pub fn as_micros(self) -> u64 {
        self.0 / 1000
    }
}
