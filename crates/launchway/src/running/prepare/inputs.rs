//! Inputs of `workflow_dispatch` (conformance 26): typed for `inputs`, text for the payload.

use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal};

use repository::TriggeringEvent;
use serde_json::{Map, Value as Json};
use workflow::{Input, InputKind, Workflow};

use crate::cli::EventArgs;
use crate::exit::{Exit, Failure};
use crate::terminal::style::talk;

/// What a dispatch may carry; GitHub's limit (conformance 26).
const INPUTS_CHARACTERS_MAX: usize = 65_535;

/// The inputs that a workflow gets from an event; none where it is no dispatch. A payload may bear
/// names that the workflow does not declare, and they count for nothing; on the command line such a
/// name is a slip of the fingers, and refused.
pub(crate) fn of_event(
    workflow: &Workflow,
    event: &TriggeringEvent,
    args: &EventArgs,
) -> Result<Json, Failure> {
    if event.name != "workflow_dispatch" {
        return Ok(Json::Object(Map::new()));
    }
    let mut given = in_event(event);
    if args.event_path.is_some() {
        given.retain(|key, _| declared(workflow).iter().any(|input| is(input, key)));
    }
    typed(workflow, &given, &ask)
}

/// The inputs of a dispatch where nobody stands by who could be asked.
pub(crate) fn unasked(workflow: &Workflow, event: &TriggeringEvent) -> Result<Json, Failure> {
    if event.name != "workflow_dispatch" {
        return Ok(Json::Object(Map::new()));
    }
    typed(workflow, &in_event(event), &missing)
}

/// The inputs of a dispatch as text, by their names.
pub(crate) fn in_event(event: &TriggeringEvent) -> BTreeMap<String, String> {
    let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let inputs = event.payload["inputs"].as_object().into_iter().flatten();
    inputs.map(|(key, value)| (key.clone(), text(value))).collect()
}

/// What a dispatch of a workflow may carry.
pub(crate) fn declared(workflow: &Workflow) -> &[Input] {
    workflow.on.get("workflow_dispatch").map_or(&[], |trigger| &trigger.inputs)
}

/// Types what was given as the workflow declares; asks for what is missing where a person is there.
fn typed(
    workflow: &Workflow,
    given: &BTreeMap<String, String>,
    ask: &dyn Fn(&Workflow, &Input) -> Result<String, Failure>,
) -> Result<Json, Failure> {
    let declared = declared(workflow);
    if let Some(unknown) = given.keys().find(|key| !declared.iter().any(|input| is(input, key))) {
        let names: Vec<&str> = declared.iter().map(|input| &*input.name.value).collect();
        let known = if names.is_empty() {
            "it declares none".to_owned()
        } else {
            format!("it has: {}", names.join(", "))
        };
        return Err(Failure::new(
            Exit::Refused,
            format!("{} has no input {unknown}", workflow.source.name()),
        )
        .hint(known));
    }
    let characters = |(key, value): (&String, &String)| key.chars().count() + value.chars().count();
    let size: usize = given.iter().map(characters).sum();
    if size > INPUTS_CHARACTERS_MAX {
        let message =
            format!("the inputs have {size} characters; GitHub takes {INPUTS_CHARACTERS_MAX}");
        return Err(Failure::new(Exit::Refused, message));
    }
    let mut typed = Map::new();
    for input in declared {
        let value = given.iter().find(|(key, _)| is(input, key)).map(|(_, value)| value.clone());
        let value = match value.or_else(|| default_text(input)) {
            Some(value) => value,
            None if input.required => ask(workflow, input)?,
            None => String::new(),
        };
        typed.insert(input.name.value.to_string(), typed_value(input, &value)?);
    }
    Ok(Json::Object(typed))
}

fn is(input: &Input, key: &str) -> bool {
    input.name.value.eq_ignore_ascii_case(key)
}

/// What it is where nothing is given.
pub(crate) fn default_text(input: &Input) -> Option<String> {
    let default = input.default.as_ref().and_then(workflow::Template::literal_text);
    match (default, &input.kind) {
        (Some(text), _) => Some(text.to_string()),
        // GitHub preselects the first choice, and an unticked box is false.
        (None, InputKind::Choice(options)) => {
            options.first().map(|option| option.value.to_string())
        }
        (None, InputKind::Boolean) => Some("false".to_owned()),
        (None, _) => None,
    }
}

fn typed_value(input: &Input, text: &str) -> Result<Json, Failure> {
    let name = &input.name.value;
    let refused = |wanted: &str| {
        Failure::new(Exit::Refused, format!("input {name} is {wanted}, not `{text}`"))
    };
    match &input.kind {
        InputKind::Boolean => match text {
            "true" => Ok(Json::Bool(true)),
            "false" | "" => Ok(Json::Bool(false)),
            _ => Err(refused("true or false")),
        },
        InputKind::Number if text.is_empty() => Ok(Json::from(0)),
        InputKind::Number => number(text).ok_or_else(|| refused("a number")),
        InputKind::Choice(options) => {
            let names: Vec<&str> = options.iter().map(|option| &*option.value).collect();
            if names.contains(&text) {
                Ok(Json::from(text))
            } else {
                Err(refused(&format!("one of {}", names.join(", "))))
            }
        }
        InputKind::String | InputKind::Environment => Ok(Json::from(text)),
    }
}

