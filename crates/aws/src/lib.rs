//! AWS: signing in, signing calls, and the calls that targets need.
//!
//! ```text
//!   environment, profiles, token files ──▶ SignIn ──▶ Credentials ──┐
//!   a target ──▶ Client (typed calls) ──▶ signature ────────────────┴──▶ Transport ──▶ AWS
//!                       └──◀── Fault (what AWS said, its code, its request id)
//! ```
//!
//! Calls are made one at a time, without an async runtime, and never repeated here: whoever calls
//! knows whether that is harmless. The official SDK is not used: it would bring tokio into every
//! crate above and 16 MB of generated source for a dozen calls whose bodies are plain JSON. What it
//! would vouch for is held against botocore instead: signatures by known answers, bodies by
//! botocore's own models through the model cloud.
//!
//! Not here: retries, and SSO. A profile that asks for that is refused
//! with the command that helps.

mod alarms;
mod client;
mod console;
mod credentials;
mod ecr;
mod ecs;
mod fault;
mod iam;
mod identity;
mod instance;
mod local;
mod logs;
mod multipart;
mod network;
mod profile;
mod rds;
mod role;
mod s3;
mod scaling;
mod secrets;
mod service;
mod sign_in;
mod signature;
mod task;
mod token;
mod transport;
mod trust;
mod xml;

pub use alarms::Alarm;
pub use client::Client;
pub use console::Console;
pub use credentials::Credentials;
pub use ecr::{EcrFinding, EcrRepository, EcrScan, RegistryLogin};
pub use ecs::{
    EcsDeployment, EcsEvent, EcsService, RevisionOfService, ServiceDeployment, TaskDefinition,
};
pub use fault::{Fault, FaultKind};
pub use iam::AccessKey;
pub use identity::Identity;
pub use local::{Method, Question};
pub use logs::LinesFrom;
pub use multipart::{PART_BYTES_MIN, PARTS_MAX};
pub use network::{Ingress, TargetHealth};
pub use rds::{Database, DatabaseState, Snapshot};
pub use role::{RoleRequest, TakenRole};
pub use s3::{
    BucketState, CHECKSUM_HEADER, LISTED_MAX, ListPage, Listed, Object, ObjectHead, PutIf,
    SINGLE_PUT_MAX, Stored, Upload,
};
pub use scaling::ScaledBetween;
pub use secrets::KnownSecret;
pub use service::Endpoints;
pub use sign_in::{Assume, SignIn, SignInError, Surroundings};
pub use task::{EcsContainer, EcsTask, Launched};
pub use token::{AUDIENCE, Issue, claims};
pub use transport::{
    Https, ObjectBody, ObjectMethod, ObjectReply, ObjectRequest, Reply, Transport, Unanswered,
    WireRequest,
};
