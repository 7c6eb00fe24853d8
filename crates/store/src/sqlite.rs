//! SQLite: a file in the folder, `journal.db` or `deliveries.db`. Pragmas, migrations, statements.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql};
use rustix::fs::FlockOperation;

use crate::absence::Tell;
use crate::engine::{
    Again, Columns, Engine, Fault, Mark, Patience, Purpose, Row, Session, Take, Value,
};
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
    include_str!("sqlite/schema/v1.sql"),
    include_str!("sqlite/schema/v2.sql"),
    include_str!("sqlite/schema/v3.sql"),
    include_str!("sqlite/schema/v4.sql"),
    include_str!("sqlite/schema/v5.sql"),
    include_str!("sqlite/schema/v6.sql"),
    include_str!("sqlite/schema/v7.sql"),
];

/// What a file is for.
pub(crate) enum Content {
    /// The journal, with its versions of the schema.
    Journal,
    /// What others handed in: a schema that never changed.
    Webhooks(&'static str),
}

/// A file of SQLite.
pub(crate) struct Sqlite {
    path: PathBuf,
    durability: Durability,
    content: Content,
}

impl Sqlite {
    pub(crate) fn journal(folder: &Path, durability: Durability) -> Sqlite {
        Sqlite { path: folder.join("journal.db"), durability, content: Content::Journal }
    }

    /// Every commit waits for the disk.
    pub(crate) fn webhooks(folder: &Path, schema: &'static str) -> Sqlite {
        let (path, content) = (folder.join("deliveries.db"), Content::Webhooks(schema));
        Sqlite { path, durability: Durability::PowerLoss, content }
    }

    fn open_writer(&self) -> Result<Connection, StoreError> {
        // Two processes that make a new journal at once would both switch it to WAL, and SQLite
        // answers "locked" to that at once, whatever the busy timeout says. So opening is done in
        // turn.
        let _turn = take_turn(&self.path.with_file_name("lock"))?;
        let failed = |source| StoreError::from_sqlite(&self.path, source);
        let mut connection = Connection::open(&self.path).map_err(failed)?;
        configure(&connection, self.durability).map_err(failed)?;
        match self.content {
            Content::Journal => migrate(&mut connection, &self.path)?,
            Content::Webhooks(schema) => connection.execute_batch(schema).map_err(failed)?,
        }
        Ok(connection)
    }
}

impl Engine for Sqlite {
    fn place(&self) -> &Path {
        &self.path
    }

    fn must_be_there(&self) -> Result<(), StoreError> {
        let path = self.path.clone();
        if !path.is_file() {
            return Err(StoreError::NoJournal { path });
        }
        let known = MIGRATIONS.len() as i64;
        match version(&open_reader(&path)?, &path)? {
            0 => Err(StoreError::NoJournal { path }),
            found if found > known || found < 0 => {
                Err(StoreError::NewerSchema { path, found, known })
            }
            _ => Ok(()),
        }
    }

    fn writer(&self) -> Result<Box<dyn Session>, StoreError> {
        Ok(Box::new(self.open_writer()?))
    }

    fn reader(&self) -> Result<Box<dyn Session>, StoreError> {
        Ok(Box::new(open_reader(&self.path)?))
    }

    /// A file is never away.
    fn again(&self, _commit: Option<Mark>, _patience: Patience) -> Again {
        Ok((self.writer()?, false))
    }

    fn error(&self, fault: Fault) -> StoreError {
        let source = match fault {
            Fault::Sqlite(source) => source,
            other => rusqlite::Error::ToSqlConversionFailure(Box::new(other)),
        };
        StoreError::from_sqlite(&self.path, source)
    }

    /// A file is never away.
    fn tell_of_absence(&self, _tell: Tell) {}

    /// Nobody on another machine has the file, and on this one the folder's lock keeps a second out.
    fn claim(&self, _holder: &str) -> Result<(), StoreError> {
        Ok(())
    }

    fn renew(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn release(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Session for Connection {
    /// IMMEDIATE: the expected sequence number is checked under the lock that writes, so a second
    /// process can never come between check and append.
    fn begin(&mut self, purpose: Purpose) -> Result<(), Fault> {
        Ok(self.execute_batch(match purpose {
            Purpose::Journal | Purpose::Rows => "BEGIN IMMEDIATE",
            Purpose::Snapshot => "BEGIN",
        })?)
    }

    fn commit(&mut self) -> Result<(), Fault> {
        Ok(self.execute_batch("COMMIT")?)
    }

    fn roll_back(&mut self) {
        if !self.is_autocommit() {
            // What does not even roll back tells whoever comes next.
            let _told_later = self.execute_batch("ROLLBACK");
        }
    }

    fn change(&mut self, statement: &str, values: &[Value<'_>]) -> Result<u64, Fault> {
        let mut statement = self.prepare_cached(statement)?;
        Ok(statement.execute(rusqlite::params_from_iter(values))? as u64)
    }

    fn each(&mut self, statement: &str, values: &[Value<'_>], row: Take<'_>) -> Result<(), Fault> {
        let mut statement = self.prepare_cached(statement)?;
        let mut rows = statement.query(rusqlite::params_from_iter(values))?;
        while let Some(found) = rows.next()? {
            row(Row(found))?;
        }
        Ok(())
    }

    fn kind(&self) -> &'static str {
        "iif(json_valid(event.payload), json_extract(event.payload, '$.type'), NULL)"
    }

    fn environment_in_any_case(&self) -> &'static str {
        "lower(environment)"
    }

    /// What is undone gives its positions back, and one whose event was deleted is not given again.
    fn positions_given(&self) -> Option<&'static str> {
        Some("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'event'")
    }

    fn is_lost(&self) -> bool {
        false
    }

    fn mark(&self) -> Option<Mark> {
        None
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Number(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl Columns for rusqlite::Row<'_> {
    fn number(&self, index: usize) -> Result<Option<i64>, Fault> {
        Ok(self.get(index)?)
    }

    fn text(&self, index: usize) -> Result<Option<&str>, Fault> {
        let found = self.get_ref(index)?.as_str_or_null();
        found.map_err(|_| Fault::Shape("a column that holds text does not"))
    }

    fn bytes(&self, index: usize) -> Result<Option<&[u8]>, Fault> {
        let found = self.get_ref(index)?.as_blob_or_null();
        found.map_err(|_| Fault::Shape("a column that holds bytes does not"))
    }
}

/// A connection that only reads.
fn open_reader(path: &Path) -> Result<Connection, StoreError> {
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

fn configure(connection: &Connection, durability: Durability) -> rusqlite::Result<()> {
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

/// The schema's; 0 where there is none.
fn version(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let found = connection.pragma_query_value(None, "user_version", |row| row.get(0));
    found.map_err(|source| StoreError::from_sqlite(path, source))
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::from_sqlite(path, source);
    let known = MIGRATIONS.len() as i64;
    let found = version(connection, path)?;
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
