//! What the tests of a run said, and which tests do not always say the same.

use std::collections::BTreeMap;

use event::{Attempt, RunId, StreamId};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};
use store::Store;
use views::Window;

use crate::database::Figures;
use crate::error::FiguresError;
use crate::query::Asked;
use crate::series::{Series, series};

/// Tests of one list; what is more is counted.
const LISTED_MAX: usize = 200;
/// Files of one answer.
const FILES_MAX: usize = 2_000;
/// A test that passed so often in a row since is flaky no more.
const CLEAN_RUNS: u64 = 5;
/// Changes between passing and failing on the default branch from which on they are no accident: one
/// breaks, one mends, and again.
const FLIPS_MIN: u64 = 4;

/// The tests and the coverage of an attempt of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunTests {
    /// How many ended how.
    pub counts: TestCounts,
    /// Those that did not pass, 200 at most.
    pub failed: Vec<TestResult>,
    /// Those that passed at the second try, 200 at most.
    pub retried: Vec<TestResult>,
    /// Those that the run it is compared with had and this one has not, 200 at most.
    pub removed: Vec<TestResult>,
    /// Those that were run there and are skipped here, 200 at most.
    pub newly_skipped: Vec<TestResult>,
    /// Lines, and whether they ran; none where no report says so.
    pub coverage: Option<RunCoverage>,
    /// Both apart for each flag, by name; those of a run that a version took in which knew none are not.
    #[serde(default)]
    pub flags: Vec<FlagFigures>,
    /// The run of the default branch that it is compared with.
    pub compared_with: Option<(RunId, Attempt)>,
    /// The files that all of this was read from.
    pub reports: Vec<ReportFile>,
}

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestCounts {
    /// They passed.
    pub passed: u64,
    /// What they expect is not so.
    pub failed: u64,
    /// They broke.
    pub errored: u64,
    /// They were not run.
    pub skipped: u64,
    /// Of those that passed: at the second try.
    pub retried: u64,
    /// How long all of them took.
    pub time_ms: u64,
}

/// What reports of one flag say: what their artifacts' names say that they are of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlagFigures {
    /// The flag.
    pub flag: String,
    /// How many tests ended how; none where it has none.
    pub tests: Option<TestCounts>,
    /// Lines that ran, of how many; none where no report says so.
    pub coverage: Option<(u64, u64)>,
    /// The same of the run that it is compared with.
    pub coverage_before: Option<(u64, u64)>,
}

/// What there was coverage of in the run that another is compared with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoverageBefore {
    /// Of anything at all.
    pub whole: bool,
    /// Of these flags.
    pub flags: Vec<String>,
}

/// A test and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestResult {
    /// The job whose report has it.
    pub job: String,
    /// The suite.
    pub suite: String,
    /// The class.
    pub class: String,
    /// The name.
    pub name: String,
    /// The file it stands in; empty where the report does not say.
    pub file: String,
    /// The line there.
    pub line: Option<u32>,
    /// How it ended.
    pub outcome: String,
    /// How long it took.
    pub time_ms: Option<u64>,
    /// The flag of its report; empty where an older version took it in.
    #[serde(default)]
    pub flag: String,
}

impl TestResult {
    /// Its name behind its class, or its suite where it has none.
    pub fn full_name(&self) -> String {
        let of = if self.class.is_empty() { &self.suite } else { &self.class };
        let parts = [of.as_str(), self.name.as_str()];
        let parts: Vec<&str> = parts.into_iter().filter(|it| !it.is_empty()).collect();
        parts.join(" \u{203a} ")
    }
}

/// Lines that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCoverage {
    /// Lines that ran ...
    pub covered: u64,
    /// ... of so many.
    pub lines: u64,
    /// The same of the run that it is compared with.
    pub before: Option<(u64, u64)>,
    /// File by file, those with the most lines that did not run first, 2,000 at most.
    pub files: Vec<CoveredFile>,
}

/// A file's lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoveredFile {
    /// Its name.
    pub file: String,
    /// Lines that ran ...
    pub covered: u64,
    /// ... of so many.
    pub lines: u64,
    /// The same of the run that it is compared with; none where that has no such file.
    pub before: Option<(u64, u64)>,
}

/// A report, and where it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportFile {
    /// The artifact.
    pub artifact: String,
    /// The file in it.
    pub file: String,
    /// `tests` or `coverage`.
    pub kind: String,
    /// It ended in the middle, or has more than is read.
    pub is_cut: bool,
}

