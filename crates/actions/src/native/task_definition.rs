//! Task definitions of ECS as JSON: what a workflow puts into one, and what may not be sent back.
//! Nothing is read or called here.

use serde_json::{Map, Value as Json, json};

/// What `DescribeTaskDefinition` says and `RegisterTaskDefinition` does not take.
const DESCRIBED_ONLY: &[&str] = &[
    "compatibilities",
    "taskDefinitionArn",
    "requiresAttributes",
    "revision",
    "status",
    "registeredAt",
    "deregisteredAt",
    "registeredBy",
    "deleteRequestedAt",
];

/// What `RegisterTaskDefinition` takes (botocore's model); anything else the original's client
/// leaves out as well.
const REGISTERED: &[&str] = &[
    "family",
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "containerDefinitions",
    "volumes",
    "placementConstraints",
    "requiresCompatibilities",
    "cpu",
    "memory",
    "tags",
    "pidMode",
    "ipcMode",
    "proxyConfiguration",
    "inferenceAccelerators",
    "ephemeralStorage",
    "runtimePlatform",
    "enableFaultInjection",
];

/// The drivers that the original knows.
const LOG_DRIVERS: &[&str] = &[
    "json-file",
    "syslog",
    "journald",
    "logentries",
    "gelf",
    "fluentd",
    "awslogs",
    "splunk",
    "awsfirelens",
];

/// What is put in, as the inputs have it. What is empty changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// One name, or several with commas.
    pub(super) containers: String,
    pub(super) image: String,
    /// Words between single blanks.
    pub(super) command: String,
    /// A line each, in all that follow.
    pub(super) env_files: String,
    pub(super) environment: String,
    pub(super) secrets: String,
    pub(super) log_driver: String,
    pub(super) log_options: String,
    pub(super) docker_labels: String,
    pub(super) task_role: String,
    pub(super) execution_role: String,
}

/// The definition with the changes in it and without what is only described; and what is odd.
pub(super) fn rendered(
    mut definition: Json,
    changes: &Changes,
) -> Result<(Json, Vec<String>), String> {
    let mut odd = Vec::new();
    if changes.containers.split(',').any(str::is_empty) {
        return Err(
            "Invalid format for container name. Please use a single value or comma separated values"
                .to_owned(),
        );
    }
    for name in changes.containers.split(',') {
        change(container(&mut definition, name)?, changes, &mut odd)?;
    }
    for (input, member, role) in [
        ("task-role-arn", "taskRoleArn", &changes.task_role),
        ("execution-role-arn", "executionRoleArn", &changes.execution_role),
    ] {
        if !role.is_empty() {
            if !is_role(role) {
                return Err(format!(
                    "Invalid ARN format for {input}. Expected format: arn:aws:iam::<account-id>:role/<role-name>"
                ));
            }
            definition[member] = json!(role);
        }
    }
    for member in described_members(&definition) {
        remove(&mut definition, member);
    }
    Ok((definition, odd))
}

/// Members that a described definition has and a registration does not take.
pub(super) fn described_members(definition: &Json) -> Vec<&'static str> {
    DESCRIBED_ONLY.iter().copied().filter(|member| definition.get(*member).is_some()).collect()
}

/// Takes a member away; the others stay in their order.
pub(super) fn remove(value: &mut Json, member: &str) {
    if let Some(members) = value.as_object_mut() {
        members.shift_remove(member);
    }
}

/// What can be registered: without what is empty, but for members named in `keep`; and the names
/// of members that no task definition has. Empty values that ECS needs are there again.
pub(super) fn registrable(definition: Json, keep: &[&str]) -> (Json, Vec<String>) {
    let mut definition = cleaned(None, definition, keep).unwrap_or_else(|| json!({}));
    let mut unknown = Vec::new();
    if let Some(members) = definition.as_object_mut() {
        let known = |name: &String| REGISTERED.contains(&name.as_str());
        unknown = members.keys().filter(|name| !known(name)).cloned().collect();
        members.retain(|name, _| known(name));
    }
    let proxy = &mut definition["proxyConfiguration"];
    if proxy["type"] == "APPMESH" {
        fill_in(&mut proxy["properties"], &["value", "name"]);
    }
    if definition["proxyConfiguration"].is_null() {
        remove(&mut definition, "proxyConfiguration");
    }
    if let Some(containers) =
        definition.get_mut("containerDefinitions").and_then(Json::as_array_mut)
    {
        for container in containers {
            if let Some(environment) = container.get_mut("environment") {
                fill_in(environment, &["value"]);
            }
        }
    }
    (definition, unknown)
}

