//! The signal at an HDMI-like input: what it is, and setting the receiver to it.
//!
//! A webcam has no timings. A grabber has: when its source changes, detect the signal, set the receiver to it, and read
//! the format again, which follows.

use std::os::fd::AsFd;

use rustix::io::Errno;

use crate::device::Device;
use crate::error::{ErrorKind, Result};
use crate::ioctl::timings::{self as raw, DvTimings};

/// `V4L2_DV_FL_REDUCED_FPS`: the rate is lower by 1000/1001 than the numbers say.
const HAS_REDUCED_RATE: u32 = 1 << 1;

/// The timings of a digital video signal.
///
/// Source: `struct v4l2_bt_timings`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings(DvTimings);

/// What is at an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// A signal with these timings.
    Locked(Timings),
    /// Nothing is connected or switched on.
    None,
    /// There is something, but it is not stable (yet).
    Unstable,
    /// There is something that the hardware cannot receive.
    OutOfRange,
}

impl Timings {
    /// Pixels per row that are seen.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.0.width
    }

    /// Rows that are seen, of both fields if interlaced.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.0.height
    }

    /// Whether a frame is two fields.
    #[must_use]
    pub fn is_interlaced(&self) -> bool {
        self.0.interlaced != 0
    }

    /// Pixels per second, seen or not, in Hz.
    #[must_use]
    pub fn pixel_clock_hz(&self) -> u64 {
        self.0.pixel_clock_hz()
    }

    /// Frames per second (fields per second are twice that); `None` if the numbers make no sense.
    #[must_use]
    pub fn fps(&self) -> Option<f64> {
        let t = &self.0;
        let sum = |parts: &[u32]| parts.iter().map(|&part| u64::from(part)).sum::<u64>();
        let columns = sum(&[t.width, t.hfrontporch, t.hsync, t.hbackporch]);
        let mut rows = sum(&[t.height, t.vfrontporch, t.vsync, t.vbackporch]);
        if self.is_interlaced() {
            rows += sum(&[t.il_vfrontporch, t.il_vsync, t.il_vbackporch]);
        }
        let all = columns.checked_mul(rows).filter(|&all| all > 0)?;
        // Exact below 2^53, and any clock is far below.
        #[allow(clippy::cast_precision_loss, reason = "a rate for people to read")]
        let fps = t.pixel_clock_hz() as f64 / all as f64;
        let is_reduced = t.flags & HAS_REDUCED_RATE != 0;
        Some(if is_reduced { fps * 1000.0 / 1001.0 } else { fps })
    }
}

impl Device {
    /// Measures the signal at the input in use. Can take as long as some frames.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for an input that has no timings, such as any camera; [`ErrorKind::Busy`] from hardware
    /// that cannot measure while it streams.
    pub fn detect_signal(&self) -> Result<Signal> {
        match raw::detect(self.as_fd()) {
            Ok(timings) => Ok(Signal::Locked(Timings(timings))),
            Err(errno) => {
                signal(errno).ok_or_else(|| self.no_timings("detect the signal of", errno))
            }
        }
    }

    /// Reads the timings that the receiver is set to.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for an input that has none.
    pub fn timings(&self) -> Result<Timings> {
        raw::read(self.as_fd())
            .map(Timings)
            .map_err(|errno| self.no_timings("read the timings of", errno))
    }

    /// Sets the receiver to timings; the format in force changes with them.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for an input that has none, [`ErrorKind::Busy`] while somebody streams.
    pub fn set_timings(&mut self, timings: Timings) -> Result<Timings> {
        raw::set(self.as_fd(), &timings.0)
            .map(Timings)
            .map_err(|errno| self.no_timings("set the timings of", errno))
    }

    fn no_timings(&self, doing: &'static str, errno: Errno) -> crate::Error {
        let error = self.failed(doing, errno);
        // `ENODATA`: the driver knows timings, but not at this input.
        if errno == Errno::NODATA { error.with_kind(ErrorKind::Unsupported) } else { error }
    }
}

/// What an error of the measurement says about the signal, if it does.
///
/// Source: Linux Media Userspace API, "ioctl VIDIOC_QUERY_DV_TIMINGS".
fn signal(errno: Errno) -> Option<Signal> {
    match errno {
        Errno::NOLINK => Some(Signal::None),
        Errno::NOLCK => Some(Signal::Unstable),
        Errno::RANGE => Some(Signal::OutOfRange),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fps(timings: DvTimings) -> f64 {
        Timings(timings).fps().expect("sensible timings")
    }

    #[test]
    fn rate_is_clock_by_all_pixels() {
        // CEA-861 720p30 and 1080p60.
        assert!((fps(DvTimings::sample((1280, 720), (2020, 30), 74_250_000)) - 30.0).abs() < 1e-9);
        assert!((fps(DvTimings::sample((1920, 1080), (280, 45), 148_500_000)) - 60.0).abs() < 1e-9);
    }

    #[test]
    fn reduced_rate_is_lower() {
        let mut timings = DvTimings::sample((1920, 1080), (280, 45), 148_500_000);
        timings.flags = HAS_REDUCED_RATE;
        assert!((fps(timings) - 59.94).abs() < 0.001);
    }

    #[test]
    fn interlaced_frame_has_the_blanking_of_both_fields() {
        // CEA-861 1080i: 25 frames, 50 fields.
        let mut timings = DvTimings::sample((1920, 1080), (720, 22), 74_250_000);
        (timings.interlaced, timings.il_vsync) = (1, 23);
        assert!((fps(timings) - 25.0).abs() < 1e-9);
        assert!(Timings(timings).is_interlaced());
    }

    #[test]
    fn timings_without_sense_have_no_rate() {
        assert_eq!(Timings(DvTimings::sample((0, 0), (0, 0), 74_250_000)).fps(), None);
        let huge = DvTimings::sample((u32::MAX, u32::MAX), (u32::MAX, u32::MAX), u64::MAX);
        assert_eq!(Timings(huge).fps(), None, "no overflow");
    }

    #[test]
    fn missing_signal_is_a_value() {
        assert_eq!(signal(Errno::NOLINK), Some(Signal::None));
        assert_eq!(signal(Errno::NOLCK), Some(Signal::Unstable));
        assert_eq!(signal(Errno::RANGE), Some(Signal::OutOfRange));
        assert_eq!(signal(Errno::NODEV), None);
    }

    #[test]
    fn pixel_clock_of_64_bits_survives_its_odd_place() {
        let clock = 0x1234_5678_9abc_def0;
        assert_eq!(DvTimings::sample((1, 1), (0, 0), clock).pixel_clock_hz(), clock);
    }
}
