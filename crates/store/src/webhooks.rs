//! What others hand in, each once, whatever they do: webhooks that wait until they are acted upon.
//!
//! There is a row for each, in `deliveries.db` or the folder's database; its body goes when it was acted upon, its id stays as long as
//! somebody could hand it in again. A webhook is answered when it is on the disk. One thread writes
//! (`group.rs`), so a thousand at once cost a few commits.

use std::path::Path;
use std::sync::Arc;

use event::{Digest, Timestamp};

use crate::blobs::create_folder;
use crate::engine::{Engine, Fault, Patience, Purpose, Session, values};
use crate::error::StoreError;
use crate::group::{Commit, Group, Limits};
use crate::home;
use crate::reader::Reader;

/// A body may have 25 MB: fewer than of the journal's requests wait at a time.
const LIMITS: Limits = Limits { queue: 256, group: 128 };

/// Places that are read at once: a round over many that wait asks seldom.
const PLACES: i64 = 1_000;

/// Of the file. In a database it is part of the journal's schema.
pub(crate) const SCHEMA: &str = "
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
pub struct TakenWebhook {
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

/// The webhooks of a folder.
pub struct Webhooks {
    // Before the writer: the last connection to close empties the write-ahead log.
    reader: Reader,
    writer: Group<Work>,
}

impl Webhooks {
    /// Opens those of a folder, or makes the file. Every commit waits for the disk.
    ///
    /// # Errors
    /// When they cannot be opened.
    pub fn open(folder: &Path) -> Result<Webhooks, StoreError> {
        create_folder(folder)?;
        let engine = home::webhooks(folder)?;
        let session = engine.writer()?;
        let reader = Reader::over(Arc::clone(&engine), engine.writer()?);
        let place = engine.place().to_owned();
        let writer = Group::start("webhooks", LIMITS, Work { engine, session })
            .map_err(|source| StoreError::from_io("start the writer of", &place, source))?;
        Ok(Webhooks { reader, writer })
    }

    /// Takes one; it is on the disk when this returns.
    ///
    /// # Errors
    /// When it cannot be written: it was not taken then.
    pub fn take(&self, webhook: TakenWebhook) -> Result<Taken, StoreError> {
        self.writer.ask(webhook)
    }

    /// Where those are behind a place that nobody acted upon yet, and what each is known by: the first ones, in
    /// their order. None where there is no more.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn places(&self, after: i64) -> Result<Vec<(i64, String)>, StoreError> {
        self.reader.look(|session| {
            session.all(
                "SELECT position, id FROM delivery
                 WHERE body IS NOT NULL AND position > ?1 ORDER BY position LIMIT ?2",
                values![after, PLACES],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
        })
    }

    /// The one at a place, where nobody acted upon it yet.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn at(&self, place: i64) -> Result<Option<TakenWebhook>, StoreError> {
        self.reader.look(|session| {
            session.one(
                "SELECT id, event, at, body FROM delivery
                 WHERE body IS NOT NULL AND position = ?1",
                values![place],
                |row| {
                    Ok(TakenWebhook {
                        id: row.get(0)?,
                        digest: None,
                        event: row.get(1)?,
                        at: row.get(2)?,
                        body: row.get(3)?,
                    })
                },
            )
        })
    }

    /// How many wait.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn waiting(&self) -> Result<u64, StoreError> {
        let statement = "SELECT count(*) FROM delivery WHERE body IS NOT NULL";
        self.reader.look(|session| session.only(statement, &[]))
    }

    /// It was acted upon: what it says goes, that it came stays.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn done(&self, id: &str) -> Result<(), StoreError> {
        let statement = "UPDATE delivery SET body = NULL WHERE id = ?1";
        self.reader.look(|session| session.change(statement, values![id])).map(drop)
    }

    /// Forgets that those came that were acted upon and are older.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn forget_before(&self, at: Timestamp) -> Result<u64, StoreError> {
        let statement = "DELETE FROM delivery WHERE at < ?1 AND body IS NULL";
        self.reader.look(|session| session.change(statement, values![at]))
    }
}

struct Work {
    engine: Arc<dyn Engine>,
    session: Box<dyn Session>,
}

impl Commit for Work {
    type Request = TakenWebhook;
    type Reply = Result<Taken, StoreError>;

    fn commit(&mut self, group: &[TakenWebhook]) -> Vec<Result<Taken, StoreError>> {
        match self.taken(group) {
            Ok(taken) => taken.into_iter().map(Ok).collect(),
            Err(error) => group.iter().map(|_| Err(error.clone())).collect(),
        }
    }
}

impl Work {
    /// Whoever waits outside is told soon that it does not work, and comes again.
    fn taken(&mut self, group: &[TakenWebhook]) -> Result<Vec<Taken>, StoreError> {
        let mut taken = self.transaction(group);
        if taken.is_err() && self.session.is_lost() {
            // Perhaps they were committed: then they are known now, which is as good.
            (self.session, _) = self.engine.again(None, Patience::Short)?;
            taken = self.transaction(group);
        }
        taken.map_err(|fault| self.engine.error(fault))
    }

    fn transaction(&mut self, group: &[TakenWebhook]) -> Result<Vec<Taken>, Fault> {
        self.session.begin(Purpose::Rows)?;
        let done = insert(&mut *self.session, group).and_then(|taken| {
            self.session.commit()?;
            Ok(taken)
        });
        if done.is_err() {
            self.session.roll_back();
        }
        done
    }
}

fn insert(session: &mut dyn Session, group: &[TakenWebhook]) -> Result<Vec<Taken>, Fault> {
    let mut taken = Vec::with_capacity(group.len());
    for it in group {
        let digest = it.digest.as_ref().map(ToString::to_string);
        // Either may be known already.
        let rows = session.change(
            "INSERT INTO delivery (id, digest, event, at, body) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING",
            values![&it.id, digest.as_deref(), &it.event, it.at, it.body.as_slice()],
        )?;
        taken.push(if rows == 1 { Taken::New } else { Taken::Known });
    }
    Ok(taken)
}
