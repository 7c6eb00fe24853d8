//! Secrets and variables of a repository: set, forgotten, listed by name.

use axum::Extension;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::routing::{delete, get, put};
use serde::Deserialize;
use serde_json::{Value as JsonValue, json};

use super::Operation;
use super::openapi::{many, number, object, or_null, text, yes_no};
use crate::access::Scope;
use crate::app::{App, Shared, blocking};
use crate::audit;
use crate::guard::Who;
use crate::keep::{KEEP_BODY_BYTES_MAX, KeepWish, KeptKind, KeptName, NamedValue, VALUE_BYTES_MAX};
use crate::problem::Problem;
use crate::reason::{Because, Reason};

const ENVIRONMENT: (&str, &str, &str) =
    ("environment", "string", "Of this environment; without one, of all");

/// Operations about secrets and variables.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "get",
        path: "/api/v1/repositories/{owner}/{name}/kept",
        id: "listKept",
        summary: "Names of secrets, and variables, with who set them and when, never a secret's value; and what is read at the default branch, and whether that is missing",
        scope: Scope::Read,
        query: &[],
        body: None,
        answer: (200, "KeptList"),
        route: || get(list),
    },
    Operation {
        method: "put",
        path: "/api/v1/repositories/{owner}/{name}/kept/{kind}/{key}",
        id: "keep",
        summary: "Keep a value: kind is secrets or variables; nobody is given a secret's value again",
        scope: Scope::Admin,
        query: &[],
        body: Some("Keep"),
        answer: (200, "KeptList"),
        route: || put(keep).layer(DefaultBodyLimit::max(KEEP_BODY_BYTES_MAX)),
    },
    Operation {
        method: "delete",
        path: "/api/v1/repositories/{owner}/{name}/kept/{kind}/{key}",
        id: "forget",
        summary: "Forget a secret or a variable",
        scope: Scope::Admin,
        query: &[ENVIRONMENT],
        body: Some("Because"),
        answer: (200, "KeptList"),
        route: || delete(forget),
    },
];

/// The shapes that they speak in.
pub(super) fn schemas() -> Vec<(&'static str, JsonValue)> {
    let kinds = json!({ "enum": ["secret", "variable"] });
    let kept = object(
        &[
            ("name", text()),
            ("kind", kinds.clone()),
            ("environment", or_null("string")),
            ("value", or_null("string")),
            ("set_at_ms", number()),
            ("set_by", or_null("string")),
            ("rotate_by_ms", or_null("integer")),
        ],
        &[],
    );
    let keep = json!({
        "type": "object",
        "required": ["value"],
        "properties": {
            "value": text(),
            "environment": or_null("string"),
            "rotate_by": or_null("string"),
            "reason": crate::reason::field(),
        },
        "additionalProperties": false,
    });
    let named = object(
        &[
            ("kind", kinds),
            ("name", text()),
            ("environment", or_null("string")),
            ("used_at", text()),
            ("is_missing", yes_no()),
        ],
        &[],
    );
    let list = object(
        &[("kept", many(kept))],
        &[("named", many(named)), ("messages_not_known", or_null("string"))],
    );
    vec![("KeptList", list), ("Keep", keep)]
}

fn described(app: &App, repository: &str) -> Result<JsonValue, Problem> {
    let one = |it: &KeptName| {
        let kind = if it.variable.is_some() { "variable" } else { "secret" };
        json!({
            "name": it.name, "kind": kind, "environment": it.environment, "value": it.variable,
            "set_at_ms": it.set_at, "set_by": it.set_by, "rotate_by_ms": it.rotate_by,
        })
    };
    let kept = app.engine.kept(repository)?;
    Ok(json!({ "kept": kept.iter().map(one).collect::<Vec<_>>() }))
}

