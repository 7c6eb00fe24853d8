//! Events that somebody else tells, of a bare repository that has their commits: the payload is
//! theirs, where it runs and what changed is read from git.

use serde_json::Value as Json;

use crate::RepositoryError;
use crate::bare::RefUpdate;
use crate::changes::ChangedFiles;
use crate::discover::Repository;
use crate::event::TriggeringEvent;
use crate::payload::{common, merged};

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// A branch or tag that is at another commit.
    Push(RefUpdate),
    /// A pull request, merged into its base.
    PullRequest {
        /// Its number.
        number: u64,
        /// The newest commit of its branch.
        head: String,
        /// That branch.
        head_ref: String,
        /// The branch that it is to be merged into.
        base_ref: String,
    },
    /// A branch or tag as it stands.
    Ref(String),
}

impl Repository {
    /// The event `name` with its payload. The repository stands at the commit that is to run.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub fn told(
        &self,
        name: &str,
        payload: Json,
        about: &About,
    ) -> Result<TriggeringEvent, RepositoryError> {
        let activity = payload["action"].as_str().map(str::to_owned);
        let event = match about {
            About::Push(update) => {
                let pushed = self.pushed(update)?;
                let message = payload.pointer("/head_commit/message").and_then(Json::as_str);
                let message = message.map(str::to_owned).or_else(|| pushed.message.clone());
                TriggeringEvent { payload, message, ..pushed }
            }
            About::PullRequest { number, head, head_ref, base_ref } => {
                let git_ref = format!("refs/pull/{number}/merge");
                // The first parent is what it was merged into.
                let changed = self.changed_against(&format!("{}^1", self.head.id), false)?;
                let message = self.commit(head)?.map(|commit| commit.message);
                TriggeringEvent {
                    activity,
                    base_ref: Some(base_ref.clone()),
                    head_ref: Some(head_ref.clone()),
                    message,
                    ..self.triggering(name, git_ref, payload, changed)
                }
            }
            About::Ref(git_ref) => TriggeringEvent {
                activity,
                ..self.triggering(name, git_ref.clone(), payload, ChangedFiles::All)
            },
        };
        Ok(TriggeringEvent { files_at: Some(self.head.id.clone()), ..event })
    }

    /// The payload of a schedule, which nobody but the server's clock tells.
    pub fn scheduled(&self, cron: &str, workflow: &str) -> Json {
        merged(serde_json::json!({ "schedule": cron, "workflow": workflow }), common(self))
    }
}
