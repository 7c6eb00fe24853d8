//! A service of Amazon ECS as a target of deployments.
//!
//! ```text
//!   register ──▶ (migrate) ──▶ update ──▶ stabilise          forward
//!      copy of what runs,       one call:     watched until ECS has
//!      image by digest          this revision decided, or we have
//!
//!   update, back: ECS is told to go back where a deployment of it is under way, else the service is
//!   told to run what ran before; watched by the same rules
//! ```
//!
//! **Nothing is remembered.** Every order is carried on by looking: what this deployment registered
//! bears its tag, what it started runs its revision, and a task that it ran bears its name. So it
//! does not matter who asks, how often, or which answer was lost.
//!
//! **A revision of its own.** Each deployment registers one, even where nothing in it differs. What
//! runs that revision is ours; a new deployment starts by naming it, never by force; and naming it
//! twice starts nothing twice.
//!
//! **The verdict** is about our own deployment, by its id, and never about the service's being
//! stable: a service that ECS rolled back is perfectly stable (`verdict.rs`).
//!
//! Not here: blue/green, CodeDeploy and task sets (refused when planning), making services, target
//! health.

mod back;
mod balancers;
mod calls;
mod canonical;
mod config;
mod console;
mod contents;
mod evidence;
mod images;
mod look;
mod permissions;
mod plan;
mod printed;
mod prospect;
mod references;
mod register;
mod remarks;
mod run_task;
mod scale;
mod stabilise;
mod target;
mod update;
mod verdict;
mod watch;
mod way_back;
mod words;

pub use balancers::network;
pub use config::{EcsConfig, Reference};
pub use console::{ConsolePage, console};
pub use contents::Values;
pub use permissions::{Passed, only_evidence, passed, permissions};
pub use printed::{EcsLine, EcsLogs};
pub use remarks::{Condition, Remark, remarks};
pub use run_task::{migration, task};
pub use target::EcsTarget;
