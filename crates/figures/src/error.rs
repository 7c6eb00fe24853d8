//! What can go wrong.

use std::path::PathBuf;

use ports::JournalError;
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
