//! Stretches of bytes to hide, merged as they are found.

/// Sorted stretches that neither overlap nor touch (conformance 189).
#[derive(Default)]
pub(crate) struct Ranges(Vec<(usize, usize)>);

impl Ranges {
    /// Adds a match. A scan finds matches in an order in which each overlaps every earlier one that
    /// starts after it: by the place of a window inside the match, or by the match's end. So only
    /// the newest stretches can merge, and the list stays as short as its result.
    pub(crate) fn add(&mut self, start: usize, end: usize) {
        let (mut start, mut end) = (start, end);
        while let Some(&(last_start, last_end)) = self.0.last() {
            if last_end < start {
                break;
            }
            start = start.min(last_start);
            end = end.max(last_end);
            self.0.pop();
        }
        self.0.push((start, end));
    }

    /// Puts two lists together.
    pub(crate) fn merge(self, other: Ranges) -> Ranges {
        if other.0.is_empty() {
            return self;
        }
        if self.0.is_empty() {
            return other;
        }
        let mut all = self.0;
        all.extend(other.0);
        all.sort_unstable();
        let mut merged = Ranges::default();
        for (start, end) in all {
            merged.add(start, end);
        }
        merged
    }

    /// The stretches, in order.
    pub(crate) fn as_slice(&self) -> &[(usize, usize)] {
        &self.0
    }
}
