//! Task definitions as values: what is registered anew, what is the same as what.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

/// The members of a request to register. What a description has beside them is ECS's own: sent
/// back, it would be refused or passed over.
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
    "taskRoleArn",
    "volumes",
];
/// Lists whose order says nothing, with the key that orders them.
const SETS: &[(&str, &str)] = &[
    ("environment", "name"),
    ("secrets", "name"),
    ("mountPoints", "containerPath"),
    ("portMappings", "containerPort"),
    ("systemControls", "namespace"),
    ("ulimits", "name"),
    ("volumes", "name"),
    ("volumesFrom", "sourceContainer"),
];

/// What can be registered of a description: its own members without JSON's nulls, and everything in
/// them as it is. Empty texts and empty lists mean something (`command: []`).
pub(crate) fn registrable(described: &Json) -> Json {
    let members = described.as_object().into_iter().flatten();
    let kept = members.filter(|(key, value)| MEMBERS.contains(&key.as_str()) && !value.is_null());
    Json::Object(kept.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
}

fn without_nulls(value: &Json) -> Json {
    match value {
        Json::Object(members) => {
            let kept = members.iter().filter(|(_, value)| !value.is_null());
            Json::Object(kept.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
        }
        Json::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

/// A form in which two definitions that ECS takes for the same are the same: sets in order, without
/// the defaults that ECS adds, numbers as numbers.
pub(crate) fn canonical(registrable: &Json) -> Json {
    let mut body = Map::new();
    for (key, value) in registrable.as_object().into_iter().flatten() {
        let value = match key.as_str() {
            "cpu" => number(value, "vcpu", 1024.0),
            "memory" => number(value, "gb", 1024.0),
            "containerDefinitions" => {
                value.as_array().into_iter().flatten().map(container).collect()
            }
            _ => ordered(key, value),
        };
        if !is_default(key, &value) {
            body.insert(key.clone(), value);
        }
    }
    body.sort_keys();
    Json::Object(body)
}

fn container(value: &Json) -> Json {
    let mut canonical = Map::new();
    for (key, value) in value.as_object().into_iter().flatten() {
        let mut value = ordered(key, value);
        if key == "portMappings" {
            for port in value.as_array_mut().into_iter().flatten().filter_map(Json::as_object_mut) {
                // The host's port is chosen by ECS, or the same.
                if port.get("hostPort") == port.get("containerPort")
                    || port.get("hostPort") == Some(&json!(0))
                {
                    port.shift_remove("hostPort");
                }
                if port.get("protocol") == Some(&json!("tcp")) {
                    port.shift_remove("protocol");
                }
            }
        }
        if !is_default(key, &value) {
            canonical.insert(key.clone(), value);
        }
    }
    canonical.sort_keys();
    Json::Object(canonical)
}

fn ordered(key: &str, value: &Json) -> Json {
    let Some((_, by)) = SETS.iter().find(|(set, _)| *set == key) else { return value.clone() };
    let mut items = value.as_array().cloned().unwrap_or_default();
    items.sort_by_key(|it| it[by].to_string());
    Json::Array(items)
}

fn is_default(key: &str, value: &Json) -> bool {
    let empty = value.as_array().is_some_and(Vec::is_empty);
    let is_set = SETS.iter().any(|(set, _)| *set == key);
    match key {
        "cpu" => *value == json!(0),
        "essential" => *value == json!(true),
        "placementConstraints" => empty,
        _ => is_set && empty,
    }
}

/// A field that differs: its path, what it is, what it will be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Difference {
    pub(crate) field: String,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
}

/// What differs between two definitions, field by field. Variables' values are not told: they may be
/// secrets of somebody.
pub(crate) fn differences(before: &Json, after: &Json) -> Vec<Difference> {
    let (before, after) = (canonical(before), canonical(after));
    let mut found = Vec::new();
    compare(
        "",
        &without(&before, &["containerDefinitions"]),
        &without(&after, &["containerDefinitions"]),
        &mut found,
    );
    let (before, after) =
        (by_name(&before, "containerDefinitions"), by_name(&after, "containerDefinitions"));
    for name in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
        let path = format!("containerDefinitions[{name}]");
        let (Some(before), Some(after)) = (before.get(name), after.get(name)) else {
            let said = |it: Option<&Json>| it.map(|_| "the container".to_owned());
            let (before, after) = (said(before.get(name)), said(after.get(name)));
            found.push(Difference { field: path, before, after });
            continue;
        };
        let prefix = format!("{path}.");
        let lists = ["environment", "secrets"];
        compare(&prefix, &without(before, &lists), &without(after, &lists), &mut found);
        for list in lists {
            by_item(&format!("{prefix}{list}"), list, (before, after), &mut found);
        }
    }
    found
}

/// A list of a container, item by item.
fn by_item(path: &str, list: &str, (before, after): (&Json, &Json), found: &mut Vec<Difference>) {
    let (before, after) = (by_name(before, list), by_name(after, list));
    for name in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
        let (before, after) = (before.get(name), after.get(name));
        if before == after {
            continue;
        }
        let field = format!("{path}[{name}]");
        // Where a secret lies may be told.
        let place =
            |it: Option<&Json>| it.and_then(|it| it["valueFrom"].as_str()).map(str::to_owned);
        let (before, after) = if list == "secrets" {
            (place(before), place(after))
        } else {
            let word = if before.is_some() { "another value" } else { "a value" };
            (before.map(|_| "a value".to_owned()), after.map(|_| word.to_owned()))
        };
        found.push(Difference { field, before, after });
    }
}

fn without(value: &Json, keys: &[&str]) -> Json {
    let members = value.as_object().into_iter().flatten();
    let members = members.filter(|(it, _)| !keys.contains(&it.as_str()));
    Json::Object(members.map(|(key, value)| (key.clone(), value.clone())).collect())
}

fn by_name(value: &Json, key: &str) -> BTreeMap<String, Json> {
    let items = value[key].as_array().into_iter().flatten();
    items.filter_map(|it| Some((it["name"].as_str()?.to_owned(), it.clone()))).collect()
}

fn compare(prefix: &str, before: &Json, after: &Json, found: &mut Vec<Difference>) {
    let keys = [before, after].into_iter().filter_map(Json::as_object).flatten();
    for key in keys.map(|(key, _)| key).collect::<BTreeSet<_>>() {
        let (before, after) = (before.get(key), after.get(key));
        if before != after {
            let said = |it: Option<&Json>| {
                it.map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned))
            };
            let field = format!("{prefix}{key}");
            found.push(Difference { field, before: said(before), after: said(after) });
        }
    }
}

