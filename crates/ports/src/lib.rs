//! The doors between decisions and the world: traits only, no logic.
//!
//! With the feature `testing` there are also a journal in memory that crashes when told to
//! ([`MemoryJournal`]) and the contract that every journal keeps ([`JOURNAL_CONTRACT`]).
//!
//! The simulator stands behind every one of them with a fake that has memory; the real ones live in
//! `store` (journal, blobs) and in the binary (workers, clock).

#[cfg(feature = "testing")]
mod contract;
#[cfg(feature = "testing")]
mod memory;
mod target;

#[cfg(feature = "testing")]
pub use contract::{JOURNAL_CONTRACT, JournalCase};
#[cfg(feature = "testing")]
pub use memory::{Fault, MemoryJournal};
pub use target::{Observation, Order, Performer, Progress, Proposal, StepRan, Target};

use event::{Envelope, Fence, JobKey, RunEvent, Seq, StreamId, Timestamp};
use protocol::JobSpec;

/// Why the journal did not take or give something.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Somebody else appended first: the caller's state is stale.
    #[error("stream {stream} is at {found}, not at {expected}")]
    Conflict {
        /// Which stream.
        stream: StreamId,
        /// What the caller believed.
        expected: Seq,
        /// What is.
        found: Seq,
    },
    /// The disk, the file, the lock.
    #[error("{action}")]
    Storage {
        /// What was tried, with the path.
        action: String,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An event of a newer version, or a broken chain. Nothing can be appended to such a stream.
    #[error("{0}")]
    Unreadable(String),
    /// Its payloads were deleted (retention). That they were there can still be proven.
    #[error("the events of {stream} were deleted; only their digests are kept")]
    Forgotten {
        /// Which stream.
        stream: StreamId,
    },
}

/// The append-only journal.
pub trait Journal<E = RunEvent>: Send + Sync {
    /// Appends all events or none, if the stream is still at `expected`. When it returns, they
    /// survive the death of this process. Gives the new last sequence number.
    fn append(
        &self,
        stream: StreamId,
        expected: Seq,
        at: Timestamp,
        events: &[E],
    ) -> Result<Seq, JournalError>;

    /// The events of a stream behind `after`, in order.
    fn read(&self, stream: StreamId, after: Seq) -> Result<Vec<Envelope<E>>, JournalError>;

    /// Streams of such events without an end, oldest first: what starting costs.
    fn open_streams(&self) -> Result<Vec<StreamId>, JournalError>;
}

impl<E, J: Journal<E> + ?Sized> Journal<E> for std::sync::Arc<J> {
    fn append(
        &self,
        stream: StreamId,
        expected: Seq,
        at: Timestamp,
        events: &[E],
    ) -> Result<Seq, JournalError> {
        (**self).append(stream, expected, at, events)
    }

    fn read(&self, stream: StreamId, after: Seq) -> Result<Vec<Envelope<E>>, JournalError> {
        (**self).read(stream, after)
    }

    fn open_streams(&self) -> Result<Vec<StreamId>, JournalError> {
        (**self).open_streams()
    }
}

/// A worker's right to a job, and what it is known by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lease {
    /// The run.
    pub stream: StreamId,
    /// The job.
    pub job: JobKey,
    /// Which lease of it.
    pub fence: Fence,
}

/// Workers: started, told to stop, and gone. What they report comes back as the driver's inputs.
pub trait Jobs {
    /// Starts a worker for the job. Called again with the same lease it does nothing. A worker that
    /// cannot be started is reported as gone.
    fn start(&mut self, spec: JobSpec);
    /// Tells it to end its job in the order of conformance 138.
    fn cancel(&mut self, lease: &Lease);
    /// Ends it and its process tree at once.
    fn kill(&mut self, lease: &Lease);
    /// So many numbered reports of the lease are in the journal: nobody has to keep them.
    fn heard(&mut self, lease: &Lease, reports: u64) {
        let _ = (lease, reports);
    }
    /// The lease is over, and the journal says so: what is left of its job goes, and a worker that
    /// still speaks under it ends.
    fn closed(&mut self, lease: &Lease) {
        let _ = lease;
    }
}
