//! What can go wrong.

use std::path::PathBuf;

use ports::JournalError;
use rusqlite::ErrorCode;
use store::{ReadError, StoreError};

/// Why there are no numbers.
#[derive(Debug, thiserror::Error)]
pub enum FiguresError {
    /// The file.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: rusqlite::Error,
    },
    /// A newer version wrote the file.
    #[error("{path} was written by a newer version")]
    Newer {
        /// Which.
        path: PathBuf,
    },
    /// Too many events are not counted yet to wait for them; whoever keeps the numbers up does that.
    #[error("{percent} % of the journal is counted")]
    Behind {
        /// Of a hundred events, so many are.
        percent: u64,
    },
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The journal.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl FiguresError {
    /// Whether it may be well in a moment, by itself: another process writes, the journal is away. A file that is
    /// damaged, of a newer version, or for which there is no room, waits for a person.
    pub fn is_passing(&self) -> bool {
        let FiguresError::File { source, .. } = self else {
            return !matches!(self, FiguresError::Newer { .. });
        };
        let busy = [ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked];
        source.sqlite_error_code().is_some_and(|it| busy.contains(&it))
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn what_waits_for_a_person_does_not_pass() {
        let check = |code: i32, expect: bool| {
            let source = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            let error = FiguresError::File { path: PathBuf::from("figures.db"), source };
            assert_eq!(error.is_passing(), expect, "{error:?}");
        };
        check(ffi::SQLITE_BUSY, true);
        check(ffi::SQLITE_LOCKED, true);
        check(ffi::SQLITE_NOTADB, false);
        check(ffi::SQLITE_CORRUPT, false);
        check(ffi::SQLITE_FULL, false);
        assert!(!FiguresError::Newer { path: PathBuf::from("figures.db") }.is_passing());
    }
}
