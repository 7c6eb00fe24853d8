//! What jobs shipped last, by repository and environment.

use std::sync::Arc;

use event::{ShippedBy, Timestamp, Verdict};
use rusqlite::{Connection, Row, params};

use crate::database::Figures;
use crate::error::FiguresError;
use crate::jobs::by;
use crate::query::{at, text, word};

/// Environments that are told of. Names may be made by runs (`review/pr-7`), so there can be many.
const ENVIRONMENTS_MAX: usize = 1_000;

/// The newest that jobs did in an environment.
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
    /// How it ended.
    pub verdict: Verdict,
    /// A tag, or a short commit.
    pub version: Arc<str>,
    /// When it was over.
    pub finished_at: Timestamp,
}

impl Figures {
    /// The newest that jobs did in each environment that they ever named.
    ///
    /// # Errors
    /// When the file does not answer.
    pub fn newest_by_jobs(&self) -> Result<Vec<NewestByJobs>, FiguresError> {
        newest(&self.reader()).map_err(|source| self.failed(source))
    }
}

fn newest(rows: &Connection) -> rusqlite::Result<Vec<NewestByJobs>> {
    // Beside one max() SQLite gives the columns of the row that has it.
    let mut statement = rows.prepare_cached(
        "SELECT project, environment, service, stream, verdict, version, max(finished_at)
         FROM shipment WHERE is_by_jobs = 1
         GROUP BY project, environment COLLATE NOCASE
         ORDER BY project, environment COLLATE NOCASE LIMIT ?1",
    )?;
    let line = |row: &Row<'_>| {
        Ok(NewestByJobs {
            repository: text(row, 0)?,
            environment: text(row, 1)?,
            workflow: text(row, 2)?,
            by: by(row, 3)?,
            verdict: word(row, 4)?,
            version: text(row, 5)?,
            finished_at: at(row, 6)?,
        })
    };
    statement.query_map(params![ENVIRONMENTS_MAX as i64], line)?.collect()
}
