//! Dispatching: what there is to dispatch, and the wish to.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value as JsonValue, json};

use super::openapi::{many, object, or_null, text, yes_no};
use super::{Operation, accepted, key};
use crate::access::{Places, Scope};
use crate::app::{Shared, blocking};
use crate::dispatch::{Dispatch, OfferedInput, OfferedWorkflow};
use crate::guard::Who;
use crate::problem::Problem;

/// Operations about dispatching.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "get",
        path: "/api/v1/repositories/{owner}/{name}/workflows",
        id: "listDispatchable",
        summary: "Workflows of a repository that workflow_dispatch starts, with what they ask for",
        scope: Scope::Read,
        query: &[("ref", "string", "A branch or tag; without one the default branch")],
        body: None,
        answer: (200, "Offer"),
        route: || get(list),
    },
    Operation {
        method: "post",
        path: "/api/v1/repositories/{owner}/{name}/dispatches",
        id: "dispatch",
        summary: "Run a workflow; Idempotency-Key makes one run however often it is asked",
        scope: Scope::Operate,
        query: &[],
        body: Some("Dispatch"),
        answer: (201, "Accepted"),
        route: || post(dispatch),
    },
];

/// The shapes that they speak in.
pub(super) fn schemas() -> Vec<(&'static str, JsonValue)> {
    let kinds = json!({ "enum": ["string", "boolean", "number", "choice", "environment"] });
    let input = object(
        &[
            ("name", text()),
            ("description", or_null("string")),
            ("required", yes_no()),
            ("type", kinds),
            ("options", many(text())),
            ("default", or_null("string")),
        ],
        &[],
    );
    let workflow = object(
        &[
            ("path", text()),
            ("name", text()),
            ("inputs", many(input)),
            ("refused", or_null("string")),
        ],
        &[],
    );
    let offer = [("ref", text()), ("refs", many(text())), ("workflows", many(workflow))];
    let dispatch = json!({
        "type": "object",
        "required": ["workflow"],
        "properties": {
            "workflow": text(),
            "ref": or_null("string"),
            "inputs": { "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] } },
        },
        "additionalProperties": false,
    });
    vec![("Offer", object(&offer, &[])), ("Dispatch", dispatch)]
}

#[derive(Deserialize)]
struct At {
    #[serde(rename = "ref")]
    git_ref: Option<String>,
}

async fn list(
    State(app): State<Shared>,
    Path((owner, name)): Path<(String, String)>,
    Query(At { git_ref }): Query<At>,
) -> Result<Json<JsonValue>, Problem> {
    blocking(move || {
        let offer = app.engine.offer(&format!("{owner}/{name}"), git_ref.as_deref())?;
        let input = |it: &OfferedInput| {
            json!({
                "name": it.name, "description": it.description, "required": it.required,
                "type": it.kind.as_str(), "options": it.kind.options(), "default": it.default,
            })
        };
        let workflow = |it: &OfferedWorkflow| {
            json!({
                "path": it.path, "name": it.name, "refused": it.refused,
                "inputs": it.inputs.iter().map(input).collect::<Vec<_>>(),
            })
        };
        Ok(Json(json!({
            "ref": offer.git_ref, "refs": offer.refs,
            "workflows": offer.workflows.iter().map(workflow).collect::<Vec<_>>(),
        })))
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    workflow: String,
    #[serde(rename = "ref")]
    git_ref: Option<String>,
    #[serde(default)]
    inputs: BTreeMap<String, JsonValue>,
}

/// What a body asks for.
fn wanted(repository: String, body: &[u8]) -> Result<Dispatch, Problem> {
    let wanted: Wanted = serde_json::from_slice(body).map_err(|error| {
        let shape = "{\"workflow\": \"deploy.yml\", \"ref\": \"main\", \"inputs\": {}}";
        Problem::bad(format!("The body is such as {shape}: {error}."))
    })?;
    let given = |(name, value): (String, JsonValue)| match value {
        JsonValue::String(text) => Ok((name, text)),
        value @ (JsonValue::Bool(_) | JsonValue::Number(_)) => Ok((name, value.to_string())),
        _ => Err(Problem::bad(format!("The input {name} is a text, a number, true or false."))),
    };
    let Wanted { workflow, git_ref, inputs } = wanted;
    let inputs = inputs.into_iter().map(given).collect::<Result<_, _>>()?;
    Ok(Dispatch { repository, git_ref, workflow, inputs, environments: Places::Only(Vec::new()) })
}

async fn dispatch(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path((owner, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Result<Response, Problem> {
    who.may(Scope::Operate)?;
    let mut wanted = wanted(format!("{owner}/{name}"), &body)?;
    wanted.environments = who.token.places(Scope::Deploy);
    let key = key(&headers, &who)?;
    blocking(move || {
        let made = app.engine.dispatch(&wanted, &who.actor(), key.as_deref())?;
        Ok(accepted(StatusCode::CREATED, made))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_plain_values() {
        let parse = |body: &str| wanted("octo/app".to_owned(), body.as_bytes());
        let found = parse(r#"{"workflow":"a.yml","inputs":{"n":3,"dry":true,"x":"y"}}"#).unwrap();
        let inputs: Vec<_> = found.inputs.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(inputs, ["dry=true", "n=3", "x=y"]);
        for wrong in
            ["", "{}", "[]", r#"{"workflow":"a","x":1}"#, r#"{"workflow":"a","inputs":{"x":[]}}"#]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
