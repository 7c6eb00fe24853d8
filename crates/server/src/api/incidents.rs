//! Incidents: looked at, opened, ended, linked to what was shipped.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Extension, Json};
use event::{Digest, IncidentId, IncidentRole, Severity, ShippedBy, Timestamp};
use serde::Deserialize;
use serde_json::{Value as JsonValue, json};

use super::metrics::{shipped_by, shipped_by_or_null};
use super::openapi::{many, number, object, or_null, text};
use super::{Operation, key};
use crate::access::Scope;
use crate::app::{App, Shared, blocking};
use crate::guard::Who;
use crate::incidents::{self, IncidentAsk, IncidentDeed, IncidentWish, Wanted, incident_details};
use crate::problem::Problem;

/// Operations about incidents.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "get",
        path: "/api/v1/incidents",
        id: "listIncidents",
        summary: "The newest 200 incidents, newest first",
        scope: Scope::Read,
        query: &[
            ("state", "string", "Only those that are open, or only those that are resolved"),
            ("project", "string", "Only this project's"),
            ("environment", "string", "Only in this environment"),
        ],
        body: None,
        answer: (200, "IncidentList"),
        route: || get(list),
    },
    Operation {
        method: "post",
        path: "/api/v1/incidents",
        id: "openIncident",
        summary: "Open one; Idempotency-Key opens it once however often it is asked",
        scope: Scope::Operate,
        query: &[],
        body: Some("OpenIncident"),
        answer: (201, "Incident"),
        route: || post(open),
    },
    Operation {
        method: "get",
        path: "/api/v1/incidents/{incident}",
        id: "showIncident",
        summary: "One incident, with every time that users met it",
        scope: Scope::Read,
        query: &[],
        body: None,
        answer: (200, "Incident"),
        route: || get(show),
    },
    Operation {
        method: "post",
        path: "/api/v1/incidents/{incident}",
        id: "changeIncident",
        summary: "Resolve it, reopen it, link it to what was shipped, or take a link away",
        scope: Scope::Operate,
        query: &[],
        body: Some("ChangeIncident"),
        answer: (200, "Incident"),
        route: || post(change),
    },
];

/// A deployment by its number, or the attempt of a run whose jobs it was, as they are asked with.
fn shipped_or_null() -> JsonValue {
    json!({ "type": ["integer", "string", "null"], "minimum": 0, "pattern": "^[1-9][0-9]*[.][1-9][0-9]*$" })
}

fn severities() -> JsonValue {
    json!({ "enum": ["minor", "major", "critical"] })
}

/// The shapes that they speak in.
pub(super) fn schemas() -> Vec<(&'static str, JsonValue)> {
    let incident = object(
        &[
            ("incident", number()),
            ("state", json!({ "enum": ["open", "resolved"] })),
            ("title", text()),
            ("severity", severities()),
            ("project", text()),
            ("environment", text()),
            ("service", or_null("string")),
            ("source", json!({ "enum": ["person", "deployment", "github", "pagerduty"] })),
            ("link", or_null("string")),
            ("caused_by", shipped_by_or_null()),
            ("fixed_by", many(shipped_by())),
            ("opened_at_ms", number()),
            ("resolved_at_ms", or_null("integer")),
            ("spans", many(span())),
            ("stream", text()),
            ("first_seq", number()),
            ("last_seq", number()),
        ],
        &[],
    );
    let open = json!({
        "type": "object",
        "required": ["title"],
        "properties": {
            "title": { "type": "string", "minLength": 1, "maxLength": 200 },
            "severity": severities(),
            "project": or_null("string"),
            "environment": or_null("string"),
            "service": or_null("string"),
            "caused_by": shipped_or_null(),
            "at_ms": { "type": ["integer", "null"], "minimum": 0 },
        },
        "additionalProperties": false,
    });
    let change = json!({
        "type": "object",
        "required": ["do"],
        "properties": {
            "do": { "enum": ["resolve", "reopen", "link", "unlink"] },
            "reason": or_null("string"),
            "deployment": shipped_or_null(),
            "role": { "enum": ["cause", "fix", null] },
            "at_ms": { "type": ["integer", "null"], "minimum": 0 },
        },
        "additionalProperties": false,
    });
    let list =
        object(&[("incidents", many(json!({ "$ref": "#/components/schemas/Incident" })))], &[]);
    vec![
        ("Incident", incident),
        ("IncidentList", list),
        ("OpenIncident", open),
        ("ChangeIncident", change),
    ]
}

