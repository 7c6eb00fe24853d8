//! Everything that can happen to the loop, in one closed enum.

use std::sync::Arc;

use event::{Asked, CancelReason, JobKey, RunEvent, RunRequest, StreamId};
use mask::MaskedText;
use ports::Lease;
use protocol::Report;

/// Which gates are looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Looked {
    /// All: nobody looked for a while.
    All,
    /// Those that runs of this commit may open, one of which began or ended something:
    /// [`crate::Home::look_aside`].
    Behind(Arc<str>),
    /// A job's: what keeps it is not what it was.
    Of(StreamId, JobKey),
}

/// One thing that happened. The time comes with the round.
#[derive(Debug)]
pub enum Input {
    /// A run is to be made. The caller holds its [`crate::Owner`].
    CreateRun {
        /// What from.
        request: Box<RunRequest>,
        /// What `scheduler::carry` took over from an attempt before.
        carried: Vec<RunEvent>,
    },
    /// A worker said something.
    Report {
        /// Who.
        lease: Lease,
        /// Which report of the lease it is; none where nobody says anything twice.
        number: Option<u64>,
        /// What.
        report: Report,
    },
    /// A worker is gone and its process tree was ended.
    WorkerGone {
        /// Who.
        lease: Lease,
        /// What is known.
        reason: MaskedText,
    },
    /// The clock is to be looked at.
    Tick,
    /// Somebody wants an end.
    Cancel {
        /// Which run; none for all.
        stream: Option<StreamId>,
        /// Which job; none for the whole run.
        job: Option<JobKey>,
        /// Why.
        reason: CancelReason,
    },
    /// A person says that lost jobs are to start again.
    Resume {
        /// Which run.
        stream: StreamId,
        /// Which job; none for all that wait.
        job: Option<JobKey>,
        /// Who.
        by: MaskedText,
        /// How they asked for it.
        asked: Option<Asked>,
    },
    /// A person says something at a job's gate.
    Answer {
        /// Which run.
        stream: StreamId,
        /// Which job.
        job: JobKey,
        /// What.
        answer: scheduler::Answer,
    },
    /// What keeps jobs at their gates that no person opens is looked at again.
    LookAtGates(Looked),
    /// Which machines take jobs from now on.
    Places(Vec<scheduler::Place>),
    /// Leave everything as it is and go: the workers notice by themselves.
    Detach,
    /// The same without waiting for anybody: workers that outlive their driver go on.
    Leave,
}
