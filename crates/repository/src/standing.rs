//! Where an event's jobs run: at what is checked out, or at a commit of its own (conformance 21).
//!
//! What a person tries runs as it stands before him. An event that is about a commit, or that GitHub
//! runs at the default branch's, runs there where that commit is here and it is asked for; what is
//! not as he may take for granted is said in one line.

use crate::RepositoryError;
use crate::discover::{Commit, Repository};
use crate::private::PrivateStore;

/// How much of a commit's name people are shown.
const SHORT: usize = 7;

/// Where an event stands.
#[derive(Debug)]
pub(crate) struct Standing {
    /// `github.sha`
    pub(crate) commit: String,
    /// The work tree on top of it, where that has changes and runs.
    pub(crate) snapshot: Option<String>,
    /// The commit whose workflow files count; none: the work tree's.
    pub(crate) files_at: Option<String>,
    /// What a person is told.
    pub(crate) note: Option<String>,
}

impl Standing {
    /// This, merged into a base as `commit`. Workflow files that are read at a commit are read there.
    pub(crate) fn merged_as(self, commit: String) -> Standing {
        let files_at = self.files_at.map(|_| commit.clone());
        Standing { commit, files_at, ..self }
    }

    pub(crate) fn with_note(self, note: String) -> Standing {
        Standing { note: Some(note), ..self }
    }
}

impl Repository {
    /// What is checked out, with or without what is not committed.
    pub(crate) fn here(
        &self,
        with_work_tree: bool,
        store: &mut PrivateStore,
    ) -> Result<Standing, RepositoryError> {
        let has_changes = with_work_tree && !self.uncommitted.is_empty();
        Ok(Standing {
            commit: self.head.id.clone(),
            snapshot: if has_changes { self.snapshot(store)? } else { None },
            files_at: (!with_work_tree).then(|| self.head.id.clone()),
            note: None,
        })
    }

    /// A commit that is here, and nothing besides. `what` says what it is.
    pub(crate) fn exactly(&self, commit: &str, what: &str, with_work_tree: bool) -> Standing {
        let id = short(commit);
        let note = if commit != self.head.id {
            Some(format!("this runs {what} ({id}), not what is checked out"))
        } else if with_work_tree && !self.uncommitted.is_empty() {
            Some(format!("this runs {what} ({id}); what is not committed is left out"))
        } else {
            None
        };
        let commit = commit.to_owned();
        Standing { files_at: Some(commit.clone()), commit, snapshot: None, note }
    }

    /// What is checked out instead of what the event is about.
    pub(crate) fn instead_of(
        &self,
        what: &str,
        with_work_tree: bool,
        store: &mut PrivateStore,
    ) -> Result<Standing, RepositoryError> {
        let note = format!("{what} is not in this repository: this runs what is checked out");
        Ok(self.here(with_work_tree, store)?.with_note(note))
    }

    /// Where an event of the default branch stands: there for what is committed. A person who tries
    /// what he writes means the work tree, and is told where GitHub looks.
    pub(crate) fn at_default_branch(
        &self,
        name: &str,
        with_work_tree: bool,
        store: &mut PrivateStore,
    ) -> Result<Standing, RepositoryError> {
        let branch = &self.default_branch;
        let tip = self.tip(branch)?;
        match tip {
            Some(tip) if !with_work_tree => {
                Ok(self.exactly(&tip.id, &format!("the last commit of {branch}"), with_work_tree))
            }
            Some(tip) if tip.id == self.head.id => self.here(with_work_tree, store),
            Some(_) => {
                let note = format!(
                    "GitHub runs {name} at the last commit of {branch}, with the workflow files there; this runs what is checked out"
                );
                Ok(self.here(with_work_tree, store)?.with_note(note))
            }
            None => self.instead_of(&format!("the branch {branch}"), with_work_tree, store),
        }
    }

    /// The last commit of a branch. Of the one that is checked out it is HEAD: what is not pushed yet
    /// counts as pushed now.
    pub(crate) fn tip(&self, branch: &str) -> Result<Option<Commit>, RepositoryError> {
        if self.branch.as_deref() == Some(branch) {
            return Ok(Some(self.head.clone()));
        }
        Ok(self.branch_commit(branch)?.map(|(commit, _)| commit))
    }
}

/// The beginning of a commit's name.
pub(crate) fn short(commit: &str) -> &str {
    commit.get(..SHORT).unwrap_or(commit)
}
