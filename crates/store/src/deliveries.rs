//! What others hand in, each once, whatever they do: webhooks that wait until they are acted upon.
//!
//! `deliveries.db` has a row for each; its body goes when it was acted upon, its id stays as long as
//! somebody could hand it in again. A delivery is answered when it is on the disk. One thread writes,
//! and what comes meanwhile is committed together, so a thousand at once cost a few commits.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard};
use std::thread::JoinHandle;

use event::{Digest, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::blobs::create_folder;
use crate::database;
use crate::error::StoreError;

/// Deliveries that wait to be written; whoever comes then waits to be let in.
const QUEUE_MAX: usize = 256;
/// In one commit: bounds how long the first of them waits, and what it costs to lose it.
const GROUP_MAX: usize = 128;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS delivery (
        position INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        digest TEXT UNIQUE,
        event TEXT NOT NULL,
        at INTEGER NOT NULL,
        body BLOB
    ) STRICT;
    CREATE INDEX IF NOT EXISTS delivery_waiting ON delivery (position) WHERE body IS NOT NULL;
    CREATE INDEX IF NOT EXISTS delivery_at ON delivery (at);
";

/// What is handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// What it is known by.
    pub id: String,
    /// What another one with the same words is known by; none where that one counts too.
    pub digest: Option<Digest>,
    /// `push`
    pub event: String,
    /// When it came.
    pub at: Timestamp,
    /// What it says.
    pub body: Vec<u8>,
}

/// Whether it is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is on the disk now.
    New,
    /// It, or one that says the same, came before.
    Known,
}

struct Waiting {
    delivered: Delivered,
    reply: SyncSender<Result<Taken, StoreError>>,
}

/// The deliveries of a folder.
pub struct Deliveries {
    path: PathBuf,
    // Before the writer: the last connection to close empties the write-ahead log.
    reader: Mutex<Connection>,
    queue: Option<SyncSender<Waiting>>,
    thread: Option<JoinHandle<()>>,
}

impl Deliveries {
    /// Opens those of a folder, or makes the file. Every commit waits for the disk.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(folder: &Path) -> Result<Deliveries, StoreError> {
        create_folder(folder)?;
        let path = folder.join("deliveries.db");
        let open = || -> rusqlite::Result<Connection> {
            let connection = Connection::open(&path)?;
            database::configure(&connection, database::Durability::PowerLoss)?;
            Ok(connection)
        };
        let failed = |source| StoreError::from_sqlite(&path, source);
        let writer = open().map_err(failed)?;
        writer.execute_batch(SCHEMA).map_err(failed)?;
        let reader = Mutex::new(open().map_err(failed)?);
        let (queue, requests) = sync_channel(QUEUE_MAX);
        let work = Work { path: path.clone(), connection: writer };
        let thread = std::thread::Builder::new()
            .name("deliveries".to_owned())
            .spawn(move || work.run(&requests))
            .map_err(|source| StoreError::from_io("start the writer of", &path, source))?;
        Ok(Deliveries { path, reader, queue: Some(queue), thread: Some(thread) })
    }

    /// Takes one; it is on the disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written: it was not taken then.
    pub fn take(&self, delivered: Delivered) -> Result<Taken, StoreError> {
        let (reply, answer) = sync_channel(1);
        let queue = self.queue.as_ref().expect("taken by drop only");
        queue.send(Waiting { delivered, reply }).expect("the thread lives as long as this handle");
        answer.recv().expect("the thread answers every request")
    }

    /// The first one behind a place that nobody acted upon yet, with its place.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn next(&self, after: i64) -> Result<Option<(i64, Delivered)>, StoreError> {
        let found = self
            .reader()
            .prepare_cached(
                "SELECT position, id, event, at, body FROM delivery
                 WHERE body IS NOT NULL AND position > ?1 ORDER BY position LIMIT 1",
            )
            .and_then(|mut statement| {
                let row = |row: &rusqlite::Row<'_>| {
                    let delivered = Delivered {
                        id: row.get(1)?,
                        digest: None,
                        event: row.get(2)?,
                        at: Timestamp(row.get::<_, i64>(3)?.cast_unsigned()),
                        body: row.get(4)?,
                    };
                    Ok((row.get(0)?, delivered))
                };
                statement.query_row([after], row).optional()
            });
        found.map_err(|source| self.failed(source))
    }

    /// How many wait.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn waiting(&self) -> Result<u64, StoreError> {
        let count = self.reader().query_row(
            "SELECT count(*) FROM delivery WHERE body IS NOT NULL",
            [],
            |row| row.get::<_, i64>(0),
        );
        count.map(i64::cast_unsigned).map_err(|source| self.failed(source))
    }

    /// It was acted upon: what it says goes, that it came stays.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn done(&self, id: &str) -> Result<(), StoreError> {
        let done = self.reader().execute("UPDATE delivery SET body = NULL WHERE id = ?1", [id]);
        done.map(drop).map_err(|source| self.failed(source))
    }

    /// Forgets that those came that were acted upon and are older.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn forget_before(&self, at: Timestamp) -> Result<u64, StoreError> {
        let gone = self
            .reader()
            .execute("DELETE FROM delivery WHERE at < ?1 AND body IS NULL", [at.0.cast_signed()]);
        gone.map(|count| count as u64).map_err(|source| self.failed(source))
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().expect("nobody panics while holding the connection")
    }

    fn failed(&self, source: rusqlite::Error) -> StoreError {
        StoreError::from_sqlite(&self.path, source)
    }
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // Its panic was shown when it happened.
            let _ended = thread.join();
        }
    }
}

