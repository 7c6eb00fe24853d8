//! Releases of images: what was built from which commit, and which digest a registry gave it.
//!
//! A deployment's own events say what went where. These say what there is to go: one stream for each
//! time that a release came to a repository, with one event, because everything before it can be
//! done again without harm: bytes in a registry are named by their digest.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::deployment::{Actor, Release};
use crate::ids::Timestamp;

/// What happened to a release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum ReleaseEvent {
    /// A registry has it, and said its digest when it was asked.
    ReleaseRecorded(Box<ReleaseRecord>),
}

/// A release in a repository of a registry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReleaseRecord {
    /// `project` of the settings.
    pub project: Arc<str>,
    /// The service.
    pub service: Arc<str>,
    /// The environment whose repository it is.
    pub environment: Arc<str>,
    /// The version, the digest, the repository, the commit.
    pub release: Release,
    /// The tags that name it there since then.
    pub tags: Vec<Arc<str>>,
    /// What it is built for: `linux/amd64`. None where the registry does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Arc<str>>,
    /// How it came there.
    pub origin: ReleaseOrigin,
    /// The bytes of its layers, as the registry keeps them.
    pub size_bytes: u64,
    /// How long that took, in milliseconds.
    pub took_ms: u64,
    /// Who did it.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
}

/// How a release came to a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ReleaseOrigin {
    /// It was built here, and pushed.
    Built,
    /// It was there already, with the tag of the commit.
    Found,
    /// It was copied, byte for byte.
    Copied {
        /// The repository that it was copied from.
        from: Arc<str>,
    },
}
