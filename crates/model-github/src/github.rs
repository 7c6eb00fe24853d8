//! What there is.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::fault::Fault;
use crate::values::Values;

/// Where webhooks go.
#[derive(Clone, Debug)]
pub struct Hook {
    /// `http://127.0.0.1:7878/webhooks/github`
    pub url: String,
    /// What signs them.
    pub secret: String,
}

/// A pull request.
#[derive(Clone, Debug)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// The repository of its branch, `owner/name`.
    pub head_repository: String,
    /// Its branch.
    pub head_ref: String,
    /// What it is to be merged into.
    pub base_ref: String,
    /// Who opened it.
    pub author: String,
    /// What the author is here.
    pub association: String,
}

/// A repository.
#[derive(Clone, Debug, Default)]
pub struct Repository {
    /// Its id.
    pub id: u64,
    /// Its default branch.
    pub default_branch: String,
    /// Checks, oldest first.
    pub checks: Vec<Json>,
    /// Annotations of each check, by its id.
    pub annotations: BTreeMap<u64, Vec<Json>>,
    /// Comments on issues and pull requests, oldest first.
    pub comments: Vec<Json>,
    /// Statuses of commits, oldest first.
    pub statuses: Vec<Json>,
    /// Deployments, oldest first.
    pub deployments: Vec<Json>,
    /// Their statuses, with the deployment's id in `deployment`.
    pub deployment_statuses: Vec<Json>,
    /// Releases, oldest first.
    pub releases: Vec<Json>,
    /// The one of them that is the latest.
    pub latest_release: Option<u64>,
    /// Results of scans that were sent, oldest first, each with its `id`.
    pub scans: Vec<Json>,
    /// Who moved which branch, newest first.
    pub activity: Vec<Json>,
    /// Pull requests that are open.
    pub pulls: Vec<Pull>,
    /// Its secrets and variables.
    pub values: Values,
    /// Its environments, with theirs.
    pub environments: BTreeMap<String, Values>,
}

/// A token of one repository, with these permissions.
#[derive(Clone, Debug)]
pub struct JobToken {
    /// `owner/name`
    pub repository: String,
    /// `contents` to `write`
    pub permissions: BTreeMap<String, String>,
    /// Whether somebody ended it.
    pub is_ended: bool,
}

/// A call that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// `POST`
    pub method: String,
    /// With its query.
    pub path: String,
    /// What was sent.
    pub body: Json,
    /// What was said.
    pub status: u16,
    /// And how.
    pub answer: Json,
}

/// GitHub.
#[derive(Debug, Default)]
pub struct GitHub {
    /// By `owner/name`.
    pub repositories: BTreeMap<String, Repository>,
    /// Tokens of people, and who they are.
    pub tokens: BTreeMap<String, String>,
    /// What those of them may do that may not do everything.
    pub token_permissions: BTreeMap<String, BTreeMap<String, String>>,
    /// The app: its id and its key as PEM.
    pub app: Option<(String, String)>,
    /// Tokens that the app's installation was given.
    pub installation_tokens: Vec<String>,
    /// Those of them that are of one repository and may do certain things alone.
    pub job_tokens: BTreeMap<String, JobToken>,
    /// What the app may do where it is installed; the usual where this is none.
    pub app_permissions: Option<BTreeMap<String, String>>,
    /// Where webhooks go.
    pub hook: Option<Hook>,
    /// So many of the next webhooks are lost on their way.
    pub webhooks_lost: u32,
    /// Deliveries of webhooks, oldest first.
    pub deliveries: Vec<Json>,
    /// Every call, oldest first.
    pub calls: Vec<Call>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// Where it is reached, as it says of itself.
    pub url: String,
    /// The time, in seconds since 1970.
    pub now: u64,
    /// How far its clock is ahead of the machine's.
    pub ahead_seconds: u64,
    newest: u64,
}

impl GitHub {
    /// A repository more, with `main`.
    pub fn add(&mut self, name: &str) {
        let id = self.next_id();
        let repository =
            Repository { id, default_branch: "main".to_owned(), ..Repository::default() };
        self.repositories.insert(name.to_owned(), repository);
    }

    /// What the app may do.
    pub(crate) fn permissions(&self) -> BTreeMap<String, String> {
        let usual = || {
            let writes = ["checks", "contents", "deployments", "issues", "pull_requests"];
            let reads = ["metadata"];
            let all = writes.map(|it| (it, "write")).into_iter();
            all.chain(reads.map(|it| (it, "read"))).map(|(name, it)| (name.into(), it.into()))
        };
        self.app_permissions.clone().unwrap_or_else(|| usual().collect())
    }

    /// A number that nothing has yet.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.newest += 1;
        1_000 + self.newest
    }

    /// Calls with this method whose path has this part.
    pub fn called(&self, method: &str, part: &str) -> Vec<&Call> {
        self.calls.iter().filter(|it| it.method == method && it.path.contains(part)).collect()
    }
}
