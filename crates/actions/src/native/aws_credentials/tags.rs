//! What a session says of the job that asked for it.

use serde_json::Value as Json;

use crate::native::step::{Failure, Step};

/// AWS's limits (API_Tag, and the list of session tags).
const KEY_CHARS_MAX: usize = 128;
const VALUE_CHARS_MAX: usize = 256;
const TAGS_MAX: usize = 50;

const ALWAYS: &[(&str, &str)] = &[
    ("Repository", "GITHUB_REPOSITORY"),
    ("Workflow", "GITHUB_WORKFLOW"),
    ("Action", "GITHUB_ACTION"),
    ("Actor", "GITHUB_ACTOR"),
    ("Commit", "GITHUB_SHA"),
    ("Branch", "GITHUB_REF"),
];
/// Since the sixth major; left out where the session would be too large.
const CONVENIENT: &[(&str, &str)] = &[
    ("EventName", "GITHUB_EVENT_NAME"),
    ("BaseRef", "GITHUB_BASE_REF"),
    ("HeadRef", "GITHUB_HEAD_REF"),
    ("RunId", "GITHUB_RUN_ID"),
    ("Job", "GITHUB_JOB"),
    ("TriggeringActor", "GITHUB_TRIGGERING_ACTOR"),
];

pub(super) fn of_session(step: &Step, all: bool) -> Result<Vec<(String, String)>, Failure> {
    let mut tags = vec![("GitHub".to_owned(), "Actions".to_owned())];
    let convenient = CONVENIENT.iter().filter(|_| all);
    for (key, variable) in ALWAYS.iter().chain(convenient) {
        let value = step.variable(variable);
        tags.extend(value.map(|value| ((*key).to_owned(), cleaned(&value))));
    }
    if let Some(text) = step.given("custom-tags") {
        let custom =
            custom(&text).map_err(|words| Failure::new(format!("custom-tags: {words}")))?;
        let count = tags.len() + custom.len();
        if count > TAGS_MAX {
            return Err(Failure::new(format!(
                "custom-tags: total session tags ({count}) would exceed the AWS limit of {TAGS_MAX}"
            )));
        }
        tags.extend(custom);
    }
    Ok(tags)
}

/// Leaves what says who it is.
pub(super) fn drop_convenient(tags: &mut Vec<(String, String)>) {
    tags.retain(|(key, _)| !CONVENIENT.iter().any(|(name, _)| name == key));
}

fn allowed(it: char) -> bool {
    it.is_alphanumeric() || it == ' ' || "_.:/=+-@".contains(it)
}

fn cleaned(value: &str) -> String {
    value.chars().map(|it| if allowed(it) { it } else { '_' }).take(VALUE_CHARS_MAX).collect()
}

fn custom(text: &str) -> Result<Vec<(String, String)>, String> {
    let parsed: Json =
        serde_json::from_str(text).map_err(|_| "input is not valid JSON".to_owned())?;
    let members = parsed
        .as_object()
        .ok_or_else(|| "input must be a JSON object (not an array or primitive)".to_owned())?;
    members.iter().map(|(key, value)| tag(key, value)).collect()
}

fn tag(key: &str, value: &Json) -> Result<(String, String), String> {
    let value = match value {
        Json::String(text) => text.clone(),
        Json::Number(_) | Json::Bool(_) => value.to_string(),
        _ => {
            return Err(format!(
                "value for key '{key}' must be a string, number, or boolean (not an object or array)"
            ));
        }
    };
    let own = ALWAYS.iter().chain(CONVENIENT).any(|(name, _)| *name == key) || key == "GitHub";
    let allowed_are = "Allowed: unicode letters, digits, spaces, and _.:/=+-@";
    if key.is_empty() || key.chars().count() > KEY_CHARS_MAX {
        Err(format!("key '{key}' must be between 1 and {KEY_CHARS_MAX} characters"))
    } else if value.chars().count() > VALUE_CHARS_MAX {
        Err(format!("value for key '{key}' exceeds maximum length of {VALUE_CHARS_MAX} characters"))
    } else if !key.chars().all(allowed) {
        Err(format!("key '{key}' contains invalid characters. {allowed_are}"))
    } else if !value.chars().all(allowed) {
        Err(format!("value for key '{key}' contains invalid characters. {allowed_are}"))
    } else if own {
        Err(format!(
            "key '{key}' conflicts with a protected session tag set by this action and cannot be overridden"
        ))
    } else {
        Ok((key.to_owned(), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_ones_own_are_held_to_awss_rules() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let read = custom(r#"{"team": "a b", "n": 3}"#);
        assert_eq!(read, Ok(vec![pair("team", "a b"), pair("n", "3")]));
        for (text, words) in [
            ("x", "input is not valid JSON"),
            ("[]", "input must be a JSON object"),
            (r#"{"a": {}}"#, "value for key 'a' must be"),
            (r#"{"": "x"}"#, "key '' must be between"),
            (r#"{"a#": "x"}"#, "key 'a#' contains invalid"),
            (r#"{"a": "x#"}"#, "value for key 'a' contains invalid"),
            (r#"{"Actor": "x"}"#, "key 'Actor' conflicts"),
        ] {
            assert!(custom(text).is_err_and(|it| it.starts_with(words)), "{text}");
        }
        assert_eq!(cleaned("a[bot] ünd#1"), "a_bot_ ünd_1");
    }
}
