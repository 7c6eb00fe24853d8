//! What only the runs before a run say of it: that its tests go on failing, that a scan found more than the one before.
//! Whoever has the numbers says it, and messages tell it.

use event::{Attempt, RunId};

/// What is new with a run of the default branch that is over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Its tests fail repeatedly, and did not before it.
    pub failing: Option<Failing>,
    /// Its scans found what those before it did not.
    pub found: Option<Found>,
}

/// Tests that fail repeatedly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// How often in a row.
    pub times: usize,
    /// On how many commits.
    pub commits: usize,
    /// The first of them: what the series is known by.
    pub since: (RunId, Attempt),
    /// Reports of tests say so of each of them.
    pub has_reports: bool,
    /// The first tests that failed each time ...
    pub tests: Vec<String>,
    /// ... of so many.
    pub tests_count: usize,
}

/// What scans found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The tools that looked.
    pub tools: Vec<String>,
    /// How much is how bad, the worst first.
    pub all: Vec<(String, u64)>,
    /// The same of what is new.
    pub new: Vec<(String, u64)>,
    /// The worst that is new.
    pub named: Vec<String>,
    /// What it is compared with; nothing where no scan was before it.
    pub before: Vec<(RunId, Attempt)>,
    /// There is more than is read.
    pub is_cut: bool,
}
