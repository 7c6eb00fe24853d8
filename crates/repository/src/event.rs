//! From "what the person asked for" to the event GitHub would have sent.

use std::path::PathBuf;

use serde_json::{Map, Value as Json, json};

use crate::changes::ChangedFiles;
use crate::discover::{CommittedFile, Repository};
use crate::git::ask;
use crate::payload::{self, COMMITS_LISTED_MAX, NO_COMMIT, common, merged};
use crate::private::{PrivateStore, TestMerge};
use crate::standing::Standing;
use crate::{RepositoryError, discover};

/// What the person asked for.
#[derive(Clone, Debug)]
pub enum EventRequest {
    /// A push of the branch that is checked out.
    Push,
    /// A push of a tag.
    Tag(String),
    /// A pull request of the branch that is checked out; without a base: against the default branch.
    PullRequest {
        /// The base branch.
        base: Option<String>,
    },
    /// `workflow_dispatch`, with inputs as text (the workflow's declaration types them).
    WorkflowDispatch {
        /// The inputs.
        inputs: Vec<(String, String)>,
    },
    /// Another event that needs nothing but its name (`schedule`).
    Named(String),
    /// A payload file, taken as it is.
    Payload {
        /// The event's name.
        name: String,
        /// The file.
        path: PathBuf,
    },
}

/// An event as the planner takes it.
#[derive(Clone, Debug)]
pub struct TriggeringEvent {
    /// `github.event_name`
    pub name: String,
    /// The payload's `action`, for events with activity types.
    pub activity: Option<String>,
    /// `github.ref`
    pub git_ref: String,
    /// `github.sha`
    pub commit: String,
    /// The work tree as a commit on top of HEAD, in the private store; none where it has no changes
    /// or is not what runs.
    pub snapshot: Option<String>,
    /// The commit whose workflow files count; none: those of the work tree.
    pub files_at: Option<String>,
    /// Where it runs, said to a person where that is not what he may take for granted.
    pub note: Option<String>,
    /// Why GitHub starts nothing for it, whatever the workflow files say.
    pub starts_nothing: Option<String>,
    /// `github.base_ref`, of pull requests.
    pub base_ref: Option<String>,
    /// `github.head_ref`, of pull requests.
    pub head_ref: Option<String>,
    /// The message of the head commit: of a push as its payload has it, else of the commit that the
    /// event is about, where it is here.
    pub message: Option<String>,
    /// The payload.
    pub payload: Json,
    /// Which files changed.
    pub changed: ChangedFiles,
}

impl Repository {
    /// Makes the event. `with_work_tree`: what is not committed counts as changed too, and is
    /// committed in the private store.
    ///
    /// # Errors
    /// When there is no such event here, or GitHub would start nothing for it.
    pub fn event(
        &self,
        request: &EventRequest,
        with_work_tree: bool,
        store: &mut PrivateStore,
    ) -> Result<TriggeringEvent, RepositoryError> {
        Ok(match request {
            EventRequest::Push => self.push(with_work_tree)?.at(self.here(with_work_tree, store)?),
            EventRequest::Tag(tag) => self.tag(tag, with_work_tree, store)?,
            EventRequest::PullRequest { base } => {
                let base = base.as_deref().unwrap_or(&self.default_branch);
                self.pull_request(base, with_work_tree, store)?
            }
            EventRequest::WorkflowDispatch { inputs } => {
                self.dispatch(inputs).at(self.here(with_work_tree, store)?)
            }
            EventRequest::Named(name) => {
                self.named(name)?.at(self.at_default_branch(name, with_work_tree, store)?)
            }
            EventRequest::Payload { name, path } => {
                self.payload_event(name, path, with_work_tree, store)?
            }
        })
    }

    /// `refs/heads/<branch>`; detached work trees run as the default branch.
    pub(crate) fn branch_ref(&self) -> String {
        format!("refs/heads/{}", self.branch.as_deref().unwrap_or(&self.default_branch))
    }

    fn push(&self, with_work_tree: bool) -> Result<TriggeringEvent, RepositoryError> {
        let before = self.push_base()?;
        let git_ref = self.branch_ref();
        let (changed, commits) = std::thread::scope(|scope| {
            let changed = scope.spawn(|| self.changed_since(before.as_deref(), with_work_tree));
            let commits = self.pushed_commits(before.as_deref());
            (discover::joined(changed), commits)
        });
        let (changed, commits) = (changed?, commits?);
        let payload = self.push_payload(&git_ref, before.as_deref(), &commits);
        Ok(self.triggering("push", git_ref, payload, changed))
    }

