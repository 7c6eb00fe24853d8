//! What a set of stories has visited: kinds of events, and in which phase of a job each came.

use std::collections::BTreeMap;

/// Counts by (phase, kind of event).
#[derive(Clone, Debug, Default)]
pub struct Visits {
    pairs: BTreeMap<(&'static str, &'static str), u64>,
}

impl Visits {
    /// Counts one.
    pub fn count(&mut self, phase: &'static str, kind: &'static str) {
        *self.pairs.entry((phase, kind)).or_default() += 1;
    }

    /// Adds those of another story.
    pub fn add(&mut self, other: &Visits) {
        for (pair, count) in &other.pairs {
            *self.pairs.entry(*pair).or_default() += count;
        }
    }

    /// How often a kind came, in whatever phase.
    pub fn of_kind(&self, kind: &str) -> u64 {
        self.pairs.iter().filter(|((_, it), _)| *it == kind).map(|(_, count)| count).sum()
    }

    /// The pairs, a line each.
    pub fn table(&self) -> String {
        self.pairs.keys().map(|(phase, kind)| format!("{phase}: {kind}\n")).collect()
    }
}
