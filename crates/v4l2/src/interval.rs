//! The time from one frame to the next: what a camera offers, and setting it.

use std::fmt;
use std::os::fd::AsFd;
use std::time::Duration;

use crate::device::Device;
use crate::error::Result;
use crate::format::MAX_LISTED;
use crate::ioctl::enumerate::{self, CONTINUOUS, FrmIvalEnum, STEPWISE};
use crate::ioctl::parameters;

/// Seconds from one frame to the next, as a fraction: 1/30 is 30 frames per second.
///
/// Source: `struct v4l2_fract`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interval {
    /// Seconds …
    pub numerator: u32,
    /// … divided by this.
    pub denominator: u32,
}

/// One interval, or a range of them.
///
/// Source: `struct v4l2_frmivalenum`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intervals {
    /// Exactly this one.
    Discrete(Interval),
    /// From the shortest to the longest; `step` is 1/1 or meaningless where V4L2 says "continuous".
    Stepwise {
        /// The shortest: the highest rate.
        min: Interval,
        /// The longest: the lowest rate.
        max: Interval,
        /// From one to the next.
        step: Interval,
    },
}

impl Interval {
    /// The interval of a whole number of frames per second.
    #[must_use]
    pub const fn of_fps(fps: u32) -> Self {
        Self { numerator: 1, denominator: fps }
    }

    /// Frames per second; 0 if that makes no sense.
    #[must_use]
    pub fn fps(self) -> f64 {
        if self.numerator == 0 {
            0.0
        } else {
            f64::from(self.denominator) / f64::from(self.numerator)
        }
    }

    /// The same as a duration, rounded down to nanoseconds; `None` if the fraction makes no sense.
    #[must_use]
    pub fn duration(self) -> Option<Duration> {
        let nanoseconds = u64::from(self.numerator) * 1_000_000_000;
        Some(Duration::from_nanos(nanoseconds.checked_div(u64::from(self.denominator))?))
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} s", self.numerator, self.denominator)
    }
}

impl Intervals {
    fn new(raw: &FrmIvalEnum) -> Self {
        let at =
            |i: usize| Interval { numerator: raw.interval[i], denominator: raw.interval[i + 1] };
        match raw.type_ {
            CONTINUOUS | STEPWISE => Self::Stepwise { min: at(0), max: at(2), step: at(4) },
            _ => Self::Discrete(at(0)),
        }
    }
}

impl Device {
    /// Lists the intervals of one format at one size. Empty where the driver keeps no such list.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`](crate::ErrorKind::Gone) if the device was unplugged.
    pub fn frame_intervals(
        &self,
        fourcc: [u8; 4],
        width: u32,
        height: u32,
    ) -> Result<Vec<Intervals>> {
        let fourcc = u32::from_le_bytes(fourcc);
        let mut intervals = Vec::new();
        for index in 0..MAX_LISTED {
            let found = enumerate::frame_interval(self.as_fd(), fourcc, (width, height), index);
            let failed = |errno| self.failed("list the frame intervals of", errno);
            let Some(raw) = found.map_err(failed)? else { break };
            intervals.push(Intervals::new(&raw));
            if matches!(intervals.last(), Some(Intervals::Stepwise { .. })) {
                break;
            }
        }
        Ok(intervals)
    }

    /// Reads the interval in force; `None` from a driver that has none.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`](crate::ErrorKind::Gone) if the device was unplugged.
    pub fn frame_interval(&self) -> Result<Option<Interval>> {
        parameters::time_per_frame(self.as_fd(), self.buf_type())
            .map(interval)
            .map_err(|errno| self.failed("read the frame interval of", errno))
    }

    /// Sets the interval, after the format; the answer is the one that the driver took, which may be another (`vivid`
    /// makes 1/25 of 1/30 at 640x480). `None` from a driver that has none, which is no error.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`](crate::ErrorKind::Busy) while somebody streams from the device.
    pub fn set_frame_interval(&mut self, wanted: Interval) -> Result<Option<Interval>> {
        let fraction = (wanted.numerator, wanted.denominator);
        parameters::set_time_per_frame(self.as_fd(), self.buf_type(), fraction)
            .map(interval)
            .map_err(|errno| self.failed(format!("set the frame interval {wanted} of"), errno))
    }
}

fn interval(fraction: Option<(u32, u32)>) -> Option<Interval> {
    fraction.map(|(numerator, denominator)| Interval { numerator, denominator })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISCRETE: u32 = 1;

    #[test]
    fn union_is_read_by_its_type() {
        let words = [1, 60, 1, 5, 1, 1];
        let discrete = FrmIvalEnum::sample(DISCRETE, words);
        assert_eq!(Intervals::new(&discrete), Intervals::Discrete(Interval::of_fps(60)));
        let (min, max, step) = (Interval::of_fps(60), Interval::of_fps(5), Interval::of_fps(1));
        let stepwise = FrmIvalEnum::sample(STEPWISE, words);
        assert_eq!(Intervals::new(&stepwise), Intervals::Stepwise { min, max, step });
    }

    #[test]
    fn fractions_without_sense_do_not_divide_by_zero() {
        let broken = Interval { numerator: 0, denominator: 0 };
        assert!(broken.fps().abs() < f64::EPSILON);
        assert_eq!(broken.duration(), None);
    }

    #[test]
    fn interval_converts() {
        let ntsc = Interval { numerator: 1001, denominator: 30_000 };
        assert!((ntsc.fps() - 29.97).abs() < 0.001);
        assert_eq!(ntsc.duration(), Some(Duration::from_nanos(33_366_666)));
        assert_eq!(ntsc.to_string(), "1001/30000 s");
    }
}
