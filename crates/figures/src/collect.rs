//! Reports out of the artifacts of a run: files in them that look like one, of tests, coverage and scans.
//!
//! Nobody has to say where reports are: whoever uploads them for people to read has said it. A file
//! counts by what it holds; only names that reports have are opened.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::io::{BufReader, Read as _};

// What `zip` unpacks with; naming it chooses how it is made.
use flate2 as _;
use reports::{Coverage, Report, read};
use rusqlite::{Connection, params};
use store::Store;
use views::{AttemptFacts, KeptArtifact};
use zip::ZipArchive;

use crate::flag::flags;
use crate::scans;
use crate::standing;

/// Artifacts of one attempt that are looked into.
const ARTIFACTS_MAX: usize = 200;
/// Entries of one archive that are looked at.
const ENTRIES_MAX: usize = 5_000;
/// What is unpacked of all artifacts of one attempt. Somebody may pack nothing but zeros.
const BYTES_MAX: u64 = 128 << 20;
/// Tests of all reports of one attempt.
const TESTS_MAX: usize = 200_000;
/// Files of all reports of one attempt.
const FILES_MAX: usize = 100_000;
/// Lines of all reports of one attempt, those of several flags once for each: they are held until the last is read.
const LINES_MAX: u64 = 6_000_000;
/// Flags of all reports of one attempt: as many as artifacts, only one name for several could have more.
const FLAGS_MAX: usize = ARTIFACTS_MAX;
/// Findings of all scans of one attempt.
const FINDINGS_MAX: usize = 100_000;

/// Puts what the reports of an attempt say into rows, in place of what stands there.
pub(crate) fn collect(
    rows: &Connection,
    store: &Store,
    facts: &AttemptFacts,
) -> rusqlite::Result<()> {
    let (run, attempt) = (facts.run.0.cast_signed(), facts.attempt.0.cast_signed());
    for table in [
        "report",
        "result",
        "coverage",
        "flag_coverage",
        "scan",
        "finding",
        "scan_level",
        "scan_named",
    ] {
        let delete = format!("DELETE FROM {table} WHERE run = ?1 AND attempt = ?2");
        rows.prepare_cached(&delete)?.execute([run, attempt])?;
    }
    let mut found = Collected {
        rows,
        facts,
        bytes: BYTES_MAX,
        tests: TESTS_MAX,
        files: FILES_MAX,
        lines: LINES_MAX,
        coverage: BTreeMap::new(),
        taken: BTreeSet::new(),
        findings: FINDINGS_MAX,
    };
    for artifact in facts.artifacts.iter().take(ARTIFACTS_MAX) {
        // It expired and was pruned, or is no archive: then nothing of it is told.
        let Ok(file) = store.blobs().get(&artifact.blob) else { continue };
        let Ok(archive) = ZipArchive::new(BufReader::new(file)) else { continue };
        found.archive(archive, artifact)?;
    }
    scans::forget_old(rows, facts)?;
    standing::note_late(rows, facts)?;
    standing::count(rows)?;
    found.write_coverage()
}

/// Whether a file may be a report, by its name.
fn may_be_one(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    file.ends_with(".xml")
        || file.ends_with(".info")
        || file.starts_with("lcov")
        || file.ends_with(".sarif")
        || file.ends_with(".sarif.json")
}

struct Collected<'c> {
    rows: &'c Connection,
    facts: &'c AttemptFacts,
    /// What may still be unpacked, and taken.
    bytes: u64,
    tests: usize,
    files: usize,
    lines: u64,
    /// By flag.
    coverage: BTreeMap<String, Coverage>,
    /// Reports of tests and scans, by what they hold.
    taken: BTreeSet<u64>,
    findings: usize,
}

