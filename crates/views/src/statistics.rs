//! What is said of many measurements at once, and when too few are there to say it.

use event::Timestamp;

/// A median or a share of fewer says more about chance than about the work: it is not told.
pub const SAMPLES_MIN: usize = 5;

/// A span of time: from its first moment up to its end, which is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first moment.
    pub since: Timestamp,
    /// The first moment behind it.
    pub until: Timestamp,
}

impl Window {
    /// Whether it was then.
    pub fn has(self, at: Timestamp) -> bool {
        self.since <= at && at < self.until
    }

    /// Its length.
    pub fn length_ms(self) -> u64 {
        self.until.0.saturating_sub(self.since.0)
    }
}

/// How many of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// So many ...
    pub part: u64,
    /// ... of so many.
    pub whole: u64,
}

impl Share {
    /// Between 0 and 1; none where too few are there.
    pub fn value(self) -> Option<f64> {
        let is_enough = self.whole >= SAMPLES_MIN as u64;
        is_enough.then(|| self.part as f64 / self.whole as f64)
    }

    /// One more, which belongs to the part or not.
    pub(crate) fn count(&mut self, is_part: bool) {
        self.part += u64::from(is_part);
        self.whole += 1;
    }
}

/// Measurements in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// Ascending.
    sorted: Vec<u64>,
}

impl Spread {
    /// Of these.
    pub fn of(mut values: Vec<u64>) -> Spread {
        values.sort_unstable();
        Spread { sorted: values }
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    /// Their sum.
    pub fn sum(&self) -> u64 {
        self.sorted.iter().sum()
    }

    /// The one in the middle, between the two in the middle where their number is even; none where
    /// too few are there.
    pub fn median(&self) -> Option<u64> {
        let at = self.sorted.len() / 2;
        match self.sorted.len() {
            0..SAMPLES_MIN => None,
            odd if odd % 2 == 1 => Some(self.sorted[at]),
            _ => Some(self.sorted[at - 1].midpoint(self.sorted[at])),
        }
    }

    /// The least one that so many in a hundred are not above; none where too few are there.
    pub fn percentile(&self, percent: usize) -> Option<u64> {
        let rank = (self.sorted.len() * percent).div_ceil(100).max(1);
        self.sorted.get(rank - 1).copied().filter(|_| self.sorted.len() >= SAMPLES_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_ranks_are_measured_values() {
        let spread = Spread::of(vec![50, 10, 40, 20, 30]);
        assert_eq!((spread.median(), spread.percentile(75)), (Some(30), Some(40)));
        assert_eq!((spread.percentile(1), spread.percentile(100)), (Some(10), Some(50)));
        let spread = Spread::of(vec![6, 1, 2, 3, 4, 5]);
        assert_eq!((spread.median(), spread.percentile(90)), (Some(3), Some(6)));
        let spread = Spread::of(vec![u64::MAX; 6]);
        assert_eq!(spread.median(), Some(u64::MAX));
    }

    #[test]
    fn of_too_few_nothing_is_said() {
        let spread = Spread::of(vec![1, 2, 3, 4]);
        assert_eq!((spread.count(), spread.median(), spread.percentile(90)), (4, None, None));
        assert_eq!(Share { part: 4, whole: 4 }.value(), None);
        assert_eq!(Share { part: 1, whole: 5 }.value(), Some(0.2));
    }
}
