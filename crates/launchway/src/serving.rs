//! The server: pushes come in, runs are driven, people look.
//!
//! ```text
//!   git push ─▶ hook.rs ─▶ inbox/ (a file for each ref) ─▶ intake.rs: which workflows, which requests
//!                                                              │  written down, then handed in
//!   browser ─▶ crate `server` ─▶ face.rs ──────────────────────┴──▶ drive.rs: the one loop, `--jobs` wide
//! ```
//!
//! The data folder is a state folder with a few more things in it (`data.rs`), so every command that
//! looks at runs looks at the server's with `--state`. Nothing is remembered that is not in it: to
//! start is to sweep what an earlier server left, fold what is open, and take what waits in the inbox.

mod answers;
mod at_tips;
pub(crate) mod backup;
mod clock;
pub(crate) mod connections;
pub(crate) mod data;
pub(crate) mod database;
pub(crate) mod default_branch;
mod deployments;
mod dispatch;
mod drive;
mod face;
pub(crate) mod following;
pub(crate) mod gates;
pub(crate) mod github;
pub(crate) mod hook;
mod in_force;
pub(crate) mod incidents;
mod intake;
pub(crate) mod keeping;
mod moment;
mod moved;
mod numbers;
mod orders;
pub(crate) mod pagerduty;
mod places;
mod ready;
#[cfg(test)]
mod recorded;
pub(crate) mod repositories;
mod sign_in;
pub(crate) mod standing_by;
mod stood;
pub(crate) mod switches;
mod syncing;
pub(crate) mod tagged;
mod take_up;
mod tokens;
mod told;
pub(crate) mod unheard;

pub(crate) use clock::Clock;
pub(crate) use drive::{Driving, Handle, Means};
pub(crate) use face::Face;
pub(crate) use in_force::{Started, unguarded};
pub(crate) use intake::{Intake, usable};
pub(crate) use places::{HERE, Machines, watch as watch_runners};
pub(crate) use sign_in::SignsIn;
pub(crate) use tokens::JobTokens;
