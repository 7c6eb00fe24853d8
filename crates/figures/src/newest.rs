//! What jobs shipped last, by repository and environment.

use std::sync::Arc;

use event::{DeploymentKind, ShippedBy, Timestamp, Verdict};
use rusqlite::{Connection, Row, params};

use crate::database::Figures;
use crate::error::FiguresError;
use crate::jobs::by;
use crate::query::{at, text, word};

/// Environments of a repository that are told of: the newest. Names may be made by runs (`review/pr-7`), so
/// there can be many.
const ENVIRONMENTS_MAX: usize = 200;

/// The newest that jobs did in each environment of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewestOfEach {
    /// Newest first.
    pub newest: Vec<NewestByJobs>,
    /// There are more environments than are told of.
    pub is_cut: bool,
}

/// What jobs of an attempt did in an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewestByJobs {
    /// `owner/name`
    pub repository: Arc<str>,
    /// The environment.
    pub environment: Arc<str>,
    /// The workflow file.
    pub workflow: Arc<str>,
    /// The run's attempt.
    pub by: ShippedBy,
    /// Which way it went.
    pub kind: DeploymentKind,
    /// How it ended; of one that runs, how it did until now.
    pub verdict: Verdict,
    /// A further job of it was planned and is not over.
    pub is_running: bool,
    /// A tag, or a short commit.
    pub version: Arc<str>,
    /// When it was over; of one that runs, when its last job was until now.
    pub finished_at: Timestamp,
}

impl NewestByJobs {
    /// How it stands, in the words of deployments.
    pub fn standing(&self) -> &'static str {
        if self.is_running { "running" } else { self.verdict.as_str() }
    }
}

impl Figures {
    /// The newest that jobs of a repository did in each environment that they ever named, newest first. What
    /// that takes grows with the environments that are told of, and with nothing else.
    ///
    /// # Errors
    /// When the file does not answer.
    pub fn newest_by_jobs(&self, repository: &str) -> Result<NewestOfEach, FiguresError> {
        newest(&self.reader(), repository).map_err(|source| self.failed(source))
    }

    /// The last that jobs of all repositories did in any environment, newest first, at most so many.
    ///
    /// # Errors
    /// When the file does not answer.
    pub fn last_by_jobs(&self, limit: usize) -> Result<Vec<NewestByJobs>, FiguresError> {
        last(&self.reader(), limit).map_err(|source| self.failed(source))
    }
}

/// Notes what is the newest that jobs did in an environment, behind any change of what they did there.
pub(crate) fn renew(rows: &Connection, project: &str, environment: &str) -> rusqlite::Result<()> {
    rows.prepare_cached("DELETE FROM newest WHERE project = ?1 AND environment = ?2")?
        .execute([project, environment])?;
    rows.prepare_cached(
        "INSERT INTO newest (project, environment, stream, service, finished_at)
         SELECT project, environment, stream, service, finished_at FROM shipment
         WHERE is_by_jobs = 1 AND project = ?1 AND environment = ?2
         ORDER BY finished_at DESC, position DESC, stream DESC LIMIT 1",
    )?
    .execute([project, environment])
    .map(drop)
}

/// The same of all environments.
pub(crate) fn renew_all(rows: &Connection) -> rusqlite::Result<()> {
    rows.execute_batch(
        "DELETE FROM newest;
         INSERT INTO newest (project, environment, stream, service, finished_at)
         SELECT project, environment, stream, service, finished_at FROM (
           SELECT *, row_number() OVER (PARTITION BY project, environment
                                        ORDER BY finished_at DESC, position DESC, stream DESC) AS nth
           FROM shipment WHERE is_by_jobs = 1)
         WHERE nth = 1;",
    )
}

/// What [`line`] reads of a shipment.
const COLUMNS: &str = "shipment.project, environment, service, stream, kind, verdict, version, \
                       shipment.finished_at, is_open";

fn line(row: &Row<'_>) -> rusqlite::Result<NewestByJobs> {
    Ok(NewestByJobs {
        repository: text(row, 0)?,
        environment: text(row, 1)?,
        workflow: text(row, 2)?,
        by: by(row, 3)?,
        kind: word(row, 4)?,
        verdict: word(row, 5)?,
        version: text(row, 6)?,
        finished_at: at(row, 7)?,
        is_running: row.get(8)?,
    })
}

fn newest(rows: &Connection, repository: &str) -> rusqlite::Result<NewestOfEach> {
    let mut statement = rows.prepare_cached(&format!(
        "SELECT {COLUMNS}
         FROM newest JOIN shipment USING (stream, environment, service)
         WHERE newest.project = ?1 ORDER BY newest.finished_at DESC, environment LIMIT ?2",
    ))?;
    let wanted = params![repository, ENVIRONMENTS_MAX as i64 + 1];
    let mut newest: Vec<NewestByJobs> =
        statement.query_map(wanted, line)?.collect::<rusqlite::Result<_>>()?;
    let is_cut = newest.len() > ENVIRONMENTS_MAX;
    newest.truncate(ENVIRONMENTS_MAX);
    Ok(NewestOfEach { newest, is_cut })
}

fn last(rows: &Connection, limit: usize) -> rusqlite::Result<Vec<NewestByJobs>> {
    let mut statement = rows.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM shipment WHERE is_by_jobs = 1
         ORDER BY finished_at DESC, position DESC, stream DESC, environment DESC LIMIT ?1",
    ))?;
    statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], line)?.collect()
}
