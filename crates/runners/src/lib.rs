//! Jobs on other machines: both ends of the one connection between a server and a runner.
//!
//! ```text
//!   server                                     runner
//!   the loop ──Jobs──▶ Fleet ─┐            ┌─ Station ──▶ driver::Workers ──▶ worker, its spool
//!   Input ◀── Session ────────┤  one       ├─ Carrier: log bytes, then blobs, then the report
//!   logs, blobs ◀── Receiving ┘ connection └─ Mirror: commits by packs, one repository each
//! ```
//!
//! A worker on a runner is the process that it is on a server, with the same spool; what it reports
//! becomes the loop's inputs, numbered as it numbered them. A connection that is cut loses nothing: the
//! runner says which leases it holds, the server how much of each it remembers, and the rest is sent.
//! A server that was killed has it in its journal, a runner that was killed in its workers' spools.
//!
//! Who decides is the scheduler alone: which runner gets a job (`scheduler::Place`), and what a lost
//! one means. Here is known only who is there. The transport of the server's side is its caller's
//! ([`Link`]); the runner's is a WebSocket ([`connection`]).

mod connection;
mod fleet;
mod sources;
mod station;

pub use connection::ConnectError;
pub use fleet::{AllWorkers, Book, Fleet, FleetOptions, KnownRunner, Link, RunnerState};
pub use station::{Station, StationError, StationOptions, Stop};
