//! What is done inside a transaction. Every request checks before it writes, so a refused one leaves
//! nothing behind in the transaction that it shares.

use std::collections::BTreeMap;

use event::{Attempt, DeploymentId, Digest, ReleaseId, RunId, Seq, StreamId, Timestamp, chain};

use crate::engine::{Fault, Session, values};
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
    /// The engine, inside the transaction.
    Fault(Fault),
    /// The engine, with everything that a caller needs to know.
    Store(StoreError),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Refusal {
        Refusal::Fault(fault)
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
    session: &mut dyn Session,
    known: &mut KnownStreams,
    request: &Request,
) -> Result<Answer, Refusal> {
    match request {
        Request::Append { stream, expected, at, events, kinds } => {
            let place = Place { stream: *stream, expected: *expected, at: *at, kinds };
            append(session, known, &place, events)
        }
        Request::AllocateDeployment { project, environment } => {
            allocate_deployment(session, project, environment)
        }
        Request::AllocateRelease { project, service } => {
            allocate_release(session, project, service)
        }
        Request::AllocateIncident { project, key } => {
            crate::incidents::allocate(session, project, key)
        }
        Request::AllocateRun { repository, workflow } => {
            allocate_run(session, repository, workflow)
        }
        Request::AllocateAttempt { run } => allocate_attempt(session, *run),
        Request::Forget { stream } => forget(session, *stream),
        Request::TakeIn(entry) => shared::take_in(session, entry),
        Request::Outbox(change) => crate::outbox::change(session, change),
        Request::Looked { at } => shared::looked(session, *at),
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
    session: &mut dyn Session,
    known: &mut KnownStreams,
    place: &Place,
    events: &[EncodedEvent],
) -> Result<Answer, Refusal> {
    let Place { stream, expected, at, kinds } = *place;
    let row = find_stream(session, stream)?;
    let found = row.as_ref().map_or(Seq(0), |row| row.seq);
    if let Some(row) = &row {
        if row.forgotten {
            return Err(Refusal::Forgotten);
        }
        refuse_unknown_kinds(session, row, kinds, known.get(stream))?;
    }
    if found != expected {
        return Err(Refusal::Conflict { found });
    }
    if events.is_empty() {
        return Ok(Answer::Appended(found));
    }
    let row = match row {
        Some(row) => row,
        None => create_stream(session, stream)?,
    };
    let ended = events.iter().any(|event| event.ends_stream);
    let seq = insert(session, &row, stream, at, events, row.open && !ended)?;
    // A stream that ended is hardly appended to again; the map holds what is open.
    known.pending.insert(stream, (!ended).then_some(seq));
    Ok(Answer::Appended(seq))
}

/// Where a stream is: its last event, and the chain's digest behind it.
pub(crate) fn head(session: &mut dyn Session, stream: StreamId) -> Result<(Seq, Digest), Fault> {
    let row = find_stream(session, stream)?;
    Ok(row.map_or((Seq(0), Digest::ZERO), |row| (row.seq, row.digest)))
}

/// Appends what another machine wrote, whatever kinds it knew.
pub(crate) fn append_unseen(
    session: &mut dyn Session,
    stream: StreamId,
    at: Timestamp,
    events: &[EncodedEvent],
    ends: bool,
) -> Result<(), Fault> {
    let row = match find_stream(session, stream)? {
        Some(row) => row,
        None => create_stream(session, stream)?,
    };
    insert(session, &row, stream, at, events, row.open && !ends).map(|_| ())
}

fn insert(
    session: &mut dyn Session,
    row: &StreamRow,
    stream: StreamId,
    at: Timestamp,
    events: &[EncodedEvent],
    open: bool,
) -> Result<Seq, Fault> {
    let (mut seq, mut digest) = (row.seq, row.digest);
    for event in events {
        seq = Seq(seq.0 + 1);
        let payload = Digest::of(event.payload.as_bytes());
        digest = chain(&digest, stream, seq, at, &payload);
        session.change(
            "INSERT INTO event (stream, seq, at, payload_digest, digest, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            values![row.id, seq, at, &payload, &digest, &event.payload],
        )?;
    }
    session.change(
        "UPDATE stream SET seq = ?2, digest = ?3, open = ?4 WHERE id = ?1",
        values![row.id, seq, &digest, open],
    )?;
    Ok(seq)
}

fn find_stream(session: &mut dyn Session, stream: StreamId) -> Result<Option<StreamRow>, Fault> {
    session.one(
        "SELECT id, seq, digest, open, forgotten FROM stream WHERE name = ?1",
        values![&stream.to_string()],
        |row| {
            Ok(StreamRow {
                id: row.get(0)?,
                seq: row.get(1)?,
                digest: row.get(2)?,
                open: row.get(3)?,
                forgotten: row.get(4)?,
            })
        },
    )
}

fn create_stream(session: &mut dyn Session, stream: StreamId) -> Result<StreamRow, Fault> {
    let id = session.only(
        "INSERT INTO stream (name, seq, digest, open) VALUES (?1, 0, ?2, 1) RETURNING id",
        values![&stream.to_string(), &Digest::ZERO],
    )?;
    Ok(StreamRow { id, seq: Seq(0), digest: Digest::ZERO, open: true, forgotten: false })
}

/// Appending behind an event that is not understood would be deciding on a state that never was.
fn refuse_unknown_kinds(
    session: &mut dyn Session,
    row: &StreamRow,
    kinds: &[&str],
    known: Seq,
) -> Result<(), Refusal> {
    if known >= row.seq {
        return Ok(());
    }
    let kind = session.kind();
    let found: Vec<Option<String>> = session.all(
        &format!("SELECT DISTINCT {kind} FROM event WHERE stream = ?1 AND seq > ?2"),
        values![row.id, known],
        |row| row.get(0),
    )?;
    let mut found = found.into_iter().map(|it| it.unwrap_or_else(|| "(no event)".to_owned()));
    match found.find(|kind| !kinds.contains(&kind.as_str())) {
        Some(kind) => Err(Refusal::UnknownKind { kind }),
        None => Ok(()),
    }
}

// Numbers are counted by whoever holds the lock that writes: none is given twice, and none is left
// out.

fn allocate_run(
    session: &mut dyn Session,
    repository: &str,
    workflow: &str,
) -> Result<Answer, Refusal> {
    let given = session.one(
        "INSERT INTO run (id, repository, workflow, number, attempts)
         SELECT (SELECT coalesce(max(id), 0) + 1 FROM run), ?1, ?2, coalesce(max(number), 0) + 1, 1
         FROM run WHERE repository = ?1 AND workflow = ?2
         RETURNING id, number",
        values![repository, workflow],
        |row| Ok(Answer::Run(RunId(row.get(0)?), row.get(1)?)),
    )?;
    Ok(given.expect("an INSERT gives what it inserted"))
}

fn allocate_attempt(session: &mut dyn Session, run: RunId) -> Result<Answer, Refusal> {
    let attempt = session.one(
        "UPDATE run SET attempts = attempts + 1 WHERE id = ?1 RETURNING attempts",
        values![run.0],
        |row| row.get(0),
    )?;
    Ok(Answer::Attempt(Attempt(attempt.ok_or(Refusal::NoRun(run))?)))
}

fn allocate_deployment(
    session: &mut dyn Session,
    project: &str,
    environment: &str,
) -> Result<Answer, Refusal> {
    let id = session.only(
        "INSERT INTO deployment (id, project, environment)
         VALUES ((SELECT coalesce(max(id), 0) + 1 FROM deployment), ?1, ?2) RETURNING id",
        values![project, environment],
    )?;
    Ok(Answer::Deployment(DeploymentId(id)))
}

fn allocate_release(
    session: &mut dyn Session,
    project: &str,
    service: &str,
) -> Result<Answer, Refusal> {
    let id = session.only(
        "INSERT INTO release (id, project, service)
         VALUES ((SELECT coalesce(max(id), 0) + 1 FROM release), ?1, ?2) RETURNING id",
        values![project, service],
    )?;
    Ok(Answer::Release(ReleaseId(id)))
}

fn forget(session: &mut dyn Session, stream: StreamId) -> Result<Answer, Refusal> {
    let Some(row) = find_stream(session, stream)? else { return Ok(Answer::Forgotten) };
    if row.open {
        return Err(Refusal::StillOpen);
    }
    session.change("UPDATE event SET payload = NULL WHERE stream = ?1", values![row.id])?;
    session.change("UPDATE stream SET forgotten = 1 WHERE id = ?1", values![row.id])?;
    Ok(Answer::Forgotten)
}
