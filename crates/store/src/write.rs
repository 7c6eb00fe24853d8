//! What is done inside a transaction. Every request checks before it writes, so a refused one leaves
//! nothing behind in the transaction that it shares.

use std::collections::BTreeMap;

use event::{Attempt, DeploymentId, Digest, ReleaseId, RunId, Seq, StreamId, Timestamp, chain};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::error::StoreError;
use crate::shared;
use crate::writer::{Answer, EncodedEvent, Request};

/// Why a request was not done.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The caller's state is stale.
    Conflict { found: Seq },
    /// The stream holds an event that this version does not know.
    UnknownKind { kind: String },
    /// The stream's payloads were deleted.
    Forgotten,
    /// It has not ended.
    StillOpen,
    /// It is not there.
    NoRun(RunId),
    /// An entry of a shared journal that does not follow from the one before.
    Broken(String),
    /// An entry of a shared journal that is not the next.
    NotNext { at: u64 },
    /// SQLite, inside the transaction.
    Sqlite(rusqlite::Error),
    /// SQLite, with everything that a caller needs to know.
    Store(StoreError),
}

impl From<rusqlite::Error> for Refusal {
    fn from(source: rusqlite::Error) -> Refusal {
        Refusal::Sqlite(source)
    }
}

/// How far each stream was found to hold known kinds only. Another process, of a newer version, may
/// have appended since; then what is new is looked at.
#[derive(Default)]
pub(crate) struct KnownStreams {
    committed: BTreeMap<StreamId, Seq>,
    pending: BTreeMap<StreamId, Option<Seq>>,
}

impl KnownStreams {
    fn get(&self, stream: StreamId) -> Seq {
        let pending = self.pending.get(&stream).copied().flatten();
        pending.or_else(|| self.committed.get(&stream).copied()).unwrap_or_default()
    }

    /// The transaction was committed: what was learnt in it is true.
    pub(crate) fn commit(&mut self) {
        for (stream, seq) in std::mem::take(&mut self.pending) {
            match seq {
                Some(seq) => self.committed.insert(stream, seq),
                None => self.committed.remove(&stream),
            };
        }
    }

    /// It was not.
    pub(crate) fn roll_back(&mut self) {
        self.pending.clear();
    }
}

/// A stream as its row says.
struct StreamRow {
    id: i64,
    seq: Seq,
    digest: Digest,
    open: bool,
    forgotten: bool,
}

/// Does what is asked.
pub(crate) fn perform(
    transaction: &Transaction<'_>,
    known: &mut KnownStreams,
    request: &Request,
) -> Result<Answer, Refusal> {
    match request {
        Request::Append { stream, expected, at, events, kinds } => {
            let place = Place { stream: *stream, expected: *expected, at: *at, kinds };
            append(transaction, known, &place, events)
        }
        Request::AllocateDeployment { project, environment } => {
            allocate_deployment(transaction, project, environment)
        }
        Request::AllocateRelease { project, service } => {
            allocate_release(transaction, project, service)
        }
        Request::AllocateRun { repository, workflow } => {
            allocate_run(transaction, repository, workflow)
        }
        Request::AllocateAttempt { run } => allocate_attempt(transaction, *run),
        Request::Forget { stream } => forget(transaction, *stream),
        Request::TakeIn(entry) => shared::take_in(transaction, entry),
        Request::Outbox(change) => crate::outbox::change(transaction, change),
        Request::Looked { at } => shared::looked(transaction, *at),
    }
}

/// Where events are to stand.
struct Place {
    stream: StreamId,
    expected: Seq,
    at: Timestamp,
    kinds: &'static [&'static str],
}

fn append(
    transaction: &Transaction<'_>,
    known: &mut KnownStreams,
    place: &Place,
    events: &[EncodedEvent],
) -> Result<Answer, Refusal> {
    let Place { stream, expected, at, kinds } = *place;
    let row = find_stream(transaction, stream)?;
    let found = row.as_ref().map_or(Seq(0), |row| row.seq);
    if let Some(row) = &row {
        if row.forgotten {
            return Err(Refusal::Forgotten);
        }
        refuse_unknown_kinds(transaction, row, kinds, known.get(stream))?;
    }
    if found != expected {
        return Err(Refusal::Conflict { found });
    }
    if events.is_empty() {
        return Ok(Answer::Appended(found));
    }
    let row = match row {
        Some(row) => row,
        None => create_stream(transaction, stream)?,
    };
    let ended = events.iter().any(|event| event.ends_stream);
    let seq = insert(transaction, &row, stream, at, events, row.open && !ended)?;
    // A stream that ended is hardly appended to again; the map holds what is open.
    known.pending.insert(stream, (!ended).then_some(seq));
    Ok(Answer::Appended(seq))
}

/// Where a stream is: its last event, and the chain's digest behind it.
pub(crate) fn head(connection: &Connection, stream: StreamId) -> rusqlite::Result<(Seq, Digest)> {
    let row = find_stream(connection, stream)?;
    Ok(row.map_or((Seq(0), Digest::ZERO), |row| (row.seq, row.digest)))
}

/// Appends what another machine wrote, whatever kinds it knew.
pub(crate) fn append_unseen(
    transaction: &Transaction<'_>,
    stream: StreamId,
    at: Timestamp,
    events: &[EncodedEvent],
    ends: bool,
) -> rusqlite::Result<()> {
    let row = match find_stream(transaction, stream)? {
        Some(row) => row,
        None => create_stream(transaction, stream)?,
    };
    insert(transaction, &row, stream, at, events, row.open && !ends).map(|_| ())
}

