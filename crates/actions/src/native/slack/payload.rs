//! What is sent: read from JSON or YAML, filled in, made flat.

use serde_json::{Map, Value as Json};

use crate::native::cloud::encoded;
use crate::native::step::{Failure, Step};

/// JSON, YAML, or the inside of a JSON object without its braces.
pub(super) fn read_text(text: &str) -> Result<Json, Failure> {
    if let Some(value) = serde_json::from_str(text).ok().or_else(|| read_yaml(text)) {
        return Ok(value);
    }
    let inside = text.trim().trim_end_matches(',');
    let braced = serde_json::from_str(&format!("{{{inside}}}"));
    braced.map_err(|error| {
        Failure::new("Invalid input! Failed to parse contents of the provided payload")
            .hint(format!("it is neither YAML nor JSON: {error}"))
    })
}

/// A file, by the end of its name.
pub(super) fn read_file(name: &str, text: &str) -> Result<Json, Failure> {
    let value = if name.ends_with("yaml") || name.ends_with("yml") {
        read_yaml(text)
    } else if name.ends_with("json") {
        serde_json::from_str(text).ok()
    } else {
        let hint = format!("Invalid input! Failed to parse file extension {name}");
        return Err(unreadable_file().hint(hint));
    };
    value.ok_or_else(unreadable_file)
}

/// The original's words for a file that cannot be had.
pub(super) fn unreadable_file() -> Failure {
    Failure::new("Invalid input! Failed to parse contents of the provided payload file")
}

fn read_yaml(text: &str) -> Option<Json> {
    let (tree, findings) = syntax::yaml::read(&syntax::Source::new("payload", text));
    let broken = findings.iter().any(|it| it.severity == syntax::Severity::Error);
    tree.filter(|_| !broken).map(|tree| tree.to_json())
}

/// Fills in the texts of a value.
pub(super) fn filled_in(value: Json, context: &Json) -> Result<Json, Failure> {
    Ok(match value {
        Json::String(text) => Json::String(fill_in(&text, context)?),
        Json::Array(items) => {
            let items = items.into_iter().map(|item| filled_in(item, context));
            Json::Array(items.collect::<Result<_, _>>()?)
        }
        Json::Object(members) => {
            let members = members.into_iter().map(|(key, it)| Ok((key, filled_in(it, context)?)));
            Json::Object(members.collect::<Result<Map<_, _>, Failure>>()?)
        }
        other => other,
    })
}

/// `{{ env.NAME }}` and `${{ github.payload.sender.login }}`. What the original's template language
/// has besides (pipes, loops) is refused: half of it would be sent to people.
pub(super) fn fill_in(text: &str, context: &Json) -> Result<String, Failure> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("{{") {
        let Some((name, after)) = behind.split_once("}}") else { break };
        let name = name.trim();
        let plain = |it: char| it.is_alphanumeric() || "._-".contains(it);
        if name.is_empty() || !name.chars().all(plain) {
            return Err(Failure::new(format!(
                "`{{{{{name}}}}}` is more than a name: Launchway fills in names only"
            ))
            .hint("put the finished text into `payload`, or run the original with --no-native"));
        }
        out.push_str(before.strip_suffix('$').unwrap_or(before));
        let found = name.split('.').try_fold(context, |it, part| match it {
            Json::Array(items) => items.get(part.parse::<usize>().ok()?),
            other => other.get(part),
        });
        out.push_str(&found.filter(|it| !it.is_null()).map(text_of).unwrap_or_default());
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// Nested members by their path, every value as text: workflows of Slack take nothing else.
pub(super) fn flat(value: &Json, delimiter: &str) -> Json {
    let mut found = Map::new();
    flatten(value, "", delimiter, &mut found);
    Json::Object(found)
}

fn flatten(value: &Json, path: &str, delimiter: &str, found: &mut Map<String, Json>) {
    let at = |key: &str| match path {
        "" => key.to_owned(),
        _ => format!("{path}{delimiter}{key}"),
    };
    match value {
        Json::Object(members) if !members.is_empty() => {
            for (key, member) in members {
                flatten(member, &at(key), delimiter, found);
            }
        }
        Json::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                flatten(item, &at(&index.to_string()), delimiter, found);
            }
        }
        _ if path.is_empty() => {}
        other => drop(found.insert(path.to_owned(), Json::String(text_of(other)))),
    }
}

/// A value as JavaScript makes text of it.
fn text_of(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Number(number) => number_text(number),
        Json::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join(","),
        Json::Object(_) => "[object Object]".to_owned(),
        other => other.to_string(),
    }
}

