//! Secrets Manager, as far as tasks and whoever deploys them meet it.

use serde_json::{Value as Json, json};

use crate::answer::{Given, Refused, needed, put, text, time};
use crate::cloud::Cloud;

/// Days between a deletion and its end, where nobody says otherwise.
const RECOVERY_DAYS: u64 = 30;
const DAY_MS: u64 = 86_400_000;

/// A secret.
#[derive(Clone, Debug)]
pub(crate) struct StoredSecret {
    name: String,
    arn: String,
    value: String,
    /// Until then it can be restored; it cannot be read.
    deleted_at: Option<u64>,
}

pub(crate) fn answer(cloud: &mut Cloud, operation: &str, body: &Json) -> Given {
    match operation {
        "CreateSecret" => create(cloud, body),
        "DescribeSecret" => describe(cloud, body),
        "GetSecretValue" => value(cloud, body),
        "DeleteSecret" => delete(cloud, body),
        _ => Err(Refused::new("UnknownOperationException", "")),
    }
}

/// A secret by its name, its ARN, or its ARN without the six letters at its end.
fn at(cloud: &Cloud, id: &str) -> Option<usize> {
    let now = cloud.now;
    let is_it = |it: &StoredSecret| {
        let partial = it.arn.rsplit_once('-').map(|(partial, _)| partial);
        it.name == id || it.arn == id || partial == Some(id)
    };
    let is_there =
        |it: &StoredSecret| it.deleted_at.is_none_or(|at| now < at + RECOVERY_DAYS * DAY_MS);
    cloud.secrets.iter().position(|it| is_it(it) && is_there(it))
}

fn found(cloud: &Cloud, body: &Json) -> Result<usize, Refused> {
    let id = needed(body, "SecretId")?;
    at(cloud, id).ok_or_else(|| {
        let said = "Secrets Manager can't find the specified secret.";
        Refused::new("ResourceNotFoundException", said)
    })
}

fn create(cloud: &mut Cloud, body: &Json) -> Given {
    let name = needed(body, "Name")?.to_owned();
    if at(cloud, &name).is_some() {
        let said = format!("The operation failed because the secret {name} already exists.");
        return Err(Refused::new("ResourceExistsException", said));
    }
    let suffix: String = cloud.names.letters().replace(['_', '-'], "x").chars().take(6).collect();
    let arn = format!(
        "arn:aws:secretsmanager:{}:{}:secret:{name}-{suffix}",
        cloud.names.region, cloud.names.account
    );
    let value = text(body, "SecretString").unwrap_or_default().to_owned();
    let given = json!({"ARN": arn, "Name": name});
    cloud.secrets.push(StoredSecret { name, arn, value, deleted_at: None });
    Ok(given)
}

fn describe(cloud: &Cloud, body: &Json) -> Given {
    let secret = &cloud.secrets[found(cloud, body)?];
    let mut given = json!({"ARN": secret.arn, "Name": secret.name});
    put(&mut given, "DeletedDate", secret.deleted_at.map(time));
    Ok(given)
}

fn value(cloud: &Cloud, body: &Json) -> Given {
    let secret = &cloud.secrets[found(cloud, body)?];
    if secret.deleted_at.is_some() {
        let said = "You can't perform this operation on the secret because it was marked for \
                    deletion.";
        return Err(Refused::new("InvalidRequestException", said));
    }
    Ok(json!({"ARN": secret.arn, "Name": secret.name, "SecretString": secret.value}))
}

fn delete(cloud: &mut Cloud, body: &Json) -> Given {
    let index = found(cloud, body)?;
    let now = cloud.now;
    if body["ForceDeleteWithoutRecovery"].as_bool() == Some(true) {
        let secret = cloud.secrets.remove(index);
        return Ok(json!({"ARN": secret.arn, "Name": secret.name, "DeletionDate": time(now)}));
    }
    let secret = &mut cloud.secrets[index];
    secret.deleted_at = Some(now);
    let at = time(now + RECOVERY_DAYS * DAY_MS);
    Ok(json!({"ARN": secret.arn, "Name": secret.name, "DeletionDate": at}))
}

/// Why a task that wants this cannot have it. `valueFrom` of a container's secret: an ARN of Secrets
/// Manager with a key of its JSON behind it, or a parameter.
pub(crate) fn unreadable(cloud: &Cloud, value_from: &str) -> Option<String> {
    let parts: Vec<&str> = value_from.split(':').collect();
    if parts.get(2) != Some(&"secretsmanager") {
        return crate::parameters::unreadable(cloud, value_from);
    }
    // Another region's is not played.
    if parts.get(3) != Some(&cloud.names.region.as_str()) {
        return None;
    }
    let arn = parts.get(..7)?.join(":");
    let failed = |why: &str| {
        Some(format!(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution \
             resource retrieval failed: unable to retrieve secret from asm: {why}"
        ))
    };
    let Some(secret) = at(cloud, &arn).map(|it| &cloud.secrets[it]) else {
        return failed(
            "ResourceNotFoundException: Secrets Manager can't find the specified secret.",
        );
    };
    if secret.deleted_at.is_some() {
        return failed("InvalidRequestException: it was marked for deletion.");
    }
    let key = parts.get(7).filter(|it| !it.is_empty())?;
    let json: Json = serde_json::from_str(&secret.value).unwrap_or(Json::Null);
    match json.get(*key) {
        Some(_) => None,
        None => failed(&format!("retrieved secret did not contain json key {key}")),
    }
}