/// `"1 vCPU"` is 1024, `"2 GB"` is 2048, `"256"` is 256.
fn number(value: &Json, unit: &str, times: f64) -> Json {
    let Some(text) = value.as_str() else { return value.clone() };
    let lower = text.to_ascii_lowercase().replace(' ', "");
    let scaled = lower.strip_suffix(unit).and_then(|it| it.parse::<f64>().ok());
    let plain = lower.parse::<f64>().ok();
    match scaled.map(|it| it * times).or(plain) {
        #[expect(clippy::cast_possible_truncation, reason = "of the size of a task")]
        Some(number) => json!(number as i64),
        None => value.clone(),
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    fn check(before: &str, after: &str, same: bool) {
        let value = |text: &str| -> Json { serde_json::from_str(text).unwrap() };
        assert_eq!(canonical(&value(before)) == canonical(&value(after)), same, "{before} {after}");
    }

    #[test]
    fn what_ecs_adds_makes_no_difference() {
        check(
            r#"{"cpu": "1 vCPU", "memory": "2 GB"}"#,
            r#"{"cpu": "1024", "memory": "2048"}"#,
            true,
        );
        check(
            r#"{"containerDefinitions": [{"name": "a"}]}"#,
            r#"{"containerDefinitions": [{"name": "a", "cpu": 0, "essential": true, "environment": [],
                "mountPoints": [], "portMappings": [], "volumesFrom": [], "systemControls": []}],
                "volumes": [], "placementConstraints": []}"#,
            true,
        );
        check(
            r#"{"containerDefinitions": [{"portMappings": [{"containerPort": 80}],
                "environment": [{"name": "B", "value": ""}, {"name": "A", "value": "1"}]}]}"#,
            r#"{"containerDefinitions": [{"environment": [{"name": "A", "value": "1"},
                {"name": "B", "value": ""}],
                "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}]}]}"#,
            true,
        );
    }

    #[test]
    fn what_means_something_makes_one() {
        check(
            r#"{"containerDefinitions": [{"command": []}]}"#,
            r#"{"containerDefinitions": [{}]}"#,
            false,
        );
        check(r#"{"cpu": "256"}"#, r#"{"cpu": "512"}"#, false);
        check(
            r#"{"containerDefinitions": [{"command": ["a", "b"]}]}"#,
            r#"{"containerDefinitions": [{"command": ["b", "a"]}]}"#,
            false,
        );
        check(
            r#"{"containerDefinitions": [{"environment": [{"name": "A", "value": ""}]}]}"#,
            r#"{"containerDefinitions": [{"environment": []}]}"#,
            false,
        );
    }
}
