//! The document of the API, made from the table of its operations.

use serde_json::{Map, Value as Json, json};

use super::{
    KEY_CHARS_MAX, Operation, approvals, audit, deployed, deployments, dispatch, held, incidents,
    messages, operations, runners, secrets, sync, tokens, versions, workflows,
};
use crate::reason;

/// Operations that heed an `Idempotency-Key`; others do once what is asked twice.
const KEYED: &[&str] = &["dispatch", "rerunRun", "openIncident"];

/// OpenAPI 3.1.
pub(super) fn document() -> Json {
    let mut paths = Map::new();
    for operation in operations() {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = described(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Launchway",
            "version": "1",
            "summary": "Runs of workflows, as the journal has them",
        },
        "security": [{ "token": [] }],
        "paths": paths,
        "components": { "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } }, "schemas": schemas() },
    })
}

fn described(operation: &Operation) -> Json {
    let in_path =
        operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Json> = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    for (name, kind, what) in operation.query {
        let minimum = (*kind == "integer").then_some(0);
        let mut schema = json!({ "type": kind });
        if let Some(minimum) = minimum {
            schema["minimum"] = minimum.into();
        }
        parameters
            .push(json!({ "name": name, "in": "query", "description": what, "schema": schema }));
    }
    parameters.extend(header(operation));
    let (status, answer) = operation.answer;
    let content = if answer.contains('/') {
        json!({ answer: { "schema": { "type": if answer == "application/json" { "object" } else { "string" } } } })
    } else {
        json!({ "application/json": { "schema": { "$ref": format!("#/components/schemas/{answer}") } } })
    };
    let problem = json!({
        "description": "It cannot be done",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    let mut done = json!({ "description": "Done", "content": content });
    if operation.body == Some(reason::BODY) {
        done["headers"] = reason::heeded();
    }
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "description": format!("Needs a token that may {}.", operation.scope.as_str()),
        "parameters": parameters,
        "responses": {
            status.to_string(): done,
            "default": problem,
        },
    });
    if let Some(body) = operation.body {
        described["requestBody"] = json!({
            "content": { "application/json": { "schema": { "$ref": format!("#/components/schemas/{body}") } } },
        });
    }
    described
}

/// The header that an operation heeds besides the token.
fn header(operation: &Operation) -> Option<Json> {
    let (name, schema, what) = if operation.answer.1 == "text/event-stream" {
        ("Last-Event-ID", number(), "Goes on behind this event")
    } else if KEYED.contains(&operation.id) {
        let schema =
            json!({ "type": "string", "pattern": format!("^[!-~]{{1,{KEY_CHARS_MAX}}}$") });
        ("Idempotency-Key", schema, "Done once, however often it is asked with this key")
    } else {
        return None;
    };
    Some(json!({ "name": name, "in": "header", "description": what, "schema": schema }))
}

