//! Processes that reach only what they are given, kept in by the kernel (landlock).
//!
//! [`Reach`] says what may be read and what may be changed; all else of the disk is out of reach, for the
//! process and for everything that it starts, for ever. Processes outside cannot be looked into
//! (`ptrace`, `/proc/PID/environ`), and programs that raise rights (`sudo`) raise none. Where the kernel can
//! ([`Support`]), nobody outside can be signalled either.
//!
//! What is not kept in: the network, and who may be spoken to over a Unix socket that has a path (before Linux 7.1, and
//! where it lies in no place of one's own). How much memory and time is used has bounds of its own ([`Bounded`]).
//!
//! The calling process stays free: [`Sandbox::inside`] begins a thread, confines that, and does the deed on it;
//! a process that is started there inherits the walls. Nothing has to run between fork and exec. [`Hands`] are such a
//! thread that stays.
//!
//! Where the process has the rights, whoever is within may have folders of the machine of his own ([`Namespace`]): a
//! `/tmp` that nobody else sees; and he may be another user of the machine ([`User`]), so that what is ours is out of
//! his reach by the oldest means, too: files, sockets with a path, signals. The rights that this takes a process that is not
//! root's keeps to itself, where no walls are, too ([`keep_rights`]).
//!
//! And the other way round: what root does in a folder of somebody else is done as that user ([`Owner`]), so that they
//! can read it afterwards.

mod bounds;
mod hands;
mod kernel;
mod namespace;
mod owner;
mod reach;
mod rights;
mod user;

pub use bounds::{
    Bounded, Bounds, BoundsError, Delegated, Exceeded, OWN as OWN_CGROUP, end_bounded,
};
pub use hands::Hands;
pub use kernel::{Sandbox, SandboxError, Support, support};
pub use namespace::{MEETING_PLACES, Namespace, Place};
pub use owner::Owner;
pub use reach::Reach;
pub use rights::{keep_rights, with_rights};
pub use user::User;
