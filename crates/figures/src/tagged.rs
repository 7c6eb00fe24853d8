//! What is known of tags: the runs that pushes of them began, and where a commit went.

use event::{Attempt, Conclusion, RunId, ShippedBy, StreamId, Timestamp, Verdict};
use rusqlite::{Row, params};

use crate::database::Figures;
use crate::error::FiguresError;
use crate::jobs::by;
use crate::query::{at, word};

/// Runs of tags that are looked at: the newest. A tag has a run for each workflow, and more where it was moved.
const RUNS_MAX: u32 = 10_000;
/// Shipments of one commit that are looked at, the newest.
const SHIPMENTS_MAX: u32 = 200;

/// An attempt that is over of a run that the push of a tag began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagRun {
    /// The run.
    pub run: RunId,
    /// Its attempt.
    pub attempt: Attempt,
    /// The tag.
    pub tag: String,
    /// The commit that it led to.
    pub commit: String,
    /// The workflow's file.
    pub workflow: String,
    /// How it ended.
    pub conclusion: Conclusion,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Where a commit went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitShipped {
    /// By what.
    pub by: ShippedBy,
    /// Where.
    pub environment: String,
    /// The service; of jobs the workflow's file.
    pub service: String,
    /// How it ended.
    pub verdict: Verdict,
    /// When.
    pub at: Timestamp,
}

impl TagRun {
    /// Its stream.
    pub fn stream(&self) -> StreamId {
        StreamId::Run(self.run, self.attempt)
    }
}

impl Figures {
    /// The attempts that are over of runs that pushes of tags began, the newest first; of one tag, or of all.
    ///
    /// # Errors
    /// When the file does not answer.
    pub fn tag_runs(
        &self,
        repository: &str,
        tag: Option<&str>,
    ) -> Result<Vec<TagRun>, FiguresError> {
        let failed = |source| self.failed(source);
        let reader = self.reader();
        // Behind `/` comes `0`.
        let (from, to) = match tag {
            Some(tag) => (format!("refs/tags/{tag}"), format!("refs/tags/{tag}\0")),
            None => ("refs/tags/".to_owned(), "refs/tags0".to_owned()),
        };
        let mut statement = reader
            .prepare_cached(
                "SELECT run, attempt, git_ref, commit_id, workflow, conclusion, created_at FROM attempt
                 WHERE event = 'push' AND repository = ?1 AND git_ref >= ?2 AND git_ref < ?3
                 ORDER BY run DESC, attempt DESC LIMIT ?4",
            )
            .map_err(failed)?;
        let row = |row: &Row<'_>| {
            let git_ref: String = row.get(2)?;
            Ok(TagRun {
                run: RunId(row.get::<_, i64>(0)?.cast_unsigned()),
                attempt: Attempt(row.get::<_, i64>(1)?.cast_unsigned()),
                tag: git_ref.strip_prefix("refs/tags/").unwrap_or(&git_ref).to_owned(),
                commit: row.get(3)?,
                workflow: row.get(4)?,
                conclusion: word(row, 5)?,
                created_at: at(row, 6)?,
            })
        };
        let found = statement.query_map(params![repository, from, to, RUNS_MAX], row);
        found.and_then(Iterator::collect).map_err(failed)
    }

    /// Where a commit went, the newest first: by jobs of a repository, and by deployments of a project.
    ///
    /// # Errors
    /// When the file does not answer.
    pub fn shipped_of(
        &self,
        commit: &str,
        (repository, project): (&str, Option<&str>),
    ) -> Result<Vec<CommitShipped>, FiguresError> {
        let failed = |source| self.failed(source);
        let reader = self.reader();
        let mut statement = reader
            .prepare_cached(
                "SELECT stream, environment, service, verdict, finished_at FROM shipment
                 WHERE made_from = ?1 AND is_open = 0
                   AND CASE is_by_jobs WHEN 1 THEN project = ?2 ELSE project = ?3 END
                 ORDER BY finished_at DESC, position DESC, stream DESC LIMIT ?4",
            )
            .map_err(failed)?;
        let row = |row: &Row<'_>| {
            Ok(CommitShipped {
                by: by(row, 0)?,
                environment: row.get(1)?,
                service: row.get(2)?,
                verdict: word(row, 3)?,
                at: at(row, 4)?,
            })
        };
        let found = statement.query_map(params![commit, repository, project, SHIPMENTS_MAX], row);
        found.and_then(Iterator::collect).map_err(failed)
    }
}
