//! What the numbers need of a push: the commits that came to a branch, oldest first.

use std::sync::Arc;

use event::{RunRequest, ShippedCommit, Timestamp};
use serde_json::Value as Json;

/// Commits of one push that are taken: as many as GitHub lists.
const COMMITS_MAX: usize = 2_048;
/// No name of a commit is longer.
const COMMIT_DIGITS_MAX: usize = 64;

/// A push to a branch, as the run that it made says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// `owner/name`
    pub repository: Arc<str>,
    /// `refs/heads/main`
    pub git_ref: Arc<str>,
    /// What came, oldest first, the commit that runs last. One whose date nobody told, or that cannot
    /// be read, is of 1970.
    pub commits: Vec<ShippedCommit>,
}

impl Pushed {
    /// What a run says of it; none where no branch was pushed.
    pub fn of(run: &RunRequest) -> Option<Pushed> {
        let git_ref = &run.event.git_ref;
        if &*run.event.name != "push" || !git_ref.starts_with("refs/heads/") {
            return None;
        }
        let head = ShippedCommit {
            commit: run.change.commit.clone(),
            committed_at: run.change.committed_at,
        };
        let listed = run.event.payload.get("commits").and_then(Json::as_array);
        let mut commits: Vec<ShippedCommit> =
            listed.into_iter().flatten().rev().take(COMMITS_MAX).filter_map(commit).collect();
        commits.reverse();
        commits.retain(|it| it.commit != head.commit);
        commits.push(head);
        Some(Pushed { repository: run.repository.clone(), git_ref: git_ref.clone(), commits })
    }
}

fn commit(told: &Json) -> Option<ShippedCommit> {
    let id = told.get("id")?.as_str()?;
    if id.is_empty() || id.len() > COMMIT_DIGITS_MAX || !id.bytes().all(|it| it.is_ascii_hexdigit())
    {
        return None;
    }
    let date = told.get("timestamp").and_then(Json::as_str);
    let date = date.and_then(|it| it.parse::<jiff::Timestamp>().ok());
    let date = date.and_then(|it| u64::try_from(it.as_millisecond()).ok());
    Some(ShippedCommit { commit: id.into(), committed_at: Timestamp(date.unwrap_or_default()) })
}
