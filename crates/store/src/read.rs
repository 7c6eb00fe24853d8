//! Reading: streams, what is open, runs, and the proof that nothing was altered.

use std::path::Path;

use event::{
    Attempt, DeploymentId, Digest, Envelope, Fact, ReleaseId, RunId, Seq, StreamId, Timestamp,
    chain,
};
use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::error::StoreError;

/// A run as the journal counts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRecord {
    /// The run.
    pub run: RunId,
    /// `owner/name`
    pub repository: String,
    /// Path of the workflow file.
    pub workflow: String,
    /// `github.run_number`
    pub run_number: u64,
    /// The newest attempt; those before it count from 1.
    pub attempts: Attempt,
}

/// What [`crate::Store::verify`] looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Streams.
    pub streams: u64,
    /// Events in them.
    pub events: u64,
    /// Events whose payload was deleted; their place in the chain holds.
    pub forgotten: u64,
}

/// The first place that was altered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chain of {stream} is broken at event {seq}: {what}")]
pub struct BrokenChain {
    /// The stream, as the journal names it.
    pub stream: String,
    /// The event that does not fit to the one before it, or to its payload.
    pub seq: Seq,
    /// What does not fit.
    pub what: &'static str,
}

/// Why a stream cannot be given, or the journal not be called unaltered.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// Altered.
    #[error(transparent)]
    Broken(#[from] BrokenChain),
    /// An event that this version does not know.
    #[error("{stream} was written by a newer version: event {seq} cannot be read")]
    Newer {
        /// The stream.
        stream: StreamId,
        /// The event.
        seq: Seq,
        /// What cannot be read.
        #[source]
        source: std::sync::Arc<event::DecodeError>,
    },
    /// A kind of stream that this version does not know.
    #[error("the stream `{stream}` was written by a newer version")]
    NewerStream {
        /// Its name.
        stream: String,
    },
    /// Payloads were deleted.
    #[error("the events of {stream} were deleted; only their digests are kept")]
    Forgotten {
        /// The stream.
        stream: StreamId,
    },
    /// The file did not answer.
    #[error("cannot read the journal")]
    Store(#[from] StoreError),
}

/// An event's row.
struct EventRow {
    seq: Seq,
    at: Timestamp,
    payload_digest: Digest,
    digest: Digest,
    payload: Option<String>,
}

impl EventRow {
    /// From the columns `seq, at, payload_digest, digest, payload`.
    fn from_row(row: &Row<'_>) -> rusqlite::Result<EventRow> {
        Ok(EventRow {
            seq: Seq(row.get::<_, i64>(0)?.cast_unsigned()),
            at: Timestamp(row.get::<_, i64>(1)?.cast_unsigned()),
            payload_digest: Digest(row.get(2)?),
            digest: Digest(row.get(3)?),
            payload: row.get(4)?,
        })
    }

    /// Whether it follows the event before it.
    fn follows(&self, stream: StreamId, before: (Seq, Digest)) -> Result<(), BrokenChain> {
        let broken = |seq, what| BrokenChain { stream: stream.to_string(), seq, what };
        let (seq, digest) = before;
        let expected = Seq(seq.0 + 1);
        if self.seq != expected {
            return Err(broken(expected, "the event is missing"));
        }
        if let Some(payload) = &self.payload
            && Digest::of(payload.as_bytes()) != self.payload_digest
        {
            return Err(broken(self.seq, "its payload is not what was appended"));
        }
        if chain(&digest, stream, self.seq, self.at, &self.payload_digest) != self.digest {
            return Err(broken(self.seq, "its digest does not follow from the one before"));
        }
        Ok(())
    }
}

/// The events of a stream behind `after`, each proven against the one before it.
pub(crate) fn read<E: Fact>(
    connection: &Connection,
    path: &Path,
    stream: StreamId,
    after: Seq,
) -> Result<Vec<Envelope<E>>, ReadError> {
    let failed = |source| StoreError::from_sqlite(path, source);
    let mut statement = connection
        .prepare_cached(
            "SELECT seq, at, payload_digest, digest, payload FROM event
             WHERE stream = (SELECT id FROM stream WHERE name = ?1) AND seq >= ?2 ORDER BY seq",
        )
        .map_err(failed)?;
    let mut rows = statement
        .query(rusqlite::params![stream.to_string(), after.0.cast_signed()])
        .map_err(failed)?;
    let mut before = (Seq(0), Digest::ZERO);
    let mut envelopes = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let row = EventRow::from_row(row).map_err(failed)?;
        if row.seq > after {
            row.follows(stream, before)?;
            let payload = row.payload.as_ref().ok_or(ReadError::Forgotten { stream })?;
            let event = E::decode(payload.as_bytes()).map_err(|source| ReadError::Newer {
                stream,
                seq: row.seq,
                source: std::sync::Arc::new(source),
            })?;
            let (seq, at, digest) = (row.seq, row.at, row.digest);
            envelopes.push(Envelope { stream, seq, at, digest, event });
        }
        before = (row.seq, row.digest);
    }
    Ok(envelopes)
}

