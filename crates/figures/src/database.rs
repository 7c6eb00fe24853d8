//! `figures.db`: opened, and its schema brought up to date.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use crate::error::FiguresError;

/// How long a process waits for another one's batch.
const LOCK_WAIT: Duration = Duration::from_secs(20);

/// One file for each version of the schema. A file that has shipped is never changed.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/v1.sql"),
    include_str!("schema/v2.sql"),
    include_str!("schema/v3.sql"),
    include_str!("schema/v4.sql"),
    include_str!("schema/v5.sql"),
    include_str!("schema/v6.sql"),
    include_str!("schema/v7.sql"),
    include_str!("schema/v8.sql"),
    include_str!("schema/v9.sql"),
    include_str!("schema/v10.sql"),
    include_str!("schema/v11.sql"),
    include_str!("schema/v12.sql"),
    include_str!("schema/v13.sql"),
    include_str!("schema/v14.sql"),
];

/// The numbers of one journal. Any number of processes may have them open at once.
pub struct Figures {
    path: PathBuf,
    // Whoever looks does not wait for whoever folds.
    reader: Mutex<Connection>,
    writer: Mutex<Connection>,
}

impl Figures {
    /// Opens the file in the folder of a journal, or makes it.
    ///
    /// # Errors
    /// When it cannot be opened, or a newer version wrote it.
    pub fn open(folder: &Path) -> Result<Figures, FiguresError> {
        let path = folder.join("figures.db");
        let failed = |source| FiguresError::File { path: path.clone(), source };
        let mut writer = connect(&path).map_err(failed)?;
        let known = MIGRATIONS.len();
        // In one transaction: two processes that open it for the first time do it once.
        let transaction =
            writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let found: i64 = transaction
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(failed)?;
        let done = usize::try_from(found).ok().filter(|done| *done <= known);
        let done = done.ok_or_else(|| FiguresError::Newer { path: path.clone() })?;
        for migration in &MIGRATIONS[done..] {
            transaction.execute_batch(migration).map_err(failed)?;
        }
        transaction.pragma_update(None, "user_version", known as i64).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        let reader = connect(&path).map_err(failed)?;
        Ok(Figures { path, reader: Mutex::new(reader), writer: Mutex::new(writer) })
    }

    pub(crate) fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().expect("nobody panics while reading")
    }

    pub(crate) fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().expect("nobody panics while writing")
    }

    pub(crate) fn failed(&self, source: rusqlite::Error) -> FiguresError {
        FiguresError::File { path: self.path.clone(), source }
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(LOCK_WAIT)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // What is lost with the power is folded again.
    connection.pragma_update(None, "synchronous", "normal")?;
    Ok(connection)
}
