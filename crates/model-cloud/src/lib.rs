//! A cloud that is a model: Amazon ECS as a client meets it, with what tasks and deployments need
//! beside it (secrets, logs, sign-in), with memory, faults and virtual time.
//!
//! ```text
//!   a client of ours ──▶ Cloud::answer ──┐
//!   any client ──▶ Front (HTTP) ─────────┼──▶ Cloud ──▶ clusters, services, tasks, revisions, logs
//!   a test ──▶ advance, script, inject ──┘     └──▶ calls (what was asked, what became of it)
//! ```
//!
//! [`Cloud`] is pure: it has no clock, no thread and no chance in it. Time passes when
//! [`Cloud::advance`] says so; the same calls at the same times give the same answers, ids
//! included. How an image behaves is scripted ([`Image`]), and so is what goes wrong with a call
//! ([`Fault`]). [`Front`] is a thin shell that lets real clients talk to it over HTTP.
//!
//! What it knows of AWS comes from botocore's models and AWS's documentation, never from our own
//! client; `contract/` holds it against botocore. Where AWS's own behaviour is not documented, the
//! model says which of the possible ones it plays ([`Rollback`]).
//!
//! Objects in buckets are there with conditional writes ([`Cloud::object`]), one request each.
//! Of databases, alarms, networks and roles it knows what deployments ask. Not here: scaling by
//! itself, blue/green, task sets, container instances. What asks for them is refused with AWS's word for it, never answered emptily.

mod alarms;
mod answer;
mod balancing;
mod calls;
mod cloud;
mod definitions;
mod ecr;
mod fault;
mod front;
mod history;
mod identity;
mod image;
mod logs;
mod multipart;
mod names;
mod network;
mod parameters;
mod rds;
mod rollout;
mod s3;
mod scaling;
mod secrets;
mod services;
mod tasks;
mod update;

pub use answer::{Answer, Request};
pub use calls::Call;
pub use cloud::{Cloud, Rollback};
pub use ecr::Scan;
pub use fault::{Fault, FaultKind};
pub use front::{Clock, Front};
pub use image::{Health, Image};
pub use s3::{ObjectAnswer, ObjectAsked};