    /// A tag of what is checked out is one that would be made now; any other stands where it stands.
    fn tag(
        &self,
        tag: &str,
        with_work_tree: bool,
        store: &mut PrivateStore,
    ) -> Result<TriggeringEvent, RepositoryError> {
        let name = tag.strip_prefix("refs/tags/").unwrap_or(tag);
        let git_ref = format!("refs/tags/{name}");
        let Some(commit) = self.commit(&git_ref)? else {
            let message = format!("there is no tag {name} in this repository");
            let hint = format!("make it first: git tag {name}");
            return Err(RepositoryError::Event { message, hint });
        };
        let payload = self.push_payload(&git_ref, None, std::slice::from_ref(&commit));
        // Path filters are not looked at for tags (conformance 33).
        let event = self.triggering("push", git_ref, payload, ChangedFiles::All);
        let standing = if commit.id == self.head.id {
            self.here(with_work_tree, store)?
        } else {
            self.exactly(&commit.id, &format!("the tag {name}"), with_work_tree)
        };
        Ok(TriggeringEvent { message: Some(commit.message), ..event.at(standing) })
    }

    pub(crate) fn pushed_commits(
        &self,
        before: Option<&str>,
    ) -> Result<Vec<discover::Commit>, RepositoryError> {
        let limit = format!("--max-count={COMMITS_LISTED_MAX}");
        let range =
            before.map_or(self.head.id.clone(), |before| format!("{before}..{}", self.head.id));
        let commits = discover::commits(&self.root, &["--reverse", &limit, &range])?;
        // The commit itself is there in any case.
        Ok(commits.unwrap_or_else(|| vec![self.head.clone()]))
    }

    pub(crate) fn push_payload(
        &self,
        git_ref: &str,
        before: Option<&str>,
        commits: &[discover::Commit],
    ) -> Json {
        let after = commits.last().unwrap_or(&self.head);
        let listed: Vec<Json> =
            commits.iter().map(|commit| payload::commit(self, commit)).collect();
        let push = json!({
            "ref": git_ref,
            "before": before.unwrap_or(NO_COMMIT),
            "after": after.id,
            "created": before.is_none(),
            "deleted": false,
            "forced": false,
            "base_ref": null,
            "compare": format!("https://github.com/{}/commits", self.full_name()),
            "commits": listed,
            "head_commit": payload::commit(self, after),
            "pusher": { "name": payload::login(&self.user.0), "email": self.user.1 },
        });
        merged(push, common(self))
    }

    fn pull_request(
        &self,
        base: &str,
        with_work_tree: bool,
        store: &mut PrivateStore,
    ) -> Result<TriggeringEvent, RepositoryError> {
        let base = base.strip_prefix("origin/").unwrap_or(base);
        let Some((base_commit, base_name)) = self.branch_commit(base)? else {
            let message = format!("there is no branch {base} to open a pull request against");
            let hint =
                "name one that exists: --base BRANCH (git branch --all lists them)".to_owned();
            return Err(RepositoryError::Event { message, hint });
        };
        let head = self.branch.clone().unwrap_or_else(|| "HEAD".to_owned());
        let changed = self.changed_against(&base_name, with_work_tree)?;
        let here = self.here(with_work_tree, store)?;
        let head_commit = here.snapshot.as_deref().unwrap_or(&here.commit);
        let commit = self.merged(base, &base_commit, head_commit, store)?;
        let commits =
            PullRequestCommits { base: &base_commit.id, head: head_commit, merge: &commit };
        let payload = self.pull_request_payload(base, &head, &commits);
        let event =
            self.triggering("pull_request", "refs/pull/1/merge".to_owned(), payload, changed);
        let standing = here.merged_as(commit);
        Ok(TriggeringEvent {
            activity: Some("opened".to_owned()),
            base_ref: Some(base.to_owned()),
            head_ref: Some(head),
            ..event.at(standing)
        })
    }

    /// The test merge that a pull request runs at; one that adds nothing to its base is the base.
    pub(crate) fn merged(
        &self,
        base: &str,
        base_commit: &discover::Commit,
        head: &str,
        store: &mut PrivateStore,
    ) -> Result<String, RepositoryError> {
        if head == base_commit.id {
            return Ok(head.to_owned());
        }
        match self.test_merge(store, base_commit, head)? {
            TestMerge::Commit(commit) => Ok(commit),
            TestMerge::Conflicts(files) => {
                Err(RepositoryError::Conflicts { base: base.to_owned(), files })
            }
        }
    }

