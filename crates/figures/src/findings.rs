//! What scans found: in a run, and on the default branch now.
//!
//! A finding is known from scan to scan by its rule, its file, its fingerprint, and how bad it is, wherever its line
//! is; one that is shown stands for all of a file that have all but the fingerprint in common. All of it was counted
//! when the scan was taken in ([`crate::standing`]).

use event::{Attempt, RunId, StreamId, Timestamp};
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};
use store::Store;
use views::{RunView, Window};

use crate::database::Figures;
use crate::error::FiguresError;
use crate::query::{Asked, at};
use crate::standing::{NAMED_MAX, by_new, by_worst, worst_first};

/// Tools of one run.
const TOOLS_MAX: usize = 50;
/// Scans of one answer: those that looked last.
const SCANS_MAX: usize = 50;

/// What scans of a run found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunScans {
    /// By the names of the tools.
    pub scans: Vec<RunScan>,
}

/// What a tool found in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunScan {
    /// The tool.
    pub tool: String,
    /// It found more than is read.
    pub is_cut: bool,
    /// Whether it is still known what it found: the newest scans are kept.
    pub is_kept: bool,
    /// The newest run of the default branch before it in which the tool looked, where it was known what it found there.
    pub compared_with: Option<(RunId, Attempt)>,
    /// How much it found, the worst first.
    pub counts: Vec<FoundCount>,
    /// Those that are new, then the worst.
    pub findings: Vec<RunFinding>,
    /// How many more there are.
    pub more: u64,
}

/// How much a scan found that is so bad.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundCount {
    /// How bad: `critical`, `high`, `medium`, `low`, `error`, `warning` or `note`.
    pub level: String,
    /// How many.
    pub count: u64,
    /// How many of them the run that it is compared with does not have; null where it is compared with none.
    pub new: Option<u64>,
}

/// A finding of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFinding {
    /// How bad it is.
    pub level: String,
    /// The tool's rule; empty where it names none.
    pub rule: String,
    /// The file; empty where it names none.
    pub file: String,
    /// How often.
    pub count: u64,
    /// How many of them are new; null where the run is compared with none.
    pub new: Option<u64>,
}

/// What a tool found on the default branch when it looked last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastScan {
    /// `owner/name`
    pub repository: String,
    /// The workflow file.
    pub workflow: String,
    /// The tool.
    pub tool: String,
    /// The run in which it looked.
    pub run: RunId,
    /// Its attempt.
    pub attempt: Attempt,
    /// What it ran.
    pub commit: String,
    /// When it ended.
    pub completed_at_ms: Timestamp,
    /// It found more than is read.
    pub is_cut: bool,
    /// Whether it is still known what it found: the newest scans are kept.
    pub is_kept: bool,
    /// How much it found, the worst first; of none is said what is new.
    pub counts: Vec<FoundCount>,
    /// The worst first.
    pub findings: Vec<OpenFinding>,
    /// How many more there are.
    pub more: u64,
}

/// A finding that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenFinding {
    /// How bad it is.
    pub level: String,
    /// The tool's rule; empty where it names none.
    pub rule: String,
    /// The file; empty where it names none.
    pub file: String,
    /// How often.
    pub count: u64,
    /// The run that found it first, of those since which it was always found.
    pub since_run: RunId,
    /// Its attempt.
    pub since_attempt: Attempt,
    /// When that ended.
    pub since_ms: Timestamp,
    /// It may have been there before: what was found then is not known any more.
    pub or_earlier: bool,
}

impl LastScan {
    /// `scan.yml, octo/app`
    pub fn place(&self) -> String {
        format!("{}, {}", self.workflow, self.repository)
    }
}

impl Figures {
    /// What scans of a run found, with what of it is new, once the run is over.
    ///
    /// # Errors
    /// When the journal or the file does not answer.
    pub fn run_scans(&self, store: &Store, view: &RunView) -> Result<RunScans, FiguresError> {
        if view.conclusion.is_none() || view.artifacts.is_empty() {
            return Ok(RunScans::default());
        }
        let (run, attempt) = (view.header.run, view.header.attempt);
        self.take_if_new(store, StreamId::Run(run, attempt))?;
        let scans = of_run(&self.reader(), [run.0.cast_signed(), attempt.0.cast_signed()]);
        Ok(RunScans { scans: scans.map_err(|source| self.failed(source))? })
    }

    /// What each tool found on the default branch of each workflow when it looked last in that time, and since when
    /// that is there.
    ///
    /// # Errors
    /// When the file does not answer.
    pub fn last_scans(&self, asked: &Asked) -> Result<Vec<LastScan>, FiguresError> {
        last(&self.reader(), asked).map_err(|source| self.failed(source))
    }
}

