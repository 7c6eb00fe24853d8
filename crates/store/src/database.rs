//! Opening `journal.db`: pragmas, migrations, and what SQLite's errors mean here.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use rustix::fs::FlockOperation;

use crate::error::StoreError;

/// How long a process waits for another one's transaction. A commit takes milliseconds; on a disk
/// that is busy with a build it takes seconds. Longer means that the other one hangs.
pub const LOCK_WAIT_MAX_MS: u64 = 10_000;

/// The write-ahead log is cut back to this after a checkpoint, so that one payload of 25 MB does
/// not keep its space for ever.
const WAL_BYTES_MAX: i64 = 16 << 20;

/// What an acknowledged append survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The death of this process at any instant (`design` 8.4). For runs.
    #[default]
    ProcessDeath,
    /// The loss of power too; every commit waits for the disk. For deployments and the server.
    PowerLoss,
}

/// One file for each version of the schema; the first makes version 1 out of an empty file. A file
/// that has shipped is never changed.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/v1.sql"),
    include_str!("schema/v2.sql"),
    include_str!("schema/v3.sql"),
    include_str!("schema/v4.sql"),
    include_str!("schema/v5.sql"),
];

/// The connection that writes. Creates the file and brings its schema up to date.
pub(crate) fn open_writer(
    folder: &Path,
    durability: Durability,
) -> Result<(PathBuf, Connection), StoreError> {
    let path = folder.join("journal.db");
    // Two processes that make a new journal at once would both switch it to WAL, and SQLite answers
    // "locked" to that at once, whatever the busy timeout says. So opening is done in turn.
    let _turn = take_turn(&folder.join("lock"))?;
    let failed = |source| StoreError::from_sqlite(&path, source);
    let mut connection = Connection::open(&path).map_err(failed)?;
    configure(&connection, durability).map_err(failed)?;
    migrate(&mut connection, &path)?;
    Ok((path, connection))
}

/// A connection that only reads.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let failed = |source| StoreError::from_sqlite(path, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(Duration::from_millis(LOCK_WAIT_MAX_MS)).map_err(failed)?;
    Ok(connection)
}

fn take_turn(path: &Path) -> Result<File, StoreError> {
    let options = File::options().create(true).truncate(false).write(true).to_owned();
    let file =
        options.open(path).map_err(|source| StoreError::from_io("open the lock", path, source))?;
    rustix::fs::flock(&file, FlockOperation::LockExclusive)
        .map_err(|source| StoreError::from_io("lock", path, source.into()))?;
    Ok(file)
}

pub(crate) fn configure(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_millis(LOCK_WAIT_MAX_MS))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    let synchronous = match durability {
        Durability::ProcessDeath => "normal",
        Durability::PowerLoss => "full",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_MAX)?;
    // What retention deletes is overwritten, not only unlinked.
    connection.pragma_update(None, "secure_delete", true)
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::from_sqlite(path, source);
    let known = MIGRATIONS.len() as i64;
    let found: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
    if found > known || found < 0 {
        return Err(StoreError::NewerSchema { path: path.to_owned(), found, known });
    }
    let done = usize::try_from(found).expect("between 0 and the number of migrations");
    for (index, migration) in MIGRATIONS.iter().enumerate().skip(done) {
        let transaction = connection.transaction().map_err(failed)?;
        transaction.execute_batch(migration).map_err(failed)?;
        transaction.pragma_update(None, "user_version", index as i64 + 1).map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(())
}

/// Copies a database, of ours or of another crate, as it is at one moment: whoever writes to it goes on.
///
/// # Errors
/// When it cannot be read, or there is something at `to`.
pub fn copy_database(from: &Path, to: &Path) -> Result<(), StoreError> {
    let connection = open_reader(from)?;
    let failed = |source| StoreError::from_sqlite(from, source);
    let to = to.to_str().ok_or_else(|| {
        let source = std::io::Error::other("its name is no text");
        StoreError::from_io("write to", to, source)
    })?;
    connection.execute("VACUUM INTO ?1", [to]).map(drop).map_err(failed)
}
