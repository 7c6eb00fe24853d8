//! An event from a payload that somebody saved or wrote: its ref, and the commit it is about.

use std::io::Read as _;
use std::path::Path;

use serde_json::Value as Json;

use crate::RepositoryError;
use crate::changes::{ChangedFiles, FILES_MAX};
use crate::discover::Repository;
use crate::event::TriggeringEvent;
use crate::payload::{common, merged};
use crate::private::PrivateStore;
use crate::standing::{Standing, short};

/// The largest payload file that is read: GitHub's own limit for a webhook.
const PAYLOAD_BYTES_MAX: u64 = 25 << 20;

/// Where a payload has the version of a package.
const PACKAGE: &str = "/registry_package/package_version";

/// What a payload is about (conformance 21).
enum About {
    /// This commit.
    Commit(String),
    /// What its ref stands for.
    Ref,
    /// A pull request, which runs merged into its base.
    PullRequest,
    /// The repository as a whole: it runs at the default branch.
    DefaultBranch,
    /// It says nothing of a commit.
    Nothing,
}

impl About {
    /// The commit that a payload names, else its ref.
    fn one(id: Option<String>) -> About {
        id.map_or(About::Ref, About::Commit)
    }
}

impl Repository {
    /// The event of a payload file.
    pub(crate) fn payload_event(
        &self,
        name: &str,
        path: &Path,
        with_work_tree: bool,
        store: &mut PrivateStore,
    ) -> Result<TriggeringEvent, RepositoryError> {
        let payload = Payload(read_payload(path)?);
        let (git_ref, about) = self.about(name, &payload)?;
        let standing = match about {
            About::Commit(id) => self.at_commit(&id, with_work_tree, store)?,
            About::Ref => self.at_ref(&git_ref, with_work_tree, store)?,
            About::PullRequest => self.at_test_merge(&payload, with_work_tree, store)?,
            About::DefaultBranch => self.at_default_branch(name, with_work_tree, store)?,
            About::Nothing => self.here(with_work_tree, store)?,
        };
        let starts_nothing = (name == "push" && payload.deletes()).then(|| {
            format!("The push deletes {}, and GitHub runs nothing for that.", shown(&git_ref))
        });
        let whole = merged(common(self), payload.0.clone());
        let event = self.triggering(name, git_ref, whole, ChangedFiles::All);
        Ok(TriggeringEvent {
            activity: payload.text("/action"),
            base_ref: payload.text("/pull_request/base/ref"),
            head_ref: payload.text("/pull_request/head/ref"),
            message: self.head_message(&payload)?,
            changed: payload.listed_files(),
            starts_nothing,
            ..event.at(standing)
        })
    }

    /// The ref of each event, and what it is about.
    fn about(&self, name: &str, payload: &Payload) -> Result<(String, About), RepositoryError> {
        let default_branch =
            || (format!("refs/heads/{}", self.default_branch), About::DefaultBranch);
        let checked_out = || (self.branch_ref(), About::Nothing);
        let text = |pointer: &str| payload.text(pointer);
        Ok(match name {
            "push" => self.about_push(payload)?,
            "workflow_dispatch" => match text("/ref") {
                Some(name) => (self.full_ref(&name)?, About::Ref),
                None => checked_out(),
            },
            "create" => match (text("/ref"), text("/ref_type").as_deref()) {
                (Some(name), Some("tag")) => (in_folder("refs/tags/", &name), About::Ref),
                (Some(name), Some(_)) => (in_folder("refs/heads/", &name), About::Ref),
                (Some(name), None) => (self.full_ref(&name)?, About::Ref),
                (None, _) => checked_out(),
            },
            "release" => match text("/release/tag_name") {
                Some(tag) => (in_folder("refs/tags/", &tag), About::Ref),
                None => checked_out(),
            },
            "merge_group" => match text("/merge_group/head_ref") {
                Some(name) => (self.full_ref(&name)?, About::one(text("/merge_group/head_sha"))),
                None => default_branch(),
            },
            "deployment" | "deployment_status" => match text("/deployment/sha") {
                Some(id) => {
                    // What is deployed by its commit alone has no ref.
                    let name = text("/deployment/ref").filter(|name| !is_object_id(name));
                    let git_ref = name.map_or(Ok(String::new()), |name| self.full_ref(&name))?;
                    (git_ref, About::Commit(id))
                }
                None => default_branch(),
            },
            "registry_package" => match text(&format!("{PACKAGE}/target_oid")) {
                Some(id) => {
                    let name = text(&format!("{PACKAGE}/target_commitish"));
                    let name = name.as_deref().unwrap_or(&self.default_branch);
                    (self.full_ref(name)?, About::Commit(id))
                }
                None => default_branch(),
            },
            "pull_request" | "pull_request_review" | "pull_request_review_comment" => {
                match payload.0.pointer("/pull_request/number").and_then(Json::as_u64) {
                    Some(number) => self.about_pull_request(number, payload),
                    None => default_branch(),
                }
            }
            _ => default_branch(),
        })
    }

