//! A stream's name, and an event as the journal keeps it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::ids::{Attempt, DeploymentId, IncidentId, ReleaseId, RunId, Seq, Timestamp};
use crate::run::RunEvent;

/// A stream of the journal. Its text is `run/12/1`: what it is about, then its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum StreamId {
    /// One attempt of one run.
    Run(RunId, Attempt),
    /// One deployment.
    Deployment(DeploymentId),
    /// One release that came to a repository of images.
    Release(ReleaseId),
    /// One incident.
    Incident(IncidentId),
    /// What was done that is none of these, all in one.
    Audit,
}

impl StreamId {
    /// The run's attempt that it is about; none for anything else.
    pub fn as_run(self) -> Option<(RunId, Attempt)> {
        match self {
            StreamId::Run(run, attempt) => Some((run, attempt)),
            StreamId::Deployment(_)
            | StreamId::Release(_)
            | StreamId::Incident(_)
            | StreamId::Audit => None,
        }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StreamId::Run(run, attempt) => write!(f, "run/{run}/{attempt}"),
            StreamId::Deployment(deployment) => write!(f, "deployment/{deployment}"),
            StreamId::Release(release) => write!(f, "release/{release}"),
            StreamId::Incident(incident) => write!(f, "incident/{incident}"),
            StreamId::Audit => f.write_str("audit"),
        }
    }
}

/// The text names no stream that this version knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` names no stream that this version knows")]
pub struct ParseStreamIdError {
    text: String,
}

impl FromStr for StreamId {
    type Err = ParseStreamIdError;

    fn from_str(text: &str) -> Result<StreamId, ParseStreamIdError> {
        let parse = || {
            if text == "audit" {
                return Some(StreamId::Audit);
            }
            let (kind, numbers) = text.split_once('/')?;
            match kind {
                "run" => {
                    let (run, attempt) = numbers.split_once('/')?;
                    Some(StreamId::Run(RunId(run.parse().ok()?), Attempt(attempt.parse().ok()?)))
                }
                "deployment" => Some(StreamId::Deployment(DeploymentId(numbers.parse().ok()?))),
                "release" => Some(StreamId::Release(ReleaseId(numbers.parse().ok()?))),
                "incident" => Some(StreamId::Incident(IncidentId(numbers.parse().ok()?))),
                _ => None,
            }
        };
        // One stream has one text: `run/012/1` and `run/+12/1` are refused.
        parse()
            .filter(|stream| stream.to_string() == text)
            .ok_or_else(|| ParseStreamIdError { text: text.to_owned() })
    }
}

impl From<StreamId> for String {
    fn from(stream: StreamId) -> String {
        stream.to_string()
    }
}

impl TryFrom<String> for StreamId {
    type Error = ParseStreamIdError;

    fn try_from(text: String) -> Result<StreamId, ParseStreamIdError> {
        text.parse()
    }
}

/// An event with its place in the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope<E = RunEvent> {
    /// Which stream.
    pub stream: StreamId,
    /// Its place there.
    pub seq: Seq,
    /// When it was appended.
    pub at: Timestamp,
    /// Chain digest ([`crate::chain`]).
    pub digest: Digest,
    /// What happened.
    pub event: E,
}
