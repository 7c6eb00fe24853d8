//! The server: pushes come in, runs are driven, people look.
//!
//! ```text
//!   git push ─▶ arriving/hook.rs ─▶ inbox/ (a file for each ref) ─▶ intake.rs: which workflows, which requests
//!   GitHub ───▶ github/taking.rs ──▶                                    │  written down, then handed in
//!   browser ──▶ crate `server` ─▶ face.rs ──────────────────────────────┴──▶ drive.rs: the one loop, `--jobs` wide
//! ```
//!
//! | Room | What it answers |
//! |---|---|
//! | `arriving` | what happened at a repository, and how do we know: a hook, a look, the clock, a person |
//! | `intake` | which runs come of it, each once |
//! | `drive` | which job begins where and when: machines, gates of environments, tokens, what an earlier server left |
//! | `face` | what may pages and API ask for, and who is asking |
//! | `repositories` | which are connected, with their default branch, settings, switches, values and versions |
//! | `github` | what GitHub tells and is told |
//! | `incidents` | what people and PagerDuty say went wrong |
//! | `data` | what lies in the folder: copies of it, its database, whether it takes a write |
//!
//! The data folder is a state folder with a few more things in it (`data.rs`), so every command that
//! looks at runs looks at the server's with `--state`. Nothing is remembered that is not in it: to
//! start is to sweep what an earlier server left, fold what is open, and take what waits in the inbox.

pub(crate) mod arriving;
pub(crate) mod data;
pub(crate) mod drive;
mod face;
pub(crate) mod github;
pub(crate) mod incidents;
mod intake;
pub(crate) mod repositories;

pub(crate) use arriving::clock::Clock;
pub(crate) use drive::places::{HERE, Machines, watch as watch_runners};
pub(crate) use drive::tokens::JobTokens;
pub(crate) use drive::{Driving, Handle, Means};
pub(crate) use face::Face;
pub(crate) use face::in_force::{Started, unguarded};
pub(crate) use face::sign_in::SignsIn;
pub(crate) use intake::{Intake, usable};
