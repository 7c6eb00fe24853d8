//! The Parameter Store of SSM.

use serde_json::{Value as Json, json};

use crate::answer::{Given, Refused, needed, text, texts};
use crate::cloud::Cloud;

/// Names of one call.
const NAMES_MAX: usize = 10;

/// A parameter.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    kind: String,
    value: String,
}

pub(crate) fn answer(cloud: &mut Cloud, operation: &str, body: &Json) -> Given {
    match operation {
        "PutParameter" => store(cloud, body),
        "GetParameters" => list(cloud, body),
        "DeleteParameter" => delete(cloud, body),
        _ => Err(Refused::new("UnknownOperationException", "")),
    }
}

/// The name in an ARN. A name with a path keeps its `/`; one without has none.
fn name_of<'a>(cloud: &Cloud, id: &'a str) -> &'a str {
    let Some((_, name)) = id.split_once(":parameter/") else { return id };
    if cloud.parameters.contains_key(name) { name } else { &id[id.len() - name.len() - 1..] }
}

fn arn(cloud: &Cloud, name: &str) -> String {
    let slash = if name.starts_with('/') { "" } else { "/" };
    format!("arn:aws:ssm:{}:{}:parameter{slash}{name}", cloud.names.region, cloud.names.account)
}

fn store(cloud: &mut Cloud, body: &Json) -> Given {
    let name = needed(body, "Name")?.to_owned();
    let parameter = Parameter {
        kind: text(body, "Type").unwrap_or("String").to_owned(),
        value: needed(body, "Value")?.to_owned(),
    };
    cloud.parameters.insert(name, parameter);
    Ok(json!({"Version": 1, "Tier": "Standard"}))
}

fn list(cloud: &Cloud, body: &Json) -> Given {
    let names = texts(body, "Names");
    if names.is_empty() || names.len() > NAMES_MAX {
        return Err(Refused::new("ValidationException", "Names must have 1 to 10 members"));
    }
    let decrypted = body["WithDecryption"].as_bool() == Some(true);
    let (mut found, mut invalid) = (Vec::new(), Vec::new());
    for id in names {
        let name = name_of(cloud, &id);
        let Some(parameter) = cloud.parameters.get(name) else {
            invalid.push(id);
            continue;
        };
        let is_covered = parameter.kind == "SecureString" && !decrypted;
        let value = if is_covered { "AQICAHcovered" } else { parameter.value.as_str() };
        found.push(json!({"Name": name, "Type": parameter.kind, "Value": value, "Version": 1,
            "ARN": arn(cloud, name), "DataType": "text"}));
    }
    Ok(json!({"Parameters": found, "InvalidParameters": invalid}))
}

fn delete(cloud: &mut Cloud, body: &Json) -> Given {
    let name = needed(body, "Name")?;
    match cloud.parameters.remove(name) {
        Some(_) => Ok(json!({})),
        None => Err(Refused::new("ParameterNotFound", "")),
    }
}

/// Why a task that wants this parameter cannot have it.
pub(crate) fn unreadable(cloud: &Cloud, value_from: &str) -> Option<String> {
    if cloud.parameters.contains_key(name_of(cloud, value_from)) {
        return None;
    }
    Some(format!(
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource \
         retrieval failed: unable to retrieve secrets from ssm: Invalid parameters: {value_from}"
    ))
}
