//! The state folder, and the journal's door.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use event::{
    Attempt, AuditEvent, AuditRecord, BlobId, DeploymentEvent, DeploymentId, Envelope, Fact,
    ReleaseEvent, ReleaseId, ReleaseRecord, RunEvent, RunId, Seq, StreamId, Timestamp,
};
use ports::{Journal, JournalError};

use crate::absence::Presence;
use crate::blobs::{Blobs, create_folder};
use crate::engine::{Engine, Fault, Patience, Session};
use crate::error::StoreError;
use crate::home;
use crate::logs::Logs;
use crate::proof::{self, Verified};
use crate::read::{self, Decided, Happened, ReadError, RunRecord, Side, Told, WantedDeployments};
use crate::reader::Reader;
use crate::references;
use crate::sqlite::Durability;
use crate::write::Refusal;
use crate::writer::{self, Answer, Request, Writer};

/// How often a server says that it lives: it may miss two of three.
pub const RENEW_SECONDS: u64 = 10;

/// A state folder that is open. Any number of processes may have the same one open at once.
pub struct Store {
    engine: Arc<dyn Engine>,
    // Stands before the writer, for fields are dropped in this order: the last connection to close
    // empties the write-ahead log, and one that only reads cannot.
    reader: Reader,
    writer: Writer,
    blobs: Blobs,
    logs: Logs,
}

impl Store {
    /// Opens the folder, or makes it: for runs.
    pub fn open(folder: &Path) -> Result<Store, StoreError> {
        Store::open_with(folder, Durability::ProcessDeath)
    }

    /// Opens a folder that has a journal, and makes none.
    ///
    /// # Errors
    /// When it has none, or cannot be read.
    pub fn open_there(folder: &Path) -> Result<Store, StoreError> {
        home::journal(folder, Durability::ProcessDeath)?.must_be_there()?;
        Store::open(folder)
    }

    /// Opens the folder, or makes it. What is acknowledged survives what `durability` says.
    pub fn open_with(folder: &Path, durability: Durability) -> Result<Store, StoreError> {
        create_folder(folder)?;
        let engine = home::journal(folder, durability)?;
        let session = engine.writer()?;
        let reader = Reader::over(Arc::clone(&engine), engine.reader()?);
        let writer = writer::start(Arc::clone(&engine), session)
            .map_err(|source| StoreError::from_io("start the writer of", engine.place(), source))?;
        let blobs = Blobs::open(&folder.join("blobs"), durability)?;
        let logs = Logs::open(&folder.join("logs"))?;
        Ok(Store { engine, reader, writer, blobs, logs })
    }

    /// Takes the right to serve this journal, which others may have from other machines: the folder's
    /// own lock keeps a second server of one folder out. `holder` names this one, for people.
    ///
    /// # Errors
    /// When another server has it, and lives.
    pub fn claim(&self, holder: &str) -> Result<(), StoreError> {
        self.engine.claim(holder)
    }

    /// Says that this server lives; every [`RENEW_SECONDS`].
    ///
    /// # Errors
    /// When the database does not hear it, or another server has the journal by now.
    pub fn renew(&self) -> Result<(), StoreError> {
        self.engine.renew()
    }