/// A test that does not always say the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flaky {
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
    /// The file it stands in.
    pub file: String,
    /// `flaky`; `suspect` where only a run in which something around it failed says so, or only its
    /// changes on the default branch.
    pub state: String,
    /// How often it was run.
    pub runs: u64,
    /// How often it failed, or passed at the second try only.
    pub failures: u64,
    /// Runs in which it passed at the second try, newest first.
    pub retried_in: Vec<(RunId, Attempt)>,
    /// Commits on which it passed and failed, newest first.
    pub differs_on: Vec<Disagreement>,
    /// How often it changed between passing and failing on the default branch.
    pub flips: u64,
}

/// A commit on which a test passed and failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disagreement {
    /// The commit.
    pub commit: String,
    /// Where it passed.
    pub passed_in: Vec<(RunId, Attempt)>,
    /// Where it failed.
    pub failed_in: Vec<(RunId, Attempt)>,
}

impl Figures {
    /// What the reports of an attempt say; none where it kept none, or is not over. One that was not
    /// taken in yet is, now.
    ///
    /// # Errors
    /// When the journal or the file does not answer.
    pub fn run_tests(
        &self,
        store: &Store,
        stream: StreamId,
    ) -> Result<Option<RunTests>, FiguresError> {
        let Some((run, attempt)) = stream.as_run() else { return Ok(None) };
        self.take_if_new(store, stream)?;
        run_tests(&self.reader(), run, attempt).map_err(|source| self.failed(source))
    }

    /// The coverage of the run that an attempt is compared with; of one that kept no report itself, too.
    ///
    /// # Errors
    /// When the file does not answer.
    pub fn coverage_before(&self, stream: StreamId) -> Result<CoverageBefore, FiguresError> {
        let Some((run, attempt)) = stream.as_run() else { return Ok(CoverageBefore::default()) };
        let rows = self.reader();
        let read = || {
            let key = [run.0.cast_signed(), attempt.0.cast_signed()];
            let Some(base) = base(&rows, key)? else { return Ok(CoverageBefore::default()) };
            // A report without a line is as none: it says nothing that could be lost.
            let flags = flag_coverage(&rows, base)?.into_iter();
            let flags = flags.filter(|(_, (_, lines))| *lines > 0).map(|(flag, _)| flag).collect();
            let whole = coverage_of(&rows, base)?.is_some_and(|(_, lines)| lines > 0);
            Ok(CoverageBefore { whole, flags })
        };
        read().map_err(|source| self.failed(source))
    }

    /// What the newest runs of the default branch say of their tests, one after the other, workflow by workflow.
    ///
    /// # Errors
    /// When the file does not answer.
    pub fn series(&self, asked: &Asked) -> Result<Vec<Series>, FiguresError> {
        series(&self.reader(), asked).map_err(|source| self.failed(source))
    }

    /// Tests that do not always say the same, those that failed most first.
    ///
    /// # Errors
    /// When the file does not answer.
    pub fn flaky(&self, asked: &Asked) -> Result<Vec<Flaky>, FiguresError> {
        flaky(&self.reader(), asked).map_err(|source| self.failed(source))
    }
}

const OF_TEST: &str = "test.job, test.suite, test.class, test.name, test.file";

fn run_tests(
    rows: &Connection,
    run: RunId,
    attempt: Attempt,
) -> rusqlite::Result<Option<RunTests>> {
    let key = [run.0.cast_signed(), attempt.0.cast_signed()];
    let reports = report_files(rows, key)?;
    if reports.is_empty() {
        return Ok(None);
    }
    let base = base(rows, key)?;
    let mut told = RunTests { reports, counts: counts(rows, key)?, ..RunTests::default() };
    let here = |condition: &str| {
        let query = format!(
            "SELECT {OF_TEST}, line, outcome, time_ms, result.flag FROM result JOIN test ON test.id = result.test
             WHERE run = ?1 AND attempt = ?2 AND {condition} ORDER BY {OF_TEST} LIMIT ?3"
        );
        listed(rows, &query, params![key[0], key[1], LISTED_MAX as i64])
    };
    told.failed = here("outcome IN ('failed', 'errored')")?;
    told.retried = here("is_retried = 1")?;
    if let Some(base) = base {
        told.compared_with =
            Some((RunId(base[0].cast_unsigned()), Attempt(base[1].cast_unsigned())));
        let all = params![key[0], key[1], LISTED_MAX as i64, base[0], base[1]];
        let removed = format!(
            "SELECT {OF_TEST}, line, outcome, time_ms, result.flag FROM result JOIN test ON test.id = result.test
             WHERE run = ?4 AND attempt = ?5
               AND NOT EXISTS (SELECT 1 FROM result AS new WHERE new.test = result.test
                               AND new.run = ?1 AND new.attempt = ?2)
             ORDER BY {OF_TEST} LIMIT ?3"
        );
        // A run that never came to its tests took none of them away.
        let has_tests = told.counts != TestCounts::default();
        told.removed = if has_tests { listed(rows, &removed, all)? } else { Vec::new() };
        let skipped = format!(
            "SELECT {OF_TEST}, result.line, result.outcome, result.time_ms, result.flag
             FROM result JOIN test ON test.id = result.test
             JOIN result AS old ON old.test = result.test AND old.run = ?4 AND old.attempt = ?5
             WHERE result.run = ?1 AND result.attempt = ?2
               AND result.outcome = 'skipped' AND old.outcome <> 'skipped'
             ORDER BY {OF_TEST} LIMIT ?3"
        );
        told.newly_skipped = listed(rows, &skipped, all)?;
    }
    told.coverage = coverage(rows, key, base)?;
    told.flags = flags(rows, key, base)?;
    Ok(Some(told))
}

