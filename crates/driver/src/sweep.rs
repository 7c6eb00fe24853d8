//! At start: runs whose owner died. Their processes are ended before their leases are.
//!
//! Only what carries a tracking id of the journal is touched. A run whose owner lives is left alone
//! (`owner.rs`). What follows from a loss is decided by the scheduler; nothing is started here.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use event::{BlobId, JobDefinition, JobKey, RunEvent, RunRequest, Seq, StreamId, Timestamp};
use mask::MaskedText;
use ports::{Jobs, Journal, Lease};
use protocol::JobSpec;
use scheduler::Surroundings;

use crate::groups::Groups;
use crate::inputs::Input;
use crate::owner::{Owner, OwnerError};
use crate::processes::end_tree;
use crate::round::{DriverError, Loop, Observer, Settings};
use crate::surroundings::{Home, HomeError};
use crate::workers::workers_alive;

/// What was found.
#[derive(Debug, Default)]
pub struct Swept {
    /// Runs that stand still until somebody resumes them, with the right to drive them.
    pub free: Vec<Owner>,
    /// Jobs whose worker was gone.
    pub lost: Vec<(StreamId, JobKey)>,
    /// Runs that were left alone because a worker of theirs waits for its server.
    pub spared: Vec<StreamId>,
    /// Runs that could not be read, and why; they are left as they are.
    pub unreadable: Vec<(StreamId, DriverError)>,
    /// Runs whose owner could not be told, and why.
    pub unknown: Vec<OwnerError>,
}

/// Sweeps every open run that nobody owns and that is not `spared`. All are folded before anything is
/// decided, because runs of one invocation may share concurrency groups. What a run is spared for is
/// asked with each of its leases, and the runner that has it: a worker that waits for its server is not
/// lost.
///
/// # Errors
/// When the journal cannot say which runs are open, or does not take the losses.
pub fn sweep<J: Journal + Clone, O: Observer>(
    journal: J,
    owners: &Path,
    at: Timestamp,
    observer: O,
    spared: &dyn Fn(&Lease, Option<&str>) -> bool,
) -> Result<Swept, DriverError> {
    let settings = Settings { width: 0, tracking: Arc::from("") };
    let mut swept = Swept::default();
    let mut round = Loop::new(settings, journal.clone(), Nobody, Nobody, observer);
    for stream in journal.open_streams().map_err(DriverError::Journal)? {
        match Owner::claim(owners, stream) {
            Ok(None) => {}
            Ok(Some(_)) if is_spared(&journal, stream, spared) => swept.spared.push(stream),
            Err(error) => swept.unknown.push(error),
            Ok(Some(owner)) => match round.adopt(stream) {
                Ok(()) => swept.free.push(owner),
                Err(error) => swept.unreadable.push((stream, error)),
            },
        }
    }
    let mut inputs = Vec::new();
    for (stream, run) in round.state().runs() {
        for job in run.jobs() {
            let Some((fence, tracking)) = job.lease else { continue };
            swept.lost.push((stream, job.key.clone()));
            let lease = Lease { stream, job: job.key.clone(), fence };
            inputs.push(Input::WorkerGone { lease, reason: lost(tracking) });
        }
    }
    round.round(inputs, at)?;
    // Some were at their end but for saying so, or ended between the list and the lock.
    let is_open = |stream| round.state().run(stream).is_some_and(|it| it.conclusion().is_none());
    swept.free.retain(|owner| is_open(owner.stream()));
    Ok(swept)
}

/// Whether a run has a lease that is spared. Who cannot be read is told below.
fn is_spared<J: Journal>(
    journal: &J,
    stream: StreamId,
    spared: &dyn Fn(&Lease, Option<&str>) -> bool,
) -> bool {
    let mut leases = BTreeMap::new();
    for envelope in journal.read(stream, Seq(0)).unwrap_or_default() {
        match envelope.event {
            RunEvent::JobLeased { job, fence, runner, .. } => {
                leases.insert(job, (fence, runner));
            }
            RunEvent::JobLost { job, .. } | RunEvent::JobCompleted { job, .. } => {
                leases.remove(&job);
            }
            _ => {}
        }
    }
    leases
        .into_iter()
        .any(|(job, (fence, runner))| spared(&Lease { stream, job, fence }, runner.as_deref()))
}

/// Ends what a dead owner's worker left, and says what is known of it.
fn lost(tracking: &str) -> MaskedText {
    let left = end_tree(tracking, &workers_alive);
    let mut reason = "launchway ended while it ran".to_owned();
    if left > 0 {
        reason.push_str(&format!("; {left} of its processes could not be ended"));
    }
    MaskedText::without_secrets(reason)
}

/// Neither workers nor a home: with a width of 0 nothing is started.
struct Nobody;

impl Jobs for Nobody {
    fn start(&mut self, _: JobSpec) {}
    fn cancel(&mut self, _: &Lease) {}
    fn kill(&mut self, _: &Lease) {}
}

impl Home for Nobody {
    fn surroundings(
        &mut self,
        _: &Lease,
        _: &RunRequest,
        _: &JobDefinition,
    ) -> Result<Surroundings, HomeError> {
        Err(HomeError { message: "a sweep starts nothing".to_owned() })
    }

    /// Nothing goes ahead here.
    fn groups(&mut self) -> Groups<'_> {
        Groups::Taken
    }

    fn keep_log(&mut self, _: &Lease) -> Option<BlobId> {
        None
    }

    fn runner(&self, _: StreamId, _: &JobKey) -> Arc<str> {
        Arc::from("")
    }
}
