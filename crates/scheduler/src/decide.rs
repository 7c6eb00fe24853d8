//! What follows from an input. May change any day: only its events are kept.
//!
//! Nothing outside is asked: time and names come in with the input, files with [`Definitions`].
//! Decisions that follow from the state alone wait in index sets (`pending.rs`); [`Input::Advance`]
//! takes one kind of them at a time, so that those of one answer never contradict each other, and is
//! repeated until it gives nothing.

mod advance;
mod cancel;
mod create;
mod gate;
mod report;
mod rerun;

use std::sync::Arc;

use event::{
    Asked, BlobId, CancelReason, Fence, JobKey, RunEvent, RunRequest, StreamId, Timestamp,
};
use mask::MaskedText;
use protocol::Report;

use crate::definitions::Definitions;
use crate::state::State;

pub use gate::{Answer, GateRead, Said};
pub use rerun::{Rerun, carry};

/// Events and the streams they belong to, in order.
pub type Decided = Vec<(StreamId, RunEvent)>;

/// Everything that can happen to this machine.
#[derive(Clone, Debug)]
pub enum Input {
    /// A run is to be made. Its files must be in the definitions.
    CreateRun {
        /// What from; `concurrency` is filled in here.
        request: Box<RunRequest>,
        /// What [`carry`] took over from an attempt before; empty for a first one.
        carried: Vec<RunEvent>,
    },
    /// A worker said something.
    Report {
        /// The run.
        stream: StreamId,
        /// The job.
        job: JobKey,
        /// The lease it speaks under.
        fence: Fence,
        /// Which report of the lease it is, from 0; none where nobody says anything twice.
        number: Option<u64>,
        /// What.
        report: Report,
        /// The runner's name.
        runner: Arc<str>,
        /// The job's log, where the report is its last.
        log: Option<BlobId>,
    },
    /// A worker is gone, and its process tree was ended.
    WorkerGone {
        /// The run.
        stream: StreamId,
        /// The job.
        job: JobKey,
        /// Its lease.
        fence: Fence,
        /// What is known.
        reason: MaskedText,
        /// When.
        at: Timestamp,
    },
    /// Time went by.
    Clock {
        /// Now.
        at: Timestamp,
    },
    /// A run, or a job of it, is to end.
    Cancel {
        /// The run.
        stream: StreamId,
        /// The job; none for the whole run.
        job: Option<JobKey>,
        /// Why.
        reason: CancelReason,
        /// When.
        at: Timestamp,
    },
    /// A person says that lost jobs are to start again.
    Resume {
        /// The run.
        stream: StreamId,
        /// The job; none for all that wait.
        job: Option<JobKey>,
        /// Who.
        by: MaskedText,
        /// How they asked for it.
        asked: Option<Asked>,
        /// When.
        at: Timestamp,
    },
    /// The rules of a job's environment were read.
    GateRead {
        /// The run.
        stream: StreamId,
        /// The job.
        job: JobKey,
        /// What they say.
        read: GateRead,
        /// When.
        at: Timestamp,
    },
    /// A person says something at a job's gate.
    Answer {
        /// The run.
        stream: StreamId,
        /// The job.
        job: JobKey,
        /// What.
        answer: Answer,
        /// When.
        at: Timestamp,
    },
    /// Workers are to be had: as many at a time as `width`.
    Lease {
        /// How many jobs may have a worker at a time.
        width: usize,
        /// What tracking ids begin with; unlike that of any other process ever.
        tracking: Arc<str>,
        /// When.
        at: Timestamp,
    },
    /// Decide what is due by itself.
    Advance {
        /// When.
        at: Timestamp,
    },
}

/// Why an input changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The run is not open here.
    #[error("the run {0} is not open")]
    UnknownRun(StreamId),
    /// The run has no such job.
    #[error("the run {stream} has no job `{job}`")]
    UnknownJob {
        /// The run.
        stream: StreamId,
        /// The job.
        job: JobKey,
    },
    /// The run exists.
    #[error("the run {0} exists already")]
    RunExists(StreamId),
    /// The files of the run are not there.
    #[error("the workflow files of the run {0} are not there")]
    NoFiles(StreamId),
    /// The workflow cannot run at all.
    #[error("{0}")]
    Workflow(String),
    /// A worker speaks under a lease that is over.
    #[error("`{job}` is not leased under fence {fence}")]
    StaleFence {
        /// The job.
        job: JobKey,
        /// The fence it named.
        fence: Fence,
    },
    /// The report does not fit where the job stands.
    #[error("`{job}` is {state}: {report} does not fit")]
    Misplaced {
        /// The job.
        job: JobKey,
        /// Where it stands.
        state: &'static str,
        /// What came.
        report: &'static str,
    },
    /// Reports before it are missing.
    #[error("report {number} of `{job}` came, and {heard} was next")]
    Gap {
        /// The job.
        job: JobKey,
        /// The one that came.
        number: u64,
        /// The one that was to come.
        heard: u64,
    },
    /// Nothing waits for a person.
    #[error("no job of the run {0} waits for a person")]
    NothingToResume(StreamId),
    /// It has ended.
    #[error("it has ended already")]
    Ended,
}

/// What follows from an input. `Ok` with no event: it was right and changes nothing.
///
/// # Errors
/// When the input fits nothing that is known; the state is as it was.
pub fn decide(state: &State, definitions: &Definitions, input: Input) -> Result<Decided, Refusal> {
    match input {
        Input::CreateRun { request, carried } => {
            create::create(state, definitions, *request, carried)
        }
        Input::Report { stream, job, fence, number, report, runner, log } => {
            let lease = report::Leased { stream, job, fence };
            if report::is_known(state, &lease, number)? {
                return Ok(Vec::new());
            }
            report::report(state, &lease, report, &runner, log)
        }
        Input::WorkerGone { stream, job, fence, reason, at } => {
            let lease = report::Leased { stream, job, fence };
            report::gone(state, &lease, reason, at)
        }
        Input::Clock { at } => Ok(cancel::overdue(state, definitions, at)),
        Input::Cancel { stream, job: None, reason, at } => {
            cancel::run(state, definitions, stream, &reason, at)
        }
        Input::Cancel { stream, job: Some(job), reason, at } => {
            cancel::job(state, definitions, stream, &job, &reason, at)
        }
        Input::Resume { stream, job, by, asked, at } => {
            report::resume(state, (stream, job.as_ref()), (&by, asked.as_ref()), at)
        }
        Input::GateRead { stream, job, read, at } => gate::read(state, stream, &job, read, at),
        Input::Answer { stream, job, answer, at } => gate::answer(state, stream, &job, answer, at),
        Input::Lease { width, tracking, at } => {
            Ok(advance::lease(state, definitions, (width, &tracking), at))
        }
        Input::Advance { at } => Ok(advance::advance(state, definitions, at)),
    }
}
