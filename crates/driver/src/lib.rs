//! The one loop: input, decide, append, evolve, do what is pending.
//!
//! ```text
//!   workers ──┐                       ┌──▶ journal (append, one batch a round and stream)
//!   clock ────┼──▶ Input ──▶ Loop ────┼──▶ jobs (start, cancel, kill: what is pending)
//!   people ───┘             scheduler └──▶ observer (what happened, how far the logs are)
//! ```
//!
//! [`Loop`] is the part without threads: the time comes with each round, the journal and the workers
//! stand behind `ports`, so the simulator drives the very same code. [`Shell`] is the rest: one
//! thread that waits, one reader for each [worker](Workers), the clock.
//!
//! Two launchways on one state folder meet in locked files alone: who drives a run (`owner.rs`), who
//! has a concurrency group (`groups.rs`).
//!
//! A round decides everything that follows from its inputs before it appends anything, folds as it
//! decides, appends, and only then acts: intent before deed. If the append fails the state is ahead
//! of the journal and the loop is of no more use; whoever starts again folds what is there.
//! There is no recovery code: [`Loop::adopt`] folds an open run and the next round does what it owes.
//!
//! A deployment has a loop of its own on the same plan (`deployment.rs`), and a locked file for the
//! environment that it goes to (`deployment/place.rs`).

mod deployment;
mod groups;
mod inputs;
mod owner;
mod processes;
mod round;
mod shell;
mod surroundings;
mod sweep;
mod workers;

pub use deployment::{
    Deployment, DeploymentEnded, DeploymentError, DeploymentInput, DeploymentObserver,
    DeploymentShell, Doors, Place, PlaceError, Standing, Taken,
};
pub use groups::{GroupLocks, Groups};
pub use inputs::{Input, Looked};
pub use owner::{Owner, OwnerError};
pub use round::{DriverError, Grown, Loop, Observer, Quiet, Settings};
pub use shell::{Ended, Shell};
pub use surroundings::{Home, HomeError, Kept};
pub use sweep::{Swept, sweep};
pub use workers::{Found, Workers, WorkersError, become_subreaper, is_at_work, is_living};
