//! The world, seeded and hostile: the real scheduler and the real loop behind fake doors.
//!
//! ```text
//!   seed ──▶ workflows (generate.rs)      act one: weighted actions, faults at any append
//!        └─▶ actions   (world.rs) ──▶     act two: everything heals, and every run must end
//! ```
//!
//! After every event the invariants of the scheduler are checked on a second fold of the journal
//! ([`Watcher`]), after every round the two folds must be equal, and after every crash the loop is
//! built again from what the journal kept. Whatever waits says why ([`Watcher`]), and once all is decided nothing says
//! that it is about to be. A seed is the whole story: the same seed does the same.

pub mod deployment;
mod generate;
mod random;
mod visits;
mod watcher;
mod workers;
mod world;

pub use random::Random;
pub use visits::Visits;
pub use watcher::Watcher;
pub use world::{Failure, Story, run_seed};
