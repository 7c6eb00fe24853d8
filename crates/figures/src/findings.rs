//! What scans found: in a run, and on the default branch now.
//!
//! A finding is known from scan to scan by its rule, its file, its fingerprint, and how bad it is, wherever its line
//! is; one that is shown stands for all of a file that have all but the fingerprint in common.

use event::{Attempt, RunId, StreamId, Timestamp};
use reports::Level;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};
use store::Store;
use views::{RunView, Window};

use crate::database::Figures;
use crate::error::FiguresError;
use crate::query::{Asked, at};
use crate::scans::KEPT_MAX;

/// Tools of one run.
const TOOLS_MAX: usize = 50;
/// Scans of one answer: those that looked last.
const SCANS_MAX: usize = 50;
/// Findings of a scan that are named: those that are new, then the worst.
const NAMED_MAX: usize = 100;

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
    /// The newest run of the default branch before it in which the tool looked, where it is known what it found there.
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

/// An attempt in which a tool looked.
struct Looked {
    key: [i64; 2],
    ended_at: Timestamp,
    is_cut: bool,
    is_kept: bool,
}

impl Looked {
    fn id(&self) -> (RunId, Attempt) {
        (RunId(self.key[0].cast_unsigned()), Attempt(self.key[1].cast_unsigned()))
    }

    /// Whether all is known that it found.
    fn is_whole(&self) -> bool {
        self.is_kept && !self.is_cut
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
        "SELECT tool, is_cut, is_kept FROM scan WHERE run = ?1 AND attempt = ?2
         ORDER BY tool LIMIT ?3",
    )?;
    let tools = statement.query_map(params![key[0], key[1], TOOLS_MAX as i64], |row| {
        Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?))
    })?;
    let tools: Vec<(String, bool, bool)> = tools.collect::<Result<_, _>>()?;
    let scan = |(tool, is_cut, is_kept): (String, bool, bool)| {
        // What was not read of it may all have been there.
        let base = base(rows, key, &tool)?.filter(|it| is_kept && it.is_whole());
        let before = base.as_ref().map(|it| it.key);
        let counts = counts(rows, (key, &tool), before)?;
        let findings = named(rows, (key, &tool), before)?;
        Ok(RunScan {
            is_cut,
            is_kept,
            compared_with: base.map(|it| it.id()),
            more: more(&counts, findings.iter().map(|it| it.count)),
            counts,
            findings,
            tool,
        })
    };
    tools.into_iter().map(scan).collect()
}

fn more(all: &[FoundCount], named: impl Iterator<Item = u64>) -> u64 {
    all.iter().map(|it| it.count).sum::<u64>().saturating_sub(named.sum())
}

/// The newest attempt of the default branch before this run in which the tool looked.
fn base(rows: &Connection, key: [i64; 2], tool: &str) -> rusqlite::Result<Option<Looked>> {
    let mut statement = rows.prepare_cached(
        "SELECT past.run, past.attempt, past.completed_at, is_cut, is_kept
         FROM attempt AS here JOIN attempt AS past USING (repository, workflow)
         JOIN scan ON scan.run = past.run AND scan.attempt = past.attempt AND scan.tool = ?3
         WHERE here.run = ?1 AND here.attempt = ?2
           AND past.is_default_branch = 1 AND past.is_partial = 0
           AND past.run <> here.run AND past.completed_at <= here.completed_at
         ORDER BY past.completed_at DESC, past.run DESC, past.attempt DESC LIMIT 1",
    )?;
    statement.query_row(params![key[0], key[1], tool], |row| looked(row, 0)).optional()
}

fn looked(row: &Row<'_>, first: usize) -> rusqlite::Result<Looked> {
    Ok(Looked {
        key: [row.get(first)?, row.get(first + 1)?],
        ended_at: at(row, first + 2)?,
        is_cut: row.get(first + 3)?,
        is_kept: row.get(first + 4)?,
    })
}

/// What is found, beside how much of it was there before; of nothing that it is compared with, nothing.
const COMPARED: &str = "SELECT here.level, here.rule, here.file, here.count,
       CASE WHEN ?4 IS NOT NULL THEN max(0, here.count - coalesce(before.count, 0)) END AS more
     FROM finding AS here LEFT JOIN finding AS before
       ON before.run = ?4 AND before.attempt = ?5 AND before.tool = here.tool
       AND before.rule = here.rule AND before.file = here.file
       AND before.fingerprint = here.fingerprint AND before.level = here.level
     WHERE here.run = ?1 AND here.attempt = ?2 AND here.tool = ?3";

/// All levels, the worst first, as the database finds the place of one.
fn levels() -> String {
    Level::ALL.map(Level::as_str).join(" ")
}

/// A scan: an attempt, and the tool.
type Of<'t> = ([i64; 2], &'t str);

