//! Task definitions: families of revisions, and the tags beside them.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::answer::{Given, Refused, needed, page, text, texts, time};
use crate::cloud::Cloud;
use crate::names::short;

/// The members of a request to register. AWS passes over others; the model refuses them, because
/// whoever sends them believes that they do something.
const MEMBERS: &[&str] = &[
    "containerDefinitions",
    "cpu",
    "enableFaultInjection",
    "ephemeralStorage",
    "executionRoleArn",
    "family",
    "inferenceAccelerators",
    "ipcMode",
    "memory",
    "networkMode",
    "pidMode",
    "placementConstraints",
    "proxyConfiguration",
    "requiresCompatibilities",
    "runtimePlatform",
    "tags",
    "taskRoleArn",
    "volumes",
];

/// One revision.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) arn: String,
    /// What was registered, with the defaults that ECS puts in.
    pub(crate) body: Json,
    pub(crate) tags: Vec<Json>,
    pub(crate) is_active: bool,
    registered_at: u64,
    deregistered_at: Option<u64>,
    visible_from: u64,
}

impl Definition {
    pub(crate) fn containers(&self) -> &[Json] {
        self.body["containerDefinitions"].as_array().map_or(&[], Vec::as_slice)
    }

    /// Whether a container says how its health is asked.
    pub(crate) fn has_health_check(&self) -> bool {
        self.containers().iter().any(|it| it.get("healthCheck").is_some())
    }

    fn json(&self, account: &str) -> Json {
        let mut json = self.body.clone();
        json["taskDefinitionArn"] = json!(self.arn);
        json["status"] = json!(if self.is_active { "ACTIVE" } else { "INACTIVE" });
        json["registeredAt"] = time(self.registered_at);
        json["registeredBy"] = json!(format!("arn:aws:iam::{account}:user/deployer"));
        if let Some(at) = self.deregistered_at {
            json["deregisteredAt"] = time(at);
        }
        json
    }
}

impl Cloud {
    /// A revision by its ARN, by `family:revision`, or the latest ACTIVE one of a family.
    pub(crate) fn definition(&self, name: &str) -> Option<&Definition> {
        let name = short(name);
        match name.split_once(':') {
            Some((family, revision)) => {
                let index = revision.parse::<usize>().ok()?.checked_sub(1)?;
                self.families.get(family)?.get(index)
            }
            None => self.families.get(name)?.iter().rev().find(|it| it.is_active),
        }
    }

    fn definition_mut(&mut self, name: &str) -> Option<&mut Definition> {
        let (family, revision) = short(name).split_once(':')?;
        let index = revision.parse::<usize>().ok()?.checked_sub(1)?;
        self.families.get_mut(family)?.get_mut(index)
    }
}

pub(crate) fn register(cloud: &mut Cloud, body: &Json) -> Given {
    let members = body.as_object().ok_or_else(|| Refused::client("Invalid request."))?;
    if let Some((key, _)) = members.iter().find(|(key, _)| !MEMBERS.contains(&key.as_str())) {
        return Err(Refused::parameter(format!("Unknown parameter in input: \"{key}\"")));
    }
    let family = needed(body, "family")?.to_owned();
    if !family.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_') {
        return Err(Refused::client("Invalid 'family' setting for TaskDefinition."));
    }
    let containers = body["containerDefinitions"].as_array().filter(|it| !it.is_empty());
    let containers = containers.ok_or_else(|| {
        Refused::client("TaskDefinition must contain at least one container definition.")
    })?;
    let fargate = texts(body, "requiresCompatibilities").iter().any(|it| it == "FARGATE");
    let mut names = BTreeMap::new();
    for container in containers {
        let name = needed(container, "name")?;
        if needed(container, "image").is_err() {
            return Err(Refused::client("Container.image should not be null or empty."));
        }
        if names.insert(name, ()).is_some() {
            let said = format!("Duplicate container name: {name}");
            return Err(Refused::client(said));
        }
    }
    if fargate && (text(body, "cpu").is_none() || text(body, "memory").is_none()) {
        let said = "Task definition does not support launch_type FARGATE.";
        return Err(Refused::client(said));
    }
    let wants_secrets = |it: &Json| it["secrets"].as_array().is_some_and(|it| !it.is_empty());
    if containers.iter().any(wants_secrets) && text(body, "executionRoleArn").is_none() {
        let said = "When you are specifying container secrets, you must also specify a value for \
                    'executionRoleArn'.";
        return Err(Refused::client(said));
    }
    taggable(body)?;
    if ["taskRoleArn", "executionRoleArn"].iter().any(|it| text(body, it).is_some()) {
        cloud.needs("iam:PassRole")?;
    }
    if body["tags"].as_array().is_some_and(|it| !it.is_empty()) {
        cloud.needs("ecs:TagResource")?;
    }
    let revisions = cloud.families.get(&family).map_or(0, Vec::len);
    let revision = revisions + 1;
    let mut kept = body.clone();
    let tags = kept.as_object_mut().and_then(|it| it.shift_remove("tags"));
    let tags = tags.and_then(|it| it.as_array().cloned()).unwrap_or_default();
    with_defaults(&mut kept, fargate);
    kept["revision"] = json!(revision);
    let definition = Definition {
        arn: cloud.names.arn(&format!("task-definition/{family}:{revision}")),
        body: kept,
        tags,
        is_active: true,
        registered_at: cloud.now,
        deregistered_at: None,
        visible_from: cloud.now + cloud.lag_ms,
    };
    let answer = json!({
        "taskDefinition": definition.json(&cloud.names.account),
        "tags": definition.tags,
    });
    cloud.families.entry(family).or_default().push(definition);
    Ok(answer)
}

