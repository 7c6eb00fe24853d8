//! Reports out of the artifacts of a run: files in them that look like one.
//!
//! Nobody has to say where reports are: whoever uploads them for people to read has said it. A file
//! counts by what it holds; only names that reports have are opened.

use std::io::{BufReader, Read as _};

// What `zip` unpacks with; naming it chooses how it is made.
use flate2 as _;
use reports::{Report, read};
use rusqlite::{Connection, params};
use store::Store;
use views::{AttemptFacts, KeptArtifact};
use zip::ZipArchive;

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

/// Puts what the reports of an attempt say into rows, in place of what stands there.
pub(crate) fn collect(
    rows: &Connection,
    store: &Store,
    facts: &AttemptFacts,
) -> rusqlite::Result<()> {
    let (run, attempt) = (facts.run.0.cast_signed(), facts.attempt.0.cast_signed());
    for table in ["report", "result", "coverage"] {
        let delete = format!("DELETE FROM {table} WHERE run = ?1 AND attempt = ?2");
        rows.prepare_cached(&delete)?.execute([run, attempt])?;
    }
    let mut found = Collected { rows, facts, bytes: BYTES_MAX, tests: TESTS_MAX, files: FILES_MAX };
    for artifact in facts.artifacts.iter().take(ARTIFACTS_MAX) {
        // It expired and was pruned, or is no archive: then nothing of it is told.
        let Ok(file) = store.blobs().get(&artifact.blob) else { continue };
        let Ok(archive) = ZipArchive::new(BufReader::new(file)) else { continue };
        found.archive(archive, artifact)?;
    }
    Ok(())
}

/// Whether a file may be a report, by its name.
fn may_be_one(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    file.ends_with(".xml") || file.ends_with(".info") || file.starts_with("lcov")
}

struct Collected<'c> {
    rows: &'c Connection,
    facts: &'c AttemptFacts,
    /// What may still be unpacked, and taken.
    bytes: u64,
    tests: usize,
    files: usize,
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
                Some(Report::Tests(tests)) => self.tests(&tests, artifact, &name)?,
                Some(Report::Coverage(coverage)) => self.coverage(&coverage, artifact, &name)?,
                // What scans found is counted nowhere yet.
                Some(Report::Scan(_)) | None => {}
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
        let mut known = self.rows.prepare_cached(
            "INSERT INTO test (repository, workflow, job, suite, class, name, file)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO UPDATE SET name = name RETURNING id",
        )?;
        let mut result = self.rows.prepare_cached(
            "INSERT OR REPLACE INTO result (test, run, attempt, outcome, is_retried, line, time_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        let facts = self.facts;
        for case in tests.cases.iter().take(self.tests) {
            let id: i64 = known.query_row(
                params![
                    facts.repository,
                    facts.workflow,
                    artifact.job.as_str(),
                    case.suite,
                    case.class,
                    case.name,
                    case.file.as_deref().unwrap_or_default(),
                ],
                |row| row.get(0),
            )?;
            result.execute(params![
                id,
                facts.run.0.cast_signed(),
                facts.attempt.0.cast_signed(),
                case.outcome.as_str(),
                case.is_retried,
                case.line,
                case.time_ms.map(u64::cast_signed),
            ])?;
        }
        self.tests = self.tests.saturating_sub(tests.cases.len());
        Ok(())
    }

    fn coverage(
        &mut self,
        coverage: &reports::Coverage,
        artifact: &KeptArtifact,
        file: &str,
    ) -> rusqlite::Result<()> {
        let is_cut = coverage.is_cut || coverage.files.len() > self.files;
        self.note(artifact, file, "coverage", is_cut)?;
        // Several reports of one file (of front and back end, say) do not tell which lines each
        // means: the one that covers more stands.
        let mut statement = self.rows.prepare_cached(
            "INSERT INTO coverage (run, attempt, file, covered, lines) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET covered = excluded.covered, lines = excluded.lines
             WHERE excluded.covered > covered",
        )?;
        let (run, attempt) = (self.facts.run.0.cast_signed(), self.facts.attempt.0.cast_signed());
        for it in coverage.files.iter().take(self.files) {
            let (covered, lines) = (it.covered.cast_signed(), it.lines.cast_signed());
            statement.execute(params![run, attempt, it.file, covered, lines])?;
        }
        self.files = self.files.saturating_sub(coverage.files.len());
        Ok(())
    }
}
