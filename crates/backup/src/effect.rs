//! What comes out of a backup: what the journal keeps, and a person restores from.

use std::collections::BTreeMap;

use event::DeployStepKey;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::body::Rds;

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
}

impl Kept {
    /// Of a step's effect; none where it is not a backup's.
    pub fn of(effect: &Json) -> Option<Kept> {
        Kept::deserialize(effect).ok()
    }

    /// What another service's step of this deployment put aside already.
    pub(crate) fn of_others(effects: &BTreeMap<DeployStepKey, Json>, wanted: &Rds) -> Option<Json> {
        let is_it =
            |effect: &&Json| Kept::of(effect).is_some_and(|Kept::Rds { of, .. }| of == *wanted);
        effects.values().find(is_it).cloned()
    }
}
