//! What jobs shipped last, by repository and environment.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use event::{ShippedBy, Timestamp, Verdict};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::database::Figures;
use crate::error::FiguresError;
use crate::jobs::by;
use crate::query::{at, text, word};

/// Environments of a repository that are told of: the newest. Names may be made by runs (`review/pr-7`), so
/// there can be many.
const ENVIRONMENTS_MAX: usize = 200;
/// Workflows in environments that are looked at for them.
const PLACES_MAX: usize = 10_000;

/// The newest that jobs did in each environment of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewestOfEach {
    /// Newest first.
    pub newest: Vec<NewestByJobs>,
    /// There are more environments than are told of.
    pub is_cut: bool,
}

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
    /// that takes grows with the environments, not with what was shipped.
    ///
    /// # Errors
    /// When the file does not answer.
    pub fn newest_by_jobs(&self, repository: &str) -> Result<NewestOfEach, FiguresError> {
        newest(&self.reader(), repository).map_err(|source| self.failed(source))
    }
}

fn newest(rows: &Connection, repository: &str) -> rusqlite::Result<NewestOfEach> {
    let mut next = rows.prepare_cached(
        "SELECT environment, service FROM shipment
         WHERE is_by_jobs = 1 AND project = ?1 AND (environment, service) > (?2, ?3)
         ORDER BY environment, service LIMIT 1",
    )?;
    let mut last = rows.prepare_cached(
        "SELECT environment, service, stream, verdict, version, finished_at, is_open FROM shipment
         WHERE is_by_jobs = 1 AND project = ?1 AND environment = ?2 AND service = ?3
         ORDER BY finished_at DESC, stream DESC LIMIT 1",
    )?;
    let line = |row: &Row<'_>| {
        Ok(NewestByJobs {
            repository: repository.into(),
            environment: text(row, 0)?,
            workflow: text(row, 1)?,
            by: by(row, 2)?,
            verdict: word(row, 3)?,
            version: text(row, 4)?,
            finished_at: at(row, 5)?,
            is_running: row.get(6)?,
        })
    };
    let mut newest: BTreeMap<String, NewestByJobs> = BTreeMap::new();
    let mut place = (String::new(), String::new());
    let mut is_cut = false;
    for looked_at in 0.. {
        let behind = params![repository, place.0, place.1];
        let found = next.query_row(behind, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some(found) = found else { break };
        is_cut = looked_at == PLACES_MAX;
        if is_cut {
            break;
        }
        place = found;
        let it = last.query_row(params![repository, place.0, place.1], line)?;
        let known = newest.entry(place.0.to_ascii_lowercase()).or_insert_with(|| it.clone());
        if known.finished_at < it.finished_at {
            *known = it;
        }
    }
    let mut newest: Vec<_> = newest.into_values().collect();
    newest.sort_by_key(|it| Reverse(it.finished_at));
    is_cut |= newest.len() > ENVIRONMENTS_MAX;
    newest.truncate(ENVIRONMENTS_MAX);
    Ok(NewestOfEach { newest, is_cut })
}