fn report_files(rows: &Connection, key: [i64; 2]) -> rusqlite::Result<Vec<ReportFile>> {
    let mut statement = rows.prepare_cached(
        "SELECT artifact, file, kind, is_cut FROM report WHERE run = ?1 AND attempt = ?2
         ORDER BY artifact, file",
    )?;
    let report = |row: &Row<'_>| {
        Ok(ReportFile {
            artifact: row.get(0)?,
            file: row.get(1)?,
            kind: row.get(2)?,
            is_cut: row.get(3)?,
        })
    };
    statement.query_map(key, report)?.collect()
}

/// The newest attempt of the default branch before this one that has reports.
pub(crate) fn base(rows: &Connection, key: [i64; 2]) -> rusqlite::Result<Option<[i64; 2]>> {
    let mut statement = rows.prepare_cached(
        "SELECT base.run, base.attempt FROM attempt AS base
         JOIN attempt AS here ON here.run = ?1 AND here.attempt = ?2
         WHERE base.repository = here.repository AND base.workflow = here.workflow
           AND base.is_default_branch = 1 AND base.is_partial = 0 AND base.run <> here.run
           AND base.completed_at <= here.completed_at
           AND EXISTS (SELECT 1 FROM report
                       WHERE report.run = base.run AND report.attempt = base.attempt)
         ORDER BY base.completed_at DESC, base.run DESC, base.attempt DESC LIMIT 1",
    )?;
    statement.query_row(key, |row| Ok([row.get(0)?, row.get(1)?])).optional()
}

const COUNTS: &str = "count(*) FILTER (WHERE outcome = 'passed'),
   count(*) FILTER (WHERE outcome = 'failed'), count(*) FILTER (WHERE outcome = 'errored'),
   count(*) FILTER (WHERE outcome = 'skipped'), count(*) FILTER (WHERE is_retried = 1),
   coalesce(sum(time_ms), 0)";

fn counted(row: &Row<'_>) -> rusqlite::Result<TestCounts> {
    let number = |column: usize| row.get::<_, i64>(column).map(i64::cast_unsigned);
    Ok(TestCounts {
        passed: number(0)?,
        failed: number(1)?,
        errored: number(2)?,
        skipped: number(3)?,
        retried: number(4)?,
        time_ms: number(5)?,
    })
}

pub(crate) fn counts(rows: &Connection, key: [i64; 2]) -> rusqlite::Result<TestCounts> {
    let query = format!("SELECT {COUNTS} FROM result WHERE run = ?1 AND attempt = ?2");
    rows.prepare_cached(&query)?.query_row(key, counted)
}

fn flags(
    rows: &Connection,
    key: [i64; 2],
    base: Option<[i64; 2]>,
) -> rusqlite::Result<Vec<FlagFigures>> {
    let mut flags: BTreeMap<String, FlagFigures> = BTreeMap::new();
    let new = |flag: &str| FlagFigures {
        flag: flag.to_owned(),
        tests: None,
        coverage: None,
        coverage_before: None,
    };
    let query = format!(
        "SELECT {COUNTS}, flag FROM result WHERE run = ?1 AND attempt = ?2 AND flag <> ''
         GROUP BY flag"
    );
    let mut statement = rows.prepare_cached(&query)?;
    let mut found = statement.query(key)?;
    while let Some(row) = found.next()? {
        let flag: String = row.get(6)?;
        flags.entry(flag.clone()).or_insert_with(|| new(&flag)).tests = Some(counted(row)?);
    }
    for (flag, lines) in flag_coverage(rows, key)? {
        flags.entry(flag.clone()).or_insert_with(|| new(&flag)).coverage = Some(lines);
    }
    for (flag, lines) in base.map(|base| flag_coverage(rows, base)).transpose()?.unwrap_or_default()
    {
        // One that is gone says nothing about this run.
        if let Some(it) = flags.get_mut(&flag) {
            it.coverage_before = Some(lines);
        }
    }
    Ok(flags.into_values().collect())
}