    fn pull_request_payload(
        &self,
        base: &str,
        head: &str,
        commits: &PullRequestCommits<'_>,
    ) -> Json {
        let base_fields = common(self);
        let repo = &base_fields["repository"];
        let pull_request = json!({
            "action": "opened",
            "number": 1,
            "pull_request": {
                "number": 1,
                "state": "open",
                "title": self.head.subject(),
                "body": null,
                "draft": false,
                "merged": false,
                "mergeable": true,
                "merge_commit_sha": commits.merge,
                "user": payload::sender(self),
                "labels": [],
                "head": { "ref": head, "sha": commits.head, "label": format!("{}:{head}", self.owner), "repo": repo },
                "base": { "ref": base, "sha": commits.base, "label": format!("{}:{base}", self.owner), "repo": repo },
                "html_url": format!("https://github.com/{}/pull/1", self.full_name()),
            },
        });
        merged(pull_request, base_fields)
    }

    pub(crate) fn dispatch(&self, inputs: &[(String, String)]) -> TriggeringEvent {
        let inputs: Map<String, Json> =
            inputs.iter().map(|(key, value)| (key.clone(), Json::from(value.as_str()))).collect();
        let git_ref = self.branch_ref();
        let dispatch = json!({ "ref": git_ref, "inputs": inputs, "workflow": null });
        let payload = merged(dispatch, common(self));
        self.triggering("workflow_dispatch", git_ref, payload, ChangedFiles::All)
    }

    /// An event about the default branch that carries nothing of its own.
    fn named(&self, name: &str) -> Result<TriggeringEvent, RepositoryError> {
        if name != "schedule" {
            let message = format!("a {name} event cannot be made from a repository alone");
            let hint = format!("give its payload: launchway run {name} --event-path FILE");
            return Err(RepositoryError::Event { message, hint });
        }
        let git_ref = format!("refs/heads/{}", self.default_branch);
        let payload = merged(json!({ "schedule": null, "workflow": null }), common(self));
        Ok(self.triggering(name, git_ref, payload, ChangedFiles::All))
    }

    /// The tip of a branch, as the remote is known to have it, else as it is here; and its full name.
    pub(crate) fn branch_commit(
        &self,
        branch: &str,
    ) -> Result<Option<(discover::Commit, String)>, RepositoryError> {
        for prefix in ["refs/remotes/origin/", "refs/heads/"] {
            let name = format!("{prefix}{branch}");
            if let Some(commit) = self.commit(&name)? {
                return Ok(Some((commit, name)));
            }
        }
        Ok(None)
    }

    /// The newest commit of the default branch that is in a commit of another ref: where its branch left that
    /// one. None on the default branch, of a pull request, and where the two have nothing in common.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub fn branched_at(
        &self,
        git_ref: &str,
        commit: &str,
    ) -> Result<Option<String>, RepositoryError> {
        let is_default = git_ref.strip_prefix("refs/heads/") == Some(&*self.default_branch);
        if is_default || git_ref.starts_with("refs/pull/") {
            return Ok(None);
        }
        let Some((_, default)) = self.branch_commit(&self.default_branch)? else { return Ok(None) };
        let found = ask(&self.root, &["merge-base", &default, commit])?;
        Ok(found.filter(|it| !it.is_empty()))
    }

    pub(crate) fn triggering(
        &self,
        name: &str,
        git_ref: String,
        payload: Json,
        changed: ChangedFiles,
    ) -> TriggeringEvent {
        TriggeringEvent {
            name: name.to_owned(),
            activity: None,
            git_ref,
            commit: self.head.id.clone(),
            snapshot: None,
            files_at: None,
            note: None,
            starts_nothing: None,
            base_ref: None,
            head_ref: None,
            message: Some(self.head.message.clone()),
            payload,
            changed,
        }
    }
}

impl TriggeringEvent {
    /// This event, where it stands.
    pub(crate) fn at(self, standing: Standing) -> TriggeringEvent {
        let Standing { commit, snapshot, files_at, note } = standing;
        TriggeringEvent { commit, snapshot, files_at, note, ..self }
    }

    /// The files directly in `folder` at the commit whose files count; none where those of the work
    /// tree do.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub fn committed_files(
        &self,
        repository: &Repository,
        store: &PrivateStore,
        folder: &str,
    ) -> Result<Option<Vec<CommittedFile>>, RepositoryError> {
        let Some(commit) = &self.files_at else { return Ok(None) };
        repository.files_of(commit, folder, store).map(Some)
    }
}

/// The commits of a pull request.
struct PullRequestCommits<'a> {
    base: &'a str,
    head: &'a str,
    merge: &'a str,
}