/// Streams without an end, oldest first.
pub(crate) fn open_streams(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement =
        connection.prepare_cached("SELECT name FROM stream WHERE open = 1 ORDER BY id")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// The newest streams of runs that still have their events, newest first.
pub(crate) fn newest_streams(
    connection: &Connection,
    limit: usize,
) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT name FROM stream WHERE forgotten = 0 AND name GLOB 'run/*'
         ORDER BY id DESC LIMIT ?1",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    statement.query_map([limit], |row| row.get(0))?.collect()
}

/// Those of runs that were created before another one, newest first; without one the newest.
pub(crate) fn streams_before(
    connection: &Connection,
    before: Option<StreamId>,
    limit: usize,
) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT name FROM stream WHERE forgotten = 0 AND name GLOB 'run/*'
           AND (?1 IS NULL OR id < (SELECT id FROM stream WHERE name = ?1))
         ORDER BY id DESC LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let before = before.map(|stream| stream.to_string());
    statement.query_map(rusqlite::params![before, limit], |row| row.get(0))?.collect()
}

/// The newest deployments of all projects, newest first.
pub(crate) fn newest_deployments(
    connection: &Connection,
    limit: usize,
) -> rusqlite::Result<Vec<DeploymentId>> {
    let mut statement =
        connection.prepare_cached("SELECT id FROM deployment ORDER BY id DESC LIMIT ?1")?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let id = |row: &Row<'_>| Ok(DeploymentId(row.get::<_, i64>(0)?.cast_unsigned()));
    statement.query_map([limit], id)?.collect()
}

/// That something happened, over all streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// Its place in the whole journal.
    pub position: u64,
    /// The stream, by its name: it may be of a kind that this version does not know.
    pub stream: String,
    /// Its place in the stream.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// The event's kind; none where it was forgotten.
    pub kind: Option<String>,
}

/// What happened behind a place in the journal, in order.
pub(crate) fn feed(
    connection: &Connection,
    after: u64,
    limit: usize,
) -> rusqlite::Result<Vec<Happened>> {
    let mut statement = connection.prepare_cached(
        "SELECT event.position, stream.name, event.seq, event.at, json_extract(event.payload, '$.type')
         FROM event JOIN stream ON stream.id = event.stream
         WHERE event.position > ?1 ORDER BY event.position LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let happened = |row: &Row<'_>| {
        Ok(Happened {
            position: row.get::<_, i64>(0)?.cast_unsigned(),
            stream: row.get(1)?,
            seq: Seq(row.get::<_, i64>(2)?.cast_unsigned()),
            at: Timestamp(row.get::<_, i64>(3)?.cast_unsigned()),
            kind: row.get(4)?,
        })
    };
    statement.query_map([after, limit], happened)?.collect()
}