/// A whole number is written without a point, so that it is the same text again.
fn number(text: &str) -> Option<Json> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Json::from(whole));
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Json::from)
}

fn missing(workflow: &Workflow, input: &Input) -> Result<String, Failure> {
    let message = format!("{} needs the input {}", workflow.source.name(), input.name.value);
    Err(Failure::new(Exit::Refused, message))
}

fn ask(workflow: &Workflow, input: &Input) -> Result<String, Failure> {
    let name = &input.name.value;
    if !std::io::stdin().is_terminal() {
        let failure = missing(workflow, input)
            .map_err(|failure| failure.hint(format!("give it: --input {name}=VALUE")));
        let about = input.description.as_ref().map(|text| text.value.to_string());
        return failure.map_err(|failure| about.into_iter().fold(failure, Failure::hint));
    }
    let about =
        input.description.as_ref().map_or_else(|| name.to_string(), |text| text.value.to_string());
    talk(&format!("{about}\n{name}: "));
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| Failure::caused(Exit::Usage, error))?;
    Ok(line.trim().to_owned())
}

/// The payload with its `inputs` completed: there they are text whatever their type, and as they were
/// given.
pub(crate) fn in_payload(payload: &Json, inputs: &Json) -> Json {
    let mut payload = payload.clone();
    if let (Json::Object(fields), Json::Object(inputs)) = (&mut payload, inputs)
        && let Some(given) = fields.get("inputs")
    {
        let text = |value: &Json| match value {
            Json::String(text) => Json::from(text.as_str()),
            other => Json::from(other.to_string()),
        };
        let given: Vec<(&String, &Json)> = given.as_object().into_iter().flatten().collect();
        let as_given = |key: &String| given.iter().find(|(it, _)| it.eq_ignore_ascii_case(key));
        let texts: Map<String, Json> = inputs
            .iter()
            .map(|(key, value)| (key.clone(), text(as_given(key).map_or(value, |(_, it)| it))))
            .collect();
        fields.insert("inputs".to_owned(), Json::Object(texts));
    }
    payload
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use serde_json::json;
    use syntax::Source;

    const WORKFLOW: &str = "on:\n  workflow_dispatch:\n    inputs:\n      confirm: { required: true, description: Type DEPLOY }\n      dry: { type: boolean }\n      count: { type: number, default: 3 }\n      where: { type: choice, options: [staging, production] }\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps: [{ run: 'true' }]\n";

    fn check(given: &[(&str, &str)], expect: Expect) {
        let (workflow, findings) = workflow::read(&Source::new("deploy.yml", WORKFLOW));
        assert!(findings.is_empty(), "{findings:?}");
        let given =
            given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let shown = match typed(&workflow.expect("it is read"), &given, &missing) {
            Ok(inputs) => inputs.to_string(),
            Err(failure) => format!("{}; {}", failure.error, failure.hints.join("; ")),
        };
        expect.assert_eq(&shown);
    }

    // proves: conformance 26
    #[test]
    fn inputs_are_typed_with_defaults() {
        check(
            &[("confirm", "DEPLOY")],
            expect![[r#"{"confirm":"DEPLOY","dry":false,"count":3,"where":"staging"}"#]],
        );
        check(
            &[("Confirm", "x"), ("dry", "true"), ("count", "4.5"), ("where", "production")],
            expect![[r#"{"confirm":"x","dry":true,"count":4.5,"where":"production"}"#]],
        );
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        check(
            &[("confirm", "x"), ("dry", "yes")],
            expect!["input dry is true or false, not `yes`; "],
        );
        check(
            &[("confirm", "x"), ("where", "moon")],
            expect!["input where is one of staging, production, not `moon`; "],
        );
        check(
            &[("confrim", "x")],
            expect!["deploy.yml has no input confrim; it has: confirm, dry, count, where"],
        );
    }

    // proves: conformance 26
    #[test]
    fn in_the_payload_inputs_are_text_as_given() {
        let check = |given: Json, typed: Json, expect: Expect| {
            let payload = in_payload(&json!({ "inputs": given }), &typed);
            expect.assert_eq(&payload["inputs"].to_string());
        };
        check(
            json!({}),
            json!({ "dry": true, "n": 3, "name": "x" }),
            expect![[r#"{"dry":"true","n":"3","name":"x"}"#]],
        );
        check(
            json!({ "N": "3.50", "name": "" }),
            json!({ "n": 3.5, "name": "", "m": 1e21 }),
            expect![[r#"{"n":"3.50","name":"","m":"1e+21"}"#]],
        );
    }

    /// GitHub's limit for what a dispatch carries.
    // proves: conformance 26
    #[test]
    fn inputs_have_65535_characters_together() {
        let confirm = "x".repeat(INPUTS_CHARACTERS_MAX - "confirm".len());
        check(
            &[("confirm", &format!("{confirm}y"))],
            expect!["the inputs have 65536 characters; GitHub takes 65535; "],
        );
        let (workflow, _) = workflow::read(&Source::new("deploy.yml", WORKFLOW));
        let given = BTreeMap::from([("confirm".to_owned(), confirm)]);
        assert!(typed(&workflow.expect("it is read"), &given, &missing).is_ok());
    }
}