    /// Has somebody told when the journal's database goes away, and when it is there again: once for
    /// each, however many ask it meanwhile. They may not ask the store in it.
    pub fn tell_of_absence(&self, tell: impl Fn(Presence<'_>) + Send + Sync + 'static) {
        self.engine.tell_of_absence(Box::new(tell));
    }

    /// Proves that it takes a write, by one that means nothing: where nobody writes, nobody else finds out.
    ///
    /// # Errors
    /// When it does not.
    pub fn prove_write(&self, at: Timestamp) -> Result<(), StoreError> {
        // Nobody reads the feed under this name.
        const NOBODY: &str = "readiness";
        let from = self.outbox_cursor(NOBODY)?;
        self.owe(NOBODY, (from, at.0), at, Vec::new()).map(drop)
    }

    /// Gives the right back.
    ///
    /// # Errors
    /// When the database does not hear it; then it is free when this server was silent for long enough.
    pub fn release(&self) -> Result<(), StoreError> {
        self.engine.release()
    }

    /// The journal of deployments.
    pub fn ledger(self: &Arc<Store>) -> Ledger {
        Ledger(Arc::clone(self))
    }

    /// The blobs.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// The growing logs.
    pub fn logs(&self) -> &Logs {
        &self.logs
    }

    /// The next run of a workflow, with its first attempt. Gives the run, counted over the whole
    /// journal, and its `run_number`, counted over repository and workflow.
    pub fn allocate_run(
        &self,
        repository: &str,
        workflow_path: &str,
    ) -> Result<(RunId, u64), StoreError> {
        let request =
            Request::AllocateRun { repository: repository.into(), workflow: workflow_path.into() };
        match self.writer.ask(request) {
            Ok(Answer::Run(run, number)) => Ok((run, number)),
            Ok(_) => unreachable!("the answer to this request is a run"),
            Err(refusal) => Err(self.refused(refusal)),
        }
    }

    /// The next attempt of a run.
    pub fn allocate_attempt(&self, run: RunId) -> Result<Attempt, StoreError> {
        match self.writer.ask(Request::AllocateAttempt { run }) {
            Ok(Answer::Attempt(attempt)) => Ok(attempt),
            Ok(_) => unreachable!("the answer to this request is an attempt"),
            Err(refusal) => Err(self.refused(refusal)),
        }
    }

    /// The next deployment to an environment.
    pub fn allocate_deployment(
        &self,
        project: &str,
        environment: &str,
    ) -> Result<DeploymentId, StoreError> {
        let request = Request::AllocateDeployment {
            project: project.into(),
            environment: environment.into(),
        };
        match self.writer.ask(request) {
            Ok(Answer::Deployment(deployment)) => Ok(deployment),
            Ok(_) => unreachable!("the answer to this request is a deployment"),
            Err(refusal) => Err(self.refused(refusal)),
        }
    }

    /// A project's newest deployments, to one environment or to all, newest first.
    pub fn deployments(
        &self,
        project: &str,
        environment: Option<&str>,
        limit: usize,
    ) -> Result<Vec<DeploymentId>, StoreError> {
        self.look(|session| read::deployments(session, project, environment, limit))
    }

    /// Writes down that a release came to a repository, in a stream of its own.
    pub fn record_release(&self, record: ReleaseRecord) -> Result<ReleaseId, JournalError> {
        let (project, service) = (Arc::clone(&record.project), Arc::clone(&record.service));
        let id = match self.writer.ask(Request::AllocateRelease { project, service }) {
            Ok(Answer::Release(id)) => id,
            Ok(_) => unreachable!("the answer to this request is a release"),
            Err(refusal) => {
                let action = "cannot give the release a number".to_owned();
                return Err(storage(action, self.refused(refusal)));
            }
        };
        let at = record.at;
        let event = ReleaseEvent::ReleaseRecorded(Box::new(record));
        self.append_any(StreamId::Release(id), Seq(0), at, &[event])?;
        Ok(id)
    }

    /// The newest releases, of one project and one service or of all, newest first. A number that was
    /// taken and behind which nothing was written is passed over.
    pub fn releases(
        &self,
        project: Option<&str>,
        service: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(ReleaseId, ReleaseRecord)>, JournalError> {
        let ids = self.look(|session| read::releases(session, project, service, limit));
        let ids = ids.map_err(|error| storage("cannot list the releases".to_owned(), error))?;
        let mut found = Vec::new();
        for id in ids {
            let events = self.read_any::<ReleaseEvent>(StreamId::Release(id), Seq(0))?;
            found.extend(events.into_iter().map(|it| {
                let ReleaseEvent::ReleaseRecorded(record) = it.event;
                (id, *record)
            }));
        }
        Ok(found)
    }

    /// Writes down what somebody did that is no run's and no deployment's, or tried to.
    pub fn record(&self, record: AuditRecord) -> Result<Seq, JournalError> {
        let at = record.at;
        let event = AuditEvent::AuditRecorded(Box::new(record));
        let mut expected = self
            .head(StreamId::Audit)
            .map_err(|error| storage("cannot find the end of the audit trail".to_owned(), error))?;
        loop {
            match self.append_any(StreamId::Audit, expected.0, at, std::slice::from_ref(&event)) {
                // Somebody was faster; theirs stands before this one.
                Err(JournalError::Conflict { found, .. }) => expected.0 = found,
                other => return other,
            }
        }
    }

    /// The newest events of these kinds before a place in the journal, newest first.
    pub fn decisions(
        &self,
        before: Option<u64>,
        kinds: &[&str],
        limit: usize,
    ) -> Result<Vec<Decided>, StoreError> {
        let place = (Side::Before, before.unwrap_or(u64::MAX));
        self.look(|session| read::decisions(session, place, kinds, limit))
    }

    /// The oldest events of these kinds behind a place in the journal, oldest first.
    pub fn decisions_after(
        &self,
        after: u64,
        kinds: &[&str],
        limit: usize,
    ) -> Result<Vec<Decided>, StoreError> {
        self.look(|session| read::decisions(session, (Side::After, after), kinds, limit))
    }

    /// A run's numbers.
    pub fn run(&self, run: RunId) -> Result<Option<RunRecord>, StoreError> {
        self.look(|session| read::run(session, run))
    }

    /// The newest streams of runs whose events are still there, newest first.
    pub fn newest_streams(&self, limit: usize) -> Result<Vec<StreamId>, ReadError> {
        let names = self.look(|session| read::newest_streams(session, limit))?;
        names.iter().map(|name| read::parse_stream(name)).collect()
    }

    /// Streams of runs that were created before another one and still have their events, newest
    /// first; without one the newest.
    pub fn streams_before(
        &self,
        before: Option<StreamId>,
        limit: usize,
    ) -> Result<Vec<StreamId>, ReadError> {
        let names = self.look(|session| read::streams_before(session, before, limit))?;
        names.iter().map(|name| read::parse_stream(name)).collect()
    }

    /// The newest deployments of all projects, newest first.
    pub fn newest_deployments(&self, limit: usize) -> Result<Vec<DeploymentId>, StoreError> {
        self.look(|session| read::newest_deployments(session, limit))
    }

    /// Deployments that are wanted, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn deployments_before(
        &self,
        wanted: &WantedDeployments<'_>,
    ) -> Result<Vec<DeploymentId>, StoreError> {
        self.look(|session| read::deployments_before(session, wanted))
    }

    /// Where deployments of a project or of all went: project and environment, each once, in their order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn deployment_places(
        &self,
        project: Option<&str>,
        environment: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, String)>, StoreError> {
        self.look(|session| read::deployment_places(session, (project, environment), limit))
    }

