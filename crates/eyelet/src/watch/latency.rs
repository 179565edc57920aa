//! Many times, in little memory: counts per class of nearly equal times.

use serde::Serialize;

/// Classes per power of two: a time is known to 1/128 of itself.
const PER_OCTAVE: usize = 128;
const OCTAVE_BITS: u32 = PER_OCTAVE.trailing_zeros();
/// Longest time that is told from longer ones: 2^30 µs, eighteen minutes.
const MAX_BITS: u32 = 30;
const CLASSES: usize = (MAX_BITS - OCTAVE_BITS + 1) as usize * PER_OCTAVE;

/// Collects times in µs.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    count: u64,
    max_us: u64,
}

/// How long it took: of all cases so many per cent took at most this, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percentiles {
    /// Half of them.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// 99 %.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Histogram {
    /// Adds one time. O(1).
    pub(crate) fn add(&mut self, us: u64) {
        if self.counts.is_empty() {
            self.counts = vec![0; CLASSES];
        }
        self.counts[class(us)] += 1;
        self.count += 1;
        self.max_us = self.max_us.max(us);
    }

    /// Gives the percentiles, never less than the truth and at most 1/128 more; `None` of nothing.
    pub(crate) fn percentiles(&self) -> Option<Percentiles> {
        (self.count > 0).then(|| Percentiles {
            p50: self.percentile_ms(50),
            p90: self.percentile_ms(90),
            p99: self.percentile_ms(99),
            max: ms(self.max_us),
        })
    }

    /// The nearest rank: the smallest time that `percent` of all do not exceed.
    fn percentile_ms(&self, percent: u64) -> f64 {
        let rank = (self.count * percent).div_ceil(100).max(1);
        let mut passed = 0;
        let class = self.counts.iter().position(|count| {
            passed += count;
            passed >= rank
        });
        ms(class.map_or(self.max_us, longest).min(self.max_us))
    }
}

/// The class of a time: below 2 * `PER_OCTAVE` each µs is one.
fn class(us: u64) -> usize {
    let us = us.min((1 << MAX_BITS) - 1);
    let octave = (u64::BITS - us.leading_zeros()).saturating_sub(OCTAVE_BITS + 1);
    let within = usize::try_from(us >> octave).unwrap_or(0);
    octave as usize * PER_OCTAVE + within
}

/// The longest time of a class.
fn longest(class: usize) -> u64 {
    let octave = (class / PER_OCTAVE).saturating_sub(1);
    let within = class - octave * PER_OCTAVE;
    ((within as u64 + 1) << octave) - 1
}

#[expect(clippy::cast_precision_loss, reason = "below 2^53 µs, which is 285 years")]
fn ms(us: u64) -> f64 {
    us as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percentiles_of_a_hundred_times() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentiles(), None);
        (1..=100).rev().for_each(|us| histogram.add(us));
        let expected = Percentiles { p50: 0.05, p90: 0.09, p99: 0.099, max: 0.1 };
        assert_eq!(histogram.percentiles(), Some(expected));
        let mut histogram = Histogram::default();
        histogram.add(1 << 50);
        assert_eq!(histogram.percentiles().map(|p| p.max), Some(1_125_899_906_842.624));
    }

    proptest! {
        #[test]
        fn a_percentile_is_off_by_one_class_at_most(mut all in prop::collection::vec(0u64..1 << MAX_BITS, 1..200)) {
            let mut histogram = Histogram::default();
            all.iter().for_each(|us| histogram.add(*us));
            all.sort_unstable();
            let truth = ms(all[(all.len() * 90).div_ceil(100) - 1]);
            let found = histogram.percentiles().unwrap().p90;
            prop_assert!(truth <= found && found <= truth * (1.0 + 1.0 / 128.0), "{found} is not {truth}");
        }

        #[test]
        fn classes_do_not_overlap(us in 0u64..1 << MAX_BITS) {
            prop_assert!(class(us) < CLASSES);
            prop_assert!(longest(class(us)) >= us);
            prop_assert!(class(us) == 0 || longest(class(us) - 1) < us);
        }
    }
}
