//! Values that a server keeps, put into GitHub's secrets and variables by the server itself: what is asked of it,
//! and what it says. No value stands in either.

use serde::{Deserialize, Serialize};

use event::Timestamp;

/// Values that one call puts there: it is answered when they are, and GitHub may take a second for each.
pub const SYNCED_MAX: usize = 20;
/// Names and environments that are chosen in one call; GitHub keeps no more of either in one place.
pub(crate) const CHOSEN_MAX: usize = 500;

/// Which values would be put there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SyncWish {
    /// These names alone; all where there are none.
    pub names: Vec<String>,
    /// What is kept for these environments alone; all where there are none.
    pub environments: Vec<String>,
    /// `secret` or `variable`
    pub only: Option<String>,
    /// What seems to be up to date, too.
    pub all: bool,
    /// Environments that GitHub does not have are made.
    pub make_environments: bool,
}

/// What would be done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncPlan {
    /// GitHub's name for the repository.
    pub to: String,
    /// `https://github.com`
    pub url: String,
    /// Environments that GitHub does not have, and something is kept for.
    pub missing: Vec<String>,
    /// Every value, here, there or both.
    pub values: Vec<SyncValue>,
}

/// A value, here, there or both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncValue {
    /// `secret` or `variable`
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Only for jobs of this environment.
    pub environment: Option<String>,
    /// What becomes of it: `new`, `replaced`, `up_to_date`; and once it was tried: `put`, `refused`, `forgotten`.
    pub state: String,
    /// When it was set here.
    pub set_at_ms: Option<Timestamp>,
    /// Since when it is there.
    pub there_since_ms: Option<Timestamp>,
    /// Why it is not put there.
    pub why: Option<String>,
}

/// Which value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncId {
    /// `secret` or `variable`
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Only for jobs of this environment.
    #[serde(default)]
    pub environment: Option<String>,
}

/// What is to be put there, as somebody agreed to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncOrder {
    /// These, whatever is there.
    pub values: Vec<SyncId>,
    /// Environments that GitHub does not have are made.
    #[serde(default)]
    pub make_environments: bool,
    /// Why. A server of an earlier version refuses the word, and so does nothing without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncDone {
    /// Environments that were made.
    pub environments: Vec<String>,
    /// Values that were tried.
    pub values: Vec<SyncValue>,
    /// Why the others were not.
    pub stopped: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}