    /// What happened in the whole journal behind a place in it, in order.
    pub fn feed(&self, after: u64, limit: usize) -> Result<Vec<Happened>, StoreError> {
        self.look(|session| read::feed(session, after, limit))
    }

    /// The place of the newest event in the whole journal; 0 where there is none.
    pub fn newest_position(&self) -> Result<u64, StoreError> {
        self.look(read::newest_position)
    }

    /// Streams that are over, by their names, whose last event stands behind `after` and not behind
    /// `until`, in the order of those events: what a fold that keeps a cursor has to look at.
    pub fn ended_between(&self, after: u64, until: u64) -> Result<Vec<String>, StoreError> {
        self.look(|session| read::ended_between(session, (after, until)))
    }

    /// Events of runs, of these kinds, that stand behind `after` and not behind `until`, in their order. What was
    /// forgotten is not among them. All of it is held at once: `until` is for whoever asks to choose.
    pub fn told_between(
        &self,
        (after, until): (u64, u64),
        kinds: &[&str],
    ) -> Result<Vec<Told>, StoreError> {
        self.look(|session| read::told_between(session, (after, until), kinds))
    }

    /// Streams of runs and deployments, by their names, whose first event stands behind `after` and not behind
    /// `until`, in the order of those events. What was forgotten is not among them.
    pub fn begun_between(&self, after: u64, until: u64) -> Result<Vec<String>, StoreError> {
        self.look(|session| read::begun_between(session, (after, until)))
    }

