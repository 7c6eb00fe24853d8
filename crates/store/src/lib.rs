//! The journal and the blobs on this machine, in one state folder:
//!
//! ```text
//! journal.db     SQLite: streams of events, chained by digest; the numbers of runs; what others are owed
//! database.json  instead of it and of deliveries.db: the database of PostgreSQL that has all of that
//! lock           held while the journal is opened, so that its schema is made once
//! blobs/         bytes by their SHA-256: logs, artifacts, summaries
//! logs/          logs that still grow, one for each lease of a job
//! deliveries.db  webhooks that were taken, of a server
//! vault/         secrets and variables that a person keeps, sealed
//! ```
//!
//! Whoever serves is told once when a database goes away, and once when it is there again (`absence.rs`).
//!
//! What is below `engine.rs` is an engine (SQLite, PostgreSQL); what is above it, and every rule, is the
//! same for both.
//!
//! [`Store`] is the journal's real side ([`ports::Journal`]). One thread writes; what waits is
//! committed together, and an append returns when it is committed. Any number of processes may have
//! the folder open: the expected sequence number of an append is checked under the lock that writes.
//!
//! An append that was acknowledged survives `kill -9` at any instant, and with
//! [`Durability::PowerLoss`] the loss of power; in a database it survives what that survives. An event that this version does not know makes its
//! stream unreadable and unwritable, with an error that says so; the other streams go on.
//!
//! A journal that several machines share is read into one of these, entry by entry
//! ([`Store::take_in`]); where it lies is `bucket`'s business.
//!
//! What others are owed is computed from the journal and kept beside it ([`Owed`]): rows that say how
//! often it was tried, when it is tried next, and how it ended.
//!
//! Deleting goes the other way round: first the events of a stream are forgotten, then the blobs that
//! nobody names any more are removed. What is left over after a kill is found by the next look,
//! because what may go is computed from the journal and kept nowhere.

mod absence;
mod blobs;
mod engine;
mod error;
mod group;
mod home;
mod incidents;
mod logs;
mod outbox;
mod postgres;
mod proof;
mod read;
mod reader;
mod references;
mod shared;
mod sqlite;
mod store;
mod sums;
mod vault;
mod webhooks;
mod write;
mod writer;

pub use absence::{Absence, Presence, is_away};
pub use blobs::Blobs;
pub use error::StoreError;
pub use home::{
    DATABASE_VARIABLE, attach, belongs_to, database_of, database_of_file, database_of_variable,
    secret_files,
};
pub use logs::Logs;
pub use outbox::{
    BODY_BYTES_MAX, Delivery, DeliveryState, Follow, OutboxCounts, Owed, ReceiverHealth, Settled,
    TroubledReceiver, WantedDeliveries,
};
pub use postgres::{AddressError, Database};
pub use proof::{BrokenChain, Head, Hole, ParseHeadError, Trail, Verified};
pub use read::{Decided, Happened, ReadError, RunRecord, Told, WantedDeployments};
pub use shared::{Cursor, SharedPlace, TakenIn, TakenStream};
pub use sqlite::{Durability, LOCK_WAIT_MAX_MS, copy_database};
pub use store::{Ledger, RENEW_SECONDS, Store};
pub use sums::{Sum, Sums};
pub use vault::{Kept, Rekeyed, Scope, Value, Vault, VaultError, VaultHeld};
pub use webhooks::{Taken, TakenWebhook, Webhooks};
