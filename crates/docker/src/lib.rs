//! The engine that runs containers on this machine: Docker, or what speaks its API (podman).
//!
//! Its API over its own socket, not its command line: what is private goes in a body and never
//! stands in a list of processes or in a file, how a container ended comes as a number, and nobody
//! needs the program `docker`. Of the API only what stands here is used, in whatever version the
//! engine speaks.
//!
//! ```text
//!   engine   images and containers
//!   images   how large one is, and which were given a name
//!   network  what containers of one job speak over
//!   wanted   what a workflow says of a container, as the engine is told
//!   flags    the flags of `docker create`
//!   health   when a container is ready to be used
//!   inside   a program in a container that runs, as if it were a process of ours
//!   starter  programs that a container's own first process begins
//!   heed     waits that end early
//!   wire     HTTP over a socket
//! ```

mod engine;
mod flags;
mod health;
mod heed;
mod images;
mod inside;
mod limits;
mod memory;
mod network;
mod starter;
mod wanted;
mod wire;

/// The label of what belongs to a job of a workflow: its value is the job's tracking id.
pub const JOB_LABEL: &str = "launchway.job";

pub use engine::{Container, Engine, EngineError, Held, Labels, Over, Standing, Surroundings};
pub use flags::{FlagError, split};
pub use health::Health;
pub use heed::{Wait, Waited};
pub use images::{Image, Named};
pub use inside::{FAILED, Inside, main as run_inside};
pub use limits::Limits;
pub use starter::{SHOWN, Starter};
pub use wanted::{Login, Wanted, WantedError, wanted};
