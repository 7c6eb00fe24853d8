//! Tests that fail repeatedly: said once, when it becomes so.

use std::collections::BTreeSet;
use std::sync::Arc;

use event::{Attempt, RunId};

/// So often in a row is repeatedly.
pub const FAILING_TIMES_MIN: usize = 3;
/// On so many commits: a commit that is run again and again says nothing new.
pub const FAILING_COMMITS_MIN: usize = 2;

/// How the tests of an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// The attempt.
    pub by: (RunId, Attempt),
    /// Its commit.
    pub commit: Arc<str>,
    /// Whether they failed.
    pub failed: bool,
    /// Reports of tests say so; else how all of it ended.
    pub has_reports: bool,
}

/// Attempts in a row that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailingSeries {
    /// Oldest first.
    pub attempts: Vec<(RunId, Attempt)>,
    /// On how many commits.
    pub commits: usize,
    /// Reports of tests say so of each of them.
    pub has_reports: bool,
}

/// The series that becomes one with the last of these, oldest first; none where it was one already, or is none.
pub fn failing(attempts: &[Tested]) -> Option<FailingSeries> {
    let before = attempts.split_last().and_then(|(_, before)| series(before));
    series(attempts).filter(|_| before.is_none())
}

/// The series that these end with.
fn series(attempts: &[Tested]) -> Option<FailingSeries> {
    let passed = attempts.iter().rposition(|it| !it.failed).map_or(0, |at| at + 1);
    let failed = &attempts[passed..];
    let commits: BTreeSet<&str> = failed.iter().map(|it| &*it.commit).collect();
    let is_one = failed.len() >= FAILING_TIMES_MIN && commits.len() >= FAILING_COMMITS_MIN;
    is_one.then(|| FailingSeries {
        attempts: failed.iter().map(|it| it.by).collect(),
        commits: commits.len(),
        has_reports: failed.iter().all(|it| it.has_reports),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attempts as letters: a capital failed, and the letter is the commit.
    fn told(attempts: &str) -> Vec<usize> {
        let tested = |(at, letter): (usize, char)| Tested {
            by: (RunId(at as u64), Attempt(1)),
            commit: letter.to_ascii_lowercase().to_string().into(),
            failed: letter.is_ascii_uppercase(),
            has_reports: true,
        };
        let all: Vec<Tested> = attempts.chars().enumerate().map(tested).collect();
        (1..=all.len()).filter(|end| failing(&all[..*end]).is_some()).collect()
    }

    #[test]
    fn it_is_told_once_for_each_series() {
        let cases: &[(&str, &[usize])] = &[
            ("", &[]),
            ("abc", &[]),
            ("AB", &[]),
            ("ABC", &[3]),
            ("ABCDEF", &[3]),
            ("aABbCDE", &[7]),
            // One commit again and again is one commit.
            ("AAAA", &[]),
            ("AAAAB", &[5]),
            ("AAB", &[3]),
            ("ABCdEFGhIJ", &[3, 7]),
            // A re-run that passes ends it.
            ("ABbCD", &[]),
        ];
        for (attempts, expected) in cases {
            assert_eq!(told(attempts), *expected, "{attempts}");
        }
    }
}