fn insert(
    transaction: &Transaction<'_>,
    row: &StreamRow,
    stream: StreamId,
    at: Timestamp,
    events: &[EncodedEvent],
    open: bool,
) -> rusqlite::Result<Seq> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO event (stream, seq, at, payload_digest, digest, payload)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let (mut seq, mut digest) = (row.seq, row.digest);
    for event in events {
        seq = Seq(seq.0 + 1);
        let payload = Digest::of(event.payload.as_bytes());
        digest = chain(&digest, stream, seq, at, &payload);
        statement.execute(params![
            row.id,
            seq.0.cast_signed(),
            at.0.cast_signed(),
            payload.0,
            digest.0,
            event.payload
        ])?;
    }
    let mut statement = transaction
        .prepare_cached("UPDATE stream SET seq = ?2, digest = ?3, open = ?4 WHERE id = ?1")?;
    statement.execute(params![row.id, seq.0.cast_signed(), digest.0, open])?;
    Ok(seq)
}

fn find_stream(transaction: &Connection, stream: StreamId) -> rusqlite::Result<Option<StreamRow>> {
    let mut statement = transaction
        .prepare_cached("SELECT id, seq, digest, open, forgotten FROM stream WHERE name = ?1")?;
    let row = statement.query_row([stream.to_string()], |row| {
        Ok(StreamRow {
            id: row.get(0)?,
            seq: Seq(row.get::<_, i64>(1)?.cast_unsigned()),
            digest: Digest(row.get(2)?),
            open: row.get(3)?,
            forgotten: row.get(4)?,
        })
    });
    row.optional()
}

fn create_stream(transaction: &Transaction<'_>, stream: StreamId) -> rusqlite::Result<StreamRow> {
    let mut statement = transaction
        .prepare_cached("INSERT INTO stream (name, seq, digest, open) VALUES (?1, 0, ?2, 1)")?;
    let id = statement.insert(params![stream.to_string(), Digest::ZERO.0])?;
    Ok(StreamRow { id, seq: Seq(0), digest: Digest::ZERO, open: true, forgotten: false })
}

/// Appending behind an event that is not understood would be deciding on a state that never was.
fn refuse_unknown_kinds(
    transaction: &Transaction<'_>,
    row: &StreamRow,
    kinds: &[&str],
    known: Seq,
) -> Result<(), Refusal> {
    if known >= row.seq {
        return Ok(());
    }
    let mut statement = transaction.prepare_cached(
        "SELECT DISTINCT iif(json_valid(payload), json_extract(payload, '$.type'), NULL)
         FROM event WHERE stream = ?1 AND seq > ?2",
    )?;
    let mut rows = statement.query(params![row.id, known.0.cast_signed()])?;
    while let Some(row) = rows.next()? {
        let kind: Option<String> = row.get(0)?;
        let kind = kind.unwrap_or_else(|| "(no event)".to_owned());
        if !kinds.contains(&kind.as_str()) {
            return Err(Refusal::UnknownKind { kind });
        }
    }
    Ok(())
}

fn allocate_run(
    transaction: &Transaction<'_>,
    repository: &str,
    workflow: &str,
) -> Result<Answer, Refusal> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO run (repository, workflow, number, attempts)
         SELECT ?1, ?2, coalesce(max(number), 0) + 1, 1
         FROM run WHERE repository = ?1 AND workflow = ?2
         RETURNING id, number",
    )?;
    let (id, number): (i64, i64) =
        statement.query_row([repository, workflow], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Answer::Run(RunId(id.cast_unsigned()), number.cast_unsigned()))
}

fn allocate_attempt(transaction: &Transaction<'_>, run: RunId) -> Result<Answer, Refusal> {
    let mut statement = transaction.prepare_cached(
        "UPDATE run SET attempts = attempts + 1 WHERE id = ?1 RETURNING attempts",
    )?;
    let attempt: Option<i64> =
        statement.query_row([run.0.cast_signed()], |row| row.get(0)).optional()?;
    let attempt = attempt.ok_or(Refusal::NoRun(run))?;
    Ok(Answer::Attempt(Attempt(attempt.cast_unsigned())))
}

fn allocate_deployment(
    transaction: &Transaction<'_>,
    project: &str,
    environment: &str,
) -> Result<Answer, Refusal> {
    let mut statement = transaction
        .prepare_cached("INSERT INTO deployment (project, environment) VALUES (?1, ?2)")?;
    let id = statement.insert([project, environment])?;
    Ok(Answer::Deployment(DeploymentId(id.cast_unsigned())))
}

fn allocate_release(
    transaction: &Transaction<'_>,
    project: &str,
    service: &str,
) -> Result<Answer, Refusal> {
    let mut statement =
        transaction.prepare_cached("INSERT INTO release (project, service) VALUES (?1, ?2)")?;
    let id = statement.insert([project, service])?;
    Ok(Answer::Release(ReleaseId(id.cast_unsigned())))
}

fn forget(transaction: &Transaction<'_>, stream: StreamId) -> Result<Answer, Refusal> {
    let Some(row) = find_stream(transaction, stream)? else { return Ok(Answer::Forgotten) };
    if row.open {
        return Err(Refusal::StillOpen);
    }
    transaction.execute("UPDATE event SET payload = NULL WHERE stream = ?1", [row.id])?;
    transaction.execute("UPDATE stream SET forgotten = 1 WHERE id = ?1", [row.id])?;
    Ok(Answer::Forgotten)
}
