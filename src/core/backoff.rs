//! When a desk that does not answer is dialled again.

use std::time::Duration;

use crate::core::chance::Chance;

/// How long to wait before a desk is dialled again. The first wait is a random part of [`FIRST`];
/// each later one is a random time between six tenths of a bound and the bound, which grows
/// fourfold up to [`LAST`], or to [`at_most`]. So a customer's side dials a desk that is down ten
/// times in the first minute at most.
///
/// [`FIRST`]: Backoff::FIRST
/// [`LAST`]: Backoff::LAST
/// [`at_most`]: Backoff::at_most
#[derive(Clone, Debug)]
pub struct Backoff {
    bound: Duration,
    last: Duration,
    chance: Chance,
}

impl Backoff {
    /// The first bound.
    pub const FIRST: Duration = Duration::from_millis(250);
    /// The last bound: from then on it stays the same.
    pub const LAST: Duration = Duration::from_secs(15);
    /// A connection that lasted this long was healthy: after it the waits start again at the first
    /// one.
    pub const HEALTHY: Duration = Duration::from_secs(10);

    /// `seed` is random, so that customers cut off together do not come back together.
    pub fn new(seed: u64) -> Backoff {
        Backoff { bound: Self::FIRST, last: Self::LAST, chance: Chance::new(seed) }
    }

    /// No wait is longer than this.
    pub fn at_most(self, last: Duration) -> Backoff {
        Backoff { last, ..self }
    }

    /// How long to wait before the next attempt.
    pub fn wait(&mut self) -> Duration {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let least =
            if self.bound == Self::FIRST { Duration::ZERO } else { self.bound.mul_f64(0.6) };
        let wait = least + Duration::from_nanos(self.chance.below(nanos(self.bound - least)));
        self.bound = (self.bound * 4).min(self.last);
        wait
    }

    /// The last connection was healthy.
    pub fn reset(&mut self) {
        self.bound = Self::FIRST;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Backoff;

    #[test]
    fn customers_cut_off_together_dial_again_at_different_times_and_ever_later() {
        let mut waits: Vec<_> = (0..1000).map(|seed| Backoff::new(seed).wait()).collect();
        waits.sort();
        assert!(waits[500] > Duration::from_millis(90) && waits[500] < Duration::from_millis(160));
        let mut backoff = Backoff::new(7);
        let longest = (0..200).map(|_| backoff.wait()).max().unwrap();
        assert!(longest > Duration::from_secs(13) && longest <= Backoff::LAST);
        backoff.reset();
        assert!(backoff.wait() <= Backoff::FIRST);
        let mut short = Backoff::new(7).at_most(Duration::from_secs(5));
        let longest = (0..200).map(|_| short.wait()).max().unwrap();
        assert!(longest > Duration::from_secs(4) && longest <= Duration::from_secs(5));
    }
}
