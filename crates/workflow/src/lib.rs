//! What the file says: typed workflows and `action.yml`, with places and diagnostics.
//!
//! ```text
//!   text --syntax--> YAML tree --read / read_action--> Workflow / ActionManifest + diagnostics
//! ```
//!
//! Reading collects every mistake, each with its place, GitHub's own words where it has some, and a
//! remedy. The result is typed: key sets are closed, every expression is parsed against the
//! [`scope`] of its place and kept in a [`Template`] until its time comes. What this program cannot
//! run is in the model all the same, with its place, so that planning refuses it: no key is ignored.
//!
//! Pure: what happens lies with the callers. [`Triggers::decide`] answers whether an event starts a
//! workflow, [`matrix::expand`] makes jobs of an evaluated matrix.

mod action;
mod condition;
mod cron;
mod empty_jobs;
mod filter;
mod graph;
mod job;
pub mod matrix;
mod model;
mod read;
mod reader;
pub mod scope;
mod step;
mod template;
mod trigger;
mod uses;

pub use action::{ActionInput, ActionManifest, ActionOutput, ActionRuns, DockerRuns, read_action};
pub use cron::{Calendar, is_due};
pub use empty_jobs::empty_jobs;
pub use filter::{Pattern, PatternError, takes};
pub use matrix::{Leg, MatrixError};
pub use model::{
    Access, CallJob, CallSecrets, Concurrency, Condition, Environment, Grants, Job, JobBody,
    Permissions, Step, StepBody, StepsJob, Strategy, Text, Workflow,
};
pub use read::{job_from_json, job_to_json, read, read_node};
pub use template::{Embedded, Part, Template, TemplateError, TemplateKey, TemplateKind};
pub use trigger::{
    CallOutput, ChangedFiles, FilterList, Input, InputKind, Schedule, SecretDeclaration, Sense,
    Trigger, TriggerEvent, Triggers, Verdict,
};
pub use uses::{Uses, UsesError};
