//! The facts. Everything that happens is one of these, appended to a stream of the journal and
//! never changed; everything anyone sees is a fold of them.
//!
//! An event that has shipped keeps its meaning for ever. A field may be added with a default; a
//! changed meaning is a new event. Nothing here decides. Text that came out of a process or a
//! user's file is [`mask::MaskedText`]; step output is not here at all: events carry digests and
//! ranges, blobs carry bytes.

mod audit;
mod deployment;
mod digest;
mod gate;
mod ids;
mod image;
mod incident;
mod kind;
mod release;
mod run;
mod shipped_by;
mod stream;

pub use audit::{AuditEvent, AuditRecord};
pub use deployment::{
    Actor, Asked, By, Cause, CauseCode, DeployStepKey, DeployStepKind, DeploymentEvent,
    DeploymentKind, DeploymentPlan, DeploymentRequest, Evidence, EvidenceKind, FieldChange,
    GateDemand, GateKey, GoingBack, KnownRelease, OnCancel, PassedRule, PlannedStep, Protection,
    Release, Rules, ServicePlan, ServiceRequest, ShippedCommit, SshProof, Undo, Verdict, Way,
};
pub use digest::{Digest, ParseDigestError, chain, link};
pub use gate::JobGate;

pub use ids::{
    AnnotationLevel, Attempt, BlobId, Conclusion, DeploymentId, Fence, IncidentId, JobKey,
    ReleaseId, RunId, Seq, Status, StepKey, Timestamp,
};
pub use image::{BuiltImage, ImageSize, SizeOf, repository};
pub use incident::{IncidentEvent, IncidentRecord, IncidentRole, IncidentSource, Severity};
pub use kind::{DecodeError, Fact};
pub use release::{ReleaseEvent, ReleaseOrigin, ReleaseRecord};
pub use run::{
    Annotation, CancelReason, Change, ConcurrencyClaim, DeclaredJob, EventRef, ExitKind,
    JobDefinition, LogRange, RunEvent, RunRequest, RunnerDemand, Selection, SkipReason, Terms,
    WaitReason, WorkflowCall, WorkflowFile,
};
pub use shipped_by::{NotShippedBy, ShippedBy};
pub use stream::{Envelope, ParseStreamIdError, StreamId};