async fn list(
    State(app): State<Shared>,
    Path((owner, name)): Path<(String, String)>,
) -> Result<Json<JsonValue>, Problem> {
    blocking(move || {
        let repository = format!("{owner}/{name}");
        let mut described = described(&app, &repository)?;
        let one = |it: &NamedValue| {
            json!({
                "kind": it.kind.as_str(), "name": it.name, "environment": it.environment,
                "used_at": it.used_at, "is_missing": it.is_missing,
            })
        };
        let named = app.engine.named(&repository)?;
        described["named"] = named.values.iter().map(one).collect();
        described["messages_not_known"] = named.messages_not_known.into();
        Ok(Json(described))
    })
    .await
}

type Address = Path<(String, String, String, String)>;

/// Keeps or forgets, and writes that down before; or that it was refused, or failed.
pub(crate) fn change(
    app: &App,
    who: &Who,
    wish: &KeepWish,
    reason: &Reason,
) -> Result<(), Problem> {
    let verb = if wish.value.is_some() { "set" } else { "remove" };
    let place = wish.environment.as_deref().map(|it| format!(" {it}")).unwrap_or_default();
    let object = format!("{}{place} {}", wish.repository, wish.name);
    let action = format!("{}.{verb}", wish.kind.as_str());
    let secret = wish.value.as_deref().filter(|_| wish.kind == KeptKind::Secret);
    let reason = secret.map_or_else(|| reason.clone(), |value| reason.without(value));
    let record = audit::recorder(app, who, (&action, &reason), |_| object.clone());
    let done = app.engine.keep(wish, &record);
    if let Err(refused) = &done {
        let why = Some(refused.message.clone());
        audit::record(app, who, (&action, object.clone()), (&reason, why))?;
    }
    Ok(done?)
}

fn kind_of(kind: &str) -> Result<KeptKind, Problem> {
    KeptKind::of(kind).ok_or_else(|| Problem::not_found("There are secrets and variables."))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keep {
    value: String,
    environment: Option<String>,
    rotate_by: Option<String>,
    reason: Option<String>,
}

/// A value's body. Of what says to be too long nothing is read: who asks before sending hears why,
/// where a connection that ends in the middle of sending would say nothing.
async fn body_of(request: Request) -> Result<Bytes, Problem> {
    let too_long = || {
        let detail = format!("A value has {VALUE_BYTES_MAX} bytes at most.");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    };
    let said = request.headers().get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    let said = said.and_then(|it| it.parse::<u64>().ok());
    if said.is_some_and(|it| it > KEEP_BODY_BYTES_MAX as u64) {
        return Err(too_long());
    }
    Bytes::from_request(request, &()).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_long(),
        status => Problem::new(status, rejection.body_text()),
    })
}

async fn keep(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path((owner, name, kind, key)): Address,
    request: Request,
) -> Result<Json<JsonValue>, Problem> {
    who.may(Scope::Admin)?;
    let kind = kind_of(&kind)?;
    let body = body_of(request).await?;
    // What serde says of a body could be the value.
    let Keep { value, environment, rotate_by, reason } =
        serde_json::from_slice(&body).map_err(|_| {
            Problem::bad("The body is such as {\"value\": TEXT, \"environment\": null}.")
        })?;
    let reason = Reason::given(reason)?;
    let (repository, by) = (format!("{owner}/{name}"), who.name());
    let value = Some(value);
    let wish = KeepWish { repository, name: key, environment, kind, value, rotate_by, by };
    blocking(move || {
        change(&app, &who, &wish, &reason)?;
        Ok(Json(described(&app, &wish.repository)?))
    })
    .await
}

#[derive(Deserialize)]
struct Of {
    environment: Option<String>,
}

async fn forget(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path((owner, name, kind, key)): Address,
    Query(Of { environment }): Query<Of>,
    Because(reason): Because,
) -> Result<Json<JsonValue>, Problem> {
    who.may(Scope::Admin)?;
    let kind = kind_of(&kind)?;
    let (repository, by) = (format!("{owner}/{name}"), who.name());
    let (value, rotate_by) = (None, None);
    let wish = KeepWish { repository, name: key, environment, kind, value, rotate_by, by };
    blocking(move || {
        change(&app, &who, &wish, &reason)?;
        Ok(Json(described(&app, &wish.repository)?))
    })
    .await
}
