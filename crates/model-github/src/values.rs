//! Secrets and variables of repositories and environments. Boxes are opened, so that a test sees what was sealed.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_box::SecretKey;
use serde_json::{Value as Json, json};

use crate::answer::{no, number, page, value_of};
use crate::github::{GitHub, Repository};
use crate::payload;

/// GitHub takes so much of one.
const VALUE_BYTES_MAX: usize = 48 << 10;
/// And so many secrets of one place.
const SECRETS_MAX: usize = 100;
/// A page of variables has no more.
const VARIABLES_PAGE_MAX: u64 = 30;

/// A value that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptValue {
    /// As it was before it was sealed.
    pub value: String,
    /// `2026-11-23T12:00:00Z`
    pub created_at: String,
    /// When it was put there last.
    pub updated_at: String,
}

/// What a repository keeps, or an environment of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    /// By name.
    pub secrets: BTreeMap<String, KeptValue>,
    /// By name.
    pub variables: BTreeMap<String, KeptValue>,
}

type Said = (u16, Json);

/// The private key of a place: every place has its own.
fn key(repository: u64, environment: Option<&str>) -> SecretKey {
    let mut bytes = [1; 32];
    bytes[..8].copy_from_slice(&repository.to_le_bytes());
    for (at, byte) in environment.unwrap_or_default().bytes().enumerate() {
        bytes[8 + at % 24] ^= byte;
    }
    SecretKey::from_bytes(bytes)
}

/// What the key is called: boxes for another are not taken.
fn key_id(key: &SecretKey) -> String {
    key.public_key().as_bytes()[..8].iter().map(ToString::to_string).collect()
}

/// The permission that a call takes; none where it is about something else.
pub(crate) fn needed(method: &str, rest: &[&str]) -> Option<&'static str> {
    match (method, rest) {
        (_, ["actions", "secrets", ..]) => Some("secrets"),
        (_, ["actions", "variables", ..]) => Some("actions_variables"),
        (_, ["environments", _, "secrets" | "variables", ..]) => Some("environments"),
        ("GET", ["environments", ..]) => Some("actions"),
        (_, ["environments", ..]) => Some("administration"),
        _ => None,
    }
}

impl GitHub {
    /// Whether somebody who may do certain things may make a call that is about values.
    pub(crate) fn may_keep(
        permissions: &BTreeMap<String, String>,
        method: &str,
        rest: &[&str],
    ) -> bool {
        let Some(scope) = needed(method, rest) else { return true };
        let access = permissions.get(scope).map(String::as_str);
        access == Some("write") || (method == "GET" && access == Some("read"))
    }

    /// `/actions/secrets`, `/actions/variables`, `/environments`
    pub(crate) fn of_values(
        &mut self,
        method: &str,
        name: &str,
        rest: &[&str],
        query: &str,
        body: &Json,
    ) -> Said {
        let (environment, rest) = match rest {
            ["actions", rest @ ..] => (None, rest),
            [_, environment, rest @ ..] => {
                // Names have their escapes in paths.
                let environment = value_of(&format!("name={environment}"), "name");
                (environment.map(|it| self.called_there(name, &it)), rest)
            }
            _ => return no(404, "Not Found"),
        };
        let environment = environment.as_deref();
        if let ("PUT", [], Some(environment)) = (method, rest, environment) {
            return self.make_environment(name, environment);
        }
        let at = payload::time(self.now);
        let Some(repository) = self.repositories.get_mut(name) else {
            return no(404, "Not Found");
        };
        let key = key(repository.id, environment);
        let Some(values) = repository.values(environment) else { return no(404, "Not Found") };
        match (method, rest) {
            ("GET", ["secrets"]) => listed("secrets", &values.secrets, query),
            ("GET", ["variables"]) => listed("variables", &values.variables, query),
            ("GET", ["secrets", "public-key"]) => {
                let public = STANDARD.encode(key.public_key().as_bytes());
                (200, json!({ "key_id": key_id(&key), "key": public }))
            }
            ("PUT", ["secrets", name]) => put_secret(values, name, body, &key, &at),
            ("POST", ["variables"]) => post_variable(values, body, &at),
            ("PATCH", ["variables", name]) => match values.variables.get_mut(*name) {
                None => no(404, "Not Found"),
                Some(kept) => {
                    if let Some(value) = body["value"].as_str() {
                        value.clone_into(&mut kept.value);
                    }
                    kept.updated_at = at;
                    (204, Json::Null)
                }
            },
            _ => no(404, "Not Found"),
        }
    }

