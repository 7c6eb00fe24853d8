//! The environment of a step (conformance 108, 216).

use expr::Value;
use indexmap::IndexMap;

/// The properties of `github` that every step has as `GITHUB_<NAME>`; the paths of file commands
/// are added by deed.
const GITHUB_VARIABLES: &[&str] = &[
    "action",
    "action_path",
    "action_ref",
    "action_repository",
    "actor",
    "actor_id",
    "api_url",
    "base_ref",
    "event_name",
    "event_path",
    "graphql_url",
    "head_ref",
    "job",
    "ref",
    "ref_name",
    "ref_protected",
    "ref_type",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "retention_days",
    "run_attempt",
    "run_id",
    "run_number",
    "server_url",
    "sha",
    "triggering_actor",
    "workflow",
    "workflow_ref",
    "workflow_sha",
    "workspace",
];

/// Puts `GITHUB_*` and `RUNNER_*` over what users set: they win (conformance 108, 181).
pub(crate) fn put_last(env: &mut IndexMap<String, String>, github: &Value, runner: &Value) {
    env.entry("CI".to_owned()).or_insert_with(|| "true".to_owned());
    env.insert("GITHUB_ACTIONS".to_owned(), "true".to_owned());
    for name in GITHUB_VARIABLES {
        if let Some(value) = property(github, name) {
            env.insert(format!("GITHUB_{}", name.to_ascii_uppercase()), value);
        }
    }
    if let Value::Object(runner) = runner {
        for (name, value) in runner.iter() {
            let text = value.to_text().to_string();
            env.insert(format!("RUNNER_{}", name.to_ascii_uppercase()), text);
        }
    }
}

/// A property as text; none where it is missing, null or no scalar.
pub(crate) fn property(object: &Value, name: &str) -> Option<String> {
    let Value::Object(object) = object else { return None };
    match object.get(name)? {
        Value::Null | Value::Array(_) | Value::Object(_) => None,
        scalar => Some(scalar.to_text().to_string()),
    }
}

/// The name under which an input reaches an action: upper case, blanks become `_`, all else stays
/// (conformance 145).
pub(crate) fn input_variable(name: &str) -> String {
    format!("INPUT_{}", name.replace(' ', "_").to_uppercase())
}
