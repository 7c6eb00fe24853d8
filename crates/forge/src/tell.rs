//! One thing that GitHub is owed, told so that it stands there once: what is not known to be there is
//! looked for first, by a key that it bears. Whoever is killed between telling and knowing looks too.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::api::{ForgeError, GitHub, Method};
use crate::owed::{Check, CommitStatus, JobDeployment};

/// GitHub takes so many annotations at once.
const ANNOTATIONS_MAX: usize = 50;
/// Things that are remembered; what is forgotten is looked for again.
const KNOWN_MAX: usize = 10_000;

/// What is known to stand there.
#[derive(Debug, Default)]
pub struct Told {
    known: BTreeMap<String, There>,
}

/// A thing over there.
#[derive(Clone, Debug)]
struct There {
    id: u64,
    /// Annotations that it has.
    annotations: usize,
    /// What was sent last.
    body: Json,
}

impl Told {
    /// A check of a job, as it is now. Says whether anything was sent.
    ///
    /// # Errors
    /// When GitHub does not take it, or nobody knows whether it did.
    pub fn check(
        &mut self,
        github: &GitHub,
        repository: &str,
        check: &Check,
    ) -> Result<bool, ForgeError> {
        let there = match self.known.remove(&check.key) {
            Some(there) => Some(there),
            None => find_check(github, repository, check)?,
        };
        let mut there = match there {
            Some(there) => there,
            None => {
                let mut body = check.body.clone();
                body["head_sha"] = check.head.as_str().into();
                let made = github.ask(Method::Post, repository, "/check-runs", Some(&body))?.json;
                There {
                    id: id_of(github, &made)?,
                    annotations: count(&made),
                    body: check.body.clone(),
                }
            }
        };
        let mut has_sent = false;
        while there.body != check.body || there.annotations < check.annotations.len() {
            let mut body = check.body.clone();
            let next = check.annotations.iter().skip(there.annotations).take(ANNOTATIONS_MAX);
            let next: Vec<Json> = next.cloned().collect();
            let awaited = there.annotations + next.len();
            body["output"]["annotations"] = next.into();
            // Where the answer is lost it is forgotten here, and looked at before the next.
            let path = format!("/check-runs/{}", there.id);
            let said = github.ask(Method::Patch, repository, &path, Some(&body))?.json;
            there = There {
                id: there.id,
                annotations: count(&said).max(awaited),
                body: check.body.clone(),
            };
            has_sent = true;
        }
        self.remember(check.key.clone(), there);
        Ok(has_sent)
    }

    /// A status of a commit.
    ///
    /// # Errors
    /// When GitHub does not take it, or nobody knows whether it did.
    pub fn status(
        &mut self,
        github: &GitHub,
        repository: &str,
        status: &CommitStatus,
    ) -> Result<bool, ForgeError> {
        let context = status.body["context"].as_str().unwrap_or_default();
        let page = status.body["target_url"].as_str().unwrap_or_default();
        let key = format!("status:{}:{context}:{page}", status.head);
        if let Some(there) = self.known.remove(&key) {
            if there.body == status.body {
                self.remember(key, there);
                return Ok(false);
            }
        } else {
            let path = format!("/commits/{}/statuses", status.head);
            let all = github.list(repository, &path, None)?;
            // The newest of a context is the one that counts, and stands first.
            let newest = all.iter().find(|it| it["context"] == context);
            let is_same = |it: &Json| {
                ["state", "target_url", "description"]
                    .iter()
                    .all(|key| it[*key] == status.body[*key])
            };
            if newest.is_some_and(is_same) {
                self.remember(key, There { id: 0, annotations: 0, body: status.body.clone() });
                return Ok(false);
            }
        }
        let path = format!("/statuses/{}", status.head);
        github.ask(Method::Post, repository, &path, Some(&status.body))?;
        self.remember(key, There { id: 0, annotations: 0, body: status.body.clone() });
        Ok(true)
    }

    /// A deployment of a job, and how it stands.
    ///
    /// # Errors
    /// When GitHub does not take it, or nobody knows whether it did.
    pub fn deployment(
        &mut self,
        github: &GitHub,
        repository: &str,
        deployment: &JobDeployment,
    ) -> Result<bool, ForgeError> {
        let JobDeployment { key, state, body, .. } = deployment;
        let known = format!("deployment:{key}");
        let there = match self.known.remove(&known) {
            Some(there) => there,
            None => find_deployment(github, repository, deployment)?,
        };
        if there.body == *body {
            self.remember(known, there);
            return Ok(false);
        }
        let path = format!("/deployments/{}/statuses", there.id);
        if there.body.is_null() {
            // It may have been said by somebody who was killed then.
            let said = github.list(repository, &path, None)?;
            if said.first().is_some_and(|it| it["state"] == *state) {
                self.remember(known, There { body: body.clone(), ..there });
                return Ok(false);
            }
        }
        github.ask(Method::Post, repository, &path, Some(body))?;
        self.remember(known, There { body: body.clone(), ..there });
        Ok(true)
    }

