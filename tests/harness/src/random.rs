//! Random numbers that a seed makes again.

/// Numbers that follow from a seed and the number of a step, so that any step can be made again alone.
///
/// Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators" (2014), the generator SplitMix64.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Begins the numbers of a step.
    #[must_use]
    pub fn new(seed: u64, step: u64) -> Self {
        let mut random = Self(seed);
        let mixed = random.number() ^ step;
        Self(mixed)
    }

    /// Gives any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    /// Gives a number below `end`, which is small beside 2^64 and not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end.max(1)
    }

    /// Gives a number from `first` to `last`.
    pub fn within(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    /// Gives one of several, of which there is at least one.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap_or(0)]
    }

    /// Gives any bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.number().to_le_bytes()[0]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_reference() {
        // The first number that SplitMix64 gives from 0.
        assert_eq!(Random(0).number(), 0xE220_A839_7B1D_CDAF);
    }

    #[test]
    fn a_seed_and_a_step_make_the_same_numbers_again() {
        let three = |seed, step| {
            let mut random = Random::new(seed, step);
            [random.number(), random.number(), random.number()]
        };
        assert_eq!(three(1, 2), three(1, 2));
        assert_ne!(three(1, 2), three(1, 3));
        assert_ne!(three(1, 2), three(2, 2));
        assert!((0..1000).all(|step| (3..=5).contains(&Random::new(9, step).within(3, 5))));
    }
}
