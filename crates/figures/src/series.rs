//! What the default branch's newest runs say one after the other: tests, coverage, time.

use event::{Attempt, Conclusion, RunId, Timestamp};
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};
use views::Window;

use crate::query::{Asked, at, maybe_at, word};
use crate::test_results::{TestCounts, base, counts, coverage_of, flag_coverage};

/// Workflows of one answer: those that ran last.
const WORKFLOWS_MAX: usize = 50;
/// Runs of one workflow: the newest.
const RUNS_MAX: usize = 30;

/// The newest runs of a workflow on the default branch, 30 at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// `owner/name`
    pub repository: String,
    /// The workflow file.
    pub workflow: String,
    /// In the order in which they ended.
    pub runs: Vec<SeriesRun>,
}

/// One of them, by its newest attempt of all jobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriesRun {
    /// The run.
    pub run: RunId,
    /// Its attempt.
    pub attempt: Attempt,
    /// What it ran.
    pub commit: String,
    /// How it ended.
    pub conclusion: Conclusion,
    /// When.
    pub completed_at_ms: Timestamp,
    /// How long it took; none where it never began.
    pub time_ms: Option<u64>,
    /// Its tests; none where no report has any.
    pub tests: Option<TestCounts>,
    /// Tests that the run before it had which kept a report of tests, and this one has not.
    pub removed: u64,
    /// Tests that were run there and are skipped here.
    pub newly_skipped: u64,
    /// Lines that ran, of how many; none where no report says so.
    pub coverage: Option<(u64, u64)>,
    /// The same by flag.
    pub flags: Vec<FlagLines>,
}

/// The coverage of a flag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlagLines {
    /// Which.
    pub flag: String,
    /// Lines that ran ...
    pub covered: u64,
    /// ... of so many.
    pub lines: u64,
}

/// Those of workflows that kept a report in the window.
pub(crate) fn series(rows: &Connection, asked: &Asked) -> rusqlite::Result<Vec<Series>> {
    let Window { since, until } = asked.window;
    let (since, until) = (since.0.cast_signed(), until.0.cast_signed());
    let mut statement = rows.prepare_cached(
        "SELECT repository, workflow FROM attempt
         WHERE is_default_branch = 1 AND is_partial = 0 AND completed_at >= ?1 AND completed_at < ?2
           AND (?3 IS NULL OR repository IN (SELECT value FROM json_each(?3)))
           AND EXISTS (SELECT 1 FROM report
                       WHERE report.run = attempt.run AND report.attempt = attempt.attempt)
         GROUP BY repository, workflow ORDER BY max(completed_at) DESC LIMIT ?4",
    )?;
    let wanted = params![since, until, asked.repositories(), WORKFLOWS_MAX as i64];
    let of = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let mut workflows: Vec<(String, String)> =
        statement.query_map(wanted, of)?.collect::<rusqlite::Result<_>>()?;
    workflows.sort();
    let of = |(repository, workflow): (String, String)| {
        let mut runs = runs(rows, (&repository, &workflow), (since, until))?;
        compare(rows, &mut runs)?;
        Ok(Series { repository, workflow, runs })
    };
    workflows.into_iter().map(of).collect()
}

fn runs(
    rows: &Connection,
    (repository, workflow): (&str, &str),
    (since, until): (i64, i64),
) -> rusqlite::Result<Vec<SeriesRun>> {
    let mut statement = rows.prepare_cached(
        "SELECT run, attempt, commit_id, conclusion, completed_at, started_at FROM attempt
         WHERE repository = ?1 AND workflow = ?2 AND is_default_branch = 1 AND is_partial = 0
           AND completed_at >= ?3 AND completed_at < ?4
           AND NOT EXISTS (SELECT 1 FROM attempt AS later
                           WHERE later.run = attempt.run AND later.attempt > attempt.attempt
                             AND later.is_partial = 0)
         ORDER BY completed_at DESC, run DESC LIMIT ?5",
    )?;
    let wanted = params![repository, workflow, since, until, RUNS_MAX as i64];
    let run = |row: &Row<'_>| {
        let (completed_at, started_at) = (at(row, 4)?, maybe_at(row, 5)?);
        Ok(SeriesRun {
            run: RunId(row.get::<_, i64>(0)?.cast_unsigned()),
            attempt: Attempt(row.get::<_, i64>(1)?.cast_unsigned()),
            commit: row.get(2)?,
            conclusion: word(row, 3)?,
            completed_at_ms: completed_at,
            time_ms: started_at.map(|since| completed_at.0.saturating_sub(since.0)),
            tests: None,
            removed: 0,
            newly_skipped: 0,
            coverage: None,
            flags: Vec::new(),
        })
    };
    let mut runs: Vec<SeriesRun> =
        statement.query_map(wanted, run)?.collect::<rusqlite::Result<_>>()?;
    runs.reverse();
    Ok(runs)
}

/// What reports say of each, and what is not there any more that was there in the one before.
fn compare(rows: &Connection, runs: &mut [SeriesRun]) -> rusqlite::Result<()> {
    let mut before: Option<[i64; 2]> = None;
    for (index, it) in runs.iter_mut().enumerate() {
        let key = [it.run.0.cast_signed(), it.attempt.0.cast_signed()];
        if index == 0 {
            before = base(rows, key)?;
        }
        it.tests = Some(counts(rows, key)?).filter(|it| *it != TestCounts::default());
        it.coverage = coverage_of(rows, key)?;
        let flag = |(flag, (covered, lines))| FlagLines { flag, covered, lines };
        it.flags = flag_coverage(rows, key)?.into_iter().map(flag).collect();
        if it.tests.is_none() {
            continue;
        }
        if let Some(before) = before {
            it.removed = count(rows, REMOVED, key, before)?;
            it.newly_skipped = count(rows, NEWLY_SKIPPED, key, before)?;
        }
        before = Some(key);
    }
    Ok(())
}

const REMOVED: &str = "SELECT count(*) FROM result WHERE run = ?3 AND attempt = ?4
   AND NOT EXISTS (SELECT 1 FROM result AS new
                   WHERE new.test = result.test AND new.run = ?1 AND new.attempt = ?2)";
const NEWLY_SKIPPED: &str = "SELECT count(*) FROM result
   JOIN result AS old ON old.test = result.test AND old.run = ?3 AND old.attempt = ?4
   WHERE result.run = ?1 AND result.attempt = ?2
     AND result.outcome = 'skipped' AND old.outcome <> 'skipped'";

fn count(
    rows: &Connection,
    query: &str,
    here: [i64; 2],
    before: [i64; 2],
) -> rusqlite::Result<u64> {
    let wanted = [here[0], here[1], before[0], before[1]];
    let count: i64 = rows.prepare_cached(query)?.query_row(wanted, |row| row.get(0))?;
    Ok(count.cast_unsigned())
}