pub(super) fn object(required: &[(&str, Json)], optional: &[(&str, Json)]) -> Json {
    let all = required.iter().chain(optional);
    let properties: Map<String, Json> =
        all.map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    let required: Vec<&str> = required.iter().map(|(name, _)| *name).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

pub(super) fn text() -> Json {
    json!({ "type": "string" })
}

pub(super) fn number() -> Json {
    json!({ "type": "integer", "minimum": 0 })
}

pub(super) fn yes_no() -> Json {
    json!({ "type": "boolean" })
}

pub(super) fn or_null(kind: &str) -> Json {
    json!({ "type": [kind, "null"] })
}

pub(super) fn many(schema: Json) -> Json {
    json!({ "type": "array", "items": schema })
}

pub(super) fn named(name: &str) -> Json {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn status() -> Json {
    json!({ "enum": ["queued", "in_progress", "waiting", "completed"] })
}

fn conclusion() -> Json {
    json!({ "enum": ["success", "failure", "cancelled", "skipped", "timed_out", null] })
}

fn schemas() -> Json {
    let mut schemas = json!({
        "Problem": object(
            &[("status", number()), ("title", text()), ("detail", text())],
            &[("hint", text())],
        ),
        "RunLine": run_line(),
        "RunList": object(&[("runs", many(named("RunLine"))), ("older", or_null("string"))], &[]),
        "Step": step(),
        "Job": job(),
        "Run": run(),
        "StoredEvent": stored_event(),
        "RunEvents": object(
            &[
                ("run", number()),
                ("attempt", number()),
                ("unattended", yes_no()),
                ("waits", json!({ "type": "object", "additionalProperties": text() })),
                ("events", many(named("StoredEvent"))),
            ],
            &[],
        ),
        "Rerun": json!({
            "type": "object",
            "properties": {
                "only": { "enum": ["all", "failed", null] },
                "reason": reason::field(),
            },
            "additionalProperties": false,
        }),
        reason::BODY: reason::schema(),
        "Accepted": object(&[("run", number()), ("attempt", number())], &[]),
        "RepositoryList": object(&[("repositories", many(repository()))], &[]),
        "ConnectionList": object(&[("repositories", many(json!({ "type": "object" })))], &[]),
        "Metrics": super::metrics::schema(),
        "RunTests": super::run_tests::schema(),
        "RunImages": super::run_images::schema(),
        "RunScans": super::run_scans::schema(),
        "LogSearch": super::run_search::schema(),
        "PushList": object(&[("pushes", many(push()))], &[]),
    });
    for (name, schema) in [
        dispatch::schemas(),
        approvals::schemas(),
        deployed::schemas(),
        deployments::schemas(),
        audit::schemas(),
        secrets::schemas(),
        sync::schemas(),
        workflows::schemas(),
        tokens::schemas(),
        messages::schemas(),
        runners::schemas(),
        held::schemas(),
        incidents::schemas(),
        versions::schemas(),
    ]
    .concat()
    {
        schemas[name] = schema;
    }
    schemas
}

/// What a run is called everywhere.
fn run_names() -> Vec<(&'static str, Json)> {
    vec![
        ("run", number()),
        ("attempt", number()),
        ("run_number", number()),
        ("repository", text()),
        ("workflow", text()),
        ("title", text()),
        ("event", text()),
        ("commit", text()),
        ("status", status()),
        ("conclusion", conclusion()),
        ("unattended", yes_no()),
    ]
}

fn run_line() -> Json {
    let more = [
        ("actor", text()),
        ("branch", text()),
        ("lost", yes_no()),
        ("created_at_ms", number()),
        ("started_at_ms", or_null("integer")),
        ("duration_ms", or_null("integer")),
    ];
    object(&[run_names(), more.to_vec()].concat(), &[])
}

fn run() -> Json {
    let more = [("ref", text()), ("actor", text()), ("jobs", many(named("Job")))];
    let optional = [
        ("uncommitted", number()),
        ("driven_by", or_null("integer")),
        ("created_at_ms", number()),
        ("started_at_ms", or_null("integer")),
        ("completed_at_ms", or_null("integer")),
        ("artifacts", many(json!({ "type": "object" }))),
        ("not_enforced", many(text())),
        ("waterfall", waterfall()),
    ];
    object(&[run_names(), more.to_vec()].concat(), &optional)
}

fn step() -> Json {
    let step = [
        ("step", text()),
        ("name", text()),
        ("status", status()),
        ("outcome", conclusion()),
        ("conclusion", conclusion()),
        ("interrupted", yes_no()),
        ("background", yes_no()),
        ("started_at_ms", or_null("integer")),
        ("completed_at_ms", or_null("integer")),
    ];
    object(&step, &[])
}

fn waterfall() -> Json {
    let part = [("part", text()), ("since_ms", number()), ("until_ms", number())];
    let times = json!({ "type": "object", "additionalProperties": number() });
    let job = [
        ("job", text()),
        ("legs", number()),
        ("critical", yes_no()),
        ("parts", many(object(&part, &[]))),
        ("times_ms", times),
    ];
    let waterfall = [
        ("since_ms", number()),
        ("until_ms", number()),
        ("waited_ms", number()),
        ("critical", many(text())),
        ("jobs", many(object(&job, &[]))),
        ("left_out", number()),
    ];
    object(&waterfall, &[])
}

fn job() -> Json {
    let texts = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    let job = [
        ("job", text()),
        ("name", text()),
        ("needs", many(text())),
        ("status", status()),
        ("conclusion", conclusion()),
        ("lost", yes_no()),
        ("outputs", texts),
        ("why_waiting", or_null("string")),
        ("environment", or_null("string")),
        ("environment_url", or_null("string")),
        ("steps", many(named("Step"))),
    ];
    let times = ["ready_at_ms", "leased_at_ms", "started_at_ms", "completed_at_ms"];
    object(&job, &times.map(|name| (name, or_null("integer"))))
}

fn stored_event() -> Json {
    let event = json!({ "type": "object", "required": ["type"], "properties": { "type": text() } });
    object(&[("seq", number()), ("at_ms", number()), ("event", event)], &[])
}

fn repository() -> Json {
    let elsewhere = object(
        &[("url", text()), ("every_seconds", number()), ("trouble", or_null("string"))],
        &[],
    );
    let repository = [
        ("name", text()),
        ("path", text()),
        ("elsewhere", json!({ "anyOf": [elsewhere, { "type": "null" }] })),
        ("environments", many(text())),
        ("switched_off", many(text())),
    ];
    object(&repository, &[])
}

fn push() -> Json {
    let push = [
        ("repository", text()),
        ("ref", text()),
        ("commit", text()),
        ("pusher", text()),
        ("at_ms", number()),
        ("said", many(text())),
        ("runs", many(named("Accepted"))),
    ];
    object(&push, &[])
}

#[cfg(test)]
mod tests {
    /// Whoever uses the API sees here what changes for them.
    #[test]
    fn the_document_is_the_one_that_was_looked_at() {
        let text = serde_json::to_string_pretty(&super::document()).unwrap() + "\n";
        expect_test::expect_file!["../../openapi.json"].assert_eq(&text);
    }
}
