//! Deployments in a hostile world: the real machine and the real loop behind a fake target with
//! memory.
//!
//! ```text
//!   Script (what goes wrong, what people do) ──▶ play(script, kill) ──▶ End (verdict, world, deeds)
//!                                                        │
//!   Kill: the process dies before or after the nth append, or before or after the nth call
//! ```
//!
//! A script is played once without a kill; then for every append and every call of that play, before
//! and after it. Every end must be the same: the verdict, the world, and how often each deed was
//! done. After every event the invariants hold on a second fold.

mod play;
mod script;
mod target;
mod watcher;

pub use play::{End, Kill, Played, Point, play, prove};
pub use script::{Cancel, Drift, Gates, Reread, Script, Trouble, scripts};
