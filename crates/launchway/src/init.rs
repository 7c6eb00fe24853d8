//! `launchway init`: what is in a repository, and the files that follow from it.
//!
//! ```text
//!   look.rs      folders ──▶ services: how each is built, run, asked    ─┐
//!   cloud.rs     workflows ──▶ environments, clusters, regions          ─┼─▶ compose.rs ──▶ launchway.yml
//!   propose.rs   workflows ──▶ the same, mended (crate `check`)          │
//!   workflows.rs services, environments ──▶ workflows of our own        ─┤
//!   difference.rs   what would be another                               ─┘
//! ```
//!
//! Everything that is written says where it comes from; what is a guess says so, too.

pub(crate) mod cloud;
pub(crate) mod compose;
pub(crate) mod difference;
pub(crate) mod look;
pub(crate) mod propose;
pub(crate) mod workflows;