/// The place of the newest event in the whole journal; 0 where there is none.
pub(crate) fn newest_position(connection: &Connection) -> rusqlite::Result<u64> {
    let mut statement =
        connection.prepare_cached("SELECT coalesce(max(position), 0) FROM event")?;
    let newest: i64 = statement.query_row([], |row| row.get(0))?;
    Ok(newest.cast_unsigned())
}

/// Streams that are over and whose last event stands behind one place and not behind another, in
/// the order of those events. No payload is read for that.
pub(crate) fn ended_between(
    connection: &Connection,
    (after, until): (u64, u64),
) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT stream.name FROM event JOIN stream ON stream.id = event.stream
         WHERE event.position > ?1 AND event.position <= ?2
           AND stream.open = 0 AND stream.forgotten = 0 AND event.seq = stream.seq
         ORDER BY event.position",
    )?;
    let place = |it: u64| i64::try_from(it).unwrap_or(i64::MAX);
    statement.query_map([place(after), place(until)], |row| row.get(0))?.collect()
}

/// An event of one of the kinds that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Its place in the whole journal.
    pub position: u64,
    /// The stream, by its name: it may be of a kind that this version does not know.
    pub stream: String,
    /// When.
    pub at: Timestamp,
    /// The event as it is kept.
    pub payload: String,
}

/// On which side of a place in the journal.
#[derive(Clone, Copy)]
pub(crate) enum Side {
    /// The newest before it, newest first.
    Before,
    /// The oldest behind it, oldest first.
    After,
}

/// Events of these kinds.
pub(crate) fn decisions(
    connection: &Connection,
    (side, place): (Side, u64),
    kinds: &[&str],
    limit: usize,
) -> rusqlite::Result<Vec<Decided>> {
    let (sign, order) = match side {
        Side::Before => ("<", "DESC"),
        Side::After => (">", "ASC"),
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT event.position, stream.name, event.at, event.payload
         FROM event JOIN stream ON stream.id = event.stream
         WHERE event.position {sign} ?1 AND event.payload IS NOT NULL
           AND json_extract(event.payload, '$.type') IN (SELECT value FROM json_each(?2))
         ORDER BY event.position {order} LIMIT ?3"
    ))?;
    let kinds = serde_json::to_string(kinds).expect("texts");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let place = i64::try_from(place).unwrap_or(i64::MAX);
    let decided = |row: &Row<'_>| {
        Ok(Decided {
            position: row.get::<_, i64>(0)?.cast_unsigned(),
            stream: row.get(1)?,
            at: Timestamp(row.get::<_, i64>(2)?.cast_unsigned()),
            payload: row.get(3)?,
        })
    };
    statement.query_map(rusqlite::params![place, kinds, limit], decided)?.collect()
}

/// Streams of runs that ended and still have their events, oldest first, with the time of the last event. A
/// kind of stream that this version does not know is not its business.
pub(crate) fn ended_streams(
    connection: &Connection,
) -> rusqlite::Result<Vec<(StreamId, Timestamp)>> {
    let mut statement = connection.prepare_cached(
        "SELECT stream.name, event.at FROM stream
         JOIN event ON event.stream = stream.id AND event.seq = stream.seq
         WHERE stream.open = 0 AND stream.forgotten = 0 AND stream.name GLOB 'run/*' ORDER BY stream.id",
    )?;
    let mut rows = statement.query([])?;
    let mut ended = Vec::new();
    while let Some(row) = rows.next()? {
        let (name, at): (String, i64) = (row.get(0)?, row.get(1)?);
        ended.extend(name.parse().ok().map(|stream| (stream, Timestamp(at.cast_unsigned()))));
    }
    Ok(ended)
}

/// A stream by its name in the journal.
pub(crate) fn parse_stream(name: &str) -> Result<StreamId, ReadError> {
    name.parse().map_err(|_| ReadError::NewerStream { stream: name.to_owned() })
}

