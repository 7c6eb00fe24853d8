//! The list of event kinds, and decoding that tells "newer than this binary" from "damaged".

use crate::ids::JobKey;
use crate::run::RunEvent;

/// Why a payload is not an event that this binary knows.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Somebody newer wrote it. Skipping it would show a state that never was.
    #[error("the event kind `{kind}` is not known to this version")]
    UnknownKind {
        /// Its `type`.
        kind: String,
    },
    /// The kind is known and the rest does not fit: a value that only a newer version knows, or damage.
    #[error("the event `{kind}` does not read as this version knows it")]
    Unreadable {
        /// Its `type`.
        kind: String,
        /// What did not fit.
        #[source]
        source: serde_json::Error,
    },
    /// No JSON object with a `type`.
    #[error("the payload is no event")]
    NoEvent {
        /// What did not fit.
        #[source]
        source: serde_json::Error,
    },
}

macro_rules! kinds {
    ($($kind:ident),* $(,)?) => {
        impl RunEvent {
            /// Every kind, as it stands in `type`. The golden files hold a line for each.
            pub const KINDS: &'static [&'static str] = &[$(stringify!($kind)),*];

            /// Its kind, as it stands in `type`.
            pub fn kind(&self) -> &'static str {
                // Exhaustive: an event that is missing in the list below does not compile.
                match self {
                    $(RunEvent::$kind { .. } => stringify!($kind),)*
                }
            }
        }
    };
}

kinds!(
    RunCreated,
    RunWaiting,
    RunStarted,
    JobsDeclared,
    JobPlanned,
    JobExpanded,
    JobSkipped,
    JobWaiting,
    JobReady,
    JobLeased,
    JobStarted,
    StepStarted,
    StepCompleted,
    AnnotationAdded,
    SummaryWritten,
    ArtifactUploaded,
    JobCompleted,
    MatrixCompleted,
    CallCompleted,
    JobCarried,
    JobLost,
    JobRequeued,
    CancelRequested,
    NotEnforced,
    RunCompleted,
);

impl RunEvent {
    /// The job it is about; none where it is about the whole run.
    pub fn job(&self) -> Option<&JobKey> {
        match self {
            RunEvent::RunCreated(_)
            | RunEvent::RunWaiting { .. }
            | RunEvent::RunStarted { .. }
            | RunEvent::RunCompleted { .. } => None,
            RunEvent::JobsDeclared { parent, .. } => parent.as_ref(),
            RunEvent::JobPlanned(definition) => Some(&definition.key),
            RunEvent::CancelRequested { job, .. } | RunEvent::NotEnforced { job, .. } => {
                job.as_ref()
            }
            RunEvent::JobExpanded { job, .. }
            | RunEvent::JobSkipped { job, .. }
            | RunEvent::JobWaiting { job, .. }
            | RunEvent::JobReady { job, .. }
            | RunEvent::JobLeased { job, .. }
            | RunEvent::JobStarted { job, .. }
            | RunEvent::StepStarted { job, .. }
            | RunEvent::StepCompleted { job, .. }
            | RunEvent::AnnotationAdded { job, .. }
            | RunEvent::SummaryWritten { job, .. }
            | RunEvent::ArtifactUploaded { job, .. }
            | RunEvent::JobCompleted { job, .. }
            | RunEvent::MatrixCompleted { job, .. }
            | RunEvent::CallCompleted { job, .. }
            | RunEvent::JobCarried { job, .. }
            | RunEvent::JobLost { job, .. }
            | RunEvent::JobRequeued { job, .. } => Some(job),
        }
    }

    /// The event as the journal keeps it: JSON with its kind in `type`.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("an event has text keys only and no other fault")
    }

    /// Reads what [`RunEvent::encode`] wrote, in this version or an older one.
    pub fn decode(payload: &[u8]) -> Result<RunEvent, DecodeError> {
        #[derive(serde::Deserialize)]
        struct Tag {
            #[serde(rename = "type")]
            kind: String,
        }
        serde_json::from_slice(payload).map_err(|source| {
            match serde_json::from_slice::<Tag>(payload) {
                Err(source) => DecodeError::NoEvent { source },
                Ok(Tag { kind }) if RunEvent::KINDS.contains(&kind.as_str()) => {
                    DecodeError::Unreadable { kind, source }
                }
                Ok(Tag { kind }) => DecodeError::UnknownKind { kind },
            }
        })
    }
}
