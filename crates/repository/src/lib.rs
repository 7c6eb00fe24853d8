//! The user's git repository: what is there, what changed, and the events made from it.
//!
//! A run on a laptop starts from a state of the work tree, not from a webhook. This crate reads
//! that state with the git command line and makes the payload that GitHub would have sent for it:
//!
//! - `push`: what differs from the upstream branch is what would be pushed now;
//! - a tag, a pull request against a base, a dispatch with inputs;
//! - or a payload file, which is taken as it is: it runs at the commit it is about, where that is
//!   here.
//!
//! What is run has a commit: the work tree where it has changes, and a pull request merged into its
//! base, get commits of their own in a private store. Nothing here writes to the user's repository,
//! and nothing here reads a workflow.

mod bare;
mod changes;
mod delivered;
mod discover;
mod event;
mod from_payload;
mod git;
mod mirror;
mod payload;
mod private;
mod standing;
mod tip;
mod versions;

pub use bare::{Bounds, RefUpdate, bare_identity, bare_name};
pub use changes::{ChangedFiles, CommitTime};
pub use delivered::About;
pub use discover::{Commit, CommittedFile, Repository};
pub use event::{EventRequest, TriggeringEvent};
pub use git::GitError;
pub use mirror::{Access, Mirror, Refs, TestMerge};
pub use private::{HeldStore, PrivateStore};
pub use tip::{Tip, TipError};
pub use versions::{Apart, Said, Tagged};

/// Why the repository or the event could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// git itself.
    #[error(transparent)]
    Git(#[from] GitError),
    /// No repository here.
    #[error("{path} is not inside a git repository")]
    NotARepository {
        /// Where it was looked for.
        path: String,
    },
    /// Nothing at all there.
    #[error("there is no folder {path}")]
    NoFolder {
        /// Where it was looked for.
        path: String,
    },
    /// A bare repository, or the inside of `.git`.
    #[error("{path} has no work tree: it is a bare repository, or the inside of .git")]
    NoWorkTree {
        /// Where it was looked for.
        path: String,
    },
    /// A file or folder of a commit that is larger than any that is read.
    #[error("{path} has more than {most}: it is not read")]
    TooLarge {
        /// From the repository's root.
        path: String,
        /// The limit, in words.
        most: String,
    },
    /// No commit yet.
    #[error("the repository at {path} has no commit yet")]
    NoCommit {
        /// Its root.
        path: String,
    },
    /// Something else than a commit: workflows run at none.
    #[error("{name} leads to a {kind}, not to a commit")]
    NotACommit {
        /// What was asked for.
        name: String,
        /// What it is: `blob`, `tree`.
        kind: String,
    },
    /// An event that cannot be made from a repository.
    #[error("{message}")]
    Event {
        /// What is missing.
        message: String,
        /// What to do.
        hint: String,
    },
    /// A pull request that cannot be merged: GitHub starts nothing for it.
    #[error("GitHub would run nothing: the pull request conflicts with {base} in {}", .files.join(", "))]
    Conflicts {
        /// The base branch.
        base: String,
        /// The files.
        files: Vec<String>,
    },
    /// A file that could not be read.
    #[error("cannot read {path}")]
    File {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The private store of commits.
    #[error("cannot commit the work tree in {path}")]
    Store {
        /// Which file or folder of it.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl RepositoryError {
    /// What to do about it, where there is something.
    pub fn hint(&self) -> Option<&str> {
        match self {
            RepositoryError::Git(error) => error.hint(),
            RepositoryError::NotARepository { .. } => Some(
                "go into a clone, or make one here: git init && git add -A && git commit -m start",
            ),
            RepositoryError::NoWorkTree { .. } => {
                Some("go into the work tree, or make one: git clone THIS somewhere")
            }
            RepositoryError::NoCommit { .. } => {
                Some("commit something first: git add -A && git commit -m start")
            }
            RepositoryError::Event { hint, .. } => Some(hint),
            RepositoryError::Conflicts { .. } => {
                Some("merge or rebase first: git merge BASE, or name another one: --base BRANCH")
            }
            RepositoryError::Store { .. } => {
                Some("check the free disk and the folder's permissions")
            }
            RepositoryError::TooLarge { .. } => Some("keep it small; large data belongs elsewhere"),
            RepositoryError::File { .. }
            | RepositoryError::NoFolder { .. }
            | RepositoryError::NotACommit { .. } => None,
        }
    }
}
