//! The list of event kinds, and decoding that tells "newer than this binary" from "damaged".

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::deployment::DeploymentEvent;
use crate::ids::JobKey;
use crate::release::ReleaseEvent;
use crate::run::RunEvent;
use crate::stream::StreamId;

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

/// A kind of event: what a stream of the journal holds.
pub trait Fact: Clone + std::fmt::Debug + PartialEq + Serialize + DeserializeOwned {
    /// Every kind, as it stands in `type`. The golden files hold a line for each.
    const KINDS: &'static [&'static str];

    /// Its kind, as it stands in `type`.
    fn kind(&self) -> &'static str;

    /// Whether its stream is over with it.
    fn ends_stream(&self) -> bool;

    /// Whether events of this kind stand in the stream.
    fn is_of(stream: StreamId) -> bool;

    /// The event as the journal keeps it: JSON with its kind in `type`.
    fn encode(&self) -> String {
        serde_json::to_string(self).expect("an event has text keys only and no other fault")
    }

    /// Reads what [`Fact::encode`] wrote, in this version or an older one.
    fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        #[derive(serde::Deserialize)]
        struct Tag {
            #[serde(rename = "type")]
            kind: String,
        }
        serde_json::from_slice(payload).map_err(|source| {
            match serde_json::from_slice::<Tag>(payload) {
                Err(source) => DecodeError::NoEvent { source },
                Ok(Tag { kind }) if Self::KINDS.contains(&kind.as_str()) => {
                    DecodeError::Unreadable { kind, source }
                }
                Ok(Tag { kind }) => DecodeError::UnknownKind { kind },
            }
        })
    }
}

macro_rules! facts {
    ($event:ident in $stream:ident until $end:ident: $($kind:ident),* $(,)?) => {
        impl Fact for $event {
            const KINDS: &'static [&'static str] = &[$(stringify!($kind)),*];

            fn kind(&self) -> &'static str {
                // Exhaustive: an event that is missing in the list below does not compile.
                match self {
                    $($event::$kind { .. } => stringify!($kind),)*
                }
            }

            fn ends_stream(&self) -> bool {
                matches!(self, $event::$end { .. })
            }

            fn is_of(stream: StreamId) -> bool {
                matches!(stream, StreamId::$stream(..))
            }
        }
    };
}

facts!(
    RunEvent in Run until RunCompleted:
    RunCreated,
    RunWaiting,
    RunStarted,
    JobsDeclared,
    JobPlanned,
    JobExpanded,
    JobSkipped,
    JobWaiting,
    JobGated,
    JobApproved,
    JobRejected,
    JobApprovalRefused,
    JobGateOpened,
    JobReady,
    JobLeased,
    JobStarted,
    StepStarted,
    StepCompleted,
    AnnotationAdded,
    SummaryWritten,
    ArtifactUploaded,
    ImageBuilt,
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

facts!(
    DeploymentEvent in Deployment until DeploymentCompleted:
    DeploymentRequested,
    DeploymentOwned,
    DeploymentPlanned,
    GateWaiting,
    GateSigned,
    GateRejected,
    ApprovalRefused,
    RulePassed,
    RulesConfirmed,
    GateOpened,
    StepIntended,
    StepDone,
    StepFailed,
    DeploymentNoted,
    TurnedBack,
    CancelWanted,
    DeploymentCompleted,
);

facts!(
    ReleaseEvent in Release until ReleaseRecorded:
    ReleaseRecorded,
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
            | RunEvent::JobGated { job, .. }
            | RunEvent::JobApproved { job, .. }
            | RunEvent::JobRejected { job, .. }
            | RunEvent::JobApprovalRefused { job, .. }
            | RunEvent::JobGateOpened { job, .. }
            | RunEvent::JobReady { job, .. }
            | RunEvent::JobLeased { job, .. }
            | RunEvent::JobStarted { job, .. }
            | RunEvent::StepStarted { job, .. }
            | RunEvent::StepCompleted { job, .. }
            | RunEvent::AnnotationAdded { job, .. }
            | RunEvent::SummaryWritten { job, .. }
            | RunEvent::ArtifactUploaded { job, .. }
            | RunEvent::ImageBuilt { job, .. }
            | RunEvent::JobCompleted { job, .. }
            | RunEvent::MatrixCompleted { job, .. }
            | RunEvent::CallCompleted { job, .. }
            | RunEvent::JobCarried { job, .. }
            | RunEvent::JobLost { job, .. }
            | RunEvent::JobRequeued { job, .. } => Some(job),
        }
    }
}
