//! Tests that take the most time.
//!
//! One that failed says nothing of how long it takes: it ended early, or hung until somebody ended it. A tenth of a
//! second is where looking at one begins to pay; what takes less is nearly everything, and has no place in the index.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use views::{Spread, Window};

use crate::database::Figures;
use crate::error::FiguresError;
use crate::query::Asked;
use crate::report::Duration;

/// Results of one answer: the newest of the window.
const RESULTS_MAX: usize = 400_000;
/// Tests of one answer.
const LISTED_MAX: usize = 10;

/// A test, and how long it takes where it passes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowTest {
    /// `owner/name`
    pub repository: String,
    /// The workflow file.
    pub workflow: String,
    /// The job.
    pub job: String,
    /// The suite.
    pub suite: String,
    /// The class.
    pub class: String,
    /// The name.
    pub name: String,
    /// The file it stands in; empty where the report does not say.
    pub file: String,
    /// In all.
    pub total_ms: u64,
    /// The longest time.
    pub longest_ms: u64,
    /// Each time.
    pub time: Duration,
}

impl Figures {
    /// Tests that took the most time in all, those first; none that took less than a tenth of a second.
    ///
    /// # Errors
    /// When the file does not answer.
    pub fn slow_tests(&self, asked: &Asked) -> Result<Vec<SlowTest>, FiguresError> {
        slow_tests(&self.reader(), asked).map_err(|source| self.failed(source))
    }
}

/// From the newest attempt on (a `CROSS JOIN` keeps that order), each by the index of those that take time.
const TIMES: &str = "
    SELECT result.test, result.time_ms
    FROM attempt CROSS JOIN result ON result.run = attempt.run AND result.attempt = attempt.attempt
    WHERE attempt.completed_at >= ?1 AND attempt.completed_at < ?2 AND is_partial = 0
      AND (?3 IS NULL OR repository IN (SELECT value FROM json_each(?3)))
      AND outcome = 'passed' AND time_ms >= 100
    ORDER BY attempt.completed_at DESC LIMIT ?4";

fn slow_tests(rows: &Connection, asked: &Asked) -> rusqlite::Result<Vec<SlowTest>> {
    let Window { since, until } = asked.window;
    let mut statement = rows.prepare_cached(TIMES)?;
    let mut found = statement.query(params![
        since.0.cast_signed(),
        until.0.cast_signed(),
        asked.repositories(),
        RESULTS_MAX as i64
    ])?;
    let mut times: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
    while let Some(row) = found.next()? {
        times.entry(row.get(0)?).or_default().push(row.get::<_, i64>(1)?.cast_unsigned());
    }
    let mut all: Vec<(i64, Vec<u64>)> = times.into_iter().collect();
    all.sort_by_key(|(_, times)| std::cmp::Reverse(times.iter().sum::<u64>()));
    all.truncate(LISTED_MAX);
    all.into_iter().map(|(test, times)| named(rows, test, times)).collect()
}

fn named(rows: &Connection, test: i64, times: Vec<u64>) -> rusqlite::Result<SlowTest> {
    let mut statement = rows.prepare_cached(
        "SELECT repository, workflow, job, suite, class, name, file FROM test WHERE id = ?1",
    )?;
    let longest_ms = times.iter().copied().max().unwrap_or(0);
    let spread = Spread::of(times);
    statement.query_row([test], |row| {
        Ok(SlowTest {
            repository: row.get(0)?,
            workflow: row.get(1)?,
            job: row.get(2)?,
            suite: row.get(3)?,
            class: row.get(4)?,
            name: row.get(5)?,
            file: row.get(6)?,
            total_ms: spread.sum(),
            longest_ms,
            time: (&spread).into(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tests of which nobody would ask are most of them: what looks for the others reads none of those.
    #[test]
    fn they_are_found_by_their_index_alone() {
        let folder = tempfile::tempdir().unwrap();
        let figures = Figures::open(folder.path()).unwrap();
        let rows = figures.reader();
        let mut plan = rows.prepare(&format!("EXPLAIN QUERY PLAN {TIMES}")).unwrap();
        let wanted = params![1, 2, None::<String>, 3];
        let steps = plan.query_map(wanted, |row| row.get::<_, String>(3)).unwrap();
        let steps: Vec<String> = steps.collect::<rusqlite::Result<_>>().unwrap();
        let has = |part: &str| steps.iter().any(|it| it.contains(part));
        assert!(has("SEARCH attempt USING INDEX attempt_end"), "{steps:?}");
        assert!(has("SEARCH result USING COVERING INDEX result_slow"), "{steps:?}");
        assert!(!has("TEMP B-TREE"), "{steps:?}");
    }
}
