//! Tells people: what happened to a run or a deployment becomes messages, by rule, to Slack, by email,
//! to PagerDuty, to any webhook.
//!
//! ```text
//!   event ──▶ story.rs: an occasion, a message ──▶ rules ──▶ outbox (owed, sent until it is there)
//!                                                               │
//!              text.rs: as the receiver reads it, escaped ◀─────┤
//!              guard.rs: where may be connected to        ◀─────┤
//!              web.rs, mail.rs: sent                      ◀─────┘
//!   PagerDuty ──▶ paged.rs: what an incident there came to
//! ```
//!
//! A message is short: what it is, one fact a line, a link. What is in it was masked before it came
//! into the journal; what outsiders wrote (titles, branches, names) is cleaned here and escaped for each
//! receiver. Addresses of webhooks and keys are secrets: they are looked up when a message is sent, and
//! stand in no row, error or log.

mod guard;
mod mail;
mod message;
mod paged;
mod post;
mod story;
mod text;
mod web;

pub use https::{Guard, is_public};
pub use mail::{Encryption, MailServer};
pub use message::{Message, Occasion, Severity};
pub use paged::{NotPaged, PAGED_BYTES_MAX, Paged, PagedTurn, paged};
pub use post::{About, Channel, Notifier, Rule, Rulebook};
