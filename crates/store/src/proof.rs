//! The proof that a journal is what was written: nothing altered, nothing taken out.
//!
//! ```text
//!   each stream      every event follows from the one before, up to the end that its row names
//!   all positions    none is missing, each belongs to a stream; they roll up into the head
//!   numbers          streams and runs are numbered without gaps
//! ```
//!
//! Whoever may write everything can write another whole journal. What they cannot do is make one that
//! has a [`Head`] which somebody kept elsewhere.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use event::{Digest, Seq, StreamId, link};

use crate::engine::{Engine, Fault, Purpose, Row, Session, values};
use crate::error::StoreError;
use crate::read::{EventRow, ReadError, parse_stream};

/// What [`crate::Store::verify`] looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Streams.
    pub streams: u64,
    /// Events in them.
    pub events: u64,
    /// Events whose payload was deleted; their place in the chain holds.
    pub forgotten: u64,
    /// Where the journal ends.
    pub head: Head,
}

/// Where a journal ends, and a digest of everything up to there; its text is `POSITION:DIGEST`. Deleting
/// payloads, which is what pruning does, leaves it as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The newest event's place in the whole journal; 0 where there is none.
    pub position: u64,
    /// Over the digests of all events up to there, in order.
    pub digest: Digest,
}

impl Default for Head {
    fn default() -> Head {
        Head { position: 0, digest: Digest::ZERO }
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.position, self.digest)
    }
}

/// The text is no head.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a head is POSITION:DIGEST, a number and 64 lower-case hex digits")]
pub struct ParseHeadError;

impl FromStr for Head {
    type Err = ParseHeadError;

    fn from_str(text: &str) -> Result<Head, ParseHeadError> {
        let (position, digest) = text.trim().split_once(':').ok_or(ParseHeadError)?;
        let position = position.parse().map_err(|_| ParseHeadError)?;
        Ok(Head { position, digest: digest.parse().map_err(|_| ParseHeadError)? })
    }
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

/// What was taken out of a journal, or put into another's place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Hole {
    /// No event has this position, and later ones are there.
    #[error("events were taken out: none stands at position {first}, the next one at {next}")]
    Positions {
        /// The first that is missing.
        first: u64,
        /// The next that is there.
        next: u64,
    },
    /// Events at the end are gone.
    #[error(
        "the journal's end is missing: its last event stands at {found}, positions were given up to {given}"
    )]
    End {
        /// What is there.
        found: u64,
        /// What the engine remembers.
        given: u64,
    },
    /// A stream is gone.
    #[error("a stream was taken out: none has the number {number}")]
    Stream {
        /// Its number.
        number: i64,
    },
    /// The stream is gone, its events are there.
    #[error("the event at position {position} belongs to no stream: its stream was taken out")]
    Orphan {
        /// The first of them.
        position: u64,
    },
    /// Numbers of runs are gone.
    #[error("runs were taken out: {count} are there, numbered up to {newest}")]
    Runs {
        /// Those that are there.
        count: u64,
        /// The newest one's number.
        newest: u64,
    },
    /// It ends before a head that was kept.
    #[error(
        "the journal was cut off: it ends at position {found}, and had a head at position {expected}"
    )]
    CutOff {
        /// Where it ends.
        found: u64,
        /// Where it was known to be.
        expected: u64,
    },
    /// It goes as far, and is another.
    #[error(
        "the journal was rewritten: up to position {position} it is not the one whose head that is"
    )]
    Rewritten {
        /// The head's.
        position: u64,
    },
}

/// A journal that is proven and read, and never written: nothing is made where there is none.
pub struct Trail {
    engine: Arc<dyn Engine>,
}

impl Trail {
    /// The journal of a folder.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open(folder: &std::path::Path) -> Result<Trail, StoreError> {
        let engine = crate::home::journal(folder, crate::Durability::ProcessDeath)?;
        engine.must_be_there()?;
        Ok(Trail { engine })
    }

    /// Reads all of it and proves that nothing was altered or taken out, and that it goes on from a head
    /// that was kept.
    ///
    /// # Errors
    /// When that is not so, or it cannot be read.
    pub fn verify(&self, kept: Option<&Head>) -> Result<Verified, ReadError> {
        verify(&*self.engine, kept)
    }

    /// Where it ends. Nothing is proven.
    ///
    /// # Errors
    /// When it cannot be read, or has events of no stream.
    pub fn head(&self) -> Result<Head, ReadError> {
        let failed = |fault| ReadError::Store(self.engine.error(fault));
        let mut session = self.engine.reader()?;
        roll(&mut *session, &mut Roll::default()).map_err(failed)?
    }

    /// The oldest events of these kinds behind a place in the journal, oldest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn decisions_after(
        &self,
        after: u64,
        kinds: &[&str],
        limit: usize,
    ) -> Result<Vec<crate::Decided>, StoreError> {
        let mut session = self.engine.reader()?;
        let place = (crate::read::Side::After, after);
        let found = crate::read::decisions(&mut *session, place, kinds, limit);
        found.map_err(|fault| self.engine.error(fault))
    }
}

/// Reads everything and proves it, as it is at one moment: what is appended meanwhile is not half seen.
pub(crate) fn verify(engine: &dyn Engine, kept: Option<&Head>) -> Result<Verified, ReadError> {
    // A connection of its own: it may take seconds, and others want to read.
    let mut session = engine.reader()?;
    let session = &mut *session;
    let failed = |fault| ReadError::Store(engine.error(fault));
    session.begin(Purpose::Snapshot).map_err(failed)?;
    let mut verified = Verified::default();
    streams(session, &mut verified).map_err(failed)??;
    runs(session).map_err(failed)??;
    let given = match session.positions_given() {
        Some(statement) => Some(session.only(statement, &[]).map_err(failed)?),
        None => None,
    };
    let mut rolled = Roll { is_dense: given.is_some(), kept: kept.copied(), ..Roll::default() };
    verified.head = roll(session, &mut rolled).map_err(failed)??;
    session.roll_back();
    let found = verified.head.position;
    if let Some(given) = given.filter(|given| *given > found) {
        return Err(Hole::End { found, given }.into());
    }
    if let Some(kept) = kept.filter(|_| !rolled.is_met) {
        let expected = kept.position;
        return Err(match expected > found {
            true => Hole::CutOff { found, expected }.into(),
            false => Hole::Rewritten { position: expected }.into(),
        });
    }
    Ok(verified)
}

