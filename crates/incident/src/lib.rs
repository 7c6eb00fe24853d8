//! Incidents: what is to be written down when somebody tells of one.
//!
//! ```text
//!   a person, here ───────┐
//!   a deployment of ours ─┼──▶ Wish ──▶ decide(what is known, wish) ──▶ events, or why not
//!   an issue's label ─────┤
//!   PagerDuty ────────────┘
//! ```
//!
//! Whoever tells may tell twice, and late: what is known already gives no event, and what happened
//! before the last change that is known changes nothing. Nothing here reads a journal or a clock.

mod decide;
mod limits;
mod own;

pub use decide::{Deployed, Opening, Refusal, Said, Told, Wish, decide};
pub use limits::{REASON_CHARS_MAX, TITLE_CHARS_MAX, line};
pub use own::{Broken, Own, own};
