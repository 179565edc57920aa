//! When a frame was taken, and by which clock.

/// `V4L2_BUF_FLAG_TIMESTAMP_MASK` and its values.
const CLOCK: u32 = 0xe000;
const CLOCK_MONOTONIC: u32 = 0x2000;
const CLOCK_COPY: u32 = 0x4000;
/// `V4L2_BUF_FLAG_TSTAMP_SRC_MASK` and the value that is not 0.
const MOMENT: u32 = 0x7_0000;
const MOMENT_START_OF_EXPOSURE: u32 = 0x1_0000;

/// A driver's time stamp. Only one of the clocks can be compared with anything else.
///
/// Source: Linux Media Userspace API, "Buffer Flags", `V4L2_BUF_FLAG_TIMESTAMP_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timestamp {
    /// Nanoseconds of `CLOCK_MONOTONIC`, in steps of a microsecond.
    Monotonic(u64),
    /// Nanoseconds that a program handed in on the other side of the device (`v4l2loopback`, codecs).
    Copied(u64),
    /// The driver does not say which clock, or the time makes no sense (negative, too large).
    Unknown,
}

/// Which moment of a frame the time stamp belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The last byte was received: a whole transfer after the light was seen.
    EndOfFrame,
    /// The exposure began, as `uvcvideo` computes it from the camera's own clock.
    StartOfExposure,
}

impl Timestamp {
    /// The time if it is one of `CLOCK_MONOTONIC`.
    #[must_use]
    pub fn monotonic_ns(self) -> Option<u64> {
        match self {
            Self::Monotonic(ns) => Some(ns),
            Self::Copied(_) | Self::Unknown => None,
        }
    }

    /// From a buffer's flags and its seconds and microseconds.
    pub(crate) fn new(flags: u32, [seconds, micros]: [i64; 2]) -> Self {
        let Some(ns) = nanoseconds(seconds, micros) else { return Self::Unknown };
        match flags & CLOCK {
            CLOCK_MONOTONIC => Self::Monotonic(ns),
            CLOCK_COPY => Self::Copied(ns),
            _ => Self::Unknown,
        }
    }
}

impl Moment {
    /// From a buffer's flags.
    pub(crate) fn new(flags: u32) -> Self {
        match flags & MOMENT {
            MOMENT_START_OF_EXPOSURE => Self::StartOfExposure,
            _ => Self::EndOfFrame,
        }
    }
}

fn nanoseconds(seconds: i64, micros: i64) -> Option<u64> {
    let seconds = u64::try_from(seconds).ok()?.checked_mul(1_000_000_000)?;
    let micros = u64::try_from(micros).ok()?.checked_mul(1_000)?;
    seconds.checked_add(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_is_in_the_type() {
        assert_eq!(Timestamp::new(0x2000, [3, 7]), Timestamp::Monotonic(3_000_007_000));
        assert_eq!(Timestamp::new(0x4000, [3, 7]), Timestamp::Copied(3_000_007_000));
        assert_eq!(Timestamp::new(0, [3, 7]), Timestamp::Unknown);
        assert_eq!(Timestamp::new(0x6000, [3, 7]), Timestamp::Unknown);
        assert_eq!(Timestamp::new(0x4000, [3, 7]).monotonic_ns(), None);
    }

    #[test]
    fn moment_is_read_from_the_flags() {
        assert_eq!(Moment::new(0x2000), Moment::EndOfFrame);
        assert_eq!(Moment::new(0x1_2000), Moment::StartOfExposure);
    }

    #[test]
    fn senseless_times_are_unknown() {
        for time in [[-1, 0], [0, -1], [i64::MAX, 0], [0, i64::MAX]] {
            assert_eq!(Timestamp::new(0x2000, time), Timestamp::Unknown, "{time:?}");
        }
    }

    #[test]
    fn time_beyond_2038_is_kept() {
        assert_eq!(
            Timestamp::new(0x2000, [1 << 32, 1]).monotonic_ns(),
            Some((1 << 32) * 1_000_000_000 + 1_000)
        );
    }
}