fn span() -> JsonValue {
    let who = || object(&[("name", text()), ("proof", text())], &[]);
    let who_or_null = json!({ "anyOf": [who(), { "type": "null" }] });
    object(
        &[
            ("since_ms", number()),
            ("by", who()),
            ("reason", or_null("string")),
            ("resolved_at_ms", or_null("integer")),
            ("resolved_by", who_or_null),
            ("resolved_because", or_null("string")),
        ],
        &[],
    )
}

#[derive(Deserialize)]
struct Of {
    state: Option<String>,
    project: Option<String>,
    environment: Option<String>,
}

async fn list(State(app): State<Shared>, Query(of): Query<Of>) -> Result<Json<JsonValue>, Problem> {
    let open = match of.state.as_deref() {
        None | Some("") => None,
        Some("open") => Some(true),
        Some("resolved") => Some(false),
        Some(_) => return Err(Problem::bad("`state` is open or resolved.")),
    };
    let wanted = Wanted { project: of.project, environment: of.environment, open };
    blocking(move || {
        let views = incidents::newest(&app, &wanted)?;
        Ok(Json(json!({ "incidents": views.iter().map(incident_details).collect::<Vec<_>>() })))
    })
    .await
}

async fn show(State(app): State<Shared>, Path(id): Path<u64>) -> Result<Json<JsonValue>, Problem> {
    blocking(move || Ok(Json(incident_details(&incidents::find(&app, IncidentId(id))?)))).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Open {
    title: String,
    severity: Option<Severity>,
    project: Option<String>,
    environment: Option<String>,
    service: Option<String>,
    caused_by: Option<ShippedBy>,
    at_ms: Option<u64>,
}

async fn open(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Result<Response, Problem> {
    who.may(Scope::Operate)?;
    let key = key(&headers, &who)?;
    let wanted: Open = serde_json::from_slice(&body).map_err(|error| {
        let shape = "{\"title\": \"checkout answers 500\", \"caused_by\": 7}";
        Problem::bad(format!("The body is such as {shape}: {error}."))
    })?;
    let by = who.actor();
    // The journal keeps it, and is told no more of them than who they are.
    let key = key.map(|key| format!("api:{}", Digest::of(key.as_bytes())));
    let wish = IncidentWish {
        title: wanted.title,
        severity: wanted.severity.unwrap_or(Severity::Major),
        project: wanted.project,
        environment: wanted.environment,
        service: wanted.service,
        caused_by: wanted.caused_by,
        key,
    };
    let at = wanted.at_ms.map(Timestamp);
    let ask = IncidentAsk { deed: IncidentDeed::Open(wish), reason: None, at, by };
    let told = blocking(move || done(&app, &ask)).await?;
    Ok((StatusCode::CREATED, told).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    r#do: String,
    reason: Option<String>,
    deployment: Option<ShippedBy>,
    role: Option<IncidentRole>,
    at_ms: Option<u64>,
}

/// What is asked for, from a body or a form.
pub(crate) fn deed(
    verb: &str,
    id: IncidentId,
    link: (Option<ShippedBy>, Option<IncidentRole>),
) -> Result<IncidentDeed, Problem> {
    let linked = match link {
        (Some(by), Some(role)) => Some((by, role)),
        (None, None) => None,
        _ => return Err(Problem::bad("`deployment` and `role` belong together.")),
    };
    match (verb, linked) {
        ("resolve", None) => Ok(IncidentDeed::Resolve(id)),
        ("reopen", None) => Ok(IncidentDeed::Reopen(id)),
        ("link", Some((by, role))) => Ok(IncidentDeed::Link(id, by, role)),
        ("unlink", Some((by, role))) => Ok(IncidentDeed::Unlink(id, by, role)),
        _ => Err(Problem::bad(
            "`do` is resolve or reopen, or link or unlink with a `deployment` and its `role`.",
        )),
    }
}

async fn change(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(id): Path<u64>,
    body: axum::body::Bytes,
) -> Result<Json<JsonValue>, Problem> {
    who.may(Scope::Operate)?;
    let wanted: Change = serde_json::from_slice(&body).map_err(|error| {
        let shape = "{\"do\": \"resolve\", \"reason\": \"rolled back\"}";
        Problem::bad(format!("The body is such as {shape}: {error}."))
    })?;
    let deed = deed(&wanted.r#do, IncidentId(id), (wanted.deployment, wanted.role))?;
    let (reason, at) = (wanted.reason, wanted.at_ms.map(Timestamp));
    let ask = IncidentAsk { deed, reason, at, by: who.actor() };
    blocking(move || done(&app, &ask)).await
}

fn done(app: &App, ask: &IncidentAsk) -> Result<Json<JsonValue>, Problem> {
    let id = app.engine.incident(ask)?;
    Ok(Json(incident_details(&incidents::find(app, id)?)))
}
