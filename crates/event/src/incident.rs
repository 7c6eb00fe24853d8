//! Incidents: something that users meet and that is wrong, from when it was seen until it was over.
//!
//! One stream for each. Nobody drives one: what has to happen is a person's, or PagerDuty's, or an
//! issue's, so every event may be its last one, and what is over can begin again.

use std::fmt;
use std::sync::Arc;

use mask::MaskedText;
use serde::{Deserialize, Serialize};

use crate::deployment::Actor;
use crate::ids::Timestamp;
use crate::kind::Fact;
use crate::shipped_by::ShippedBy;
use crate::stream::StreamId;

/// What happened in an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum IncidentEvent {
    /// It was told for the first time.
    IncidentOpened(Box<IncidentRecord>),
    /// It is over.
    IncidentResolved {
        /// Who says so.
        by: Actor,
        /// Why, or by what, in their words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<MaskedText>,
        /// Since when.
        resolved_at: Timestamp,
        /// When that was written down.
        at: Timestamp,
    },
    /// It is not over after all.
    IncidentReopened {
        /// Who says so.
        by: Actor,
        /// Why, in their words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<MaskedText>,
        /// Since when.
        reopened_at: Timestamp,
        /// When that was written down.
        at: Timestamp,
    },
    /// A deployment has to do with it, or what jobs of a run shipped to its environment.
    IncidentLinked {
        /// Which.
        deployment: ShippedBy,
        /// What.
        role: IncidentRole,
        /// Who says so.
        by: Actor,
        /// When.
        at: Timestamp,
    },
    /// It has not.
    IncidentUnlinked {
        /// Which.
        deployment: ShippedBy,
        /// What it was said to have to do with it.
        role: IncidentRole,
        /// Who says so.
        by: Actor,
        /// When.
        at: Timestamp,
    },
}

/// What an incident is, as it was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentRecord {
    /// `project` of the settings, or a repository whose jobs ship: `octo/app`.
    pub project: Arc<str>,
    /// Where users meet it.
    pub environment: Arc<str>,
    /// The service, or the workflow file of jobs that ship; none where it is said of all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Arc<str>>,
    /// What is wrong, in a line.
    pub title: MaskedText,
    /// How bad it is.
    pub severity: Severity,
    /// Who told of it.
    pub source: IncidentSource,
    /// What it is known by there: the same one is opened once. None where a person opened it here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Arc<str>>,
    /// Where it is looked at there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Arc<str>>,
    /// What brought it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caused_by: Option<ShippedBy>,
    /// Who opened it.
    pub by: Actor,
    /// Since when users meet it.
    pub opened_at: Timestamp,
    /// When it was written down.
    pub at: Timestamp,
}

/// How bad an incident is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Few notice, or there is a way around it.
    Minor,
    /// Many notice.
    Major,
    /// What the service is for cannot be done.
    Critical,
}

impl Severity {
    /// As it stands in JSON and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Minor => "minor",
            Severity::Major => "major",
            Severity::Critical => "critical",
        }
    }

    /// The severity of a word.
    pub fn parse(text: &str) -> Option<Severity> {
        [Severity::Minor, Severity::Major, Severity::Critical]
            .into_iter()
            .find(|it| it.as_str() == text)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who told of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentSource {
    /// A person, here.
    Person,
    /// A deployment of ours that went wrong after users could meet it.
    Deployment,
    /// An issue with a label.
    Github,
    /// PagerDuty.
    Pagerduty,
}

impl IncidentSource {
    /// As it stands in JSON and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            IncidentSource::Person => "person",
            IncidentSource::Deployment => "deployment",
            IncidentSource::Github => "github",
            IncidentSource::Pagerduty => "pagerduty",
        }
    }
}

impl fmt::Display for IncidentSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a deployment has to do with an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentRole {
    /// It brought it. There is one such at most.
    Cause,
    /// It was made to end it.
    Fix,
}

impl IncidentRole {
    /// As it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            IncidentRole::Cause => "cause",
            IncidentRole::Fix => "fix",
        }
    }
}

impl Fact for IncidentEvent {
    const KINDS: &'static [&'static str] = &[
        "IncidentOpened",
        "IncidentResolved",
        "IncidentReopened",
        "IncidentLinked",
        "IncidentUnlinked",
    ];

    fn kind(&self) -> &'static str {
        match self {
            IncidentEvent::IncidentOpened(_) => "IncidentOpened",
            IncidentEvent::IncidentResolved { .. } => "IncidentResolved",
            IncidentEvent::IncidentReopened { .. } => "IncidentReopened",
            IncidentEvent::IncidentLinked { .. } => "IncidentLinked",
            IncidentEvent::IncidentUnlinked { .. } => "IncidentUnlinked",
        }
    }

    /// No process has anything to do for it, so it is not among what is open when one starts; what
    /// comes behind is appended all the same.
    fn ends_stream(&self) -> bool {
        true
    }

    fn is_of(stream: StreamId) -> bool {
        matches!(stream, StreamId::Incident(_))
    }
}
