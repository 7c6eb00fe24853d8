//! Whether secrets are where references say, before anything changes. Their values are never read:
//! the task's execution role does that.

use aws::{Client, Fault, FaultKind};
use serde_json::Value as Json;

use crate::config::Reference;

/// Parts of a secret's ARN up to its name.
const SECRET_PARTS: usize = 7;

/// What became of a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Looked {
    /// There it is; `valueFrom` of a container.
    There(String),
    /// It cannot be had. Why, and the remedy.
    Missing(String),
    /// It was not shown.
    Hidden {
        /// `valueFrom`, where that is known all the same.
        value_from: Option<String>,
        /// The call that would show it.
        action: &'static str,
    },
}

/// Looks where a reference leads.
pub(crate) fn look(client: &mut Client, reference: &Reference) -> Result<Looked, Fault> {
    match reference {
        Reference::SecretsManager { id, key } => {
            let elsewhere = region_of(id).filter(|it| *it != client.region()).map(str::to_owned);
            let found = match elsewhere {
                Some(region) => client.in_region(&region, |it| it.describe_secret(id)),
                None => client.describe_secret(id),
            };
            let value_from = |arn: &str| match key {
                Some(key) => format!("{arn}:{key}::"),
                None => arn.to_owned(),
            };
            Ok(match found {
                Ok(Some(secret)) if secret.is_deleted => Looked::Missing(format!(
                    "the secret {id} is marked for deletion: restore it \
                     (`aws secretsmanager restore-secret --secret-id {id}`)"
                )),
                Ok(Some(secret)) => Looked::There(value_from(&secret.arn)),
                Ok(None) => Looked::Missing(format!(
                    "there is no secret {id} in Secrets Manager of {}: make it, or correct the \
                     reference",
                    region_of(id).unwrap_or(client.region())
                )),
                Err(fault) if is_for_good(&fault) => Looked::Hidden {
                    value_from: id.starts_with("arn:").then(|| value_from(id)),
                    action: "secretsmanager:DescribeSecret",
                },
                Err(fault) => return Err(fault),
            })
        }
        Reference::Ssm { name } => {
            let elsewhere = region_of(name).filter(|it| *it != client.region()).map(str::to_owned);
            let found = match elsewhere {
                Some(region) => client.in_region(&region, |it| it.parameters(&[name])),
                None => client.parameters(&[name]),
            };
            Ok(match found {
                Ok(found) => match found.get(name) {
                    Some(arn) => Looked::There(arn.clone()),
                    None => Looked::Missing(format!(
                        "there is no parameter {name} in the Parameter Store of {}: make it, or \
                         correct the reference",
                        region_of(name).unwrap_or(client.region())
                    )),
                },
                Err(fault) if is_for_good(&fault) => {
                    Looked::Hidden { value_from: Some(name.clone()), action: "ssm:GetParameters" }
                }
                Err(fault) => return Err(fault),
            })
        }
    }
}

/// Whether asking again is no use.
pub(crate) fn is_for_good(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Denied | FaultKind::Refused)
}

fn region_of(id: &str) -> Option<&str> {
    if id.starts_with("arn:") { id.split(':').nth(3) } else { None }
}

/// `valueFrom` of a container's secret as a reference.
pub(crate) fn of_value(value_from: &str) -> Reference {
    let parts: Vec<&str> = value_from.split(':').collect();
    if parts.get(2) == Some(&"secretsmanager") && parts.len() >= SECRET_PARTS {
        let key = parts.get(SECRET_PARTS).filter(|it| !it.is_empty());
        return Reference::SecretsManager {
            id: parts[..SECRET_PARTS].join(":"),
            key: key.map(|it| (*it).to_owned()),
        };
    }
    Reference::Ssm { name: value_from.to_owned() }
}

/// Every `valueFrom` of a definition's containers, each once.
pub(crate) fn values_of(definition: &Json) -> Vec<&str> {
    let containers = definition["containerDefinitions"].as_array().into_iter().flatten();
    let secrets = containers.flat_map(|it| it["secrets"].as_array().into_iter().flatten());
    let mut found: Vec<&str> = secrets.filter_map(|it| it["valueFrom"].as_str()).collect();
    found.sort_unstable();
    found.dedup();
    found
}
