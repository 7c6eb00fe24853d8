//! What people are to be told of a run of the default branch that is over, which only those before it say: its tests
//! go on failing; a scan found what the one before did not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use event::{Attempt, RunId, StreamId};
use reports::Level;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use store::Store;
use views::{Failing, Found, News, Tested, failing};

use crate::database::Figures;
use crate::error::FiguresError;

/// Attempts that are looked back at: a series that is longer was told of long ago.
const LOOKED_BACK_MAX: usize = 500;
/// Events that whoever asks takes in first: a moment.
const WAITED_FOR_MAX: u64 = 1_000;
/// Tests, or findings, that are named; the others are counted.
const NAMED_MAX: usize = 5;

impl Figures {
    /// What is new with an attempt that is over, whose end stands at that place in the journal. Everything up to there
    /// is taken in first, where that is little.
    ///
    /// # Errors
    /// When the journal or the file does not answer, or many events are not counted yet: who asks has other things to
    /// do meanwhile.
    pub fn news(
        &self,
        store: &Store,
        stream: StreamId,
        position: u64,
    ) -> Result<News, FiguresError> {
        let Some((run, attempt)) = stream.as_run() else { return Ok(News::default()) };
        let caught = self.caught(store)?;
        if position.saturating_sub(caught.position) > WAITED_FOR_MAX {
            return Err(FiguresError::Behind { percent: caught.percent() });
        }
        if caught.position < position {
            self.catch_up(store, &mut |caught| caught.position < position)?;
        }
        let key = [run.0.cast_signed(), attempt.0.cast_signed()];
        news(&self.reader(), key).map_err(|source| self.failed(source))
    }
}

fn news(rows: &Connection, key: [i64; 2]) -> rusqlite::Result<News> {
    let failing = match failing(&tested(rows, key)?) {
        None => None,
        Some(series) => {
            let (tests, tests_count) = tests(rows, &series.attempts)?;
            Some(Failing {
                times: series.attempts.len(),
                commits: series.commits,
                since: series.attempts[0],
                has_reports: series.has_reports,
                tests,
                tests_count,
            })
        }
    };
    Ok(News { failing, found: found(rows, key)? })
}

/// Jobs of the run whose tests failed in this attempt or one before it: how each was when it ran last.
const BAD_JOBS: &str = "SELECT ran.attempt, ran.conclusion, EXISTS (
       SELECT 1 FROM result JOIN test ON test.id = result.test
       WHERE result.run = ran.run AND result.attempt = ran.attempt AND test.job = ran.job
         AND outcome IN ('failed', 'errored')) AS has_bad
     FROM job AS ran
     WHERE ran.run = past.run AND ran.attempt <= past.attempt
       AND NOT EXISTS (SELECT 1 FROM job AS later WHERE later.run = ran.run AND later.job = ran.job
                       AND later.attempt > ran.attempt AND later.attempt <= past.attempt)
       AND EXISTS (SELECT 1 FROM result JOIN test ON test.id = result.test
                   WHERE result.run = ran.run AND result.attempt <= past.attempt
                     AND test.job = ran.job AND outcome IN ('failed', 'errored'))";

/// How the tests of this attempt and those before it ended, oldest first; nothing where this one says nothing of them.
fn tested(rows: &Connection, key: [i64; 2]) -> rusqlite::Result<Vec<Tested>> {
    let mut statement = rows.prepare_cached(&format!(
        "SELECT past.run, past.attempt, past.commit_id, past.conclusion <> 'success',
           EXISTS (SELECT 1 FROM report WHERE report.run = past.run
                   AND report.attempt = past.attempt AND report.kind = 'tests') AS has_reports,
           EXISTS (SELECT 1 FROM result WHERE result.run = past.run
                   AND result.attempt = past.attempt AND outcome IN ('failed', 'errored')),
           past.attempt > 1
             AND EXISTS (SELECT 1 FROM ({BAD_JOBS}) AS bad WHERE bad.attempt = past.attempt),
           past.attempt > 1
             AND EXISTS (SELECT 1 FROM ({BAD_JOBS}) AS bad
                         WHERE bad.has_bad OR bad.conclusion <> 'success')
         FROM attempt AS here JOIN attempt AS past USING (repository, workflow)
         WHERE here.run = ?1 AND here.attempt = ?2
           AND here.is_default_branch = 1 AND here.is_partial = 0
           AND past.is_default_branch = 1 AND past.is_partial = 0 AND past.is_superseded = 0
           AND past.is_refused = 0 AND past.conclusion NOT IN ('cancelled', 'skipped')
           AND NOT (past.is_infra AND past.conclusion <> 'success')
           AND (past.completed_at, past.run, past.attempt)
             <= (here.completed_at, here.run, here.attempt)
         ORDER BY past.completed_at DESC, past.run DESC, past.attempt DESC LIMIT ?3"
    ))?;
    let wanted = params![key[0], key[1], LOOKED_BACK_MAX as i64];
    let mut found = statement.query(wanted)?;
    let (mut all, mut has_reports) = (Vec::new(), false);
    while let Some(row) = found.next()? {
        let past = Past {
            by: at(row, 0)?,
            commit: row.get::<_, String>(2)?.into(),
            has_failed: row.get(3)?,
            has_reports: row.get(4)?,
            has_bad: row.get(5)?,
            ran_again: row.get(6)?,
            is_bad_still: row.get(7)?,
        };
        has_reports |= past.has_reports;
        all.push(past);
    }
    let all: Vec<Tested> = all.into_iter().rev().filter_map(|it| it.tested(has_reports)).collect();
    // One that was left out says nothing, of itself nor of those before.
    let is_last = all.last().is_some_and(|it| it.by == id(key));
    Ok(if is_last { all } else { Vec::new() })
}

