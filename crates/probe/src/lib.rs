//! Asks what was deployed whether it does what it should, and runs commands once.
//!
//! ```text
//!   Order ──▶ Prober::advance ──▶ health, bake:  rounds of requests, each on a thread of its own
//!                    │            smoke:         requests and commands, in order
//!                    │            budget:        a hundred requests, their times and faults
//!                    └──────────▶ command:       a process, run once, found again after a crash
//! ```
//!
//! Nothing here waits: `advance` begins what is due and looks at what has come back. A step's
//! [`Body`] says what is asked; the binary makes it from the settings. Health is asked until it has
//! held for its settling time; a smoke test is asked once; baking asks on and fails when two rounds in
//! a row do. What an answer held is evidence, masked, and no more than its beginning.

mod body;
mod budget;
mod command;
mod prober;
mod request;

pub use body::{Answer, Body, Smoke, VersionField};
pub use budget::{BUDGET_REQUESTS, budget_within};
pub use command::Commands;
pub use prober::Prober;
