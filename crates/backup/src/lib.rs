//! Backups: what is put aside before a deployment changes anything.
//!
//! ```text
//!   settings ──▶ a step of the kind Backup (Body) ──▶ Backups::advance, called until it is over
//!                                                        │
//!        rds.rs    a snapshot of RDS: looked for by its fixed name, asked for where there is none,
//!                  waited for until it is available
//!        dumps.rs  a dump of PostgreSQL, by a thread beside the loop:
//!                    dump.rs   pg_dump ──▶ the bucket, in parts
//!                    proof.rs  the bucket ──▶ pg_restore: is it what was sent, and whole?
//!                    load.rs   the bucket ──▶ a new database
//! ```
//!
//! Beside deployments: `postgres/whole.rs` copies a database that belongs to a server's folder.
//!
//! **Once for a deployment.** Every service has the step, because nobody knows beforehand which of
//! them change; the first one does it, the others find what it did among the deployment's effects.
//! The name of a snapshot, and of a dump, comes from the deployment and the time at which the step was
//! intended, which stand in the journal: whoever comes after a crash, or after an answer that got
//! lost, finds it by that and takes no second one.
//!
//! **Proven.** What cannot be read back is no backup: a dump counts when it was read from the bucket,
//! whole, by what would restore it.
//!
//! **Never in place.** A backup is restored into a new database; what takes whose place is a
//! person's decision.

mod body;
mod bucket;
mod dump;
mod dumps;
mod effect;
mod load;
mod objects;
mod permissions;
mod postgres;
mod proof;
mod rds;
mod restore;
mod words;

pub use aws::Database;
pub use body::{Body, Dump, Rds, Restore, RestoreDump};
pub use dumps::Outside;
pub use effect::Kept;
pub use permissions::{dump_permissions, permissions};
pub use postgres::{Address, AddressError, Programs, Survey, SurveyError, WholeError};
pub use rds::{Backups, Clients};
pub use words::size;
