//! A journal as a read copy of one that several machines share: entries are taken in one after the
//! other, each whole or not at all, in the order in which they stand there.

use std::sync::Arc;

use event::{Digest, Envelope, Fact, Seq, StreamId, Timestamp, chain};
use ports::JournalError;

use crate::engine::{Fault, Session, values};
use crate::error::StoreError;
use crate::store::Store;
use crate::write::{self, Refusal};
use crate::writer::{Answer, EncodedEvent, Request};

/// How far the shared journal was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The last entry; 0 where none was.
    pub number: u64,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its version, as the bucket names it.
    pub version: String,
    /// When the bucket answered last; none where it never did.
    pub looked_at: Option<Timestamp>,
}

/// One entry of the shared journal.
#[derive(Clone, Debug)]
pub struct TakenIn {
    /// Its number, from 1.
    pub number: u64,
    /// The digest of the entry before it.
    pub previous: Digest,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Its version, as the bucket names it.
    pub version: String,
    /// When it was read.
    pub looked_at: Timestamp,
    /// The right to an environment that it was written under.
    pub place: Option<SharedPlace>,
    /// What it appends to; none where it only takes a place.
    pub stream: Option<TakenStream>,
}

/// The right to deploy to an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedPlace {
    /// Of which project.
    pub project: Arc<str>,
    /// Which one.
    pub environment: Arc<str>,
    /// It only grows.
    pub fence: u64,
    /// Who has it.
    pub owner: Arc<str>,
}

/// What an entry appends.
#[derive(Clone, Debug)]
pub struct TakenStream {
    /// Where to.
    pub stream: StreamId,
    /// Under which project, and which environment or service of it; for a new one.
    pub filed: Option<(Arc<str>, Arc<str>)>,
    /// Behind which event.
    pub after: Seq,
    /// When.
    pub at: Timestamp,
    /// The chain's digest behind the last event.
    pub chain: Digest,
    /// Whether the stream is over.
    pub ends: bool,
    /// The events as JSON. None: the number is taken, and nothing is written yet.
    pub events: Vec<String>,
}

/// Does it, inside a transaction. What was taken in before is passed over.
pub(crate) fn take_in(session: &mut dyn Session, entry: &TakenIn) -> Result<Answer, Refusal> {
    let cursor = cursor(session)?;
    if entry.number <= cursor.number {
        return Ok(Answer::TakenIn);
    }
    if entry.number != cursor.number + 1 {
        return Err(Refusal::NotNext { at: cursor.number });
    }
    if entry.previous != cursor.digest {
        return Err(Refusal::Broken("it does not name the entry before it".to_owned()));
    }
    // All of it is looked at before anything is written: others share the transaction.
    if let Some(place) = &entry.place {
        must_not_be_stale(session, place)?;
    }
    if let Some(stream) = &entry.stream {
        must_follow(session, stream)?;
    }
    if let Some(place) = &entry.place {
        take_place(session, place)?;
    }
    if let Some(stream) = &entry.stream {
        take_stream(session, stream)?;
    }
    session.change(
        "INSERT INTO shared (id, number, digest, version, looked_at) VALUES (1, ?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET number = excluded.number, digest = excluded.digest,
             version = excluded.version, looked_at = excluded.looked_at",
        values![entry.number, &entry.digest, &entry.version, entry.looked_at],
    )?;
    Ok(Answer::TakenIn)
}

fn must_not_be_stale(session: &mut dyn Session, place: &SharedPlace) -> Result<(), Refusal> {
    let before = self::place(session, &place.project, &place.environment)?;
    match before.filter(|it| it.fence > place.fence) {
        None => Ok(()),
        Some(before) => Err(Refusal::Broken(format!(
            "it was written under the fence {} of {}, behind {}",
            place.fence, place.environment, before.fence
        ))),
    }
}

fn must_follow(session: &mut dyn Session, taken: &TakenStream) -> Result<(), Refusal> {
    let TakenStream { stream, after, at, .. } = taken;
    let (found, mut digest) = write::head(session, *stream)?;
    if found != *after {
        let what = format!("it goes on behind event {after} of {stream}, which has {found}");
        return Err(Refusal::Broken(what));
    }
    let mut seq = *after;
    for event in &taken.events {
        seq = Seq(seq.0 + 1);
        digest = chain(&digest, *stream, seq, *at, &Digest::of(event.as_bytes()));
    }
    if !taken.events.is_empty() && digest != taken.chain {
        return Err(Refusal::Broken("its events are not those that its chain is of".to_owned()));
    }
    Ok(())
}

fn take_place(session: &mut dyn Session, place: &SharedPlace) -> Result<(), Fault> {
    let SharedPlace { project, environment, fence, owner } = place;
    session.change(
        "INSERT INTO shared_place (project, environment, fence, owner) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (project, environment) DO UPDATE
             SET fence = excluded.fence, owner = excluded.owner",
        values![&**project, &**environment, *fence, &**owner],
    )?;
    Ok(())
}

