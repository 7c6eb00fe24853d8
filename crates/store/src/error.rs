//! What goes wrong with a state folder: what, where, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use event::{BlobId, RunId, StreamId};
use postgres::error::SqlState;
use rusqlite::ErrorCode;

use crate::absence::Absence;
use crate::engine::Fault;
use crate::postgres::{AddressError, Database, is_away};

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
    /// Nobody ever wrote one there.
    #[error("there is no journal: {path} is not there, or is empty")]
    NoJournal {
        /// Where it would be.
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
        /// What the engine said.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
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
    /// The database, or the way to it, is gone.
    #[error("the database {database} does not answer")]
    Away {
        /// Which, without what lets us in.
        database: String,
        /// What it was.
        #[source]
        source: Absence,
    },
    /// It does not let us in, or not do what we must.
    #[error("the database {database} does not let us in")]
    Denied {
        /// Which.
        database: String,
        /// What it said.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// Who vouches for the database is not known.
    #[error("the certificate of the database {database} cannot be proven")]
    Unproven {
        /// Which.
        database: String,
        /// Why not.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// Anything else that a database says.
    #[error("the database {database} did not do what it was asked")]
    Database {
        /// Which.
        database: String,
        /// What it said.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// Something that should name a database does not.
    #[error("{place} does not name a database")]
    NoAddress {
        /// A variable or a file.
        place: String,
        /// Why not.
        #[source]
        source: AddressError,
    },
    /// The folder belongs to another journal.
    #[error("the database {database} has another journal than the one that this folder belongs to")]
    OtherJournal {
        /// Which.
        database: String,
    },
    /// The folder has a journal, and shall belong to a database.
    #[error("{path} has a journal of {events} events; they would be forgotten")]
    OwnJournal {
        /// Its file.
        path: PathBuf,
        /// How many.
        events: u64,
    },
    /// Another server has the journal.
    #[error("a server runs on the database {database} already: {by}, heard {heard_seconds} s ago")]
    Served {
        /// Which database.
        database: String,
        /// The machine and the folder.
        by: String,
        /// When it said last that it lives.
        heard_seconds: i64,
    },
    /// Another server took the journal over, while this one was not heard.
    #[error("another server has the database {database} now")]
    TakenOver {
        /// Which.
        database: String,
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
            StoreError::Away { .. } => Some(
                "start it, or see what is in between; `pg_isready` asks it as well. It was named with \
                 --database, --database-file or LAUNCHWAY_DATABASE_URL, or is remembered in database.json",
            ),
            StoreError::Denied { .. } => Some(
                "the password comes from LAUNCHWAY_DATABASE_URL, --database-file, PGPASSWORD, or \
                 ~/.pgpass that only you may read; its user must own the database or its schema",
            ),
            StoreError::Unproven { .. } => Some(
                "sslrootcert=FILE in the address names the certificate of the database's authority",
            ),
            StoreError::NoAddress { source, .. } => Some(source.hint()),
            StoreError::OtherJournal { .. } => Some(
                "name the database that it belongs to, which database.json in the folder says; a new \
                 journal takes a new folder: --data DIR",
            ),
            StoreError::OwnJournal { .. } => {
                Some("begin with a folder of its own: --data DIR; the old one can still be served")
            }
            StoreError::Served { .. } => Some(
                "end that one, or give this one a database of its own; one that was killed is thought \
                 dead when it was not heard for 30 s",
            ),
            StoreError::TakenOver { .. } => Some(
                "nothing was written since; this one must end, and may be started when that one has ended",
            ),
            StoreError::Database { .. }
            | StoreError::Journal { .. }
            | StoreError::File { .. }
            | StoreError::NoBlob { .. }
            | StoreError::NoRun { .. }
            | StoreError::StillOpen { .. } => None,
            StoreError::NoJournal { .. } => {
                Some("--data names a server's folder, --state that of a machine")
            }
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

    /// Sorts what a database said.
    pub(crate) fn from_postgres(database: &Database, fault: Fault) -> StoreError {
        let database = database.to_string();
        let source = match fault {
            Fault::Fenced => return StoreError::TakenOver { database },
            Fault::Postgres(source) => source,
            other => return StoreError::Database { database, source: Arc::new(other) },
        };
        let state = source.code().cloned();
        let is_away = is_away(&source);
        let is_unproven = std::error::Error::source(&source)
            .and_then(|it| it.downcast_ref::<io::Error>()?.get_ref())
            .is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>);
        let is_unknown = std::error::Error::source(&source)
            .is_some_and(|it| it.to_string().contains("password missing"));
        // "db error" says nothing that the error below does not.
        let source: Arc<dyn std::error::Error + Send + Sync> = match source.as_db_error() {
            Some(said) => Arc::new(said.clone()),
            None => Arc::new(source),
        };
        let path = PathBuf::from(&database);
        match state {
            _ if is_unproven => StoreError::Unproven { database, source },
            _ if is_away => StoreError::Away { database, source: Absence(source) },
            Some(SqlState::DISK_FULL) => StoreError::DiskFull { path, source },
            Some(SqlState::LOCK_NOT_AVAILABLE) => StoreError::Locked { path, source },
            Some(SqlState::INSUFFICIENT_PRIVILEGE | SqlState::INVALID_CATALOG_NAME) => {
                StoreError::Denied { database, source }
            }
            Some(state) if state.code().starts_with("28") => {
                StoreError::Denied { database, source }
            }
            None if is_unknown => StoreError::Denied { database, source },
            _ => StoreError::Database { database, source },
        }
    }

    /// Whether it may be another answer a moment later.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, StoreError::Away { .. } | StoreError::Locked { .. })
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
