//! What happens at a repository becomes known: told by a hook, looked for, made by the clock, or asked for.
//!
//! ```text
//!   hook.rs       git calls us when somebody pushes         unheard.rs    pushes here that no hook told of
//!   following.rs  repositories elsewhere are looked at      moved.rs      which branches moved between two looks
//!   clock.rs      schedules                                 dispatch.rs   a workflow that somebody starts
//! ```
//!
//! What GitHub tells comes in by its own door (`github/taking.rs`). All of it goes to the inbox (`intake.rs`).

pub(super) mod clock;
pub(super) mod dispatch;
pub(crate) mod following;
pub(crate) mod hook;
pub(super) mod moved;
pub(crate) mod unheard;