fn number_text(number: &serde_json::Number) -> String {
    let whole = number.is_i64() || number.is_u64();
    number.as_f64().filter(|_| !whole).map_or_else(|| number.to_string(), |it| it.to_string())
}

/// The members of a call to a method, as a form: texts as they are, all else as JSON.
pub(super) fn form(values: &Json) -> String {
    let members = values.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let pairs = members.map(|(key, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{}={}", encoded(key), encoded(&text))
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// What templates and an empty payload know: the event, and what the original's library says of
/// the run.
pub(super) fn context(step: &Step) -> Json {
    let text = |name: &str| Json::String(step.variable(name).unwrap_or_default());
    let number = |name: &str| {
        let number = step.variable(name).and_then(|it| it.parse::<u64>().ok());
        number.map_or(Json::Null, Json::from)
    };
    let repository = step.variable("GITHUB_REPOSITORY").unwrap_or_default();
    let (owner, repo) = repository.split_once('/').unwrap_or((&repository, ""));
    let variables = std::env::vars_os().filter_map(|(key, value)| {
        Some((key.into_string().ok()?, Json::String(value.into_string().ok()?)))
    });
    serde_json::json!({
        "env": variables.collect::<Map<_, _>>(),
        "github": {
            "payload": event(step),
            "eventName": text("GITHUB_EVENT_NAME"),
            "sha": text("GITHUB_SHA"),
            "ref": text("GITHUB_REF"),
            "workflow": text("GITHUB_WORKFLOW"),
            "action": text("GITHUB_ACTION"),
            "actor": text("GITHUB_ACTOR"),
            "job": text("GITHUB_JOB"),
            "runAttempt": number("GITHUB_RUN_ATTEMPT"),
            "runNumber": number("GITHUB_RUN_NUMBER"),
            "runId": number("GITHUB_RUN_ID"),
            "apiUrl": text("GITHUB_API_URL"),
            "serverUrl": text("GITHUB_SERVER_URL"),
            "graphqlUrl": text("GITHUB_GRAPHQL_URL"),
            "repo": {"owner": owner, "repo": repo},
        },
    })
}

/// The event that began the run.
pub(super) fn event(step: &Step) -> Json {
    let text = step.variable("GITHUB_EVENT_PATH").map(std::fs::read_to_string);
    let text = text.and_then(Result::ok).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_else(|_| Json::Object(Map::new()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_payload_is_yaml_or_json_or_the_inside_of_json() {
        let read = |text: &str| read_text(text).map_err(|failure| failure.message);
        let said = json!({"text": "a: b", "n": 1});
        assert_eq!(read("{\"text\": \"a: b\", \"n\": 1}"), Ok(said.clone()));
        assert_eq!(read("text: 'a: b'\nn: 1"), Ok(said.clone()));
        assert_eq!(read("\"text\": \"a: b\",\n\"n\": 1,\n"), Ok(said));
        let broken = "Invalid input! Failed to parse contents of the provided payload";
        assert_eq!(read("{\"text\": "), Err(broken.to_owned()));
        assert_eq!(read_file("a.yml", "a: [1]").expect("ours"), json!({"a": [1]}));
        assert!(read_file("a.txt", "a: [1]").is_err() && read_file("a.json", "a: 1").is_err());
    }

    #[test]
    fn names_are_filled_in_and_more_is_refused() {
        let context =
            json!({"env": {"WHO": "Mona"}, "github": {"payload": {"commits": [{"id": 7}]}}});
        let filled = |text: &str| fill_in(text, &context).map_err(|failure| failure.message);
        let said = filled("${{ env.WHO }}: {{github.payload.commits.0.id}}{{ env.NONE }} {{");
        assert_eq!(said, Ok("Mona: 7 {{".to_owned()));
        assert!(filled("{{ env.WHO|upcase }}").is_err());
        let nested = json!({"a": ["{{env.WHO}}", 1]});
        assert_eq!(filled_in(nested, &context).expect("names"), json!({"a": ["Mona", 1]}));
    }

    #[test]
    fn what_is_flat_is_text() {
        let nested = json!({"a": {"b": [1, 2.5, null], "c": {}}, "d": true, "e": []});
        let expected = json!({
            "a.b.0": "1", "a.b.1": "2.5", "a.b.2": "null", "a.c": "[object Object]", "d": "true",
            "e": "",
        });
        assert_eq!(flat(&nested, "."), expected);
        assert_eq!(
            form(&json!({"text": "a b&c", "blocks": [1], "none": null})),
            "text=a%20b%26c&blocks=%5B1%5D"
        );
    }
}