/// Lines that ran, of how many, by flag.
pub(crate) fn flag_coverage(
    rows: &Connection,
    key: [i64; 2],
) -> rusqlite::Result<Vec<(String, (u64, u64))>> {
    let mut statement = rows.prepare_cached(
        "SELECT flag, covered, lines FROM flag_coverage WHERE run = ?1 AND attempt = ?2
         ORDER BY flag",
    )?;
    let found = statement.query_map(key, |row| {
        let number = |column: usize| row.get::<_, i64>(column).map(i64::cast_unsigned);
        Ok((row.get(0)?, (number(1)?, number(2)?)))
    })?;
    found.collect()
}

fn listed(
    rows: &Connection,
    query: &str,
    wanted: &[&dyn rusqlite::ToSql],
) -> rusqlite::Result<Vec<TestResult>> {
    let mut statement = rows.prepare_cached(query)?;
    let found = statement.query_map(wanted, |row| {
        Ok(TestResult {
            job: row.get(0)?,
            suite: row.get(1)?,
            class: row.get(2)?,
            name: row.get(3)?,
            file: row.get(4)?,
            line: row.get(5)?,
            outcome: row.get(6)?,
            time_ms: row.get::<_, Option<i64>>(7)?.map(i64::cast_unsigned),
            flag: row.get(8)?,
        })
    })?;
    found.collect()
}

/// All lines that ran, of how many; none where no report says so.
pub(crate) fn coverage_of(
    rows: &Connection,
    key: [i64; 2],
) -> rusqlite::Result<Option<(u64, u64)>> {
    let mut statement = rows.prepare_cached(
        "SELECT sum(covered), sum(lines) FROM coverage WHERE run = ?1 AND attempt = ?2",
    )?;
    statement.query_row(key, |row| {
        let (covered, lines): (Option<i64>, Option<i64>) = (row.get(0)?, row.get(1)?);
        Ok(covered.zip(lines).map(|(one, two)| (one.cast_unsigned(), two.cast_unsigned())))
    })
}

fn coverage(
    rows: &Connection,
    key: [i64; 2],
    base: Option<[i64; 2]>,
) -> rusqlite::Result<Option<RunCoverage>> {
    let Some((covered, lines)) = coverage_of(rows, key)? else { return Ok(None) };
    let before = match base {
        Some(base) => coverage_of(rows, base)?,
        None => None,
    };
    let mut statement = rows.prepare_cached(
        "SELECT here.file, here.covered, here.lines, base.covered, base.lines
         FROM coverage AS here LEFT JOIN coverage AS base
           ON base.run = ?3 AND base.attempt = ?4 AND base.file = here.file
         WHERE here.run = ?1 AND here.attempt = ?2
         ORDER BY here.lines - here.covered DESC, here.file LIMIT ?5",
    )?;
    let base = base.unwrap_or_default();
    let wanted = params![key[0], key[1], base[0], base[1], FILES_MAX as i64];
    let files = statement.query_map(wanted, |row| {
        let before: (Option<i64>, Option<i64>) = (row.get(3)?, row.get(4)?);
        Ok(CoveredFile {
            file: row.get(0)?,
            covered: row.get::<_, i64>(1)?.cast_unsigned(),
            lines: row.get::<_, i64>(2)?.cast_unsigned(),
            before: before
                .0
                .zip(before.1)
                .map(|(one, two)| (one.cast_unsigned(), two.cast_unsigned())),
        })
    })?;
    let files = files.collect::<rusqlite::Result<_>>()?;
    Ok(Some(RunCoverage { covered, lines, before, files }))
}

/// A test's result in a run, as the signals need it.
struct Seen {
    at: (RunId, Attempt),
    commit: String,
    is_default_branch: bool,
    is_infra: bool,
    is_bad: bool,
    is_retried: bool,
}

