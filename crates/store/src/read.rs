//! Reading: streams, what is open, runs.

use event::{
    Attempt, DeploymentId, Digest, Envelope, Fact, ReleaseId, RunId, Seq, StreamId, Timestamp,
    chain,
};

use crate::engine::{Fault, Row, Session, Value, values};
use crate::error::StoreError;
use crate::proof::{BrokenChain, Hole};

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

/// Why a stream cannot be given, or the journal not be called unaltered.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadError {
    /// Altered.
    #[error(transparent)]
    Broken(#[from] BrokenChain),
    /// Something was taken out.
    #[error(transparent)]
    Hole(#[from] Hole),
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
pub(crate) struct EventRow {
    pub(crate) seq: Seq,
    at: Timestamp,
    payload_digest: Digest,
    pub(crate) digest: Digest,
    pub(crate) payload: Option<String>,
}

impl EventRow {
    /// From the columns `seq, at, payload_digest, digest, payload`.
    pub(crate) fn from_row(row: &Row<'_>) -> Result<EventRow, Fault> {
        Ok(EventRow {
            seq: row.get(0)?,
            at: row.get(1)?,
            payload_digest: row.get(2)?,
            digest: row.get(3)?,
            payload: row.get(4)?,
        })
    }

    /// Whether it follows the event before it.
    pub(crate) fn follows(
        &self,
        stream: StreamId,
        before: (Seq, Digest),
    ) -> Result<(), BrokenChain> {
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
    session: &mut dyn Session,
    stream: StreamId,
    after: Seq,
) -> Result<Result<Vec<Envelope<E>>, ReadError>, Fault> {
    let mut before = (Seq(0), Digest::ZERO);
    let mut envelopes = Ok(Vec::new());
    session.each(
        "SELECT seq, at, payload_digest, digest, payload FROM event
         WHERE stream = (SELECT id FROM stream WHERE name = ?1) AND seq >= ?2 ORDER BY seq",
        values![&stream.to_string(), after],
        &mut |row| {
            let row = EventRow::from_row(&row)?;
            // What stands behind the first that cannot be read is not looked at.
            if let Ok(read) = &mut envelopes
                && row.seq > after
            {
                match envelope(stream, &row, before) {
                    Ok(envelope) => read.push(envelope),
                    Err(error) => envelopes = Err(error),
                }
            }
            before = (row.seq, row.digest);
            Ok(())
        },
    )?;
    Ok(envelopes)
}

fn envelope<E: Fact>(
    stream: StreamId,
    row: &EventRow,
    before: (Seq, Digest),
) -> Result<Envelope<E>, ReadError> {
    row.follows(stream, before)?;
    let payload = row.payload.as_ref().ok_or(ReadError::Forgotten { stream })?;
    let event = E::decode(payload.as_bytes()).map_err(|source| ReadError::Newer {
        stream,
        seq: row.seq,
        source: std::sync::Arc::new(source),
    })?;
    Ok(Envelope { stream, seq: row.seq, at: row.at, digest: row.digest, event })
}

/// Streams without an end, oldest first.
pub(crate) fn open_streams(session: &mut dyn Session) -> Result<Vec<String>, Fault> {
    session.all("SELECT name FROM stream WHERE open = 1 ORDER BY id", &[], |row| row.get(0))
}

/// The newest streams of runs that still have their events, newest first.
pub(crate) fn newest_streams(
    session: &mut dyn Session,
    limit: usize,
) -> Result<Vec<String>, Fault> {
    session.all(
        "SELECT name FROM stream WHERE forgotten = 0 AND name LIKE 'run/%'
         ORDER BY id DESC LIMIT ?1",
        values![limit],
        |row| row.get(0),
    )
}

/// Those of runs that were created before another one, newest first; without one the newest.
pub(crate) fn streams_before(
    session: &mut dyn Session,
    before: Option<StreamId>,
    limit: usize,
) -> Result<Vec<String>, Fault> {
    let before = before.map(|stream| stream.to_string());
    session.all(
        "SELECT name FROM stream WHERE forgotten = 0 AND name LIKE 'run/%'
           AND (CAST(?1 AS TEXT) IS NULL OR id < (SELECT id FROM stream WHERE name = ?1))
         ORDER BY id DESC LIMIT ?2",
        values![before.as_deref(), limit],
        |row| row.get(0),
    )
}

/// The newest deployments of all projects, newest first.
pub(crate) fn newest_deployments(
    session: &mut dyn Session,
    limit: usize,
) -> Result<Vec<DeploymentId>, Fault> {
    let statement = "SELECT id FROM deployment ORDER BY id DESC LIMIT ?1";
    session.all(statement, values![limit], |row| row.get(0).map(DeploymentId))
}

/// Which deployments.
#[derive(Clone, Copy, Debug, Default)]
pub struct WantedDeployments<'w> {
    /// Of this project; none: of all.
    pub project: Option<&'w str>,
    /// To this environment; none: to all.
    pub environment: Option<&'w str>,
    /// Whether its name may be written in another case: one that was renamed so in the settings is the same to people.
    /// What has a right, or runs, there goes by the name as it is.
    pub in_any_case: bool,
    /// Before this one; none: the newest.
    pub before: Option<DeploymentId>,
    /// How many.
    pub limit: usize,
}

/// Deployments of all projects, newest first.
pub(crate) fn deployments_before(
    session: &mut dyn Session,
    wanted: &WantedDeployments<'_>,
) -> Result<Vec<DeploymentId>, Fault> {
    let before = wanted.before.map_or(u64::MAX, |it| it.0);
    let mut values = values![before, wanted.limit].to_vec();
    let mut of = String::new();
    // What is not asked about stands in no condition: by index, those of one environment are found among however many.
    let small = wanted.environment.filter(|_| wanted.in_any_case).map(str::to_ascii_lowercase);
    let environment = match &small {
        Some(small) => (session.environment_in_any_case(), Some(small.as_str())),
        None => ("environment", wanted.environment),
    };
    for (column, value) in [("project", wanted.project), environment] {
        if let Some(value) = value {
            values.push(Value::from(value));
            of.push_str(&format!(" AND {column} = ?{}", values.len()));
        }
    }
    session.all(
        &format!("SELECT id FROM deployment WHERE id < ?1{of} ORDER BY id DESC LIMIT ?2"),
        &values,
        |row| row.get(0).map(DeploymentId),
    )
}

/// Where deployments of a project or of all went, to an environment or to all: project and environment, each once,
/// in their order.
pub(crate) fn deployment_places(
    session: &mut dyn Session,
    (project, environment): (Option<&str>, Option<&str>),
    limit: usize,
) -> Result<Vec<(String, String)>, Fault> {
    session.all(
        "SELECT DISTINCT project, environment FROM deployment
         WHERE (CAST(?1 AS TEXT) IS NULL OR project = ?1)
           AND (CAST(?2 AS TEXT) IS NULL OR environment = ?2)
         ORDER BY project, environment LIMIT ?3",
        values![project, environment, limit],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
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
    session: &mut dyn Session,
    after: u64,
    limit: usize,
) -> Result<Vec<Happened>, Fault> {
    let kind = session.kind();
    session.all(
        &format!(
            "SELECT event.position, stream.name, event.seq, event.at, {kind}
             FROM event JOIN stream ON stream.id = event.stream
             WHERE event.position > ?1 ORDER BY event.position LIMIT ?2"
        ),
        values![after, limit],
        |row| {
            Ok(Happened {
                position: row.get(0)?,
                stream: row.get(1)?,
                seq: row.get(2)?,
                at: row.get(3)?,
                kind: row.get(4)?,
            })
        },
    )
}

/// The place of the newest event in the whole journal; 0 where there is none.
pub(crate) fn newest_position(session: &mut dyn Session) -> Result<u64, Fault> {
    session.only("SELECT coalesce(max(position), 0) FROM event", &[])
}

/// Streams that are over and whose last event stands behind one place and not behind another, in
/// the order of those events. No payload is read for that.
pub(crate) fn ended_between(
    session: &mut dyn Session,
    (after, until): (u64, u64),
) -> Result<Vec<String>, Fault> {
    session.all(
        "SELECT stream.name FROM event JOIN stream ON stream.id = event.stream
         WHERE event.position > ?1 AND event.position <= ?2
           AND stream.open = 0 AND stream.forgotten = 0 AND event.seq = stream.seq
         ORDER BY event.position",
        values![after, until],
        |row| row.get(0),
    )
}

/// An event of a run, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its place in the whole journal.
    pub position: u64,
    /// The stream, by its name.
    pub stream: String,
    /// Its place in the stream.
    pub seq: Seq,
    /// The event.
    pub payload: String,
}

/// Events of runs, of these kinds, behind one place and not behind another, in their order, as far as they are
/// still there.
pub(crate) fn told_between(
    session: &mut dyn Session,
    (after, until): (u64, u64),
    kinds: &[&str],
) -> Result<Vec<Told>, Fault> {
    let kind = session.kind();
    let wanted: Vec<String> = (3..).take(kinds.len()).map(|it| format!("?{it}")).collect();
    let mut values = vec![Value::from(after), Value::from(until)];
    values.extend(kinds.iter().copied().map(Value::from));
    session.all(
        &format!(
            "SELECT event.position, stream.name, event.seq, event.payload
             FROM event JOIN stream ON stream.id = event.stream
             WHERE event.position > ?1 AND event.position <= ?2 AND event.payload IS NOT NULL
               AND stream.name LIKE 'run/%' AND {kind} IN ({})
             ORDER BY event.position",
            wanted.join(", ")
        ),
        &values,
        |row| {
            Ok(Told {
                position: row.get(0)?,
                stream: row.get(1)?,
                seq: row.get(2)?,
                payload: row.get(3)?,
            })
        },
    )
}

/// Streams of runs and deployments whose first event stands behind one place and not behind another, and that
/// still have their events, in the order of those events. No payload is read for that.
pub(crate) fn begun_between(
    session: &mut dyn Session,
    (after, until): (u64, u64),
) -> Result<Vec<String>, Fault> {
    session.all(
        "SELECT stream.name FROM event JOIN stream ON stream.id = event.stream
         WHERE event.position > ?1 AND event.position <= ?2
           AND event.seq = 1 AND stream.forgotten = 0
           AND (stream.name LIKE 'run/%' OR stream.name LIKE 'deployment/%')
         ORDER BY event.position",
        values![after, until],
        |row| row.get(0),
    )
}

/// The first event of a stream; none where there is none.
pub(crate) fn first<E: Fact>(
    session: &mut dyn Session,
    stream: StreamId,
) -> Result<Result<Option<Envelope<E>>, ReadError>, Fault> {
    let mut found = Ok(None);
    session.each(
        "SELECT seq, at, payload_digest, digest, payload FROM event
         WHERE stream = (SELECT id FROM stream WHERE name = ?1) AND seq = 1",
        values![&stream.to_string()],
        &mut |row| {
            let row = EventRow::from_row(&row)?;
            found = envelope(stream, &row, (Seq(0), Digest::ZERO)).map(Some);
            Ok(())
        },
    )?;
    Ok(found)
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
    session: &mut dyn Session,
    (side, place): (Side, u64),
    kinds: &[&str],
    limit: usize,
) -> Result<Vec<Decided>, Fault> {
    if kinds.is_empty() {
        return Ok(Vec::new());
    }
    let (sign, order) = match side {
        Side::Before => ("<", "DESC"),
        Side::After => (">", "ASC"),
    };
    let kind = session.kind();
    let wanted: Vec<String> = (3..).take(kinds.len()).map(|it| format!("?{it}")).collect();
    let mut values = vec![Value::from(place), Value::from(limit)];
    values.extend(kinds.iter().copied().map(Value::from));
    session.all(
        &format!(
            "SELECT event.position, stream.name, event.at, event.payload
             FROM event JOIN stream ON stream.id = event.stream
             WHERE event.position {sign} ?1 AND event.payload IS NOT NULL AND {kind} IN ({})
             ORDER BY event.position {order} LIMIT ?2",
            wanted.join(", ")
        ),
        &values,
        |row| {
            Ok(Decided {
                position: row.get(0)?,
                stream: row.get(1)?,
                at: row.get(2)?,
                payload: row.get(3)?,
            })
        },
    )
}

/// Streams of runs that ended and still have their events, oldest first, with the time of the last event. A
/// kind of stream that this version does not know is not its business.
pub(crate) fn ended_streams(
    session: &mut dyn Session,
) -> Result<Vec<(StreamId, Timestamp)>, Fault> {
    let ended: Vec<(String, Timestamp)> = session.all(
        "SELECT stream.name, event.at FROM stream
         JOIN event ON event.stream = stream.id AND event.seq = stream.seq
         WHERE stream.open = 0 AND stream.forgotten = 0 AND stream.name LIKE 'run/%' ORDER BY stream.id",
        &[],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(ended.into_iter().filter_map(|(name, at)| Some((name.parse().ok()?, at))).collect())
}

/// A stream by its name in the journal.
pub(crate) fn parse_stream(name: &str) -> Result<StreamId, ReadError> {
    name.parse().map_err(|_| ReadError::NewerStream { stream: name.to_owned() })
}

/// What is known of a run's numbers.
pub(crate) fn run(session: &mut dyn Session, run: RunId) -> Result<Option<RunRecord>, Fault> {
    session.one(
        "SELECT repository, workflow, number, attempts FROM run WHERE id = ?1",
        values![run.0],
        |row| {
            Ok(RunRecord {
                run,
                repository: row.get(0)?,
                workflow: row.get(1)?,
                run_number: row.get(2)?,
                attempts: Attempt(row.get(3)?),
            })
        },
    )
}

/// The deployments that went to an environment, newest first.
pub(crate) fn deployments(
    session: &mut dyn Session,
    project: &str,
    environment: Option<&str>,
    limit: usize,
) -> Result<Vec<DeploymentId>, Fault> {
    session.all(
        "SELECT id FROM deployment
         WHERE project = ?1 AND (CAST(?2 AS TEXT) IS NULL OR environment = ?2)
         ORDER BY id DESC LIMIT ?3",
        values![project, environment, limit],
        |row| row.get(0).map(DeploymentId),
    )
}

/// The releases of a project or of all, of one service or of all, newest first.
pub(crate) fn releases(
    session: &mut dyn Session,
    project: Option<&str>,
    service: Option<&str>,
    limit: usize,
) -> Result<Vec<ReleaseId>, Fault> {
    session.all(
        "SELECT id FROM release
         WHERE (CAST(?1 AS TEXT) IS NULL OR project = ?1)
           AND (CAST(?2 AS TEXT) IS NULL OR service = ?2)
         ORDER BY id DESC LIMIT ?3",
        values![project, service, limit],
        |row| row.get(0).map(ReleaseId),
    )
}
