//! A stream's name, and an event as the journal keeps it.

use serde::{Deserialize, Serialize};

use crate::ids::{Attempt, RunId, Seq, Timestamp};
use crate::run::RunEvent;

/// A stream of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StreamId {
    /// One attempt of one run.
    Run(RunId, Attempt),
}

/// An event with its place in the journal. `digest` is the SHA-256 over the digest before it, the
/// stream, the sequence number, the time and the digest of the payload: payloads can be deleted
/// later without breaking the chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// Which stream.
    pub stream: StreamId,
    /// Its place there.
    pub seq: Seq,
    /// When it was appended.
    pub at: Timestamp,
    /// Chain digest in lower-case hex.
    pub digest: String,
    /// What happened.
    pub event: RunEvent,
}