/// An attempt, and what may be said by it of its tests.
struct Past {
    by: (RunId, Attempt),
    commit: Arc<str>,
    has_failed: bool,
    has_reports: bool,
    /// A report of its own says that a test failed.
    has_bad: bool,
    /// A job ran in it whose tests failed, then or in an attempt before ...
    ran_again: bool,
    /// ... and there is one such job that was no better when it ran last.
    is_bad_still: bool,
}

impl Past {
    /// How its tests ended, where it says so; `is_reported` where others of its workflow keep reports.
    fn tested(self, is_reported: bool) -> Option<Tested> {
        let is_further = self.by.1 > Attempt(1);
        let failed = match self.has_reports {
            true => self.has_bad,
            // Many keep a report only where tests fail. A further attempt that ran none of those jobs ran others alone.
            false if is_reported && is_further => {
                if !self.ran_again {
                    return None;
                }
                self.is_bad_still
            }
            false => self.has_failed,
        };
        let Past { by, commit, has_reports, .. } = self;
        Some(Tested { by, commit, failed, has_reports })
    }
}

fn id(key: [i64; 2]) -> (RunId, Attempt) {
    (RunId(key[0].cast_unsigned()), Attempt(key[1].cast_unsigned()))
}

fn at(row: &Row<'_>, column: usize) -> rusqlite::Result<(RunId, Attempt)> {
    Ok(id([row.get(column)?, row.get(column + 1)?]))
}

/// The tests that failed in each of these that has a report, and how many those are.
fn tests(
    rows: &Connection,
    attempts: &[(RunId, Attempt)],
) -> rusqlite::Result<(Vec<String>, usize)> {
    let mut each: Option<BTreeSet<i64>> = None;
    let mut statement = rows.prepare_cached(
        "SELECT test FROM result
         WHERE run = ?1 AND attempt = ?2 AND outcome IN ('failed', 'errored')",
    )?;
    for (run, attempt) in attempts {
        let wanted = [run.0.cast_signed(), attempt.0.cast_signed()];
        let bad: BTreeSet<i64> =
            statement.query_map(wanted, |row| row.get(0))?.collect::<Result<_, _>>()?;
        // One without a report did not come to its tests.
        if !bad.is_empty() {
            each = Some(each.map_or_else(|| bad.clone(), |each| &each & &bad));
        }
    }
    let each = each.unwrap_or_default();
    let mut name = rows.prepare_cached("SELECT class, suite, name FROM test WHERE id = ?1")?;
    let mut names = Vec::new();
    for test in each.iter().take(NAMED_MAX) {
        names.push(name.query_row([test], |row| {
            let (class, suite): (String, String) = (row.get(0)?, row.get(1)?);
            let of = if class.is_empty() { suite } else { class };
            let parts = [of, row.get(2)?];
            let parts: Vec<&str> =
                parts.iter().map(String::as_str).filter(|it| !it.is_empty()).collect();
            Ok(parts.join(" \u{203a} "))
        })?);
    }
    Ok((names, each.len()))
}

/// What stays the same of a finding while lines move.
type Mark = (String, String, String, Level);

