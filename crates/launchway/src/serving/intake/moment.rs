//! Whether what went wrong is wrong with what was pushed, which is an answer, or with the moment, which is
//! none: the journal is locked or away, the disk is full, no process can be started.

use std::io;

use event::Timestamp;
use ports::JournalError;
use repository::{GitError, RepositoryError};
use store::{StoreError, VaultError};

use crate::exit::Failure;

/// What git refuses may be of the moment, too, or of a repository that nobody mends: it is tried for so long.
const PATIENCE_MS: u64 = 24 * 60 * 60 * 1000;

/// Whether a failure says nothing of what came in `at` then.
pub(crate) fn is_to_blame(failure: &Failure, at: Timestamp, now: Timestamp) -> bool {
    let is_young = now.0.saturating_sub(at.0) < PATIENCE_MS;
    failure.error.chain().any(|reason| {
        let of_git = matches!(
            reason.downcast_ref(),
            Some(RepositoryError::Git(_) | RepositoryError::NoFolder { .. })
        );
        // However often it is read, it stays as long as it is.
        let is_long =
            matches!(reason.downcast_ref(), Some(RepositoryError::Git(GitError::TooLong { .. })));
        reason.is::<StoreError>()
            || reason.is::<JournalError>()
            || reason.is::<VaultError>()
            || reason.is::<io::Error>()
            || (is_young && of_git && !is_long)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn check(failure: &Failure, at_once: bool, a_day_later: bool) {
        let is_to_blame = |now| is_to_blame(failure, Timestamp(5), Timestamp(now));
        let found = (is_to_blame(6), is_to_blame(5 + PATIENCE_MS));
        assert_eq!(found, (at_once, a_day_later), "{:#}", failure.error);
    }

    #[test]
    fn what_was_pushed_is_wrong_or_the_moment_is() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        check(&super::super::data::cannot("write", "/srv/x".as_ref(), full()), true, true);
        let git = |error| Failure::from(RepositoryError::from(error));
        check(&git(GitError::Start(full())), true, true);
        let (command, message) = ("merge-base".to_owned(), "cannot fork".to_owned());
        check(&git(GitError::Failed { command, message }), true, false);
        let (command, limit) = ("log".to_owned(), 1 << 20);
        check(&git(GitError::TooLong { command, limit }), false, false);
        check(&RepositoryError::NoFolder { path: "/srv/git".to_owned() }.into(), true, false);
        check(&RepositoryError::NoCommit { path: "/srv/git".to_owned() }.into(), false, false);
        let action = "cannot append".to_owned();
        let locked = JournalError::Storage { action, source: Box::new(full()) };
        check(&Failure::caused(Exit::Missing, locked), true, true);
        check(&Failure::new(Exit::Missing, "launchway.yml has mistakes"), false, false);
    }
}
