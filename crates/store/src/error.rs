//! What goes wrong with a state folder: what, where, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use event::{BlobId, RunId, StreamId};
use rusqlite::ErrorCode;

/// Why the state folder does not open, or did not take or give something.
///
/// It can be cloned: one failed commit is the answer to everybody who waited for it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The path is something else.
    #[error("{path} is not a folder")]
    NotAFolder {
        /// Where.
        path: PathBuf,
    },
    /// Permission was denied, or the file system is mounted read-only.
    #[error("{path} cannot be written to")]
    ReadOnly {
        /// Where.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// No space, or over quota.
    #[error("the disk of {path} is full; nothing was written")]
    DiskFull {
        /// Where.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// Another process held the journal for longer than [`crate::LOCK_WAIT_MAX_MS`].
    #[error("{path} is locked by another process")]
    Locked {
        /// Where.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// The file is not what was written.
    #[error("{path} is damaged")]
    Damaged {
        /// Where.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// A newer version was here.
    #[error("{path} has schema {found}, this version knows schemas up to {known}")]
    NewerSchema {
        /// Where.
        path: PathBuf,
        /// In the file.
        found: i64,
        /// In this binary.
        known: i64,
    },
    /// Anything else that SQLite says.
    #[error("{path} did not answer")]
    Journal {
        /// Where.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// Anything else that the file system says.
    #[error("cannot {action} {path}")]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// No such blob.
    #[error("there is no blob {blob} in {path}")]
    NoBlob {
        /// Which.
        blob: BlobId,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// No such run.
    #[error("there is no run {run} in {path}")]
    NoRun {
        /// Which.
        run: RunId,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Payloads of a stream that goes on are needed.
    #[error("{stream} has not ended; its events cannot be deleted")]
    StillOpen {
        /// Which.
        stream: StreamId,
    },
}

impl StoreError {
    /// What the user can do, as a sentence in the imperative.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            StoreError::NotAFolder { .. } => Some("give a folder with --state"),
            StoreError::ReadOnly { .. } => {
                Some("make it writable for this user, or give another folder with --state")
            }
            StoreError::DiskFull { .. } => Some("free some space; `launchway prune` can help"),
            StoreError::Locked { .. } => {
                Some("wait for the other launchway on this folder, or end it if it hangs")
            }
            StoreError::Damaged { .. } => Some(
                "put the folder aside or restore it from a backup; a new one is made by itself",
            ),
            StoreError::NewerSchema { .. } => Some(
                "use the launchway that wrote it or a newer one, or another folder with --state",
            ),
            StoreError::Journal { .. }
            | StoreError::File { .. }
            | StoreError::NoBlob { .. }
            | StoreError::NoRun { .. }
            | StoreError::StillOpen { .. } => None,
        }
    }

    /// Sorts what SQLite said about the journal at `path`.
    pub(crate) fn from_sqlite(path: &Path, source: rusqlite::Error) -> StoreError {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                StoreError::ReadOnly { path, source: Arc::new(source) }
            }
            Some(ErrorCode::DiskFull) => StoreError::DiskFull { path, source: Arc::new(source) },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                StoreError::Locked { path, source: Arc::new(source) }
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::Damaged { path, source: Arc::new(source) }
            }
            _ => StoreError::Journal { path, source: Arc::new(source) },
        }
    }

    /// Sorts what the file system said when `action` was tried on `path`.
    pub(crate) fn from_io(action: &'static str, path: &Path, source: io::Error) -> StoreError {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                StoreError::ReadOnly { path, source: Arc::new(source) }
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                StoreError::DiskFull { path, source: Arc::new(source) }
            }
            io::ErrorKind::NotADirectory => StoreError::NotAFolder { path },
            _ => StoreError::File { action, path, source: Arc::new(source) },
        }
    }
}
