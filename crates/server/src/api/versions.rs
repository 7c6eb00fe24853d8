//! Versions of a repository: its tags that are valid semver, with what is known of each.

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Extension, Json};
use event::ShippedBy;
use serde_json::{Value as JsonValue, json};
use versions::{VersionList, VersionRecord};

use super::Operation;
use super::openapi::{many, number, object, or_null, text, yes_no};
use crate::access::Scope;
use crate::app::{App, Shared, blocking, turn};
use crate::guard::Who;
use crate::problem::Problem;

/// Operations about them.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "get",
        path: "/api/v1/repositories/{owner}/{name}/versions",
        id: "listVersions",
        summary: "Versions of a repository, the highest first: its tags that are valid semver",
        scope: Scope::Read,
        query: &[],
        body: None,
        answer: (200, "VersionList"),
        route: || get(list),
    },
    Operation {
        method: "get",
        path: "/api/v1/repositories/{owner}/{name}/versions/{tag}",
        id: "showVersion",
        summary: "One version, with its notes, runs, artifacts and deployments",
        scope: Scope::Read,
        query: &[],
        body: None,
        answer: (200, "Version"),
        route: || get(show),
    },
];

/// The shapes that they speak in.
pub(super) fn schemas() -> Vec<(&'static str, JsonValue)> {
    let list = [("versions", many(line())), ("left_out", number()), ("behind_events", number())];
    let note =
        object(&[("text", text()), ("commit", text()), ("pull_request", or_null("integer"))], &[]);
    let group = object(&[("title", text()), ("lines", many(note))], &[]);
    let notes = object(&[("groups", many(group)), ("more", number()), ("commits", number())], &[]);
    let run = [("run", text()), ("workflow", text()), ("conclusion", or_null("string"))];
    let artifact =
        [("run", text()), ("name", text()), ("size_bytes", number()), ("expires_at_ms", number())];
    let deployment = [
        ("by", text()),
        ("environment", text()),
        ("service", text()),
        ("verdict", text()),
        ("at_ms", number()),
    ];
    let version = [
        ("version", line()),
        ("previous", or_null("string")),
        ("notes", notes),
        ("runs", many(object(&run, &[]))),
        ("artifacts", many(object(&artifact, &[]))),
        ("more_artifacts", number()),
        ("deployments", many(object(&deployment, &[]))),
        ("no_release", or_null("string")),
        ("behind_events", number()),
    ];
    vec![("VersionList", object(&list, &[])), ("Version", object(&version, &[]))]
}

fn line() -> JsonValue {
    let state = json!({ "enum": ["made", "others", "taken_away", "refused"] });
    let github = object(&[("state", state)], &[("id", number()), ("url", text()), ("why", text())]);
    let line = [
        ("repository", text()),
        ("tag", text()),
        ("prerelease", yes_no()),
        ("commit", text()),
        ("by", or_null("string")),
        ("at_ms", number()),
        ("gone", yes_no()),
        ("standing", json!({ "enum": ["open", "succeeded", "failed", "no_runs"] })),
        ("github", json!({ "anyOf": [github, { "type": "null" }] })),
    ];
    object(&line, &[])
}

async fn list(
    State(app): State<Shared>,
    Path((owner, name)): Path<(String, String)>,
) -> Result<Json<VersionList>, Problem> {
    let turn = turn(&app.surveying).await?;
    blocking(move || {
        let _turn = turn;
        Ok(Json(app.engine.versions(&format!("{owner}/{name}"))?))
    })
    .await
}

async fn show(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path((owner, name, tag)): Path<(String, String, String)>,
) -> Result<Json<VersionRecord>, Problem> {
    let turn = turn(&app.surveying).await?;
    blocking(move || {
        let _turn = turn;
        Ok(Json(seen(&app, &who, (&format!("{owner}/{name}"), &tag))?))
    })
    .await
}

/// A version, as somebody sees it: deployments are a project's, of which who is bound to repositories sees none.
pub(crate) fn seen(
    app: &App,
    who: &Who,
    (repository, tag): (&str, &str),
) -> Result<VersionRecord, Problem> {
    let mut record = app.engine.version(repository, tag)?;
    if who.token.is_bound() {
        record.deployments.retain(|it| matches!(it.by, ShippedBy::Jobs(..)));
    }
    Ok(record)
}