/// What is known of a run's numbers.
pub(crate) fn run(connection: &Connection, run: RunId) -> rusqlite::Result<Option<RunRecord>> {
    let mut statement = connection
        .prepare_cached("SELECT repository, workflow, number, attempts FROM run WHERE id = ?1")?;
    let record = statement.query_row([run.0.cast_signed()], |row| {
        Ok(RunRecord {
            run,
            repository: row.get(0)?,
            workflow: row.get(1)?,
            run_number: row.get::<_, i64>(2)?.cast_unsigned(),
            attempts: Attempt(row.get::<_, i64>(3)?.cast_unsigned()),
        })
    });
    record.optional()
}

/// The deployments that went to an environment, newest first.
pub(crate) fn deployments(
    connection: &Connection,
    project: &str,
    environment: Option<&str>,
    limit: usize,
) -> rusqlite::Result<Vec<DeploymentId>> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM deployment WHERE project = ?1 AND (?2 IS NULL OR environment = ?2)
         ORDER BY id DESC LIMIT ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(rusqlite::params![project, environment, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(DeploymentId(row.get::<_, i64>(0)?.cast_unsigned()));
    }
    Ok(found)
}

/// The releases of a project, of one service or of all, newest first.
pub(crate) fn releases(
    connection: &Connection,
    project: &str,
    service: Option<&str>,
    limit: usize,
) -> rusqlite::Result<Vec<ReleaseId>> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM release WHERE project = ?1 AND (?2 IS NULL OR service = ?2)
         ORDER BY id DESC LIMIT ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(rusqlite::params![project, service, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(ReleaseId(row.get::<_, i64>(0)?.cast_unsigned()));
    }
    Ok(found)
}

/// Reads everything and proves it.
pub(crate) fn verify(connection: &Connection, path: &Path) -> Result<Verified, ReadError> {
    let failed = |source| StoreError::from_sqlite(path, source);
    // One transaction: what is appended meanwhile is not half seen.
    let transaction = connection.unchecked_transaction().map_err(failed)?;
    let mut streams = transaction
        .prepare("SELECT id, name, seq, digest, forgotten FROM stream ORDER BY id")
        .map_err(failed)?;
    let mut events = transaction
        .prepare(
            "SELECT seq, at, payload_digest, digest, payload FROM event
             WHERE stream = ?1 ORDER BY seq",
        )
        .map_err(failed)?;
    let mut verified = Verified::default();
    let mut rows = streams.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let head = Head::from_row(row).map_err(failed)?;
        let mut rows = events.query([head.id]).map_err(failed)?;
        let stream = parse_stream(&head.name)?;
        let mut before = (Seq(0), Digest::ZERO);
        while let Some(row) = rows.next().map_err(failed)? {
            let row = EventRow::from_row(row).map_err(failed)?;
            row.follows(stream, before)?;
            if row.payload.is_none() && !head.forgotten {
                return Err(head.broken(row.seq, "its payload is missing").into());
            }
            verified.forgotten += u64::from(row.payload.is_none());
            verified.events += 1;
            before = (row.seq, row.digest);
        }
        if before != (head.seq, head.digest) {
            let seq = Seq(before.0.0 + 1);
            return Err(head.broken(seq, "events at the end are missing").into());
        }
        verified.streams += 1;
    }
    Ok(verified)
}

/// A stream's row, for the proof.
struct Head {
    id: i64,
    name: String,
    seq: Seq,
    digest: Digest,
    forgotten: bool,
}

impl Head {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Head> {
        Ok(Head {
            id: row.get(0)?,
            name: row.get(1)?,
            seq: Seq(row.get::<_, i64>(2)?.cast_unsigned()),
            digest: Digest(row.get(3)?),
            forgotten: row.get(4)?,
        })
    }

    fn broken(&self, seq: Seq, what: &'static str) -> BrokenChain {
        BrokenChain { stream: self.name.clone(), seq, what }
    }
}
