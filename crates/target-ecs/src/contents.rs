//! What the settings put into a task definition, and what they take out of it.
//!
//! What they name is theirs. What they named once and name no more goes: the tag
//! [`VARIABLES_TAG`] of a revision says which variables it had from them. All else stays as it is,
//! unless the settings own all of it (`owns`).

use std::collections::{BTreeMap, BTreeSet};

use aws::TaskDefinition;
use event::{Cause, CauseCode, ServiceRequest};
use mask::Secret;
use serde_json::{Value as Json, json};

use crate::config::EcsConfig;
use crate::words::text;

/// Which variables a revision has from the settings; more of them in `...:2` and so on.
pub(crate) const VARIABLES_TAG: &str = "launchway:variables";
/// Letters of a tag's value.
const TAG_VALUE_MAX: usize = 256;
/// So many tags are ours at the most: ECS takes 50, and others have some.
const VARIABLES_TAGS_MAX: usize = 20;

/// Values that stand in files only, by service.
pub type Values = dyn Fn(&ServiceRequest) -> Result<BTreeMap<String, Secret>, Cause>;

/// What becomes of one container.
#[derive(Clone, Default)]
pub(crate) struct Contents<'a> {
    pub(crate) container: &'a str,
    pub(crate) image: &'a str,
    pub(crate) environment: BTreeMap<String, String>,
    /// Name and where it lies, as ECS has it.
    pub(crate) secrets: BTreeMap<String, String>,
    /// Variables and references that go.
    pub(crate) removed: BTreeSet<String>,
    pub(crate) command: Option<&'a [String]>,
}

impl Contents<'_> {
    /// A definition with these in it.
    pub(crate) fn put_into(&self, registrable: &Json) -> Json {
        let mut body = registrable.clone();
        let containers = body["containerDefinitions"].as_array_mut();
        let found =
            containers.and_then(|all| all.iter_mut().find(|it| it["name"] == self.container));
        let Some(found) = found else { return body };
        found["image"] = json!(self.image);
        let variable = |(name, value)| json!({"name": name, "value": value});
        let secret = |(name, from)| json!({"name": name, "valueFrom": from});
        self.list(found, "environment", self.environment.iter().map(variable).collect());
        self.list(found, "secrets", self.secrets.iter().map(secret).collect());
        match self.command {
            Some([]) => {
                found.as_object_mut().map(|it| it.shift_remove("command"));
            }
            Some(command) => found["command"] = json!(command),
            None => {}
        }
        body
    }

    /// Others stay in their order, ours stand behind them.
    fn list(&self, container: &mut Json, list: &str, own: Vec<Json>) {
        let here = container[list].as_array().cloned();
        let is_others = |it: &Json| {
            let name = it["name"].as_str().unwrap_or_default();
            !self.environment.contains_key(name)
                && !self.secrets.contains_key(name)
                && !self.removed.contains(name)
        };
        let before = here.as_ref().map_or(0, Vec::len);
        let mut items: Vec<Json> = here.into_iter().flatten().filter(is_others).collect();
        if own.is_empty() && items.len() == before {
            return;
        }
        items.extend(own);
        container[list] = json!(items);
    }
}

/// Every variable that the settings name.
pub(crate) fn named(config: &EcsConfig) -> BTreeSet<&str> {
    let plain = config.environment.keys().chain(&config.private).chain(config.secrets.keys());
    plain.map(String::as_str).collect()
}

/// Variables of a revision that go: they were the settings', or all are, and these name them no
/// more.
pub(crate) fn removed(
    config: &EcsConfig,
    base: &TaskDefinition,
    container: &str,
) -> BTreeSet<String> {
    let named = named(config);
    let mut owned = had(base);
    let all = base.body["containerDefinitions"].as_array().into_iter().flatten();
    if let Some(found) = all.clone().find(|it| it["name"] == container) {
        let names = |list: &str| -> BTreeSet<String> {
            let items = found[list].as_array().into_iter().flatten();
            items.filter_map(|it| it["name"].as_str().map(str::to_owned)).collect()
        };
        let (variables, secrets) = (names("environment"), names("secrets"));
        // What was taken out by somebody else need not be taken out again.
        owned.retain(|it| variables.contains(it) || secrets.contains(it));
        for (is_owned, names) in
            [(config.owns_environment, variables), (config.owns_secrets, secrets)]
        {
            owned.extend(names.into_iter().filter(|_| is_owned));
        }
    }
    owned.retain(|it| !named.contains(it.as_str()));
    owned
}

/// Variables that a revision has from the settings.
pub(crate) fn had(definition: &TaskDefinition) -> BTreeSet<String> {
    let ours = definition.tags.iter().filter(|it| {
        it["key"].as_str().is_some_and(|key| {
            key == VARIABLES_TAG
                || key.strip_prefix(VARIABLES_TAG).is_some_and(|it| it.starts_with(':'))
        })
    });
    let values = ours.filter_map(|it| it["value"].as_str());
    values.flat_map(str::split_whitespace).map(str::to_owned).collect()
}