/// So many tags, and letters of a tag's value.
const TAGS_MAX: usize = 50;
const TAG_VALUE_MAX: usize = 256;

fn taggable(body: &Json) -> Result<(), Refused> {
    let tags = body["tags"].as_array().map_or(&[][..], Vec::as_slice);
    let plain = |it: char| it.is_alphanumeric() || " _.:/=+-@".contains(it);
    let is_wrong = |tag: &Json| {
        let value = tag["value"].as_str().unwrap_or_default();
        value.chars().count() > TAG_VALUE_MAX || !value.chars().all(plain)
    };
    if tags.len() > TAGS_MAX || tags.iter().any(is_wrong) {
        return Err(Refused::parameter("Tags can not be of that number, length or letters."));
    }
    Ok(())
}

/// What ECS adds to what was registered.
fn with_defaults(body: &mut Json, fargate: bool) {
    let default = |into: &mut Json, key: &str, value: Json| {
        if into.get(key).is_none_or(Json::is_null) {
            into[key] = value;
        }
    };
    default(body, "volumes", json!([]));
    default(body, "placementConstraints", json!([]));
    body["compatibilities"] = if fargate { json!(["EC2", "FARGATE"]) } else { json!(["EC2"]) };
    body["requiresAttributes"] =
        json!([{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}]);
    let network = text(body, "networkMode").unwrap_or("bridge").to_owned();
    for container in body["containerDefinitions"].as_array_mut().into_iter().flatten() {
        default(container, "cpu", json!(0));
        default(container, "essential", json!(true));
        for key in ["environment", "mountPoints", "portMappings", "systemControls", "volumesFrom"] {
            default(container, key, json!([]));
        }
        for port in container["portMappings"].as_array_mut().into_iter().flatten() {
            let same = port["containerPort"].clone();
            default(port, "hostPort", if network == "awsvpc" { same } else { json!(0) });
            default(port, "protocol", json!("tcp"));
        }
    }
}

pub(crate) fn describe(cloud: &Cloud, body: &Json) -> Given {
    let name = needed(body, "taskDefinition")?;
    let found = cloud.definition(name);
    let found = found.ok_or_else(|| Refused::client("Unable to describe task definition."))?;
    let mut answer = json!({"taskDefinition": found.json(&cloud.names.account)});
    if texts(body, "include").iter().any(|it| it == "TAGS") {
        answer["tags"] = json!(found.tags);
    }
    Ok(answer)
}

pub(crate) fn list(cloud: &Cloud, body: &Json) -> Given {
    // AWS's page says "the full family name"; it is a prefix of it.
    let prefix = text(body, "familyPrefix").unwrap_or_default();
    let active = match text(body, "status").unwrap_or("ACTIVE") {
        "ACTIVE" => true,
        "INACTIVE" => false,
        _ => return Err(Refused::parameter("Invalid status.")),
    };
    let families = cloud.families.iter().filter(|(family, _)| family.starts_with(prefix));
    let revisions = families.flat_map(|(_, revisions)| revisions);
    let mut arns: Vec<String> = revisions
        .filter(|it| it.is_active == active && it.visible_from <= cloud.now)
        .map(|it| it.arn.clone())
        .collect();
    if text(body, "sort") == Some("DESC") {
        arns.reverse();
    }
    let (arns, next) = page(body, &arns)?;
    let mut answer = json!({"taskDefinitionArns": arns});
    crate::answer::put(&mut answer, "nextToken", next);
    Ok(answer)
}

pub(crate) fn deregister(cloud: &mut Cloud, body: &Json) -> Given {
    let name = needed(body, "taskDefinition")?.to_owned();
    let now = cloud.now;
    let found = cloud.definition_mut(&name);
    let found = found.ok_or_else(|| Refused::client("Unable to describe task definition."))?;
    found.is_active = false;
    found.deregistered_at.get_or_insert(now);
    let found = found.clone();
    Ok(json!({"taskDefinition": found.json(&cloud.names.account)}))
}

pub(crate) fn tag(cloud: &mut Cloud, body: &Json) -> Given {
    let arn = needed(body, "resourceArn")?.to_owned();
    let tags = body["tags"].as_array().cloned().unwrap_or_default();
    let found = cloud.definition_mut(&arn);
    let found = found.ok_or_else(|| Refused::parameter("The specified resource is not found."))?;
    for tag in tags {
        found.tags.retain(|it| it["key"] != tag["key"]);
        found.tags.push(tag);
    }
    Ok(json!({}))
}

pub(crate) fn list_tags(cloud: &Cloud, body: &Json) -> Given {
    let arn = needed(body, "resourceArn")?;
    let found = cloud.definition(arn);
    let found = found.ok_or_else(|| Refused::parameter("The specified resource is not found."))?;
    Ok(json!({"tags": found.tags}))
}
