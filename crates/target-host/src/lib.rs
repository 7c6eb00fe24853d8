//! Releases on the machine itself: processes, or containers, behind our own proxy, replaced without losing a
//! request.
//!
//! ```text
//!   deployment ──advance──▶ HostTarget ──wanted/──▶ supervisor ──▶ instances
//!                               │    ◀──state.json──┘   │  ▲
//!                               └─routes/──▶ proxy ◀────┘  └ adopted when the supervisor is new
//! ```
//!
//! Three parties, none of which needs another to live. [`HostTarget`] decides and writes two files;
//! whoever is killed in between, the next call finds what is there and goes on. The supervisor
//! ([`supervise`]) makes processes what the file says, and says in another what they are. The
//! proxy holds the listeners. Instances outlive all three: they are process groups of their own
//! that a new supervisor finds by their process id and start, or by the mark in their environment.
//!
//! ```text
//!   bundle/       a folder as one file, named by its digest; unpacked with distrust
//!   engine/       docker's API over its socket    images.rs, containers.rs   releases that are images
//!   folder.rs     what lies where            fence.rs    who may change a service: a stale owner may not
//!   wanted.rs     the two files              config.rs   what the settings say
//!   supervise/    processes, probes, logs    task.rs     commands that are run once, and never twice
//!   target/       the door: observe, propose, advance
//!   printed/      what instances print, for people
//! ```

mod bundle;
mod config;
mod containers;
mod down;
mod fence;
mod folder;
mod images;
mod printed;
mod processes;
mod supervise;
mod target;
mod task;
mod unit;
mod wanted;

pub use bundle::{BundleError, ENTRIES_MAX, PackOptions, Packed, pack, unpack, verify};
pub use config::{ContainerConfig, Health, HostConfig, Strategy};
pub use down::take_down;
pub use folder::Folder;
pub use images::{Registries, docker_problem};
pub use printed::{Logs, LogsError, PrintedLine};
pub use supervise::{IfTaken, SuperviseError, supervise};
pub use target::{HostTarget, InstanceView, PrivateValues, ServiceView, TaskBody, view};
pub use task::run as run_task;
pub use unit::{UnitRights, server_unit, systemd_unit};

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
