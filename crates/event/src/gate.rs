//! What stands before a job that names an environment of a server, and what people say at it.

use std::sync::Arc;

use mask::MaskedText;
use serde::{Deserialize, Serialize};

use crate::deployment::{GateDemand, Rules};
use crate::digest::Digest;
use crate::ids::Timestamp;

/// What must open before a job may have a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobGate {
    /// The environment, as the rules call it.
    pub environment: Arc<str>,
    /// The rules, and where they were read.
    pub rules: Rules,
    /// Each of these has to be there.
    pub demands: Vec<GateDemand>,
    /// Who asked for the run, by every name that is known of them: nobody agrees to their own.
    pub asked_by: Vec<Arc<str>>,
    /// What people agree to: of the run, the job, the commit, the workflow files, the environment and
    /// the rules. If it changes, what was agreed to is void.
    pub what: Digest,
    /// Rules that come with no push ask people. What is to run may ask for more of them, and vouches for
    /// nothing by that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rules_ask_people: bool,
    /// Shut until then: a timer, a freeze, a window; or until what it waits for ends, of which it is looked at again
    /// then at the latest: a check, the environment below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<Timestamp>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shut: Option<MaskedText>,
    /// What keeps it shut is what becomes of runs of its commit: of a check, of the environment below.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waits_for_runs: bool,
}

impl JobGate {
    /// The demand with this key.
    pub fn demand(&self, key: &crate::GateKey) -> Option<&GateDemand> {
        self.demands.iter().find(|demand| demand.key() == *key)
    }
}