    /// The one comment of a pull request, as it is now.
    ///
    /// # Errors
    /// When GitHub does not take it, or nobody knows whether it did.
    pub fn comment(
        &mut self,
        github: &GitHub,
        repository: &str,
        number: u64,
        (marker, text): (&str, &str),
    ) -> Result<bool, ForgeError> {
        let body = json!({ "body": text });
        let key = format!("comment:{repository}#{number}");
        let there = match self.known.remove(&key) {
            Some(there) => Some(there),
            None => {
                let path = format!("/issues/{number}/comments");
                let all = github.list(repository, &path, None)?;
                find_comment(github, &all, marker)?
            }
        };
        let id = match there {
            Some(there) if there.body == body => {
                self.remember(key, there);
                return Ok(false);
            }
            Some(there) => {
                let path = format!("/issues/comments/{}", there.id);
                match github.ask(Method::Patch, repository, &path, Some(&body)) {
                    Ok(_) => there.id,
                    // Somebody took it away: they do not want it.
                    Err(ForgeError::Absent { .. }) => return Ok(false),
                    Err(error) => return Err(error),
                }
            }
            None => {
                let path = format!("/issues/{number}/comments");
                id_of(github, &github.ask(Method::Post, repository, &path, Some(&body))?.json)?
            }
        };
        self.remember(key, There { id, annotations: 0, body });
        Ok(true)
    }

    fn remember(&mut self, key: String, there: There) {
        if self.known.len() >= KNOWN_MAX {
            self.known.pop_first();
        }
        self.known.insert(key, there);
    }
}

pub(crate) fn id_of(github: &GitHub, json: &Json) -> Result<u64, ForgeError> {
    let what = "say what it is called".to_owned();
    json["id"].as_u64().ok_or_else(|| ForgeError::Unreadable { host: github.host(), what })
}

fn count(check: &Json) -> usize {
    let count = check.pointer("/output/annotations_count").and_then(Json::as_u64);
    usize::try_from(count.unwrap_or(0)).unwrap_or(usize::MAX)
}

/// The one that we wrote. The marker can be guessed: whoever writes it before us has written another
/// comment.
fn find_comment(github: &GitHub, all: &[Json], marker: &str) -> Result<Option<There>, ForgeError> {
    let is_marked = |it: &&Json| it["body"].as_str().is_some_and(|text| text.starts_with(marker));
    for it in all.iter().filter(is_marked) {
        if github.wrote(it)? {
            let body = json!({ "body": it["body"] });
            return Ok(Some(There { id: id_of(github, it)?, annotations: 0, body }));
        }
    }
    Ok(None)
}

/// One that bears the key; nobody knows what stands in it, so it is sent once more.
fn find_check(
    github: &GitHub,
    repository: &str,
    check: &Check,
) -> Result<Option<There>, ForgeError> {
    let name: String = check
        .name
        .bytes()
        .map(|it| match it {
            it if it.is_ascii_alphanumeric() => char::from(it).to_string(),
            it => format!("%{it:02X}"),
        })
        .collect();
    let path = format!("/commits/{}/check-runs?filter=all&check_name={name}", check.head);
    let all = github.list(repository, &path, Some("check_runs"))?;
    let found = all.iter().find(|it| it["external_id"] == *check.key.as_str());
    found
        .map(|it| Ok(There { id: id_of(github, it)?, annotations: count(it), body: Json::Null }))
        .transpose()
}

/// The deployment that bears the key, or a new one.
fn find_deployment(
    github: &GitHub,
    repository: &str,
    deployment: &JobDeployment,
) -> Result<There, ForgeError> {
    let JobDeployment { key, head, environment, .. } = deployment;
    let all = github.list(repository, &format!("/deployments?sha={head}"), None)?;
    let is_it = |it: &&Json| it.pointer("/payload/launchway").is_some_and(|it| *it == **key);
    let id = match all.iter().find(is_it) {
        Some(found) => id_of(github, found)?,
        None => {
            let body = json!({
                "ref": head,
                "environment": environment,
                // What is deployed was decided here: nothing is merged, no check is awaited.
                "auto_merge": false,
                "required_contexts": [],
                "payload": { "launchway": key },
            });
            id_of(github, &github.ask(Method::Post, repository, "/deployments", Some(&body))?.json)?
        }
    };
    Ok(There { id, annotations: 0, body: Json::Null })
}