/// Streams whose rows are held in memory while they are proven.
const HEADS_AT_ONCE: usize = 1_000;

fn streams(
    session: &mut dyn Session,
    verified: &mut Verified,
) -> Result<Result<(), ReadError>, Fault> {
    let is_dense = session.positions_given().is_some();
    let mut after = 0;
    loop {
        let ends = session.all(
            "SELECT id, name, seq, digest, open, forgotten FROM stream
             WHERE id > ?1 ORDER BY id LIMIT ?2",
            values![after, HEADS_AT_ONCE],
            End::from_row,
        )?;
        if ends.is_empty() {
            return Ok(Ok(()));
        }
        for end in &ends {
            if is_dense && end.id != after + 1 {
                return Ok(Err(Hole::Stream { number: after + 1 }.into()));
            }
            after = end.id;
            if let Err(error) = prove(session, end, verified)? {
                return Ok(Err(error));
            }
        }
    }
}

fn prove(
    session: &mut dyn Session,
    end: &End,
    verified: &mut Verified,
) -> Result<Result<(), ReadError>, Fault> {
    let stream = match parse_stream(&end.name) {
        Ok(stream) => stream,
        Err(error) => return Ok(Err(error)),
    };
    // Only runs that are over are pruned, and then all of them.
    let may_forget = end.forgotten && !end.open && matches!(stream, StreamId::Run(..));
    let mut before = (Seq(0), Digest::ZERO);
    let mut proven = Ok(());
    session.each(
        "SELECT seq, at, payload_digest, digest, payload FROM event
         WHERE stream = ?1 ORDER BY seq",
        values![end.id],
        &mut |row| {
            let row = EventRow::from_row(&row)?;
            if proven.is_ok() {
                proven = row.follows(stream, before);
            }
            if proven.is_ok() && row.payload.is_none() && !may_forget {
                let what = match end.forgotten {
                    true => "its payload was deleted, and such a stream is never pruned",
                    false => "its payload is missing",
                };
                proven = Err(end.broken(row.seq, what));
            }
            if proven.is_ok() && row.payload.is_some() && end.forgotten {
                proven = Err(end.broken(row.seq, "its stream was pruned, and its payload was not"));
            }
            verified.forgotten += u64::from(row.payload.is_none());
            verified.events += 1;
            before = (row.seq, row.digest);
            Ok(())
        },
    )?;
    if proven.is_ok() && before != (end.seq, end.digest) {
        proven = Err(end.broken(Seq(before.0.0 + 1), "events at the end are missing"));
    }
    verified.streams += 1;
    Ok(proven.map_err(ReadError::from))
}

/// Runs are counted under the lock that writes, and no number is left out.
fn runs(session: &mut dyn Session) -> Result<Result<(), ReadError>, Fault> {
    let statement = "SELECT count(*), coalesce(max(id), 0) FROM run";
    let counted = session.one(statement, &[], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (count, newest): (u64, u64) = counted.unwrap_or_default();
    let is_whole = count == newest;
    Ok(if is_whole { Ok(()) } else { Err(Hole::Runs { count, newest }.into()) })
}

/// What is looked for while all events go by.
#[derive(Default)]
struct Roll {
    /// Whether a position that is not there was taken out.
    is_dense: bool,
    kept: Option<Head>,
    /// Whether the head that was kept went by.
    is_met: bool,
}

/// All events in the order of the journal, rolled up into its head.
fn roll(session: &mut dyn Session, roll: &mut Roll) -> Result<Result<Head, ReadError>, Fault> {
    let mut head = Head::default();
    let mut whole = Ok(());
    roll.is_met = roll.kept == Some(head);
    session.each(
        "SELECT event.position, stream.name, event.seq, event.digest
         FROM event LEFT JOIN stream ON stream.id = event.stream ORDER BY event.position",
        &[],
        &mut |row| {
            let position = row.get(0)?;
            let Some(stream) = row.text(1)? else {
                if whole.is_ok() {
                    whole = Err(Hole::Orphan { position });
                }
                return Ok(());
            };
            let first = head.position + 1;
            if whole.is_ok() && roll.is_dense && position != first {
                whole = Err(Hole::Positions { first, next: position });
            }
            let digest = link(&head.digest, position, stream, row.get(2)?, &row.get(3)?);
            head = Head { position, digest };
            roll.is_met |= roll.kept == Some(head);
            Ok(())
        },
    )?;
    Ok(whole.map(|()| head).map_err(ReadError::from))
}

/// A stream's row, for the proof.
struct End {
    id: i64,
    name: String,
    seq: Seq,
    digest: Digest,
    open: bool,
    forgotten: bool,
}

impl End {
    fn from_row(row: &Row<'_>) -> Result<End, Fault> {
        Ok(End {
            id: row.get(0)?,
            name: row.get(1)?,
            seq: row.get(2)?,
            digest: row.get(3)?,
            open: row.get(4)?,
            forgotten: row.get(5)?,
        })
    }

    fn broken(&self, seq: Seq, what: &'static str) -> BrokenChain {
        BrokenChain { stream: self.name.clone(), seq, what }
    }
}
