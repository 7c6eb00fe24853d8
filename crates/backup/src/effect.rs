//! What comes out of a backup: what the journal keeps, and a person restores from.

use std::collections::BTreeMap;

use event::DeployStepKey;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::body::{Body, Dump, Rds};

/// A backup that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "backup", rename_all = "snake_case")]
pub enum Kept {
    /// A snapshot of a database of RDS.
    Rds {
        /// The database, with its region and account.
        of: Rds,
        /// The snapshot's name.
        snapshot: String,
        /// Its ARN.
        arn: String,
    },
    /// A dump of a database of PostgreSQL, proven readable.
    Dump {
        /// Of what, and where it is kept.
        of: Dump,
        /// Its name in the bucket, behind the prefix.
        object: String,
        /// SHA-256 of its bytes, as they were read back.
        sha256: String,
        /// Its size.
        bytes: u64,
        /// The bucket's own mark of it.
        etag: String,
        /// The server's version.
        server: String,
        /// Entries of its table of contents.
        entries: u64,
        /// Tables with data of their own.
        tables: u64,
        /// Rows, as they were counted in it.
        rows: u64,
        /// How long it took to take it.
        dumped_ms: u64,
        /// How long it took to read it back.
        proven_ms: u64,
        /// How long it took to restore it, where that was done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        restored_ms: Option<u64>,
    },
}

impl Kept {
    /// Of a step's effect; none where it is not a backup's.
    pub fn of(effect: &Json) -> Option<Kept> {
        Kept::deserialize(effect).ok()
    }

    /// What people call it.
    pub fn id(&self) -> &str {
        match self {
            Kept::Rds { snapshot, .. } => snapshot,
            Kept::Dump { object, .. } => object,
        }
    }

    /// What it was taken of.
    pub fn database(&self) -> &str {
        match self {
            Kept::Rds { of, .. } => &of.database,
            Kept::Dump { of, .. } => &of.url,
        }
    }

    /// What another service's step of this deployment put aside already.
    pub(crate) fn of_others(
        effects: &BTreeMap<DeployStepKey, Json>,
        wanted: &Body,
    ) -> Option<Json> {
        let is_it = |effect: &&Json| match (Kept::of(effect), wanted) {
            (Some(Kept::Rds { of, .. }), Body::Rds(wanted)) => of == *wanted,
            (Some(Kept::Dump { of, .. }), Body::Dump(wanted)) => of == *wanted,
            _ => false,
        };
        effects.values().find(is_it).cloned()
    }
}