    /// The first event of a stream: what it is made from. None where there is no such stream.
    pub fn first<E: Fact>(&self, stream: StreamId) -> Result<Option<Envelope<E>>, JournalError> {
        self.look(|session| read::first(session, stream))
            .map_err(ReadError::Store)
            .and_then(std::convert::identity)
            .map_err(|error| unread(format!("cannot read {stream}"), error))
    }

    /// Streams of runs that ended and still have their events, oldest first, each with when it ended.
    pub fn ended_streams(&self) -> Result<Vec<(StreamId, Timestamp)>, StoreError> {
        self.look(read::ended_streams)
    }

    /// Every blob that an event names, in streams other than `without`; an artifact that is expired
    /// at `now` names none. What this version does not know is looked through all the same: a blob
    /// that only a newer version understands is not taken for one that nobody names.
    pub fn blobs_named(
        &self,
        without: &BTreeSet<StreamId>,
        now: Timestamp,
    ) -> Result<BTreeSet<BlobId>, StoreError> {
        // A connection of its own: it may take seconds, and others want to read.
        let mut session = self.engine.reader()?;
        references::named(&mut *session, without, now).map_err(|fault| self.engine.error(fault))
    }

    /// Deletes the payloads of a stream that ended. The chain still proves that they were there, in
    /// this order, at these times.
    pub fn forget(&self, stream: StreamId) -> Result<(), StoreError> {
        match self.writer.ask(Request::Forget { stream }) {
            Ok(_) => Ok(()),
            Err(Refusal::StillOpen) => Err(StoreError::StillOpen { stream }),
            Err(refusal) => Err(self.refused(refusal)),
        }
    }

    /// Reads the whole journal and proves that nothing was altered or taken out.
    pub fn verify(&self) -> Result<Verified, ReadError> {
        proof::verify(&*self.engine, None)
    }

    pub(crate) fn ask(&self, request: Request) -> Result<Answer, Refusal> {
        self.writer.ask(request)
    }

    /// Reads something.
    pub(crate) fn look<T>(
        &self,
        read: impl FnMut(&mut dyn Session) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.reader.look(read)
    }

    /// Comes back once the database answers, where one is away ([`crate::is_away`]).
    ///
    /// # Errors
    /// When it does not for longer than a database is started again or replaced.
    pub fn wait_for_it(&self) -> Result<(), StoreError> {
        self.engine.again(None, Patience::Long).map(drop)
    }

    /// A refusal of a request that appends nothing.
    pub(crate) fn refused(&self, refusal: Refusal) -> StoreError {
        match refusal {
            Refusal::Store(error) => error,
            Refusal::Fault(fault) => self.engine.error(fault),
            Refusal::NoRun(run) => StoreError::NoRun { run, path: self.engine.place().to_owned() },
            Refusal::Conflict { .. }
            | Refusal::Broken(_)
            | Refusal::NotNext { .. }
            | Refusal::UnknownKind { .. }
            | Refusal::Forgotten
            | Refusal::StillOpen => {
                unreachable!("appending, forgetting and taking in are answered so")
            }
        }
    }
}

pub(crate) fn storage(action: String, error: StoreError) -> JournalError {
    JournalError::Storage { action, source: Box::new(error) }
}