fn of_run(rows: &Connection, key: [i64; 2]) -> rusqlite::Result<Vec<RunScan>> {
    let mut statement = rows.prepare_cached(
        "SELECT tool, is_cut, is_kept, base_run, base_attempt FROM scan
         WHERE run = ?1 AND attempt = ?2 ORDER BY tool LIMIT ?3",
    )?;
    let scan = |row: &Row<'_>| {
        let base = maybe_number(row, 3)?.zip(maybe_number(row, 4)?);
        Ok(RunScan {
            tool: row.get(0)?,
            is_cut: row.get(1)?,
            is_kept: row.get(2)?,
            compared_with: base.map(|(run, attempt)| (RunId(run), Attempt(attempt))),
            counts: Vec::new(),
            findings: Vec::new(),
            more: 0,
        })
    };
    let found = statement.query_map(params![key[0], key[1], TOOLS_MAX as i64], scan)?;
    let mut scans: Vec<RunScan> = found.collect::<Result<_, _>>()?;
    for it in &mut scans {
        it.counts = counts(rows, (key, &it.tool))?;
        it.findings = named(rows, (key, &it.tool), &by_new(), run_finding)?;
        it.more = more(&it.counts, it.findings.iter().map(|it| it.count));
    }
    Ok(scans)
}

fn more(all: &[FoundCount], named: impl Iterator<Item = u64>) -> u64 {
    all.iter().map(|it| it.count).sum::<u64>().saturating_sub(named.sum())
}

/// A scan: an attempt, and the tool.
type Of<'t> = ([i64; 2], &'t str);

fn counts(rows: &Connection, (key, tool): Of<'_>) -> rusqlite::Result<Vec<FoundCount>> {
    let mut statement = rows.prepare_cached(&format!(
        "SELECT level, count, new FROM scan_level
         WHERE run = ?1 AND attempt = ?2 AND tool = ?3 ORDER BY {}",
        worst_first()
    ))?;
    let found = statement.query_map(params![key[0], key[1], tool], |row| {
        Ok(FoundCount { level: row.get(0)?, count: number(row, 1)?, new: maybe_number(row, 2)? })
    })?;
    found.collect()
}

/// The first of its findings in that order.
fn named<T>(
    rows: &Connection,
    (key, tool): Of<'_>,
    order: &str,
    finding: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = rows.prepare_cached(&format!(
        "SELECT level, rule, file, count, new, since_run, since_attempt, since_at, or_earlier
         FROM scan_named WHERE run = ?1 AND attempt = ?2 AND tool = ?3
         ORDER BY {order} LIMIT ?4"
    ))?;
    let wanted = params![key[0], key[1], tool, NAMED_MAX as i64];
    statement.query_map(wanted, finding)?.collect()
}

fn run_finding(row: &Row<'_>) -> rusqlite::Result<RunFinding> {
    Ok(RunFinding {
        level: row.get(0)?,
        rule: row.get(1)?,
        file: row.get(2)?,
        count: number(row, 3)?,
        new: maybe_number(row, 4)?,
    })
}

fn open_finding(row: &Row<'_>) -> rusqlite::Result<OpenFinding> {
    Ok(OpenFinding {
        level: row.get(0)?,
        rule: row.get(1)?,
        file: row.get(2)?,
        count: number(row, 3)?,
        since_run: RunId(number(row, 5)?),
        since_attempt: Attempt(number(row, 6)?),
        since_ms: at(row, 7)?,
        or_earlier: row.get(8)?,
    })
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

fn maybe_number(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    row.get::<_, Option<i64>>(column).map(|it| it.map(i64::cast_unsigned))
}

fn last(rows: &Connection, asked: &Asked) -> rusqlite::Result<Vec<LastScan>> {
    let Window { since, until } = asked.window;
    let mut statement = rows.prepare_cached(
        "SELECT repository, workflow, tool, commit_id, run, attempt, completed_at, is_cut, is_kept
         FROM (SELECT *, row_number() OVER (PARTITION BY repository, workflow, tool
                 ORDER BY completed_at DESC, run DESC, attempt DESC) AS age
               FROM scan JOIN attempt USING (run, attempt)
               WHERE is_default_branch = 1 AND is_partial = 0
                 AND completed_at >= ?1 AND completed_at < ?2
                 AND (?3 IS NULL OR repository IN (SELECT value FROM json_each(?3))))
         WHERE age = 1 ORDER BY completed_at DESC, run DESC, tool LIMIT ?4",
    )?;
    let (since, until) = (since.0.cast_signed(), until.0.cast_signed());
    let wanted = params![since, until, asked.repositories(), SCANS_MAX as i64];
    let scan = |row: &Row<'_>| {
        Ok(LastScan {
            repository: row.get(0)?,
            workflow: row.get(1)?,
            tool: row.get(2)?,
            run: RunId(number(row, 4)?),
            attempt: Attempt(number(row, 5)?),
            commit: row.get(3)?,
            completed_at_ms: at(row, 6)?,
            is_cut: row.get(7)?,
            is_kept: row.get(8)?,
            counts: Vec::new(),
            findings: Vec::new(),
            more: 0,
        })
    };
    let mut scans: Vec<LastScan> =
        statement.query_map(wanted, scan)?.collect::<rusqlite::Result<_>>()?;
    for it in &mut scans {
        let key = [it.run.0.cast_signed(), it.attempt.0.cast_signed()];
        it.counts = counts(rows, (key, &it.tool))?;
        // Those who look here ask what is there.
        it.counts.iter_mut().for_each(|it| it.new = None);
        it.findings = named(rows, (key, &it.tool), &by_worst(), open_finding)?;
        it.more = more(&it.counts, it.findings.iter().map(|it| it.count));
    }
    Ok(scans)
}
