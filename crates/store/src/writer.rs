//! The one thread that writes the journal, with group commit: what it is asked, and one transaction of it.

use std::sync::Arc;

use event::{Attempt, DeploymentId, Fact, IncidentId, ReleaseId, RunId, Seq, StreamId, Timestamp};

use crate::engine::{Engine, Patience, Purpose, Session};
use crate::error::StoreError;
use crate::group::{Commit, Group, Limits};
use crate::shared::TakenIn;
use crate::write::{KnownStreams, Refusal};

/// As many as a server has jobs and pages that write, many times over.
const LIMITS: Limits = Limits { queue: 1_024, group: 256 };

/// What the thread does for a caller.
pub(crate) enum Request {
    /// Appends events, already encoded.
    Append {
        stream: StreamId,
        expected: Seq,
        at: Timestamp,
        events: Vec<EncodedEvent>,
        /// Kinds that may stand in such a stream.
        kinds: &'static [&'static str],
    },
    /// Gives the next deployment to an environment.
    AllocateDeployment { project: Arc<str>, environment: Arc<str> },
    /// Gives the next release of a service.
    AllocateRelease { project: Arc<str>, service: Arc<str> },
    /// Gives the incident of a key, or the next one.
    AllocateIncident { project: Arc<str>, key: Arc<str> },
    /// Gives the next run of a workflow.
    AllocateRun { repository: Arc<str>, workflow: Arc<str> },
    /// Gives the next attempt of a run.
    AllocateAttempt { run: RunId },
    /// Deletes the payloads of a stream that ended.
    Forget { stream: StreamId },
    /// Takes an entry of a shared journal in.
    TakeIn(Box<TakenIn>),
    /// Changes what others are owed.
    Outbox(Box<crate::outbox::Change>),
    /// The shared journal was looked at.
    Looked { at: Timestamp },
}

/// An event's JSON, and whether its stream ends with it.
pub(crate) struct EncodedEvent {
    pub(crate) payload: String,
    pub(crate) ends_stream: bool,
}

impl<E: Fact> From<&E> for EncodedEvent {
    fn from(event: &E) -> EncodedEvent {
        EncodedEvent { payload: event.encode(), ends_stream: event.ends_stream() }
    }
}

/// What a request gave.
pub(crate) enum Answer {
    Appended(Seq),
    Run(RunId, u64),
    Attempt(Attempt),
    Deployment(DeploymentId),
    Release(ReleaseId),
    Incident(IncidentId),
    Forgotten,
    TakenIn,
    /// Whether it was done.
    Outbox(bool),
}

/// What became of a request.
pub(crate) type Reply = Result<Answer, Refusal>;

/// The journal's writer.
pub(crate) type Writer = Group<Work>;

/// Has a thread write over a connection.
pub(crate) fn start(engine: Arc<dyn Engine>, session: Box<dyn Session>) -> std::io::Result<Writer> {
    Group::start("journal", LIMITS, Work { engine, session, known: KnownStreams::default() })
}

/// What the thread has.
pub(crate) struct Work {
    engine: Arc<dyn Engine>,
    session: Box<dyn Session>,
    known: KnownStreams,
}

impl Commit for Work {
    type Request = Request;
    type Reply = Reply;

    fn commit(&mut self, group: &[Request]) -> Vec<Reply> {
        match self.until_known(group) {
            Ok(replies) => replies,
            // One request that does not fit on the disk is not everybody's fault.
            Err(Failed::Request(_)) if group.len() > 1 => {
                group.chunks(1).flat_map(|one| self.commit(one)).collect()
            }
            Err(Failed::Request(error) | Failed::Group(error)) => {
                group.iter().map(|_| Err(Refusal::Store(error.clone()))).collect()
            }
            Err(Failed::Lost { .. }) => unreachable!("what is lost is looked for"),
        }
    }
}

impl Work {
    /// Does the group, again where the connection was lost, until it is known to be done or not.
    fn until_known(&mut self, group: &[Request]) -> Result<Vec<Reply>, Failed> {
        loop {
            let replies = match self.transaction(group) {
                Err(Failed::Lost { replies }) => replies,
                known => return known,
            };
            // Only a commit that was sent can have been done.
            let commit = replies.is_some().then(|| self.session.mark()).flatten();
            let (session, is_done) =
                self.engine.again(commit, Patience::Long).map_err(Failed::Group)?;
            self.session = session;
            if let Some(replies) = replies.filter(|_| is_done) {
                self.known.commit();
                return Ok(replies);
            }
            self.known.roll_back();
        }
    }