/// The tags that say so of a new revision.
pub(crate) fn tags<'a>(
    names: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<(String, String)>, Cause> {
    let mut values = vec![String::new()];
    for name in names {
        let last = values.last_mut().expect("it begins with one");
        if !last.is_empty() && last.len() + 1 + name.len() > TAG_VALUE_MAX {
            values.push(name.to_owned());
        } else {
            *last += if last.is_empty() { "" } else { " " };
            *last += name;
        }
    }
    values.retain(|it| !it.is_empty());
    if values.len() > VARIABLES_TAGS_MAX || values.iter().any(|it| it.len() > TAG_VALUE_MAX) {
        let said = "the names of the settings' variables do not fit into the tags of a revision: \
                    have fewer";
        return Err(Cause::new(CauseCode::TargetRefused, text(said)));
    }
    let key = |at: usize| match at {
        0 => VARIABLES_TAG.to_owned(),
        _ => format!("{VARIABLES_TAG}:{}", at + 1),
    };
    Ok(values.into_iter().enumerate().map(|(at, value)| (key(at), value)).collect())
}

/// The variables with values that are known now.
pub(crate) fn environment(
    wanted: &ServiceRequest,
    plain: &BTreeMap<String, String>,
    private: &[String],
    values: &Values,
) -> Result<BTreeMap<String, String>, Cause> {
    let mut environment = plain.clone();
    if private.is_empty() {
        return Ok(environment);
    }
    let known = values(wanted)?;
    for name in private {
        let Some(value) = known.get(name) else {
            let said = format!(
                "the value of {name}, which stands in a file of the settings, is not here: go on \
                 where the settings and their files are"
            );
            return Err(Cause::new(CauseCode::Unavailable, text(said)));
        };
        environment.insert(name.clone(), value.expose().to_string());
    }
    Ok(environment)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::canonical::registrable;

    fn check(described: &str, contents: &Contents<'_>, expect: &Expect) {
        let described: Json = serde_json::from_str(described).expect("JSON of a test");
        expect.assert_eq(&contents.put_into(&registrable(&described)).to_string());
    }

    fn pairs(text: &str) -> BTreeMap<String, String> {
        let pairs = text.split_whitespace().filter_map(|it| it.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn only_the_image_and_what_the_settings_name_change() {
        let environment = pairs("LEVEL=info");
        let contents = Contents {
            container: "app",
            image: "repo@sha256:2",
            environment,
            ..Contents::default()
        };
        check(
            r#"{"taskDefinitionArn": "x", "revision": 3, "status": "ACTIVE", "compatibilities": [],
                "requiresAttributes": [], "registeredAt": 1, "registeredBy": "y", "family": "app",
                "taskRoleArn": null, "cpu": "256",
                "containerDefinitions": [
                  {"name": "side", "image": "side:1", "command": [], "user": null},
                  {"name": "app", "image": "repo:1", "environment": [
                    {"name": "LEVEL", "value": "debug"}, {"name": "EMPTY", "value": ""}]}]}"#,
            &contents,
            &expect![[
                r#"{"family":"app","cpu":"256","containerDefinitions":[{"name":"side","image":"side:1","command":[]},{"name":"app","image":"repo@sha256:2","environment":[{"name":"EMPTY","value":""},{"name":"LEVEL","value":"info"}]}]}"#
            ]],
        );
    }

    #[test]
    fn a_variable_becomes_a_secret_and_what_is_named_no_more_goes() {
        let command = ["serve".to_owned()];
        let contents = Contents {
            container: "app",
            image: "i",
            secrets: pairs("TOKEN=arn:token"),
            removed: ["OLD".to_owned(), "OLD_SECRET".to_owned()].into(),
            command: Some(&command),
            ..Contents::default()
        };
        let described = r#"{"containerDefinitions": [{"name": "app", "image": "i",
            "environment": [{"name": "TOKEN", "value": "t"}, {"name": "OLD", "value": "1"},
                            {"name": "KEPT", "value": "k"}],
            "secrets": [{"name": "OLD_SECRET", "valueFrom": "x"}]}]}"#;
        check(
            described,
            &contents,
            &expect![[
                r#"{"containerDefinitions":[{"name":"app","image":"i","environment":[{"name":"KEPT","value":"k"}],"secrets":[{"name":"TOKEN","valueFrom":"arn:token"}],"command":["serve"]}]}"#
            ]],
        );
    }

    #[test]
    fn names_go_into_as_many_tags_as_they_need_and_come_back() {
        let names: Vec<String> = (0..40).map(|it| format!("A_LONG_VARIABLE_{it}")).collect();
        let tags = tags(names.iter().map(String::as_str)).expect("they fit");
        assert_eq!(tags.len(), 3);
        assert!(tags.iter().all(|(_, value)| value.len() <= TAG_VALUE_MAX));
        let tags = tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
        let (arn, body) = (String::new(), Json::Null);
        let definition = TaskDefinition { arn, is_active: true, body, tags };
        assert_eq!(had(&definition), names.into_iter().collect());
    }
}
