//! What would run: the definition that would be registered, what differs from what runs, and what
//! stands against it.

use std::collections::{BTreeMap, BTreeSet};

use aws::TaskDefinition;
use event::ServiceRequest;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::canonical::{Difference, differences, registrable};
use crate::config::EcsConfig;
use crate::contents::{self, Contents};
use crate::images::{self, InRegistry};
use crate::references::{self, Looked};
use crate::target::{EcsTarget, Stop};
use crate::watch;
use crate::words::short;

/// It rests on what was looked at, and on nothing that is secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Prospect {
    /// The image by its digest.
    pub(crate) image: String,
    /// From what runs to what would.
    pub(crate) differences: Vec<Difference>,
    /// Where the settings' secrets lie, as ECS has it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) secrets: BTreeMap<String, String>,
    /// Variables that go.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) removed: BTreeSet<String>,
    /// What stands against it, each with its remedy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) troubles: Vec<String>,
    /// What was not shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
}

/// Looks: `base` is what would be copied.
pub(crate) fn look(
    target: &mut EcsTarget,
    wanted: &ServiceRequest,
    config: &EcsConfig,
    running: &TaskDefinition,
    base: &TaskDefinition,
    container: &str,
) -> Result<Prospect, Stop> {
    let mut prospect = Prospect { image: image(wanted, running, container), ..Prospect::default() };
    prospect.removed = contents::removed(config, base, container);
    prospect.troubles = conflicts(config, base, container);
    prospect.resolve(target, config)?;
    let environment =
        contents::environment(wanted, &config.environment, &config.private, &*target.values)?;
    let contents = Contents {
        container,
        image: &prospect.image,
        environment,
        secrets: prospect.secrets.clone(),
        removed: prospect.removed.clone(),
        command: config.command.as_deref(),
    };
    let body = contents.put_into(&registrable(&base.body));
    prospect.differences = told(target, config, &registrable(&running.body), &body, container);
    prospect.verify(target, &body)?;
    prospect.troubles.extend(watch::before(target, config)?);
    Ok(prospect)
}

impl Prospect {
    /// Where the settings' secrets lie.
    fn resolve(&mut self, target: &mut EcsTarget, config: &EcsConfig) -> Result<(), Stop> {
        for (name, reference) in &config.secrets {
            match references::look(&mut target.client, reference)? {
                Looked::There(value_from) => {
                    self.secrets.insert(name.clone(), value_from);
                }
                Looked::Missing(why) => self.troubles.push(format!("{name}: {why}")),
                Looked::Hidden { value_from: Some(value_from), .. } => {
                    // It is looked at once more, with all others.
                    self.secrets.insert(name.clone(), value_from);
                }
                Looked::Hidden { value_from: None, action } => self.troubles.push(format!(
                    "{name}: ECS wants the ARN of its secret, and these credentials may not look it \
                     up: write the ARN, or allow {action}"
                )),
            }
        }
        Ok(())
    }

    /// Whether a task would get all that it wants before it starts.
    fn verify(&mut self, target: &mut EcsTarget, body: &Json) -> Result<(), Stop> {
        for container in body["containerDefinitions"].as_array().into_iter().flatten() {
            let image = container["image"].as_str().unwrap_or_default();
            if image == self.image {
                self.verify_image(target)?;
            }
        }
        let all = references::values_of(body);
        if !all.is_empty() && body["executionRoleArn"].as_str().is_none_or(str::is_empty) {
            self.troubles.push(
                "a task that gets secrets needs an execution role, and the task definition has none: \
                 give it one (`executionRoleArn`)"
                    .to_owned(),
            );
        }
        for value_from in all {
            // What was just found by name is there.
            let resolved = self.secrets.values().any(|it| it == value_from);
            match references::look(&mut target.client, &references::of_value(value_from))? {
                Looked::Missing(why) if !resolved => self.troubles.push(why),
                Looked::Hidden { action, .. } => {
                    let said = format!(
                        "whether its secrets are there was not looked at: these credentials may not \
                         call {action}"
                    );
                    if !self.notes.contains(&said) {
                        self.notes.push(said);
                    }
                }
                Looked::There(_) | Looked::Missing(_) => {}
            }
        }
        Ok(())
    }
}

impl Prospect {
    /// Whether the image is where tasks would pull it from.
    fn verify_image(&mut self, target: &mut EcsTarget) -> Result<(), Stop> {
        // Whoever only looks names no digest.
        let at = InRegistry::of(&self.image).filter(|_| !self.image.ends_with('@'));
        let Some(at) = at else { return Ok(()) };
        match images::is_there(&mut target.client, &at) {
            Ok(true) => {}
            Ok(false) => self.troubles.push(format!(
                "the image {} is not in its repository: push it, or correct its digest",
                self.image
            )),
            Err(fault) if references::is_for_good(&fault) => self.notes.push(format!(
                "whether the image is in its repository was not looked at: these credentials may \
                 not call {}",
                fault.action
            )),
            Err(fault) => return Err(fault.into()),
        }
        Ok(())
    }
}

/// A value of the settings for what the definition has as a secret of its own.
fn conflicts(config: &EcsConfig, base: &TaskDefinition, container: &str) -> Vec<String> {
    if config.owns_secrets {
        return Vec::new();
    }
    let had = contents::had(base);
    let containers = base.body["containerDefinitions"].as_array().into_iter().flatten();
    let found = containers.filter(|it| it["name"] == container);
    let secrets = found.flat_map(|it| it["secrets"].as_array().into_iter().flatten());
    let names = secrets.filter_map(|it| it["name"].as_str());
    let has_value = |it: &&str| {
        config.environment.contains_key(*it) || config.private.iter().any(|name| name == it)
    };
    let conflict = names.filter(has_value).filter(|it| !had.contains(*it)).map(|name| {
        format!(
            "{name} comes from a secret in {}, and the settings have a value for it: take it out of \
             one of them",
            short(&base.arn)
        )
    });
    conflict.collect()
}

/// The image by its digest, from where the release is, else from where the one that runs is.
fn image(wanted: &ServiceRequest, running: &TaskDefinition, container: &str) -> String {
    let containers = running.body["containerDefinitions"].as_array().into_iter().flatten();
    let mut found = containers.filter(|it| it["name"] == container);
    let image = found.next().and_then(|it| it["image"].as_str()).unwrap_or_default();
    let name = image.split('@').next().unwrap_or_default();
    let untagged = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
    let here = untagged.map_or(name, |(location, _)| location);
    let location = wanted.release.location.as_deref().unwrap_or(here);
    format!("{location}@{}", wanted.release.digest)
}

/// Field by field. Values of variables are shown where the settings show them to everybody; what
/// stood there before never is: it may be a secret of somebody.
fn told(
    target: &EcsTarget,
    config: &EcsConfig,
    before: &Json,
    after: &Json,
    container: &str,
) -> Vec<Difference> {
    let prefix = format!("containerDefinitions[{container}].environment[");
    let shown = |field: &str| {
        let name = field.strip_prefix(&prefix)?.strip_suffix(']')?;
        config.environment.get(name).cloned()
    };
    let masked = |it: String| target.masked(&it).to_string();
    let told = differences(before, after).into_iter().map(|it| match shown(&it.field) {
        Some(value) => Difference {
            before: it.before.map(|_| "another value".to_owned()),
            after: Some(value),
            field: it.field,
        },
        None => Difference {
            before: it.before.map(masked),
            after: it.after.map(masked),
            field: it.field,
        },
    });
    told.collect()
}
