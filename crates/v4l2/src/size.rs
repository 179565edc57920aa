//! Which frame sizes a format comes in.

use std::os::fd::AsFd;

use crate::device::Device;
use crate::error::Result;
use crate::format::MAX_LISTED;
use crate::ioctl::enumerate::{self, CONTINUOUS, FrmSizeEnum, STEPWISE};

/// One frame size, or a range of them. Widths and heights are in pixels.
///
/// Source: `struct v4l2_frmsizeenum`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sizes {
    /// Exactly this one.
    Discrete {
        /// Pixels per row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// Everything that the steps reach; a step of 1 is V4L2's "continuous".
    Stepwise {
        /// The widths.
        width: Steps,
        /// The heights.
        height: Steps,
    },
}

/// `min`, `min + step`, … up to `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// The least.
    pub min: u32,
    /// The greatest.
    pub max: u32,
    /// From one to the next; 0 stands for 1.
    pub step: u32,
}

impl Sizes {
    /// The size in here that is nearest to the one wanted; for a discrete one that is the only one.
    ///
    /// ```
    /// use eyelet_v4l2::size::{Sizes, Steps};
    ///
    /// let sizes = Sizes::Stepwise {
    ///     width: Steps { min: 32, max: 1920, step: 16 },
    ///     height: Steps { min: 32, max: 1080, step: 8 },
    /// };
    /// assert_eq!(sizes.nearest(645, 4000), (640, 1080));
    /// ```
    #[must_use]
    pub fn nearest(&self, width: u32, height: u32) -> (u32, u32) {
        match self {
            Self::Discrete { width, height } => (*width, *height),
            Self::Stepwise { width: widths, height: heights } => {
                (widths.nearest(width), heights.nearest(height))
            }
        }
    }

    fn new(raw: &FrmSizeEnum) -> Self {
        let [min_width, max_width, step_width, min_height, max_height, step_height] = raw.size;
        match raw.type_ {
            CONTINUOUS | STEPWISE => Self::Stepwise {
                width: Steps { min: min_width, max: max_width, step: step_width.max(1) },
                height: Steps { min: min_height, max: max_height, step: step_height.max(1) },
            },
            // The two words of the discrete member.
            _ => Self::Discrete { width: min_width, height: max_width },
        }
    }
}

impl Steps {
    /// The value in here that is nearest to the one wanted; the smaller of two that are equally near.
    #[must_use]
    pub fn nearest(&self, wanted: u32) -> u32 {
        let step = self.step.max(1);
        let last = self.max.max(self.min);
        let wanted = wanted.clamp(self.min, last);
        let beyond = (wanted - self.min) % step;
        let below = wanted - beyond;
        match below.checked_add(step) {
            Some(above) if above <= last && above - wanted < beyond => above,
            _ => below,
        }
    }
}

impl Device {
    /// Lists the sizes that a pixel format comes in. Empty where the driver keeps no such list: ask for a size and see.
    ///
    /// # Errors
    /// [`ErrorKind::Gone`](crate::ErrorKind::Gone) if the device was unplugged.
    pub fn frame_sizes(&self, fourcc: [u8; 4]) -> Result<Vec<Sizes>> {
        let mut sizes = Vec::new();
        for index in 0..MAX_LISTED {
            let found = enumerate::frame_size(self.as_fd(), u32::from_le_bytes(fourcc), index);
            let failed = |errno| self.failed("list the frame sizes of", errno);
            let Some(raw) = found.map_err(failed)? else { break };
            sizes.push(Sizes::new(&raw));
            if matches!(sizes.last(), Some(Sizes::Stepwise { .. })) {
                // A range is the whole answer; some drivers repeat it for every position.
                break;
            }
        }
        Ok(sizes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DISCRETE: u32 = 1;

    #[test]
    fn union_is_read_by_its_type() {
        let discrete = FrmSizeEnum::sample(DISCRETE, [640, 480, 0, 0, 0, 0]);
        assert_eq!(Sizes::new(&discrete), Sizes::Discrete { width: 640, height: 480 });
        let stepwise = FrmSizeEnum::sample(STEPWISE, [320, 1920, 2, 180, 1080, 4]);
        let width = Steps { min: 320, max: 1920, step: 2 };
        let height = Steps { min: 180, max: 1080, step: 4 };
        assert_eq!(Sizes::new(&stepwise), Sizes::Stepwise { width, height });
        let continuous = FrmSizeEnum::sample(CONTINUOUS, [1, 8192, 0, 1, 8192, 0]);
        let all = Steps { min: 1, max: 8192, step: 1 };
        assert_eq!(Sizes::new(&continuous), Sizes::Stepwise { width: all, height: all });
    }

    #[test]
    fn nearest_stays_within_the_ends() {
        let steps = Steps { min: 16, max: 100, step: 16 };
        assert_eq!(steps.nearest(0), 16);
        assert_eq!(steps.nearest(24), 16, "of two equally near the smaller");
        assert_eq!(steps.nearest(25), 32);
        assert_eq!(steps.nearest(u32::MAX), 96);
    }

    #[test]
    fn nonsense_of_a_driver_gives_a_number() {
        assert_eq!(Steps { min: 10, max: 5, step: 0 }.nearest(7), 10);
        assert_eq!(Steps { min: 0, max: u32::MAX, step: u32::MAX }.nearest(u32::MAX - 1), u32::MAX);
    }

    proptest! {
        #[test]
        fn nearest_is_the_best_of_all(min in 0u32..50, len in 0u32..200, step in 1u32..20, wanted in 0u32..300) {
            let steps = Steps { min, max: min + len, step };
            let all = (0..).map(|i| min + i * step).take_while(|&v| v <= min + len);
            let best = all.min_by_key(|v| v.abs_diff(wanted)).expect("at least the least");
            prop_assert_eq!(steps.nearest(wanted), best);
        }

        #[test]
        fn nearest_is_within_whatever_a_driver_says(min: u32, max: u32, step: u32, wanted: u32) {
            let nearest = Steps { min, max, step }.nearest(wanted);
            prop_assert!(nearest >= min && nearest <= max.max(min));
        }
    }
}
