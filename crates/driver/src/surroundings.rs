//! What is put around a job by whoever owns the state folder.

use std::sync::Arc;

use event::{BlobId, JobDefinition, JobKey, RunRequest, StreamId, Timestamp};
use mask::MaskedText;
use ports::Lease;
use scheduler::{GateRead, Surroundings};

use crate::groups::Groups;

/// Why a job cannot be given what it needs. The job fails with this message.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct HomeError {
    /// What is missing, and what to do.
    pub message: String,
}

/// A job at its gate, which no person can open.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'k> {
    /// Which run.
    pub stream: StreamId,
    /// The job.
    pub definition: &'k JobDefinition,
    /// What is said of why.
    pub shut: &'k MaskedText,
}

/// The state folder and its secrets, as the loop needs them.
pub trait Home {
    /// Secrets, folders and options for a lease. Nothing has to exist yet but the log's folder.
    /// What the job asks of the machine is in its definition, what its run may do in the request.
    ///
    /// # Errors
    /// When the job cannot be given what it needs, or may not have it.
    fn surroundings(
        &mut self,
        lease: &Lease,
        request: &RunRequest,
        definition: &JobDefinition,
    ) -> Result<Surroundings, HomeError>;

    /// What the rules ask of a job that names an environment, read now. Only runs whose terms say so
    /// ask ([`event::Terms::gated`]).
    ///
    /// # Errors
    /// When they cannot be read; it is asked again.
    fn gate(
        &mut self,
        request: &RunRequest,
        definition: &JobDefinition,
        at: Timestamp,
    ) -> Result<GateRead, HomeError> {
        let _ = (request, definition, at);
        Err(HomeError { message: "nobody knows the rules of environments here".to_owned() })
    }

    /// Something began or ended that a job at its gate may wait for. It happens often and seldom opens
    /// anything, and reading rules takes git: whoever looks does so without keeping the loop from its work,
    /// and sends [`crate::Looked::Of`] where it is not kept as it was.
    fn look_aside(&mut self, kept: Kept<'_>) {
        let _ = kept;
    }

    /// The concurrency groups of this machine. Where nobody else can be there, all are free.
    fn groups(&mut self) -> Groups<'_> {
        Groups::Free
    }

    /// The job wrote its last line: keeps the log as a blob before the event that names it.
    fn keep_log(&mut self, lease: &Lease) -> Option<BlobId>;

    /// The runner's name, as `JobStarted` tells it.
    fn runner(&self, stream: StreamId, job: &JobKey) -> Arc<str>;
}
