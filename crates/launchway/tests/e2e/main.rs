//! End to end: the real binary, real git, real processes. What each rule says in detail is proved at
//! the doors of the crates below; here is proved that they were wired to one another.
//!
//! ```text
//!   run.rs        what a workflow does: jobs, steps, files, masks, actions, calls
//!   refuse.rs     what is refused before anything runs, in which words, with which exit code
//!   kill.rs       kill -9 and signals, and what is true afterwards
//! ```

mod harness;
mod kill;
mod refuse;
mod run;