fn unread(action: String, error: ReadError) -> JournalError {
    match error {
        ReadError::Forgotten { stream } => JournalError::Forgotten { stream },
        ReadError::Store(error) => storage(action, error),
        ReadError::Newer { ref source, .. } => {
            let mut text = format!("{error}: {source}");
            if let Some(detail) = std::error::Error::source(source) {
                text.push_str(&format!(": {detail}"));
            }
            JournalError::Unreadable(text)
        }
        ReadError::Broken(_) | ReadError::Hole(_) | ReadError::NewerStream { .. } => {
            JournalError::Unreadable(error.to_string())
        }
    }
}

impl Store {
    pub(crate) fn append_any<E: Fact>(
        &self,
        stream: StreamId,
        expected: Seq,
        at: Timestamp,
        events: &[E],
    ) -> Result<Seq, JournalError> {
        let events = events.iter().map(Into::into).collect();
        let action = || format!("cannot append to {stream}");
        match self.writer.ask(Request::Append { stream, expected, at, events, kinds: E::KINDS }) {
            Ok(Answer::Appended(seq)) => Ok(seq),
            Ok(_) => unreachable!("the answer to this request is a sequence number"),
            Err(Refusal::Conflict { found }) => {
                Err(JournalError::Conflict { stream, expected, found })
            }
            Err(Refusal::UnknownKind { kind }) => Err(JournalError::Unreadable(format!(
                "{stream} holds the event `{kind}` of a newer version; this version can only leave \
                 it alone"
            ))),
            Err(Refusal::Forgotten) => Err(JournalError::Forgotten { stream }),
            Err(refusal) => Err(storage(action(), self.refused(refusal))),
        }
    }

    pub(crate) fn read_any<E: Fact>(
        &self,
        stream: StreamId,
        after: Seq,
    ) -> Result<Vec<Envelope<E>>, JournalError> {
        self.look(|session| read::read(session, stream, after))
            .map_err(ReadError::Store)
            .and_then(std::convert::identity)
            .map_err(|error| unread(format!("cannot read {stream}"), error))
    }

    /// A stream of a kind that this version does not know may be of any kind of event.
    pub(crate) fn open_any<E: Fact>(&self) -> Result<Vec<StreamId>, JournalError> {
        let action = || "cannot list what is open".to_owned();
        let names = self.look(read::open_streams);
        let names = names.map_err(|error| storage(action(), error))?;
        let streams =
            names.iter().map(|name| read::parse_stream(name)).collect::<Result<Vec<_>, _>>();
        let streams = streams.map_err(|error| unread(action(), error))?;
        Ok(streams.into_iter().filter(|stream| E::is_of(*stream)).collect())
    }
}

/// The journal of runs. That of deployments is [`Store::ledger`].
impl Journal for Store {
    fn append(
        &self,
        stream: StreamId,
        expected: Seq,
        at: Timestamp,
        events: &[RunEvent],
    ) -> Result<Seq, JournalError> {
        self.append_any(stream, expected, at, events)
    }

    fn read(&self, stream: StreamId, after: Seq) -> Result<Vec<Envelope>, JournalError> {
        self.read_any(stream, after)
    }

    fn open_streams(&self) -> Result<Vec<StreamId>, JournalError> {
        self.open_any::<RunEvent>()
    }
}

/// The journal of deployments, in the same file and chained in the same way.
#[derive(Clone)]
pub struct Ledger(Arc<Store>);

impl Journal<DeploymentEvent> for Ledger {
    fn append(
        &self,
        stream: StreamId,
        expected: Seq,
        at: Timestamp,
        events: &[DeploymentEvent],
    ) -> Result<Seq, JournalError> {
        self.0.append_any(stream, expected, at, events)
    }

    fn read(
        &self,
        stream: StreamId,
        after: Seq,
    ) -> Result<Vec<Envelope<DeploymentEvent>>, JournalError> {
        self.0.read_any(stream, after)
    }

    fn open_streams(&self) -> Result<Vec<StreamId>, JournalError> {
        self.0.open_any::<DeploymentEvent>()
    }
}

// `Arc<Store>` is what the parts of a process share.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    shared::<Arc<Store>>();
};
