//! One release going to one environment: planned, done step by step, verified, or gone back on.
//!
//! A pure machine over one deployment's stream:
//!
//! ```text
//!   decide(&State, Told { fence, at, input }) -> events     may change any day
//!   evolve(&mut State, &event)                              never changes for an event that has shipped
//!   pending(&State) -> Option<Command>                      the one deed that the world is owed now
//! ```
//!
//! Its way. Every arrow is an event; every box survives a crash, because what is owed follows from it:
//!
//! ```text
//!  requested ──Owned──▶ planning ──Planned──▶ gates ──GateOpened (all)──▶ looking ──StepIntended──┐
//!      │                  │ nothing differs     │ shut, cancelled           │ drift               ▼
//!      │                  ▼                     ▼                           ▼         ┌───── step under way
//!      └─cancel──▶   succeeded (unchanged)   refused, cancelled           refused     │           │
//!                                                                                     │  StepDone │ StepFailed
//!        succeeded ◀──last look── all done ◀──────────── next step ◀──────────────────┘           │ cancel, drift
//!                                                                                                 ▼
//!        rolled_back, failed, cancelled, superseded ◀── all undone, asked again ◀── back ◀── TurnedBack
//!                                    rollback_stuck ◀───────── StepFailed (back) ────┘
//! ```
//!
//! **What is decided when.** The plan holds every step, in order, with its undo and its time. After
//! it nothing is chosen: the next step is the next of the plan, the way back is the reverse of what
//! was intended. Before the first step, and again before a service's first change, its target is
//! looked at: what is not as the plan saw it is drift.
//!
//! **What is undone.** Everything intended whose undo is a step, also when nobody knows whether it
//! was done: who undoes looks first. A migration is never undone. Behind the way back, health is
//! asked of what ran before, by the steps that say so (`ask_again`); smoke tests are not, because they
//! belong to the release that just went.
//!
//! **Time** comes with the input. A step's time runs while somebody owns the deployment: an owner who
//! takes it over after an outage looks before he judges.
//!
//! Absent on purpose: who may deploy, levels and policies (the binary asks before it requests), how a
//! step is done (behind `ports::Target` and `ports::Performer`), retries of a deployment.

mod compose;
mod decide;
mod evolve;
mod invariants;
mod limits;
mod pending;
mod state;

pub use compose::{PlanFault, compose};
pub use decide::{Input, Looked, News, Refusal, Told, decide};
pub use evolve::{IllegalMove, evolve};
pub use invariants::{Broken, INVARIANTS, Invariant, check};
pub use pending::{Command, pending};
pub use state::{Deed, Ended, Gate, Outcome, State};