fn flaky(rows: &Connection, asked: &Asked) -> rusqlite::Result<Vec<Flaky>> {
    let Window { since, until } = asked.window;
    // Only tests that failed, or passed at the second try, can be.
    let mut statement = rows.prepare_cached(
        "SELECT DISTINCT test.id, test.repository, test.workflow, test.job, test.suite, test.class,
           test.name, test.file
         FROM result JOIN attempt USING (run, attempt) JOIN test ON test.id = result.test
         WHERE completed_at >= ?1 AND completed_at < ?2 AND is_partial = 0
           AND (?3 IS NULL OR test.repository IN (SELECT value FROM json_each(?3)))
           AND (is_retried = 1 OR outcome IN ('failed', 'errored'))
         ORDER BY test.id",
    )?;
    let window = (since.0.cast_signed(), until.0.cast_signed());
    let mut found = statement.query(params![window.0, window.1, asked.repositories()])?;
    let mut all = Vec::new();
    while let Some(row) = found.next()? {
        let id: i64 = row.get(0)?;
        let seen = seen(rows, id, window)?;
        let mut it = Flaky {
            repository: row.get(1)?,
            workflow: row.get(2)?,
            job: row.get(3)?,
            suite: row.get(4)?,
            class: row.get(5)?,
            name: row.get(6)?,
            file: row.get(7)?,
            state: String::new(),
            runs: seen.len() as u64,
            failures: 0,
            retried_in: Vec::new(),
            differs_on: Vec::new(),
            flips: 0,
        };
        if judge(&mut it, &seen) {
            all.push(it);
        }
    }
    all.sort_by(|one, two| two.failures.cmp(&one.failures).then_with(|| one.name.cmp(&two.name)));
    all.truncate(LISTED_MAX);
    Ok(all)
}

/// How a test ended, oldest first; skips say nothing.
fn seen(rows: &Connection, test: i64, (since, until): (i64, i64)) -> rusqlite::Result<Vec<Seen>> {
    let mut statement = rows.prepare_cached(
        "SELECT run, attempt, commit_id, is_default_branch, is_infra,
           outcome IN ('failed', 'errored'), is_retried
         FROM result JOIN attempt USING (run, attempt)
         WHERE test = ?1 AND completed_at >= ?2 AND completed_at < ?3 AND is_partial = 0
           AND outcome <> 'skipped'
         ORDER BY completed_at, run, attempt",
    )?;
    let found = statement.query_map([test, since, until], |row| {
        let run = RunId(row.get::<_, i64>(0)?.cast_unsigned());
        let attempt = Attempt(row.get::<_, i64>(1)?.cast_unsigned());
        Ok(Seen {
            at: (run, attempt),
            commit: row.get(2)?,
            is_default_branch: row.get(3)?,
            is_infra: row.get(4)?,
            is_bad: row.get(5)?,
            is_retried: row.get(6)?,
        })
    })?;
    found.collect()
}

/// Whether the results disagree, and by which signals.
fn judge(it: &mut Flaky, seen: &[Seen]) -> bool {
    it.failures = seen.iter().filter(|it| it.is_bad || it.is_retried).count() as u64;
    it.retried_in = seen.iter().rev().filter(|it| it.is_retried).map(|it| it.at).collect();
    let mut commits: Vec<&str> = seen.iter().rev().map(|it| it.commit.as_str()).collect();
    let mut known = std::collections::BTreeSet::new();
    commits.retain(|commit| known.insert(*commit));
    // What only a run says in which something around the test failed is no proof.
    let mut is_proven = !it.retried_in.is_empty();
    for commit in commits {
        let of =
            |is_bad: bool| seen.iter().filter(move |it| it.commit == commit && it.is_bad == is_bad);
        let (passed, failed) = (of(false).count(), of(true).count());
        if passed > 0 && failed > 0 {
            is_proven |= of(false).any(|it| !it.is_infra) && of(true).any(|it| !it.is_infra);
            it.differs_on.push(Disagreement {
                commit: commit.to_owned(),
                passed_in: of(false).map(|it| it.at).collect(),
                failed_in: of(true).map(|it| it.at).collect(),
            });
        }
    }
    let on_default = seen.iter().filter(|it| it.is_default_branch && !it.is_infra);
    let ends: Vec<bool> = on_default.map(|it| it.is_bad).collect();
    it.flips = ends.windows(2).filter(|pair| pair[0] != pair[1]).count() as u64;
    let clean = seen.iter().rev().take_while(|it| !it.is_bad && !it.is_retried).count() as u64;
    let is_suspect = !it.differs_on.is_empty() || it.flips >= FLIPS_MIN;
    it.state = if is_proven { "flaky" } else { "suspect" }.to_owned();
    (is_proven || is_suspect) && clean < CLEAN_RUNS
}
