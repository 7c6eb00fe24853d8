//! What ships to an environment: a deployment, or the jobs of a run that name it.

use std::fmt;
use std::str::FromStr;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::{Attempt, DeploymentId, RunId};
use crate::stream::StreamId;

/// What shipped something. In JSON a deployment is its number, and an attempt of a run its text, as
/// `"12.1"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ShippedBy {
    /// A deployment.
    Deployment(DeploymentId),
    /// Jobs of one attempt of a run.
    Jobs(RunId, Attempt),
}

impl ShippedBy {
    /// The stream that tells of it.
    pub fn stream(self) -> StreamId {
        match self {
            ShippedBy::Deployment(deployment) => StreamId::Deployment(deployment),
            ShippedBy::Jobs(run, attempt) => StreamId::Run(run, attempt),
        }
    }

    /// What a stream tells of; none where that ships nothing.
    pub fn of(stream: StreamId) -> Option<ShippedBy> {
        match stream {
            StreamId::Deployment(deployment) => Some(ShippedBy::Deployment(deployment)),
            StreamId::Run(run, attempt) => Some(ShippedBy::Jobs(run, attempt)),
            StreamId::Release(_) | StreamId::Incident(_) | StreamId::Audit => None,
        }
    }

    /// As people read it: `deployment 7`, `run 12.1`.
    pub fn named(self) -> String {
        match self {
            ShippedBy::Deployment(_) => format!("deployment {self}"),
            ShippedBy::Jobs(..) => format!("run {self}"),
        }
    }

    /// The deployment; none where jobs shipped it.
    pub fn deployment(self) -> Option<DeploymentId> {
        match self {
            ShippedBy::Deployment(deployment) => Some(deployment),
            ShippedBy::Jobs(..) => None,
        }
    }
}

impl From<DeploymentId> for ShippedBy {
    fn from(deployment: DeploymentId) -> ShippedBy {
        ShippedBy::Deployment(deployment)
    }
}

/// `7`, `12.1`
impl fmt::Display for ShippedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShippedBy::Deployment(deployment) => deployment.fmt(f),
            ShippedBy::Jobs(run, attempt) => f.pad(&format!("{run}.{attempt}")),
        }
    }
}

/// What is no deployment's number, and no attempt of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotShippedBy;

impl fmt::Display for NotShippedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a deployment is its number, as 41, and a run whose jobs shipped its attempt, as 12.1",
        )
    }
}

impl std::error::Error for NotShippedBy {}

/// One of them has one text: `07`, `012.1` and `+12.1` are refused.
impl FromStr for ShippedBy {
    type Err = NotShippedBy;

    fn from_str(text: &str) -> Result<ShippedBy, NotShippedBy> {
        let parse = || match text.split_once('.') {
            Some((run, attempt)) => {
                Some(ShippedBy::Jobs(RunId(run.parse().ok()?), Attempt(attempt.parse().ok()?)))
            }
            None => Some(DeploymentId(text.parse().ok()?).into()),
        };
        parse().filter(|it| it.to_string() == text).ok_or(NotShippedBy)
    }
}

impl Serialize for ShippedBy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            ShippedBy::Deployment(deployment) => serializer.serialize_u64(deployment.0),
            ShippedBy::Jobs(..) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for ShippedBy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ShippedBy, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

struct Either;

impl Visitor<'_> for Either {
    type Value = ShippedBy;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the number of a deployment, or an attempt of a run as \"12.1\"")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<ShippedBy, E> {
        Ok(ShippedBy::Deployment(DeploymentId(number)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ShippedBy, E> {
        let jobs = text.parse().ok().filter(|it: &ShippedBy| it.deployment().is_none());
        jobs.ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_is_its_number_and_an_attempt_its_text() {
        let check = |json: &str, expect: Option<(ShippedBy, &str)>| {
            let read: Result<ShippedBy, _> = serde_json::from_str(json);
            let Some((by, stream)) = expect else {
                assert!(read.is_err(), "{json}");
                return;
            };
            assert_eq!(read.expect("it is one"), by, "{json}");
            assert_eq!(serde_json::to_string(&by).expect("it is plain"), json);
            assert_eq!(by.stream().to_string(), stream);
            assert_eq!(ShippedBy::of(by.stream()), Some(by));
        };
        check("7", Some((DeploymentId(7).into(), "deployment/7")));
        check("\"12.1\"", Some((ShippedBy::Jobs(RunId(12), Attempt(1)), "run/12/1")));
        for wrong in ["\"7\"", "\"12.1.1\"", "\"012.1\"", "\"+1.1\"", "\".\"", "-1", "null", "[7]"]
        {
            check(wrong, None);
        }
        assert_eq!(ShippedBy::of(StreamId::Audit), None);
    }

    #[test]
    fn people_write_it_as_they_read_it() {
        let check = |text: &str, expect: Option<&str>| {
            let named = text.parse().ok().map(ShippedBy::named);
            assert_eq!(named.as_deref(), expect, "{text}");
        };
        check("7", Some("deployment 7"));
        check("12.1", Some("run 12.1"));
        for wrong in ["", "07", "+7", "12.", ".1", "12.1.1", "012.1", "12.01", "run 12.1", "-1"] {
            check(wrong, None);
        }
    }
}