impl Collected<'_> {
    fn archive(
        &mut self,
        mut archive: ZipArchive<BufReader<std::fs::File>>,
        artifact: &KeptArtifact,
    ) -> rusqlite::Result<()> {
        for index in 0..archive.len().min(ENTRIES_MAX) {
            let Ok(entry) = archive.by_index(index) else { continue };
            let Ok(name) = entry.name().map(std::borrow::Cow::into_owned) else { continue };
            if !entry.is_file() || !may_be_one(&name) {
                continue;
            }
            let most = self.bytes.min(reports::BYTES_MAX as u64 + 1);
            let mut bytes = Vec::new();
            let is_read = entry.take(most).read_to_end(&mut bytes);
            self.bytes = self.bytes.saturating_sub(bytes.len() as u64);
            if is_read.is_err() || self.bytes == 0 {
                continue;
            }
            match read(&bytes) {
                Some(Report::Tests(tests)) if self.is_new(&bytes) => {
                    self.tests(&tests, artifact, &name)?;
                }
                Some(Report::Scan(scan)) if self.is_new(&bytes) => self.scan(&scan)?,
                Some(Report::Coverage(coverage)) => self.coverage(coverage, artifact, &name)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn note(
        &self,
        artifact: &KeptArtifact,
        file: &str,
        kind: &str,
        is_cut: bool,
    ) -> rusqlite::Result<()> {
        let mut statement = self.rows.prepare_cached(
            "INSERT OR REPLACE INTO report (run, attempt, artifact, file, kind, is_cut)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let (run, attempt) = (self.facts.run.0.cast_signed(), self.facts.attempt.0.cast_signed());
        let artifact = artifact.name.as_str();
        statement.execute(params![run, attempt, artifact, file, kind, is_cut]).map(drop)
    }

    fn tests(
        &mut self,
        tests: &reports::Tests,
        artifact: &KeptArtifact,
        file: &str,
    ) -> rusqlite::Result<()> {
        let is_cut = tests.is_cut || tests.cases.len() > self.tests;
        self.note(artifact, file, "tests", is_cut)?;
        // A test is of one flag: of several that one name has, of the first.
        let flag = flags(artifact.name.as_str()).remove(0).to_owned();
        for case in tests.cases.iter().take(self.tests) {
            self.result(case, artifact, &flag)?;
        }
        self.tests = self.tests.saturating_sub(tests.cases.len());
        Ok(())
    }

    /// One that was kept twice is told once.
    fn is_new(&mut self, bytes: &[u8]) -> bool {
        self.taken.insert(BuildHasherDefault::<DefaultHasher>::default().hash_one(bytes))
    }

    /// What people know of is not kept, nor is what a tool says in words.
    fn scan(&mut self, scan: &reports::Scan) -> rusqlite::Result<()> {
        let (run, attempt) = (self.facts.run.0.cast_signed(), self.facts.attempt.0.cast_signed());
        let open = scan.findings.iter().filter(|it| !it.is_suppressed);
        let is_cut = scan.is_cut || scan.findings.len() > self.findings;
        let mut tool = self.rows.prepare_cached(
            "INSERT INTO scan (run, attempt, tool, is_cut) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET is_cut = max(is_cut, excluded.is_cut)",
        )?;
        for name in &scan.tools {
            tool.execute(params![run, attempt, name, is_cut])?;
        }
        let mut finding = self.rows.prepare_cached(
            "INSERT INTO finding (run, attempt, tool, rule, file, fingerprint, level, count)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1)
             ON CONFLICT DO UPDATE SET count = count + 1",
        )?;
        for it in open.take(self.findings) {
            let (level, mark) = (it.level.as_str(), &it.fingerprint);
            finding.execute(params![run, attempt, it.tool, it.rule, it.file, mark, level])?;
        }
        self.findings = self.findings.saturating_sub(scan.findings.len());
        Ok(())
    }

    /// How a test ended. One that another flag of the same job has, too, is another test: `health` of two services
    /// that one job tests.
    fn result(
        &self,
        case: &reports::TestCase,
        artifact: &KeptArtifact,
        flag: &str,
    ) -> rusqlite::Result<()> {
        let (run, attempt) = (self.facts.run.0.cast_signed(), self.facts.attempt.0.cast_signed());
        let mut id = self.test(case, artifact, "")?;
        let mut of_another = self.rows.prepare_cached(
            "SELECT 1 FROM result WHERE test = ?1 AND run = ?2 AND attempt = ?3 AND flag <> ?4",
        )?;
        if of_another.exists(params![id, run, attempt, flag])? {
            id = self.test(case, artifact, flag)?;
        }
        let mut statement = self.rows.prepare_cached(
            "INSERT OR REPLACE INTO result
               (test, run, attempt, outcome, is_retried, line, time_ms, flag)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        let wanted = params![
            id,
            run,
            attempt,
            case.outcome.as_str(),
            case.is_retried,
            case.line,
            case.time_ms.map(u64::cast_signed),
            flag,
        ];
        statement.execute(wanted).map(drop)
    }

    /// By what a test is known.
    fn test(
        &self,
        case: &reports::TestCase,
        artifact: &KeptArtifact,
        flag: &str,
    ) -> rusqlite::Result<i64> {
        let mut known = self.rows.prepare_cached(
            "INSERT INTO test (repository, workflow, job, suite, class, name, file, flag)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT DO UPDATE SET name = name RETURNING id",
        )?;
        let wanted = params![
            self.facts.repository,
            self.facts.workflow,
            artifact.job.as_str(),
            case.suite,
            case.class,
            case.name,
            case.file.as_deref().unwrap_or_default(),
            flag,
        ];
        known.query_row(wanted, |row| row.get(0))
    }

    /// Several reports of one flag are taken together line by line: a line ran that ran in one of them.
    fn coverage(
        &mut self,
        mut coverage: Coverage,
        artifact: &KeptArtifact,
        file: &str,
    ) -> rusqlite::Result<()> {
        let mut flags = flags(artifact.name.as_str());
        let (all, mut left) = (flags.len(), FLAGS_MAX.saturating_sub(self.coverage.len()));
        flags.retain(|flag| {
            let is_known = self.coverage.contains_key(*flag);
            let is_taken = is_known || left > 0;
            left -= usize::from(is_taken && !is_known);
            is_taken
        });
        // Each flag has its own.
        let times = flags.len();
        let before = coverage.files.len();
        coverage.files.retain(|_, it| {
            let lines = it.lines() * times as u64;
            let is_taken = self.files >= times && self.lines >= lines;
            if is_taken {
                (self.files, self.lines) = (self.files - times, self.lines - lines);
            }
            is_taken
        });
        let is_more = times < all || coverage.files.len() < before;
        self.note(artifact, file, "coverage", coverage.is_cut || is_more)?;
        for flag in flags {
            self.coverage.entry(flag.to_owned()).or_default().join(coverage.clone());
        }
        Ok(())
    }

    fn write_coverage(&self) -> rusqlite::Result<()> {
        let (run, attempt) = (self.facts.run.0.cast_signed(), self.facts.attempt.0.cast_signed());
        let mut statement = self.rows.prepare_cached(
            "INSERT INTO flag_coverage (run, attempt, flag, covered, lines)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        for (flag, it) in &self.coverage {
            let (covered, lines) = (it.covered().cast_signed(), it.lines().cast_signed());
            statement.execute(params![run, attempt, flag, covered, lines])?;
        }
        // Two flags may have files that end in what tells a third one's apart.
        let mut statement = self.rows.prepare_cached(
            "INSERT OR REPLACE INTO coverage (run, attempt, file, covered, lines)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        for (file, it) in reports::whole(&self.coverage).files {
            let (covered, lines) = (it.covered().cast_signed(), it.lines().cast_signed());
            statement.execute(params![run, attempt, file, covered, lines])?;
        }
        Ok(())
    }
}
