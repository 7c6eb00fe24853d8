//! Workflows of a server's repositories, switched off and on.

use serde::Deserialize;
use server::{KnownWorkflow, Reason, Switched};

use super::kept::of;
use super::{Client, percent};
use crate::exit::Failure;

#[derive(Deserialize)]
struct Workflows {
    workflows: Vec<KnownWorkflow>,
}

#[derive(Deserialize)]
struct Answer {
    path: String,
    /// A server of an earlier version switches no other.
    #[serde(default = "yes")]
    at_tip: bool,
}

fn yes() -> bool {
    true
}

impl Client {
    /// The workflows of a repository.
    pub(crate) fn workflows(&self, repository: &str) -> Result<Vec<KnownWorkflow>, Failure> {
        let all: Workflows = self.get(&format!("{}/workflow-files", of(repository)?))?;
        Ok(all.workflows)
    }

    /// Switches one off or on.
    pub(crate) fn switch_workflow(
        &self,
        repository: &str,
        workflow: &str,
        is_on: bool,
        reason: &Reason,
    ) -> Result<Switched, Failure> {
        let verb = if is_on { "enable" } else { "disable" };
        let path = format!("{}/workflow-files/{}/{verb}", of(repository)?, percent(workflow));
        let Answer { path, at_tip } = serde_json::from_value(self.deed(&path, reason)?)
            .map_err(|error| Failure::caused(crate::exit::Exit::Missing, error))?;
        Ok(Switched { path, is_at_tip: at_tip })
    }
}
