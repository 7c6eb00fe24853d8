//! Registering a revision, once.
//!
//! ECS knows no token for it. The revision bears a tag with the deployment and the time at which it
//! was intended; whoever comes after a crash, or after an answer that got lost, finds it by that.

use std::collections::{BTreeMap, BTreeSet};

use event::KnownRelease;
use ports::{Order, Progress};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::canonical::{canonical, registrable};
use crate::console::log_groups;
use crate::contents::{self, Contents};
use crate::target::{Carried, EcsTarget, Stop};
use crate::words::revision;

/// Which deployment registered a revision.
pub(crate) const DEPLOYMENT_TAG: &str = "launchway:deployment";
/// When, so that deployments of two journals with one number are two.
const INTENDED_TAG: &str = "launchway:intended";
/// What people call what it runs.
const VERSION_TAG: &str = "launchway:version";
/// So many newer revisions than the one that runs are looked at.
const LOOKED_AT_MAX: usize = 20;

/// The body of the step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Register {
    pub(crate) account: String,
    /// The revision that is copied: the one that ran when the plan was made, or the one that is
    /// restored.
    pub(crate) base: String,
    pub(crate) container: String,
    pub(crate) image: String,
    pub(crate) version: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) environment: BTreeMap<String, String>,
    /// Variables whose values stand in files only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) private: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) secrets: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) removed: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) command: Option<Vec<String>>,
}

impl Register {
    /// What is registered, of what is copied.
    fn body(&self, target: &EcsTarget, order: &Order<'_>, copied: &Json) -> Result<Json, Stop> {
        let environment = contents::environment(
            order.service,
            &self.environment,
            &self.private,
            &*target.values,
        )?;
        let contents = Contents {
            container: &self.container,
            image: &self.image,
            environment,
            secrets: self.secrets.clone(),
            removed: self.removed.clone(),
            command: self.command.as_deref(),
        };
        Ok(contents.put_into(copied))
    }

    /// The tags of the new revision, those that tell it from others first.
    fn tags(&self, order: &Order<'_>) -> Result<Vec<(String, String)>, Stop> {
        let mut own = vec![
            (DEPLOYMENT_TAG.to_owned(), order.deployment.to_string()),
            (INTENDED_TAG.to_owned(), order.since.0.to_string()),
            (VERSION_TAG.to_owned(), taggable(&self.version)),
        ];
        let names = self.environment.keys().chain(&self.private).chain(self.secrets.keys());
        let names: BTreeSet<&str> = names.map(String::as_str).collect();
        own.extend(contents::tags(names)?);
        Ok(own)
    }
}

pub(crate) fn forward(target: &mut EcsTarget, order: &Order<'_>, register: &Register) -> Carried {
    let base = target.client.describe_task_definition(&register.base)?;
    let copied = registrable(&base.body);
    let mut body = register.body(target, order, &copied)?;
    if is_running(order) && canonical(&copied) == canonical(&body) {
        // For a command beside it. What is restored is copied: a deployment of ECS is known by its
        // revision, and one that ran before had deployments of its own.
        return Ok(Progress::Done { effect: effect(target, &base.arn, &body) });
    }
    let own = register.tags(order)?;
    let found = find(target, &register.base, &own[..2], &body)?;
    let arn = match found {
        Some(arn) => arn,
        None => {
            body["tags"] = json!(tags(&base.tags, &own));
            target.client.register_task_definition(&body)?.arn
        }
    };
    Ok(Progress::Done { effect: effect(target, &arn, &body) })
}

/// The revision, for the steps behind it; what it prints to, for people.
fn effect(target: &EcsTarget, arn: &str, body: &Json) -> Json {
    let log_groups = log_groups(body, target.client.region());
    json!({"task_definition": arn, "log_groups": log_groups})
}

/// Whether what is wanted is what runs.
fn is_running(order: &Order<'_>) -> bool {
    let handle = |known: &Option<&KnownRelease>| known.map(|it| it.handle.clone());
    let wanted = order.service.restores.as_ref();
    wanted.is_some() && handle(&wanted) == handle(&order.before)
}

/// What this deployment registered already: it bears the tags and is what would be registered.
fn find(
    target: &mut EcsTarget,
    base: &str,
    own: &[(String, String)],
    body: &Json,
) -> Result<Option<String>, Stop> {
    let Some((family, oldest)) = revision(base) else { return Ok(None) };
    let newest = target.client.newest_task_definitions(family)?;
    let newer = newest.iter().filter(|arn| revision(arn).is_some_and(|(_, it)| it > oldest));
    for arn in newer.take(LOOKED_AT_MAX) {
        let found = target.client.describe_task_definition(arn)?;
        let has = |(key, value): &(String, String)| {
            found.tags.iter().any(|it| it["key"] == *key && it["value"] == *value)
        };
        if own.iter().all(has) && canonical(&registrable(&found.body)) == canonical(body) {
            return Ok(Some(found.arn));
        }
    }
    Ok(None)
}

/// Those of the revision that is copied, and ours in the place of an earlier deployment's. `aws:`
/// is AWS's own prefix: nobody may set those.
fn tags(copied: &[Json], own: &[(String, String)]) -> Vec<Json> {
    let is_others = |it: &&Json| {
        let key = it["key"].as_str().unwrap_or_default();
        !key.starts_with("aws:") && !key.starts_with("launchway:")
    };
    let own = own.iter().map(|(key, value)| json!({"key": key, "value": value}));
    copied.iter().filter(is_others).cloned().chain(own).collect()
}

/// A tag's value holds at most 256 letters, and not every one.
fn taggable(version: &str) -> String {
    let plain = |it: char| if it.is_alphanumeric() || " _.:/=+-@".contains(it) { it } else { '_' };
    version.chars().take(256).map(plain).collect()
}
