//! Why an action cannot be had: what, where, and what to do about it.

use std::path::PathBuf;

use crate::git::Trouble;
use crate::lock::LockError;
use crate::shelf::ShelfError;

/// Why an action cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// Not something that is fetched.
    #[error("{uses} is not an action of a repository")]
    NotRemote {
        /// As written.
        uses: String,
    },
    /// A name that would leave its folder.
    #[error("{uses} is not the name of an action")]
    Name {
        /// As written.
        uses: String,
    },
    /// Nothing on this machine, and nothing may be fetched.
    #[error("{uses} is not on this machine, and --offline forbids fetching it")]
    Offline {
        /// As written.
        uses: String,
    },
    /// The host was not reached, or did not let us in.
    #[error("{uses} could not be fetched from {address}")]
    Unreachable {
        /// As written.
        uses: String,
        /// Where it was looked for.
        address: String,
        /// git's words.
        #[source]
        source: Box<ShelfError>,
    },
    /// No such repository there.
    #[error("unable to resolve action {uses}: no repository at {address}")]
    NoRepository {
        /// As written.
        uses: String,
        /// Where it was looked for.
        address: String,
    },
    /// No such ref.
    #[error("unable to resolve action {uses}: {address} has no tag, branch or commit {reference}")]
    NoReference {
        /// As written.
        uses: String,
        /// Where it was looked for.
        address: String,
        /// The ref.
        reference: String,
    },
    /// A shortened commit, which GitHub refuses too.
    #[error("unable to resolve action {uses}: {reference} is a shortened commit")]
    ShortCommit {
        /// As written.
        uses: String,
        /// The ref.
        reference: String,
        /// The whole name, where it is known.
        complete: Option<String>,
    },
    /// The lock file wants a commit that nobody has.
    #[error("{uses} is locked to commit {commit}, which {address} does not give")]
    LockedCommit {
        /// As written.
        uses: String,
        /// The commit.
        commit: String,
        /// Where it was looked for.
        address: String,
        /// git's words, where it was asked.
        #[source]
        source: Option<Box<ShelfError>>,
    },
    /// The lock file wants another tree.
    #[error("{uses} is locked to tree {expected} of commit {commit}, but that commit has {found}")]
    LockedTree {
        /// As written.
        uses: String,
        /// The commit.
        commit: String,
        /// What the lock file says.
        expected: String,
        /// What is there.
        found: String,
    },
    /// No metadata file.
    #[error("no action.yml, action.yaml or Dockerfile in {place}")]
    NoManifest {
        /// Where it was looked for.
        place: String,
    },
    /// No workflow file of that name.
    #[error("{uses}: there is no {path} in commit {commit}")]
    NoWorkflow {
        /// As written.
        uses: String,
        /// The file.
        path: String,
        /// The commit.
        commit: String,
    },
    /// A metadata file that cannot be read.
    #[error("cannot read {path}")]
    Manifest {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The shelf itself.
    #[error("{uses} could not be kept")]
    Shelf {
        /// As written.
        uses: String,
        /// Why.
        #[source]
        source: ShelfError,
    },
    /// The lock file itself.
    #[error(transparent)]
    Lock(#[from] LockError),
}

impl ResolveError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        const ELSEWHERE: &str = "name another place with --mirror OWNER/REPO=WHERE";
        match self {
            ResolveError::NotRemote { .. } | ResolveError::Name { .. } => {
                "write owner/repo[/path]@ref".to_owned()
            }
            ResolveError::Offline { .. } => {
                format!("run once without --offline, or {ELSEWHERE}")
            }
            ResolveError::Unreachable { source, .. } => match source.as_ref() {
                ShelfError::Git(error) if error.trouble() == Trouble::Denied => {
                    "a private repository needs a credential helper of git (gh auth setup-git)"
                        .to_owned()
                }
                _ => format!("check the network, or {ELSEWHERE}"),
            },
            ResolveError::NoRepository { .. } => {
                format!("check the spelling, or {ELSEWHERE}; a private one needs git credentials")
            }
            ResolveError::NoReference { .. } => "check the tags of the action".to_owned(),
            ResolveError::ShortCommit { complete: Some(id), .. } => format!("write @{id}"),
            ResolveError::ShortCommit { .. } => {
                "GitHub refuses these: write all 40 digits of the commit".to_owned()
            }
            ResolveError::LockedCommit { .. } | ResolveError::LockedTree { .. } => format!(
                "if the change is wanted remove the line from the lock file and run again; or {ELSEWHERE}"
            ),
            ResolveError::NoManifest { .. } | ResolveError::NoWorkflow { .. } => {
                "check the path in front of the @".to_owned()
            }
            ResolveError::Manifest { .. } | ResolveError::Shelf { .. } => {
                "check the folder's permissions and the free disk".to_owned()
            }
            ResolveError::Lock(_) => {
                "correct the line, or remove the file: the next run writes it again".to_owned()
            }
        }
    }

    /// The exit code: 5 where something is missing or unreachable, 3 where the input is wrong, 4
    /// where the lock file forbids it.
    pub fn exit_code(&self) -> u8 {
        match self {
            ResolveError::NotRemote { .. }
            | ResolveError::Name { .. }
            | ResolveError::NoReference { .. }
            | ResolveError::ShortCommit { .. }
            | ResolveError::NoManifest { .. }
            | ResolveError::NoWorkflow { .. }
            | ResolveError::Lock(LockError::Line { .. }) => 3,
            ResolveError::LockedTree { .. } => 4,
            ResolveError::Offline { .. }
            | ResolveError::Unreachable { .. }
            | ResolveError::NoRepository { .. }
            | ResolveError::LockedCommit { .. }
            | ResolveError::Manifest { .. }
            | ResolveError::Shelf { .. }
            | ResolveError::Lock(LockError::File { .. }) => 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::GitError;

    #[test]
    fn every_failure_has_a_remedy_and_a_code() {
        let git =
            GitError::Failed { command: "fetch".to_owned(), message: "Connection".to_owned() };
        let error = ResolveError::Unreachable {
            uses: "o/r@v1".to_owned(),
            address: "https://h/o/r".to_owned(),
            source: Box::new(git.into()),
        };
        assert_eq!(error.exit_code(), 5);
        assert!(error.hint().contains("mirror"));
    }
}
