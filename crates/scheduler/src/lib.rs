//! Runs and jobs: which may start, which are skipped, when a run is done.
//!
//! A pure machine over the open runs of one process, so that concurrency groups hold across them:
//!
//! ```text
//!   decide(&State, &Definitions, Input) -> events     may change any day; evaluates expressions
//!   evolve(&mut State, stream, &event)                never changes for an event that has shipped
//!   pending(&State) -> commands                       deeds owed to the world, keyed by lease
//! ```
//!
//! A job on its way (a leg of a matrix takes the same way from `parked` or `free` on):
//!
//! ```text
//!              needs ended        JobPlanned                  JobReady        JobLeased
//!   blocked ───────────────▶ due ────────────▶ free ─────────────────▶ ready ─────────▶ leased
//!                             │ │               ▲                        ▲                │ JobStarted
//!       JobSkipped, or failed │ │ JobPlanned ├─▶ parked (max-parallel)   │                ▼
//!       while planning        │ │            └─▶ queued (its group)      │ JobRequeued  running
//!                             ▼ │ JobExpanded                            │                │ │
//!                          ended│                                  awaiting a person      │ │
//!                               ▼                                        ▲ JobWaiting     │ │
//!                    expanded ──MatrixCompleted──▶ ended               lost ◀── JobLost ──┘ │
//!                                                                                           ▼
//!          calling (JobReady of a job that calls) ──CallCompleted──▶ ended ◀── JobCompleted
//! ```
//!
//! The text of the files stands in `RunCreated`; the caller parses it into [`Definitions`], before
//! deciding and again after a restart, so that folding never parses. Everything an expression said
//! is in the events. What is due is kept in index sets: no event costs more than what it touches.
//!
//! A job that names an environment of a server stands at its gate between `due` and `free`: what the
//! rules ask is read outside (`decide/gate.rs`), what people say is counted here.
//!
//! Labels are looked at where machines are known ([`Definitions::set_places`]): a job that none of them
//! takes waits, and [`unserved`] says why. So does one that asks for a label which runs without walls and is not
//! its to have (`trust.rs`), and one of a repository whose jobs no machine takes.
//!
//! Absent on purpose: reading those rules, secrets' values.

mod contexts;
mod decide;
mod definitions;
mod evolve;
mod gate;
mod group;
mod invariants;
mod limits;
mod pending;
mod permissions;
mod place;
mod plan;
mod secrets;
mod spec;
mod state;
mod trust;

pub use contexts::github as github_context;
pub use decide::{Answer, Decided, GateRead, Input, Refusal, Rerun, Said, carry, decide};
pub use definitions::{Definitions, Files, called_key};
pub use evolve::{IllegalMove, evolve};
pub use invariants::{Broken, INVARIANTS, Invariant, check};
pub use pending::{Command, pending};
pub use place::{Place, Site, Takes, Unserved, is_linux_label, may_begin, unserved};
pub use plan::{Fault, Foreseen, foresee_call, host_port, is_wanted};
pub use spec::{SpecError, Surroundings, job_spec};
pub use state::{GroupTurn, HeldGroup, JobView, Run, State};
pub use trust::{TrustedJobs, TrustedLabel, TrustedLabelError, Untrusted};