    fn about_push(&self, payload: &Payload) -> Result<(String, About), RepositoryError> {
        let id = payload.text("/after").or_else(|| payload.text("/head_commit/id"));
        let git_ref = match payload.text("/ref") {
            Some(name) => self.full_ref(&name)?,
            // Then it is of what is checked out, as far as it says no commit.
            None => self.branch_ref(),
        };
        let about = if payload.deletes() { About::Nothing } else { About::one(id) };
        Ok((git_ref, about))
    }

    /// What is merged already runs where it was merged.
    fn about_pull_request(&self, number: u64, payload: &Payload) -> (String, About) {
        if !payload.is_merged() {
            return (format!("refs/pull/{number}/merge"), About::PullRequest);
        }
        let base = payload.text("/pull_request/base/ref");
        let git_ref = format!("refs/heads/{}", base.as_ref().unwrap_or(&self.default_branch));
        (git_ref, About::one(payload.text("/pull_request/merge_commit_sha")))
    }

    fn at_commit(
        &self,
        id: &str,
        with_work_tree: bool,
        store: &mut PrivateStore,
    ) -> Result<Standing, RepositoryError> {
        match self.commit_by_id(id)? {
            Some(id) => Ok(self.exactly(&id, "the commit of the payload", with_work_tree)),
            None => {
                let what = format!("the commit {} of the payload", short(id));
                self.instead_of(&what, with_work_tree, store)
            }
        }
    }

    /// A branch that is checked out is meant as it stands; any other ref stands where it stands.
    fn at_ref(
        &self,
        git_ref: &str,
        with_work_tree: bool,
        store: &mut PrivateStore,
    ) -> Result<Standing, RepositoryError> {
        let what = shown(git_ref);
        let found = match git_ref.strip_prefix("refs/heads/") {
            Some(branch) if self.branch.as_deref() == Some(branch) => {
                return self.here(with_work_tree, store);
            }
            Some(branch) => self.tip(branch)?,
            None => self.commit(git_ref)?,
        };
        match found {
            Some(commit) => Ok(self.exactly(&commit.id, &what, with_work_tree)),
            None => self.instead_of(&what, with_work_tree, store),
        }
    }

    /// Where the pull request of a payload runs: the test merge of its commits, as far as they are
    /// here; what is checked out stands in for a head that is not. Without its base it is the head.
    fn at_test_merge(
        &self,
        payload: &Payload,
        with_work_tree: bool,
        store: &mut PrivateStore,
    ) -> Result<Standing, RepositoryError> {
        let base_ref = payload.text("/pull_request/base/ref");
        let base_ref = base_ref.unwrap_or_else(|| self.default_branch.clone());
        let of_payload = match payload.text("/pull_request/base/sha") {
            Some(id) if is_object_id(&id) => self.commit(&id)?,
            _ => None,
        };
        let base = match of_payload {
            Some(base) => Some(base),
            None => self.branch_commit(&base_ref)?.map(|(commit, _)| commit),
        };
        let head = match payload.text("/pull_request/head/sha") {
            Some(id) => self.at_commit(&id, with_work_tree, store)?,
            None => self.here(with_work_tree, store)?,
        };
        let Some(base) = base else { return Ok(head) };
        let commit = head.snapshot.as_deref().unwrap_or(&head.commit);
        let merge = self.merged(&base_ref, &base, commit, store)?;
        Ok(head.merged_as(merge))
    }