/// What scans of this attempt found; none where nothing of it is new, or worth a look.
fn found(rows: &Connection, key: [i64; 2]) -> rusqlite::Result<Option<Found>> {
    let mut found = Found::default();
    let mut statement = rows.prepare_cached(
        "SELECT tool, is_cut FROM scan JOIN attempt USING (run, attempt)
         WHERE run = ?1 AND attempt = ?2 AND is_default_branch = 1 AND is_partial = 0 ORDER BY tool",
    )?;
    let tools = statement.query_map(key, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let tools: Vec<(String, bool)> = tools.collect::<Result<_, _>>()?;
    let (mut all, mut new) = (BTreeMap::new(), BTreeMap::new());
    let mut worst: Vec<(Level, String)> = Vec::new();
    for (tool, is_cut) in tools {
        found.is_cut |= is_cut;
        let before = looked_before(rows, key, &tool)?;
        let of = before.map(|(before, _)| id(before));
        found.before.extend(of.filter(|it| !found.before.contains(it)));
        let known = match before {
            Some((before, _)) => findings(rows, before, &tool)?,
            None => BTreeMap::new(),
        };
        // What was not read of the one before may all have been there.
        let was_cut = before.is_some_and(|(_, was_cut)| was_cut);
        for (mark, count) in findings(rows, key, &tool)? {
            let more = if was_cut { 0 } else { count }
                .saturating_sub(known.get(&mark).copied().unwrap_or_default());
            let (rule, file, _, level) = mark;
            *all.entry(level).or_insert(0) += count;
            if more > 0 {
                *new.entry(level).or_insert(0) += more;
                let place = if file.is_empty() { String::new() } else { format!(" in {file}") };
                let rule = if rule.is_empty() { tool.clone() } else { rule };
                worst.push((level, format!("{rule}{place} ({})", level.as_str())));
            }
        }
        found.tools.push(tool);
    }
    // A note by itself is nothing to be told at once.
    if !new.keys().any(|level| *level > Level::Note) {
        return Ok(None);
    }
    worst.sort_by(|one, two| two.0.cmp(&one.0).then_with(|| one.1.cmp(&two.1)));
    worst.dedup();
    found.named = worst.into_iter().take(NAMED_MAX).map(|(_, name)| name).collect();
    (found.all, found.new) = (worst_first(all), worst_first(new));
    Ok(Some(found))
}

fn worst_first(counts: BTreeMap<Level, u64>) -> Vec<(String, u64)> {
    counts.into_iter().rev().map(|(level, count)| (level.as_str().to_owned(), count)).collect()
}

/// The newest attempt before this one that the tool looked at, and whether not all that it found was read, or is kept.
fn looked_before(
    rows: &Connection,
    key: [i64; 2],
    tool: &str,
) -> rusqlite::Result<Option<([i64; 2], bool)>> {
    let mut statement = rows.prepare_cached(
        "SELECT past.run, past.attempt, scan.is_cut OR NOT scan.is_kept
         FROM attempt AS here JOIN attempt AS past USING (repository, workflow)
         JOIN scan ON scan.run = past.run AND scan.attempt = past.attempt AND scan.tool = ?3
         WHERE here.run = ?1 AND here.attempt = ?2
           AND past.is_default_branch = 1 AND past.is_partial = 0
           AND (past.completed_at, past.run, past.attempt)
             < (here.completed_at, here.run, here.attempt)
         ORDER BY past.completed_at DESC, past.run DESC, past.attempt DESC LIMIT 1",
    )?;
    let wanted = params![key[0], key[1], tool];
    let found = |row: &Row<'_>| Ok(([row.get(0)?, row.get(1)?], row.get(2)?));
    statement.query_row(wanted, found).optional()
}

fn findings(rows: &Connection, key: [i64; 2], tool: &str) -> rusqlite::Result<BTreeMap<Mark, u64>> {
    let mut statement = rows.prepare_cached(
        "SELECT rule, file, fingerprint, level, count FROM finding
         WHERE run = ?1 AND attempt = ?2 AND tool = ?3",
    )?;
    let mut found = statement.query(params![key[0], key[1], tool])?;
    let mut all = BTreeMap::new();
    while let Some(row) = found.next()? {
        let level = Level::parse(row.get_ref(3)?.as_str()?).unwrap_or(Level::Warning);
        let mark = (row.get(0)?, row.get(1)?, row.get(2)?, level);
        all.insert(mark, row.get::<_, i64>(4)?.cast_unsigned());
    }
    Ok(all)
}
