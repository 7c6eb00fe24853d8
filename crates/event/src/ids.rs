//! Typed ids and counters. A plain number or string is never passed where one of these is meant.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps the text.
            pub fn new(text: impl Into<Arc<str>>) -> $name {
                $name(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

number_id!(
    /// A run, counted from 1 in one journal; the same over its attempts.
    RunId
);
number_id!(
    /// A run's attempt, from 1.
    Attempt
);
number_id!(
    /// A deployment, counted from 1 in one journal.
    DeploymentId
);
number_id!(
    /// A release that came to a repository of images, counted from 1 in one journal.
    ReleaseId
);
number_id!(
    /// An incident, counted from 1 in one journal.
    IncidentId
);
number_id!(
    /// The place of an event in its stream, from 1; 0 is "before the first".
    Seq
);
number_id!(
    /// Grows with every lease of a job, and with every owner of a deployment. What comes with an
    /// older one is refused.
    Fence
);
number_id!(
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Timestamp
);

text_id!(
    /// A job of one run attempt: the id in the file, `id (2)` for the second leg of a matrix,
    /// `caller/inner` inside a reusable workflow. Unique in its run.
    JobKey
);
text_id!(
    /// A step of one job: its `id` or generated id, behind `outer/` inside a composite action,
    /// with `pre:` or `post:` before it for those stages. Unique in its job.
    StepKey
);
text_id!(
    /// A blob by the SHA-256 of its bytes, in lower-case hex; of a growing one: its name.
    BlobId
);

/// How a job, step or run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// It did what it should.
    Success,
    /// It did not.
    Failure,
    /// Somebody or something stopped it.
    Cancelled,
    /// Its condition said no.
    Skipped,
    /// It ran into its time limit.
    TimedOut,
}

impl Conclusion {
    /// GitHub's word, as it stands in contexts and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Conclusion::Success => "success",
            Conclusion::Failure => "failure",
            Conclusion::Cancelled => "cancelled",
            Conclusion::Skipped => "skipped",
            Conclusion::TimedOut => "timed_out",
        }
    }
}

impl fmt::Display for Conclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a job or run is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Ready, no worker has it yet.
    Queued,
    /// A worker has it.
    InProgress,
    /// Something must happen first: needs, a gate, a concurrency slot, a person.
    Waiting,
    /// It has a conclusion.
    Completed,
}

impl Status {
    /// GitHub's word, as it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::InProgress => "in_progress",
            Status::Waiting => "waiting",
            Status::Completed => "completed",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The level of an annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnnotationLevel {
    /// Worth knowing.
    Notice,
    /// Surely not as meant.
    Warning,
    /// Wrong.
    Error,
}

impl AnnotationLevel {
    /// GitHub's word, as it stands in workflow commands and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            AnnotationLevel::Notice => "notice",
            AnnotationLevel::Warning => "warning",
            AnnotationLevel::Error => "error",
        }
    }
}

impl fmt::Display for AnnotationLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