fn counts(
    rows: &Connection,
    (key, tool): Of<'_>,
    before: Option<[i64; 2]>,
) -> rusqlite::Result<Vec<FoundCount>> {
    let mut statement = rows.prepare_cached(&format!(
        "SELECT level, sum(count), sum(more) FROM ({COMPARED}) GROUP BY level
         ORDER BY instr(?6, level)"
    ))?;
    let (run, attempt) = (before.map(|it| it[0]), before.map(|it| it[1]));
    let wanted = params![key[0], key[1], tool, run, attempt, levels()];
    let found = statement.query_map(wanted, |row| {
        Ok(FoundCount { level: row.get(0)?, count: number(row, 1)?, new: maybe_number(row, 2)? })
    })?;
    found.collect()
}

fn named(
    rows: &Connection,
    (key, tool): Of<'_>,
    before: Option<[i64; 2]>,
) -> rusqlite::Result<Vec<RunFinding>> {
    let mut statement = rows.prepare_cached(&format!(
        "SELECT level, rule, file, sum(count), sum(more) AS new FROM ({COMPARED})
         GROUP BY level, rule, file
         ORDER BY coalesce(new, 0) = 0, instr(?6, level), rule, file LIMIT ?7"
    ))?;
    let (run, attempt) = (before.map(|it| it[0]), before.map(|it| it[1]));
    let wanted = params![key[0], key[1], tool, run, attempt, levels(), NAMED_MAX as i64];
    let found = statement.query_map(wanted, |row| {
        Ok(RunFinding {
            level: row.get(0)?,
            rule: row.get(1)?,
            file: row.get(2)?,
            count: number(row, 3)?,
            new: maybe_number(row, 4)?,
        })
    })?;
    found.collect()
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
    let found = statement.query_map(wanted, |row| {
        let it = looked(row, 4)?;
        let (run, attempt) = it.id();
        let scan = LastScan {
            repository: row.get(0)?,
            workflow: row.get(1)?,
            tool: row.get(2)?,
            run,
            attempt,
            commit: row.get(3)?,
            completed_at_ms: it.ended_at,
            is_cut: it.is_cut,
            is_kept: it.is_kept,
            counts: Vec::new(),
            findings: Vec::new(),
            more: 0,
        };
        Ok((scan, it))
    })?;
    let all: Vec<(LastScan, Looked)> = found.collect::<Result<_, _>>()?;
    all.into_iter().map(|(scan, looked)| opened(rows, scan, looked)).collect()
}

/// With what it found.
fn opened(rows: &Connection, scan: LastScan, here: Looked) -> rusqlite::Result<LastScan> {
    let of = (here.key, &*scan.tool);
    let counts = counts(rows, of, None)?;
    let worst = named(rows, of, None)?;
    let past = past(rows, &scan, here)?;
    let findings = worst.into_iter().map(|it| since(rows, &scan.tool, it, &past));
    let findings = findings.collect::<rusqlite::Result<Vec<OpenFinding>>>()?;
    let more = more(&counts, findings.iter().map(|it| it.count));
    Ok(LastScan { more, counts, findings, ..scan })
}

/// A scan and those before it on the default branch, the newest first, up to one of which is not known any more what
/// it found.
fn past(rows: &Connection, scan: &LastScan, here: Looked) -> rusqlite::Result<Vec<Looked>> {
    let mut statement = rows.prepare_cached(
        "SELECT run, attempt, completed_at, is_cut, is_kept FROM scan JOIN attempt USING (run, attempt)
         WHERE repository = ?1 AND workflow = ?2 AND tool = ?3
           AND is_default_branch = 1 AND is_partial = 0
           AND (completed_at, run, attempt) < (?4, ?5, ?6)
         ORDER BY completed_at DESC, run DESC, attempt DESC LIMIT ?7",
    )?;
    let ended_at = here.ended_at.0.cast_signed();
    let (run, attempt) = (here.key[0], here.key[1]);
    let most = KEPT_MAX as i64;
    let wanted = params![scan.repository, scan.workflow, scan.tool, ended_at, run, attempt, most];
    let before = statement.query_map(wanted, |row| looked(row, 0))?;
    [Ok(here)].into_iter().chain(before).collect()
}

/// Since which of those scans a finding is there.
fn since(
    rows: &Connection,
    tool: &str,
    it: RunFinding,
    past: &[Looked],
) -> rusqlite::Result<OpenFinding> {
    let mut statement = rows.prepare_cached(
        "SELECT 1 FROM finding WHERE run = ?1 AND attempt = ?2 AND tool = ?3 AND rule = ?4
           AND file = ?5 AND level = ?6",
    )?;
    let mut first = &past[0];
    let mut or_earlier = false;
    for before in &past[1..] {
        let [run, attempt] = before.key;
        if !statement.exists(params![run, attempt, tool, it.rule, it.file, it.level])? {
            // Of one that was not read to its end, or is not known any more, nobody knows that it was not there.
            or_earlier = !before.is_whole();
            break;
        }
        first = before;
    }
    let (since_run, since_attempt) = first.id();
    Ok(OpenFinding {
        level: it.level,
        rule: it.rule,
        file: it.file,
        count: it.count,
        since_run,
        since_attempt,
        since_ms: first.ended_at,
        or_earlier,
    })
}
