//! Random numbers from a seed: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
//! number generators", 2014). They are fast and evenly spread, but not for secrets: random bytes
//! for secrets come from the system.

/// A sequence of numbers. The same seed always gives the same sequence.
///
/// ```
/// use handoff::core::chance::Chance;
///
/// let (mut one, mut other) = (Chance::new(7), Chance::new(7));
/// for _ in 0..100 {
///     let number = one.below(6);
///     assert!(number < 6);
///     assert_eq!(number, other.below(6));
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    /// The next number, from 0 up to `bound` without it.
    ///
    /// # Panics
    /// When `bound` is 0: that is the caller's mistake.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

#[cfg(test)]
mod tests {
    use super::Chance;

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        // The first numbers of seed 1234567, as the reference implementation prints them.
        let mut chance = Chance::new(1_234_567);
        let numbers: Vec<u64> = (0..3).map(|_| chance.below(u64::MAX)).collect();
        let reference =
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(numbers, reference);
    }
}
