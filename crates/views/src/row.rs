//! A run's line in a list.

use std::sync::Arc;

use event::{Attempt, Conclusion, RunId, Status, Timestamp};
use mask::MaskedText;

use crate::run::RunView;

/// How much of a commit's hash a list shows; GitHub shows as much.
const COMMIT_DIGITS: usize = 7;

/// A run's line in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRow {
    /// The run.
    pub run: RunId,
    /// Its attempt.
    pub attempt: Attempt,
    /// `github.run_number`
    pub run_number: u64,
    /// `owner/name`
    pub repository: Arc<str>,
    /// The workflow file's name, without its folder.
    pub workflow: String,
    /// Display title.
    pub title: MaskedText,
    /// The event's name.
    pub event: Arc<str>,
    /// Who set it off.
    pub actor: Arc<str>,
    /// `github.ref_name`: branch, tag, or `12/merge`.
    pub branch: String,
    /// The commit's first digits.
    pub commit: String,
    /// Where it is on its way.
    pub status: Status,
    /// How it ended.
    pub conclusion: Option<Conclusion>,
    /// Whether one of its jobs was lost and that is not settled.
    pub lost: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When nothing stood before its jobs any more.
    pub started_at: Option<Timestamp>,
    /// How long it took; none before its end.
    pub duration_ms: Option<u64>,
}

impl From<&RunView> for RunRow {
    fn from(view: &RunView) -> RunRow {
        let header = &view.header;
        let name = header.workflow_path.rsplit('/').next().unwrap_or_default();
        RunRow {
            run: header.run,
            attempt: header.attempt,
            run_number: header.run_number,
            repository: header.repository.clone(),
            workflow: name.to_owned(),
            title: header.title.clone(),
            event: header.event.clone(),
            actor: header.triggering_actor.clone(),
            branch: ref_name(&header.git_ref).to_owned(),
            commit: header.commit.chars().take(COMMIT_DIGITS).collect(),
            status: view.status,
            conclusion: view.conclusion,
            lost: view.jobs.iter().any(|job| job.lost),
            created_at: header.created_at,
            started_at: view.started_at,
            duration_ms: view.completed_at.and_then(|at| view.duration_ms(at)),
        }
    }
}

/// A branch or tag as people call it.
pub(crate) fn ref_name(git_ref: &str) -> &str {
    ["refs/heads/", "refs/tags/", "refs/pull/"]
        .iter()
        .find_map(|prefix| git_ref.strip_prefix(prefix))
        .unwrap_or(git_ref)
}