fn take_stream(session: &mut dyn Session, taken: &TakenStream) -> Result<(), Fault> {
    let filed = match taken.stream {
        StreamId::Deployment(id) => Some(("deployment", "environment", id.0)),
        StreamId::Release(id) => Some(("release", "service", id.0)),
        StreamId::Incident(id) => Some(("incident", "key", id.0)),
        StreamId::Run(..) | StreamId::Audit => None,
    };
    if let (Some((table, column, id)), Some((project, under))) = (filed, &taken.filed) {
        session.change(
            &format!(
                "INSERT INTO {table} (id, project, {column}) VALUES (?1, ?2, ?3)
                 ON CONFLICT (id) DO NOTHING"
            ),
            values![id, &**project, &**under],
        )?;
    }
    if taken.events.is_empty() {
        return Ok(());
    }
    let encoded = |payload: &String| EncodedEvent { payload: payload.clone(), ends_stream: false };
    let events: Vec<_> = taken.events.iter().map(encoded).collect();
    write::append_unseen(session, taken.stream, taken.at, &events, taken.ends)
}

/// How far the shared journal was read.
pub(crate) fn cursor(session: &mut dyn Session) -> Result<Cursor, Fault> {
    let found =
        session.one("SELECT number, digest, version, looked_at FROM shared", &[], |row| {
            Ok(Cursor {
                number: row.get(0)?,
                digest: row.get(1)?,
                version: row.get(2)?,
                looked_at: Some(row.get(3)?),
            })
        })?;
    let none =
        || Cursor { number: 0, digest: Digest::ZERO, version: String::new(), looked_at: None };
    Ok(found.unwrap_or_else(none))
}

/// The bucket answered, and had nothing new.
pub(crate) fn looked(session: &mut dyn Session, at: Timestamp) -> Result<Answer, Refusal> {
    session.change(
        "INSERT INTO shared (id, number, digest, version, looked_at) VALUES (1, 0, ?2, '', ?1)
         ON CONFLICT (id) DO UPDATE SET looked_at = excluded.looked_at
             WHERE shared.looked_at < excluded.looked_at",
        values![at, &Digest::ZERO],
    )?;
    Ok(Answer::TakenIn)
}

fn place(
    session: &mut dyn Session,
    project: &str,
    environment: &str,
) -> Result<Option<SharedPlace>, Fault> {
    session.one(
        "SELECT fence, owner FROM shared_place WHERE project = ?1 AND environment = ?2",
        values![project, environment],
        |row| {
            Ok(SharedPlace {
                project: project.into(),
                environment: environment.into(),
                fence: row.get(0)?,
                owner: row.get::<String>(1)?.into(),
            })
        },
    )
}

fn newest(session: &mut dyn Session, table: &str) -> Result<u64, Fault> {
    session.only(&format!("SELECT coalesce(max(id), 0) FROM {table}"), &[])
}

/// As a read copy of a journal that several machines share.
impl Store {
    /// Takes an entry in. One that was taken in before, by another process, is passed over.
    ///
    /// # Errors
    /// When it does not follow from what is here: then nothing of it is taken.
    pub fn take_in(&self, entry: TakenIn) -> Result<(), JournalError> {
        let action = format!("cannot keep entry {} of the shared journal", entry.number);
        let number = entry.number;
        match self.ask(Request::TakeIn(Box::new(entry))) {
            Ok(_) => Ok(()),
            Err(Refusal::Broken(what)) => {
                Err(JournalError::Unreadable(format!("entry {number}: {what}")))
            }
            Err(Refusal::NotNext { at }) => {
                Err(JournalError::Unreadable(format!("entry {number} does not follow entry {at}")))
            }
            Err(refusal) => Err(crate::store::storage(action, self.refused(refusal))),
        }
    }

    /// The bucket answered at that time, and had nothing new.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn looked(&self, at: Timestamp) -> Result<(), StoreError> {
        self.ask(Request::Looked { at }).map(|_| ()).map_err(|refusal| self.refused(refusal))
    }

    /// How far the shared journal was read.
    ///
    /// # Errors
    /// When the file does not say.
    pub fn cursor(&self) -> Result<Cursor, StoreError> {
        self.look(cursor)
    }

    /// The right to an environment that was seen last.
    ///
    /// # Errors
    /// When the file does not say.
    pub fn shared_place(
        &self,
        project: &str,
        environment: &str,
    ) -> Result<Option<SharedPlace>, StoreError> {
        self.look(|session| place(session, project, environment))
    }

    /// The number of the newest deployment; 0 where there is none.
    ///
    /// # Errors
    /// When the file does not say.
    pub fn newest_deployment(&self) -> Result<u64, StoreError> {
        self.look(|session| newest(session, "deployment"))
    }

    /// The number of the newest release; 0 where there is none.
    ///
    /// # Errors
    /// When the file does not say.
    pub fn newest_release(&self) -> Result<u64, StoreError> {
        self.look(|session| newest(session, "release"))
    }

    /// Where a stream is: its last event, and the chain's digest behind it.
    ///
    /// # Errors
    /// When the file does not say.
    pub fn head(&self, stream: StreamId) -> Result<(Seq, Digest), StoreError> {
        self.look(|session| write::head(session, stream))
    }

    /// The events of a stream, of whatever kind.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn events<E: Fact>(
        &self,
        stream: StreamId,
        after: Seq,
    ) -> Result<Vec<Envelope<E>>, JournalError> {
        self.read_any(stream, after)
    }

    /// The streams without an end, of whatever kind.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn open_of<E: Fact>(&self) -> Result<Vec<StreamId>, JournalError> {
        self.open_any::<E>()
    }
}