    /// The full name of a commit that a payload names by its own.
    fn commit_by_id(&self, id: &str) -> Result<Option<String>, RepositoryError> {
        if !is_object_id(id) {
            return Ok(None);
        }
        // An annotated tag is pushed by its own id.
        Ok(self.commit(id)?.map(|commit| commit.id))
    }

    /// A payload may name branch or tag alone; what is not here counts as a branch.
    fn full_ref(&self, name: &str) -> Result<String, RepositoryError> {
        if name.starts_with("refs/") {
            return Ok(name.to_owned());
        }
        let tag = format!("refs/tags/{name}");
        let is_tag = self.commit(&tag)?.is_some() && self.tip(name)?.is_none();
        Ok(if is_tag { tag } else { format!("refs/heads/{name}") })
    }

    /// A payload of a push has the message; others name the commit, which may be here.
    fn head_message(&self, payload: &Payload) -> Result<Option<String>, RepositoryError> {
        if let Some(message) = payload.text("/head_commit/message") {
            return Ok(Some(message));
        }
        let head = payload.text("/pull_request/head/sha").or_else(|| payload.text("/after"));
        let Some(head) = head.filter(|head| is_object_id(head)) else { return Ok(None) };
        Ok(self.commit(&head)?.map(|commit| commit.message))
    }
}

/// A payload as it was read: an object.
struct Payload(Json);

impl Payload {
    fn text(&self, pointer: &str) -> Option<String> {
        self.0.pointer(pointer).and_then(Json::as_str).map(str::to_owned)
    }

    /// Whether a push takes its ref away.
    fn deletes(&self) -> bool {
        let is_no_commit = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte == b'0');
        self.0["deleted"] == true || self.0["after"].as_str().is_some_and(is_no_commit)
    }

    fn is_merged(&self) -> bool {
        self.0.pointer("/pull_request/merged") == Some(&Json::Bool(true))
    }

    /// The files that a push payload's commits list; a payload without them lets path filters pass.
    fn listed_files(&self) -> ChangedFiles {
        let Some(commits) = self.0["commits"].as_array() else {
            return ChangedFiles::All;
        };
        let mut files: Vec<String> = Vec::new();
        for commit in commits {
            for kind in ["added", "removed", "modified"] {
                let Some(paths) = commit[kind].as_array() else {
                    return ChangedFiles::All;
                };
                files.extend(paths.iter().filter_map(Json::as_str).map(str::to_owned));
            }
        }
        files.sort();
        files.dedup();
        files.truncate(FILES_MAX);
        ChangedFiles::Files(files)
    }
}

fn in_folder(folder: &str, name: &str) -> String {
    if name.starts_with("refs/") { name.to_owned() } else { format!("{folder}{name}") }
}

/// Whether this is a whole hash, SHA-1's or SHA-256's.
fn is_object_id(id: &str) -> bool {
    matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A ref as people say it.
fn shown(git_ref: &str) -> String {
    for (prefix, kind) in [("refs/heads/", "branch"), ("refs/tags/", "tag")] {
        if let Some(name) = git_ref.strip_prefix(prefix) {
            return format!("the {kind} {name}");
        }
    }
    git_ref.to_owned()
}

fn read_payload(path: &Path) -> Result<Json, RepositoryError> {
    let shown = path.display().to_string();
    let file_error = |source| RepositoryError::File { path: shown.clone(), source };
    let refused = |message: String| RepositoryError::Event {
        message,
        hint: "a payload is one JSON object, as GitHub's webhook documentation shows it".to_owned(),
    };
    let mut bytes = Vec::new();
    // A pipe or a device tells no size, and some of them never end.
    let mut file = std::fs::File::open(path).map_err(file_error)?.take(PAYLOAD_BYTES_MAX + 1);
    file.read_to_end(&mut bytes).map_err(file_error)?;
    if bytes.len() as u64 > PAYLOAD_BYTES_MAX {
        return Err(refused(format!(
            "{shown} has more than {PAYLOAD_BYTES_MAX} bytes, GitHub's limit"
        )));
    }
    match serde_json::from_slice(&bytes) {
        Ok(Json::Object(fields)) => Ok(Json::Object(fields)),
        Ok(_) => Err(refused(format!("{shown} is not a JSON object"))),
        Err(error) => Err(refused(format!("{shown} is not JSON: {error}"))),
    }
}