/// Members that must be there, empty where they are not.
fn fill_in(entries: &mut Json, members: &[&str]) {
    for entry in entries.as_array_mut().into_iter().flatten() {
        for member in members {
            if entry.is_object() && entry.get(*member).is_none() {
                entry[*member] = json!("");
            }
        }
    }
}

fn is_empty(value: &Json, key: Option<&str>, keep: &[&str]) -> bool {
    if key.is_some_and(|key| keep.contains(&key)) {
        return false;
    }
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.iter().all(|item| is_empty(item, None, keep)),
        // Inside of objects the original knows of no members to keep.
        Json::Object(members) => members.values().all(|member| is_empty(member, None, &[])),
        Json::Bool(_) | Json::Number(_) => false,
    }
}

fn cleaned(key: Option<&str>, value: Json, keep: &[&str]) -> Option<Json> {
    if is_empty(&value, key, keep) {
        return None;
    }
    Some(match value {
        Json::Array(items) => {
            items.into_iter().filter_map(|item| cleaned(None, item, keep)).collect()
        }
        Json::Object(members) => {
            let members = members.into_iter();
            let left = members
                .filter_map(|(name, it)| Some((name.clone(), cleaned(Some(&name), it, keep)?)));
            Json::Object(left.collect())
        }
        other => other,
    })
}

fn container<'d>(definition: &'d mut Json, name: &str) -> Result<&'d mut Json, String> {
    let containers = definition.get_mut("containerDefinitions").and_then(Json::as_array_mut);
    let containers = containers.ok_or(
        "Invalid task definition format: containerDefinitions section is not present or is not an array",
    )?;
    containers.iter_mut().find(|it| it["name"] == name && it.is_object()).ok_or_else(|| {
        "Invalid task definition: Could not find container definition with matching name".to_owned()
    })
}

fn change(container: &mut Json, changes: &Changes, odd: &mut Vec<String>) -> Result<(), String> {
    container["image"] = json!(changes.image);
    if !changes.command.is_empty() {
        container["command"] = json!(changes.command.split(' ').collect::<Vec<_>>());
    }
    if !changes.env_files.is_empty() {
        let files = lines(&changes.env_files).map(|line| json!({"value": line, "type": "s3"}));
        container["environmentFiles"] = files.collect();
    }
    let said = "Environment variable pairs must be of the form NAME=value.";
    merge(container, "environment", "value", &changes.environment, |line| {
        format!("Cannot parse the environment variable '{line}'. {said}")
    })?;
    let said = "Secret pairs must be of the form NAME=valueFrom, where valueFrom is an arn from parameter store or secrets manager.";
    merge(container, "secrets", "valueFrom", &changes.secrets, |line| {
        format!("Cannot parse the secret '{line}'. {said}")
    })?;
    if !changes.log_driver.is_empty() {
        if !LOG_DRIVERS.contains(&changes.log_driver.as_str()) {
            return Err(format!(
                "'{}' is invalid logConfigurationLogDriver. valid options are {}.",
                changes.log_driver,
                LOG_DRIVERS.join(",")
            ));
        }
        object(container, "logConfiguration")
            .insert("logDriver".to_owned(), json!(changes.log_driver));
    }
    if !changes.log_options.is_empty() {
        let log = object(container, "logConfiguration");
        let options = log.entry("options").or_insert_with(|| json!({}));
        set_pairs(options, "logConfiguration option", &changes.log_options, odd)?;
    }
    if !changes.docker_labels.is_empty() {
        let labels = Json::Object(std::mem::take(object(container, "dockerLabels")));
        container["dockerLabels"] = labels;
        let labels = &mut container["dockerLabels"];
        set_pairs(labels, "logConfiguration option", &changes.docker_labels, odd)?;
    }
    Ok(())
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

/// Sets the values of names in a list of objects; what is new comes last.
fn merge(
    container: &mut Json,
    member: &str,
    value_member: &str,
    text: &str,
    unreadable: impl Fn(&str) -> String,
) -> Result<(), String> {
    if text.is_empty() {
        return Ok(());
    }
    if !container[member].is_array() {
        container[member] = json!([]);
    }
    let entries = container[member].as_array_mut().expect("it is a list now");
    for line in lines(text) {
        let (name, value) = line.split_once('=').ok_or_else(|| unreadable(line))?;
        match entries.iter_mut().find(|entry| entry["name"] == name) {
            Some(entry) => entry[value_member] = json!(value),
            None => entries.push(json!({"name": name, value_member: value})),
        }
    }
    Ok(())
}

/// An object member, made where there is none.
fn object<'c>(container: &'c mut Json, member: &str) -> &'c mut Map<String, Json> {
    if !container[member].is_object() {
        container[member] = json!({});
    }
    container[member].as_object_mut().expect("it is an object now")
}