    fn transaction(&mut self, group: &[Request]) -> Result<Vec<Reply>, Failed> {
        let Work { engine, session, known } = self;
        if let Err(fault) = session.begin(Purpose::Journal) {
            session.roll_back();
            if session.is_lost() {
                return Err(Failed::Lost { replies: None });
            }
            return Err(Failed::Group(engine.error(fault)));
        }
        let mut replies = Vec::with_capacity(group.len());
        for request in group {
            match crate::write::perform(&mut **session, known, request) {
                Ok(answer) => replies.push(Ok(answer)),
                Err(Refusal::Fault(fault)) => {
                    session.roll_back();
                    known.roll_back();
                    if session.is_lost() {
                        return Err(Failed::Lost { replies: None });
                    }
                    return Err(Failed::Request(engine.error(fault)));
                }
                Err(refusal) => replies.push(Err(refusal)),
            }
        }
        match session.commit() {
            Ok(()) => known.commit(),
            Err(_) if session.is_lost() => return Err(Failed::Lost { replies: Some(replies) }),
            Err(fault) => {
                session.roll_back();
                known.roll_back();
                return Err(Failed::Group(engine.error(fault)));
            }
        }
        Ok(replies)
    }
}

/// What failed for a reason that is none of the caller's.
enum Failed {
    /// One of the requests, while it was done.
    Request(StoreError),
    /// The transaction around them.
    Group(StoreError),
    /// The connection went away. Where the commit had been sent, what it would have given.
    Lost { replies: Option<Vec<Reply>> },
}

#[cfg(test)]
mod tests {
    //! What only shows with a connection that was tampered with: a full disk, a held lock.

    use event::{Attempt, JobKey, RunEvent};
    use expect_test::expect;

    use super::*;
    use crate::sqlite::{Durability, Sqlite};

    /// A journal that was tampered with.
    fn open(folder: &std::path::Path, sql: &str) -> (Arc<dyn Engine>, Box<dyn Session>) {
        let engine: Arc<dyn Engine> = Arc::new(Sqlite::journal(folder, Durability::ProcessDeath));
        let mut session = engine.writer().unwrap();
        session.each(sql, &[], &mut |_| Ok(())).unwrap();
        (engine, session)
    }

    fn append(writer: &Writer, run: u64, expected: u64, job: &str) -> Result<Seq, String> {
        let event = RunEvent::JobReady { job: JobKey::new(job), at: Timestamp(1) };
        let request = Request::Append {
            stream: StreamId::Run(RunId(run), Attempt(1)),
            expected: Seq(expected),
            at: Timestamp(1),
            events: vec![EncodedEvent::from(&event)],
            kinds: RunEvent::KINDS,
        };
        match writer.ask(request) {
            Ok(Answer::Appended(seq)) => Ok(seq),
            Ok(_) => panic!("the answer to this request is a sequence number"),
            Err(Refusal::Store(error)) => Err(error.to_string()),
            Err(refusal) => Err(format!("{refusal:?}")),
        }
    }

    fn check_error(
        found: Result<Seq, String>,
        folder: &std::path::Path,
        expected: expect_test::Expect,
    ) {
        let found = found.expect_err("it is refused");
        expected.assert_eq(&found.replace(&folder.display().to_string(), "FOLDER"));
    }

    #[test]
    fn a_full_disk_is_told_and_what_fits_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let (engine, session) = open(folder.path(), "PRAGMA max_page_count = 12");
        let writer = start(engine, session).unwrap();
        assert_eq!(append(&writer, 1, 0, "small"), Ok(Seq(1)));
        let big = "x".repeat(100_000);
        check_error(
            append(&writer, 1, 1, &big),
            folder.path(),
            expect!["the disk of FOLDER/journal.db is full; nothing was written"],
        );
        // All or nothing; and what waited together with it is not refused for its sake.
        std::thread::scope(|scope| {
            scope.spawn(|| append(&writer, 2, 0, &big).unwrap_err());
            scope.spawn(|| assert_eq!(append(&writer, 3, 0, "small"), Ok(Seq(1))));
        });
        assert_eq!(append(&writer, 1, 1, "small"), Ok(Seq(2)));
        assert_eq!(append(&writer, 2, 0, "small"), Ok(Seq(1)));
    }

    #[test]
    fn one_that_does_not_fit_is_not_everybodys_fault() {
        let folder = tempfile::tempdir().unwrap();
        let (engine, session) = open(folder.path(), "PRAGMA max_page_count = 12");
        let mut work = Work { engine, session, known: KnownStreams::default() };
        let request = |run: u64, job: &str| {
            let event = RunEvent::JobReady { job: JobKey::new(job), at: Timestamp(1) };
            Request::Append {
                stream: StreamId::Run(RunId(run), Attempt(1)),
                expected: Seq(0),
                at: Timestamp(1),
                events: vec![EncodedEvent::from(&event)],
                kinds: RunEvent::KINDS,
            }
        };
        let group = [request(1, "a"), request(2, &"x".repeat(100_000)), request(3, "c")];
        let taken: Vec<bool> = work.commit(&group).iter().map(Result::is_ok).collect();
        assert_eq!(taken, [true, false, true]);
    }

    #[test]
    fn a_held_lock_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (engine, session) = open(folder.path(), "PRAGMA busy_timeout = 0");
        let other = rusqlite::Connection::open(engine.place()).unwrap();
        let writer = start(engine, session).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        check_error(
            append(&writer, 1, 0, "a"),
            folder.path(),
            expect!["FOLDER/journal.db is locked by another process"],
        );
        other.execute_batch("COMMIT").unwrap();
        assert_eq!(append(&writer, 1, 0, "a"), Ok(Seq(1)));
    }
}