struct Work {
    path: PathBuf,
    connection: Connection,
}

impl Work {
    fn run(mut self, requests: &Receiver<Waiting>) {
        while let Ok(first) = requests.recv() {
            let mut group = vec![first];
            group.extend(requests.try_iter().take(GROUP_MAX - 1));
            match self.commit(&group) {
                Ok(taken) => {
                    for (waiting, taken) in group.into_iter().zip(taken) {
                        // Whoever gave up waiting is told when it comes again.
                        let _ = waiting.reply.send(Ok(taken));
                    }
                }
                Err(source) => {
                    let error = StoreError::from_sqlite(&self.path, source);
                    for waiting in group {
                        let _ = waiting.reply.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    fn commit(&mut self, group: &[Waiting]) -> rusqlite::Result<Vec<Taken>> {
        let behavior = rusqlite::TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let mut taken = Vec::with_capacity(group.len());
        {
            // Either may be known already.
            let mut insert = transaction.prepare_cached(
                "INSERT OR IGNORE INTO delivery (id, digest, event, at, body)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for Waiting { delivered: it, .. } in group {
                let digest = it.digest.as_ref().map(ToString::to_string);
                let at = it.at.0.cast_signed();
                let rows = insert.execute(params![it.id, digest, it.event, at, it.body])?;
                taken.push(if rows == 1 { Taken::New } else { Taken::Known });
            }
        }
        transaction.commit()?;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(id: &str, body: &str) -> Delivered {
        Delivered {
            id: id.to_owned(),
            digest: Some(Digest::of(body.as_bytes())),
            event: "push".to_owned(),
            at: Timestamp(1_000),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn each_is_taken_once_by_its_id_and_by_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let deliveries = Deliveries::open(folder.path()).unwrap();
        assert_eq!(deliveries.take(one("a", "x")).unwrap(), Taken::New);
        assert_eq!(deliveries.take(one("a", "x")).unwrap(), Taken::Known);
        assert_eq!(deliveries.take(one("b", "x")).unwrap(), Taken::Known);
        assert_eq!(deliveries.take(one("a", "y")).unwrap(), Taken::Known);
        assert_eq!(deliveries.take(one("c", "y")).unwrap(), Taken::New);
        let alike = |id: &str| Delivered { digest: None, ..one(id, "z") };
        assert_eq!(deliveries.take(alike("d")).unwrap(), Taken::New);
        assert_eq!(deliveries.take(alike("e")).unwrap(), Taken::New);
    }

    #[test]
    fn what_was_acted_upon_is_known_and_waits_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let deliveries = Deliveries::open(folder.path()).unwrap();
        for (id, body) in [("a", "x"), ("b", "y")] {
            deliveries.take(one(id, body)).unwrap();
        }
        let (first, taken) = deliveries.next(0).unwrap().unwrap();
        assert_eq!((taken.id.as_str(), &*taken.body), ("a", &b"x"[..]));
        deliveries.done("a").unwrap();
        let (second, taken) = deliveries.next(0).unwrap().unwrap();
        assert_eq!((taken.id.as_str(), second > first), ("b", true));
        assert!(deliveries.next(second).unwrap().is_none());
        drop(deliveries);
        // A new process knows all of it.
        let deliveries = Deliveries::open(folder.path()).unwrap();
        assert_eq!(deliveries.take(one("a", "x")).unwrap(), Taken::Known);
        assert_eq!(deliveries.waiting().unwrap(), 1);
        // What still waits is not forgotten, however old.
        assert_eq!(deliveries.forget_before(Timestamp(2_000)).unwrap(), 1);
        assert_eq!(deliveries.take(one("a", "x")).unwrap(), Taken::New);
    }
}
