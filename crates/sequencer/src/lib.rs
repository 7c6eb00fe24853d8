//! The steps inside one job: which is next, with what environment, and what its end means.
//!
//! A pure machine. Whoever owns it (the worker) tells it what happened and does what it owes:
//!
//! ```text
//!   decide(&State, &Plan, Input) -> Vec<Fact>     evaluates expressions, may change any day
//!   evolve(&mut State, Fact)                      only writes down
//!   pending(&State)              -> Next          the deeds that are owed now, or the job's end
//! ```
//!
//! A job goes through its stages in this order (conformance 105); each turn of the machine begins,
//! ends or skips exactly one step:
//!
//! ```text
//!             Begin                   Advance, Ended                        Ended
//!   new ──────────────▶ pre ─────────────────────────▶ main ───────▶ post ─────────▶ completed
//!        job env fails   │ pre stages of remote actions, │ a stack of    │ what began, last in
//!          └──────────────────────────▶ (nothing runs) ──│ composite ────│ first out
//!                                                        │ scopes        │
//!                           Cancelled: from anywhere; steps whose `if` still holds run on
//! ```
//!
//! The steps are one line. A background step leaves it and becomes a line of its own
//! (`background.rs` has its states); control steps hold the first line up until others are over.
//! Only then does anybody see what those wrote and how they ended.
//!
//! A step is evaluated in the order of conformance 126: env, condition, name, limits, then it
//! runs, then its file commands count. A mistake in any of these fails that step (conformance 90).
//! Disk, clock, processes, the search for shells and for Node are the worker's. The one question an
//! expression may ask about a disk, `hashFiles`, goes through [`World`].

mod background;
mod decide;
mod deed;
mod env;
mod evaluate;
mod evolve;
mod fact;
mod limits;
mod outcome;
mod pending;
mod plan;
mod shell;
mod state;
mod step;

pub use decide::{HOOKS, Input, World, container, decide, services, survives_cancel};
pub use deed::{ActionStage, Deed, DeedBody, FileCommandPaths, Program, Shown};
pub use evolve::evolve;
pub use fact::{Ended, Fact, JobEnd, StepNews};
pub use limits::{BACKGROUND_MAX, COMPOSITE_DEPTH_MAX};
pub use outcome::{Effects, Exit};
pub use pending::{Next, Owed, pending};
pub use plan::{Action, ActionHome, Hooks, Plan, PlanError};
pub use shell::{Shell, ShellError};
pub use state::State;
pub use step::action_key;