    /// An environment as it is written there, whose case does not count.
    fn called_there(&self, name: &str, environment: &str) -> String {
        let known = self.repositories.get(name).into_iter().flat_map(|it| it.environments.keys());
        let mut known = known.filter(|it| it.eq_ignore_ascii_case(environment));
        known.next().map_or_else(|| environment.to_owned(), Clone::clone)
    }

    fn make_environment(&mut self, name: &str, environment: &str) -> Said {
        let (id, at) = (self.next_id(), payload::time(self.now));
        let url = format!("{}/repos/{name}", self.url);
        let repository = self.repositories.get_mut(name).expect("it was looked for");
        repository.environments.entry(environment.to_owned()).or_default();
        (200, payload::environment((id, &url), environment, &at))
    }
}

impl Repository {
    fn values(&mut self, environment: Option<&str>) -> Option<&mut Values> {
        match environment {
            None => Some(&mut self.values),
            Some(environment) => self.environments.get_mut(environment),
        }
    }
}

fn listed(kind: &str, kept: &BTreeMap<String, KeptValue>, query: &str) -> Said {
    let one = |(name, it): (&String, &KeptValue)| {
        let mut json = json!({ "name": name, "created_at": it.created_at,
            "updated_at": it.updated_at });
        if kind == "variables" {
            json["value"] = it.value.as_str().into();
        }
        json
    };
    let asked = value_of(query, "per_page").map_or(10, |it| number(&it));
    let query = match kind {
        "variables" if asked > VARIABLES_PAGE_MAX => {
            let page = value_of(query, "page").unwrap_or_else(|| "1".to_owned());
            format!("per_page={VARIABLES_PAGE_MAX}&page={page}")
        }
        _ => query.to_owned(),
    };
    let list = page(kept.iter().map(one).collect(), &query);
    let mut said = json!({ "total_count": kept.len() });
    said[kind] = Json::Array(list);
    (200, said)
}

fn is_name(name: &str) -> bool {
    let is_letter = |it: u8| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_';
    let first = name.bytes().next().is_some_and(|it| !it.is_ascii_digit());
    first && name.bytes().all(is_letter) && !name.starts_with("GITHUB_")
}

fn put_secret(values: &mut Values, name: &str, body: &Json, key: &SecretKey, at: &str) -> Said {
    if !is_name(name) {
        return no(422, "Secret names can only contain alphanumeric characters and underscores.");
    }
    if body["key_id"] != key_id(key) {
        return no(422, "The encrypted value was not sealed with the current public key.");
    }
    let sealed = body["encrypted_value"].as_str().and_then(|it| STANDARD.decode(it).ok());
    let opened = sealed.and_then(|it| key.unseal(&it).ok());
    let Some(value) = opened.and_then(|it| String::from_utf8(it).ok()) else {
        return no(422, "The encrypted value cannot be opened.");
    };
    if value.len() > VALUE_BYTES_MAX {
        return no(422, "Secret value is too large.");
    }
    let is_new = !values.secrets.contains_key(name);
    if is_new && values.secrets.len() >= SECRETS_MAX {
        return no(422, "There are too many secrets.");
    }
    keep(&mut values.secrets, name, value, at);
    if is_new { (201, json!({})) } else { (204, Json::Null) }
}

fn post_variable(values: &mut Values, body: &Json, at: &str) -> Said {
    let (Some(name), Some(value)) = (body["name"].as_str(), body["value"].as_str()) else {
        return no(422, "Invalid request. \"name\", \"value\" weren't supplied.");
    };
    if !is_name(name) || value.len() > VALUE_BYTES_MAX {
        return no(422, "Variable names can only contain alphanumeric characters and underscores.");
    }
    if values.variables.contains_key(name) {
        return no(409, "Already exists - Variable already exists");
    }
    keep(&mut values.variables, name, value.to_owned(), at);
    (201, json!({}))
}

fn keep(kept: &mut BTreeMap<String, KeptValue>, name: &str, value: String, at: &str) {
    let created_at = kept.get(name).map_or(at, |it| &it.created_at).to_owned();
    let value = KeptValue { value, created_at, updated_at: at.to_owned() };
    kept.insert(name.to_owned(), value);
}