/// `key=value` lines. A second `=` ends the value, in the original too.
fn set_pairs(
    object: &mut Json,
    what: &str,
    text: &str,
    odd: &mut Vec<String>,
) -> Result<(), String> {
    for line in lines(text) {
        let mut parts = line.split('=');
        let (key, value) = (parts.next().unwrap_or_default(), parts.next());
        let value = value.ok_or_else(|| {
            format!("Can't parse {what} {line}. Must be in key=value format, one per line")
        })?;
        if parts.next().is_some() {
            odd.push(format!(
                "`{line}`: the value ends at its second `=`, as it does in the original: `{key}` is `{value}`"
            ));
        }
        object[key] = json!(value);
    }
    Ok(())
}

/// `arn:aws:iam::111122223333:role/name`, in any of AWS's partitions.
fn is_role(arn: &str) -> bool {
    const PARTITIONS: &[&str] =
        &["aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f"];
    let mut parts = arn.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (prefix, partition, service, region, account, role) =
        (next(), next(), next(), next(), next(), next());
    let digits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    prefix == "arn"
        && PARTITIONS.contains(&partition)
        && (service, region) == ("iam", "")
        && digits
        && role.strip_prefix("role/").is_some_and(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition() -> Json {
        json!({
            "taskDefinitionArn": "arn:aws:ecs:eu-central-1:111122223333:task-definition/api:7",
            "family": "api",
            "containerDefinitions": [
                {
                    "name": "app", "image": "app:1", "command": [], "user": null,
                    "environment": [{"name": "A", "value": ""}, {"name": "B", "value": "1"}],
                },
                {"name": "side", "image": "side:1"},
            ],
            "revision": 7, "status": "ACTIVE", "requiresAttributes": [], "compatibilities": ["EC2"],
            "registeredAt": 1, "registeredBy": "me", "cpu": "256",
        })
    }

    fn changes(containers: &str) -> Changes {
        let (containers, image) = (containers.to_owned(), "app:2".to_owned());
        Changes { containers, image, ..Changes::default() }
    }

    fn failed(changes: &Changes) -> String {
        rendered(definition(), changes).expect_err("it cannot be done")
    }

    #[test]
    fn only_the_image_changes_and_what_is_described_goes() {
        let (done, odd) = rendered(definition(), &changes("app")).expect("a container");
        let expected = json!({
            "family": "api",
            "containerDefinitions": [
                {
                    "name": "app", "image": "app:2", "command": [], "user": null,
                    "environment": [{"name": "A", "value": ""}, {"name": "B", "value": "1"}],
                },
                {"name": "side", "image": "side:1"},
            ],
            "cpu": "256",
        });
        assert_eq!((done.to_string(), odd), (expected.to_string(), Vec::new()));
    }

    #[test]
    fn everything_else_is_set_in_every_named_container() {
        let all = Changes {
            command: "serve  now".to_owned(),
            env_files: "arn:one\n\n arn:two".to_owned(),
            environment: "B=2=3\nC=\n".to_owned(),
            secrets: "S=arn:secret".to_owned(),
            log_driver: "awslogs".to_owned(),
            log_options: "awslogs-group=/api\nmode=a=b".to_owned(),
            docker_labels: "team=one".to_owned(),
            task_role: "arn:aws:iam::111122223333:role/path/task".to_owned(),
            execution_role: "arn:aws-cn:iam::111122223333:role/run".to_owned(),
            ..changes("side,app")
        };
        let (done, odd) = rendered(definition(), &all).expect("both containers");
        let side = json!({
            "name": "side", "image": "app:2", "command": ["serve", "", "now"],
            "environmentFiles": [
                {"value": "arn:one", "type": "s3"}, {"value": "arn:two", "type": "s3"},
            ],
            "environment": [{"name": "B", "value": "2=3"}, {"name": "C", "value": ""}],
            "secrets": [{"name": "S", "valueFrom": "arn:secret"}],
            "logConfiguration": {
                "logDriver": "awslogs", "options": {"awslogs-group": "/api", "mode": "a"},
            },
            "dockerLabels": {"team": "one"},
        });
        assert_eq!(done["containerDefinitions"][1], side);
        let environment = json!([
            {"name": "A", "value": ""}, {"name": "B", "value": "2=3"}, {"name": "C", "value": ""},
        ]);
        assert_eq!(done["containerDefinitions"][0]["environment"], environment);
        assert_eq!(done["taskRoleArn"], "arn:aws:iam::111122223333:role/path/task");
        assert_eq!(done["executionRoleArn"], "arn:aws-cn:iam::111122223333:role/run");
        assert_eq!(odd.len(), 2, "said once for each container: {odd:?}");
    }

    #[test]
    fn what_is_empty_is_not_registered_unless_it_is_kept() {
        let (done, unknown) = registrable(definition(), &[]);
        let app = json!({
            "name": "app", "image": "app:1",
            "environment": [{"name": "A", "value": ""}, {"name": "B", "value": "1"}],
        });
        assert_eq!(done["containerDefinitions"][0], app);
        assert_eq!(done.get("proxyConfiguration"), None);
        assert_eq!(unknown[0], "taskDefinitionArn");
        let (done, _) = registrable(definition(), &["command"]);
        assert_eq!(done["containerDefinitions"][0]["command"], json!([]));
        let mesh = json!({
            "proxyConfiguration": {"type": "APPMESH", "properties": [{"name": "a", "value": ""}]},
        });
        let (done, _) = registrable(mesh.clone(), &[]);
        assert_eq!(done, mesh);
    }

    #[test]
    fn what_cannot_be_done_is_said_in_the_originals_words() {
        for (changes, words) in [
            (changes("web"), "Invalid task definition: Could not find container definition"),
            (changes("app,"), "Invalid format for container name."),
            (
                Changes { environment: "X".to_owned(), ..changes("app") },
                "Cannot parse the environment variable 'X'.",
            ),
            (Changes { secrets: "X".to_owned(), ..changes("app") }, "Cannot parse the secret 'X'."),
            (
                Changes { log_driver: "none".to_owned(), ..changes("app") },
                "'none' is invalid logConfigurationLogDriver. valid options are json-file,",
            ),
            (
                Changes { docker_labels: "X".to_owned(), ..changes("app") },
                "Can't parse logConfiguration option X.",
            ),
            (
                Changes { task_role: "role/x".to_owned(), ..changes("app") },
                "Invalid ARN format for task-role-arn.",
            ),
        ] {
            let said = failed(&changes);
            assert!(said.starts_with(words), "{said}");
        }
        let none = rendered(json!({"containerDefinitions": {}}), &changes("app"));
        assert!(none.is_err_and(|it| it.contains("is not present or is not an array")));
    }
}
