//! Actions: found by commit, kept, locked; and the ones that Launchway brings itself.
//!
//! [`resolve()`] answers what a step's `uses` stands for. A committed lock file decides first, then
//! the table of [`native`] versions, then the host: git fetches one commit, which is kept by its
//! name and never fetched again. Tags are only ways to a commit.
//!
//! A native action is a child process of our own binary with the contract of a JavaScript action:
//! inputs and state in the environment, answers in files, commands on standard output. So the
//! worker runs it like any other, a fault of it ends one step, and its log looks the same.

mod git;
mod lock;
mod mirror;
pub mod native;
mod refusal;
mod resolve;
mod search;
mod shelf;
mod unpack;
mod unused;

pub use git::GitError;
pub use lock::{Lock, LockError, Locked};
pub use mirror::Mirrors;
pub use native::room::{downloads, unused_caches};
pub use native::trusted::WALLS_VARIABLE;
pub use refusal::ResolveError;
pub use resolve::{
    ActionSource, ManifestFile, Note, ResolveOptions, Resolved, ResolvedWorkflow, WriteLock,
    manifest_in, resolve, resolve_workflow,
};
pub use shelf::ShelfError;
pub use unpack::{Existing, UnpackError, unpack_artifact};
pub use unused::{Unused, unused_actions};
