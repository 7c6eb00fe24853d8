//! Approvals: what waits for people, and what they say.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json};
use event::{Actor, Digest, GateDemand, GateKey, StreamId};
use mask::MaskedText;
use serde::Deserialize;
use serde_json::{Value as JsonValue, json};

use super::Operation;
use super::openapi::{many, number, object, or_null, text, yes_no};
use crate::access::Scope;
use crate::app::{Shared, blocking};
use crate::approvals::{self, AnswerSaid, GateAnswer, Waiting, as_member, person};
use crate::guard::Who;
use crate::problem::Problem;
use crate::reason::Reason;

/// Operations about approvals.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "get",
        path: "/api/v1/approvals",
        id: "listApprovals",
        summary: "Jobs that wait at the gate of an environment, the oldest first",
        scope: Scope::Read,
        query: &[],
        body: None,
        answer: (200, "ApprovalList"),
        route: || get(list),
    },
    Operation {
        method: "get",
        path: "/api/v1/runs/{run}/jobs/{job}/approval",
        id: "showApproval",
        summary: "The gate of one job, with everything that was said at it",
        scope: Scope::Read,
        query: &[],
        body: None,
        answer: (200, "Approval"),
        route: || get(show),
    },
    Operation {
        method: "post",
        path: "/api/v1/runs/{run}/jobs/{job}/approval",
        id: "answerApproval",
        summary: "Agree to exactly what was shown, or say no; what does not count is written down. Who may deploy there may say it at the gate `start`",
        scope: Scope::Approve,
        query: &[],
        body: Some("Answer"),
        answer: (200, "Approval"),
        route: || post(answer),
    },
];

/// The shapes that they speak in.
pub(super) fn schemas() -> Vec<(&'static str, JsonValue)> {
    let gate = object(
        &[
            ("gate", text()),
            ("kind", json!({ "enum": ["approval", "wait", "confirm", "start"] })),
            ("agreed", many(text())),
        ],
        &[
            ("group", text()),
            ("count", number()),
            ("members", many(text())),
            ("asks_you", yes_no()),
        ],
    );
    let said = object(
        &[
            ("said", json!({ "enum": ["approved", "rejected", "refused"] })),
            ("by", text()),
            ("at_ms", number()),
        ],
        &[("gate", or_null("string")), ("reason", or_null("string")), ("why", or_null("string"))],
    );
    let approval = object(
        &[
            ("run", number()),
            ("attempt", number()),
            ("job", text()),
            ("environment", text()),
            ("repository", text()),
            ("commit", text()),
            ("workflow", text()),
            ("what", text()),
            ("rules", text()),
            ("asked_by", many(text())),
            ("gates", many(gate)),
            ("answers", many(said)),
            ("since_ms", number()),
        ],
        &[
            ("opens_at_ms", or_null("integer")),
            ("shut", or_null("string")),
            ("opened_at_ms", or_null("integer")),
            ("changes", changes()),
        ],
    );
    let list =
        object(&[("approvals", many(json!({ "$ref": "#/components/schemas/Approval" })))], &[]);
    let answer = json!({
        "type": "object",
        "required": ["decision", "gate", "what"],
        "properties": {
            "decision": { "enum": ["approve", "reject", "confirm"] },
            "gate": text(),
            "what": text(),
            "reason": or_null("string"),
            "word": or_null("string"),
        },
        "additionalProperties": false,
    });
    vec![("Approval", approval), ("ApprovalList", list), ("Answer", answer)]
}

/// What it brings, where one job is asked for that waits; null where its repository cannot be read.
fn changes() -> JsonValue {
    let commit = object(&[("commit", text()), ("subject", text()), ("by", text())], &[]);
    let all = [
        ("since", or_null("string")),
        ("commits", many(commit)),
        ("count", number()),
        ("lost", number()),
    ];
    json!({ "anyOf": [object(&all, &[]), { "type": "null" }] })
}

/// A job at its gate, and which of it whoever asks could still say something to.
fn described(waiting: &Waiting, who: &Who) -> JsonValue {
    let (view, gate) = (&waiting.view, waiting.gate());
    let person = who.token.person.as_deref();
    let asked = &gate.asked;
    let header = &view.header;
    let gates = approvals::wanted(gate).into_iter().map(|it| {
        let asks_you = approvals::is_asked(&it, gate, person);
        let (kind, more) = match it.demand {
            GateDemand::Approval { group, count, members } => {
                ("approval", json!({ "group": group, "count": count, "members": members }))
            }
            GateDemand::Wait { .. } => ("wait", json!({})),
            GateDemand::Confirm { .. } => ("confirm", json!({})),
            GateDemand::Start => ("start", json!({})),
        };
        let mut shown =
            json!({ "gate": it.key, "kind": kind, "agreed": it.agreed, "asks_you": asks_you });
        for (name, value) in more.as_object().into_iter().flatten() {
            shown[name] = value.clone();
        }
        shown
    });
    let answers = gate.answers.iter().map(|it| {
        json!({
            "said": it.said.as_str(), "gate": it.gate, "by": it.by.name, "reason": it.reason,
            "why": it.why, "at_ms": it.at,
        })
    });
    json!({
        "run": header.run, "attempt": header.attempt, "job": waiting.job,
        "environment": asked.environment, "repository": header.repository,
        "commit": header.commit, "workflow": header.workflow_path, "what": asked.what,
        "rules": asked.rules.digest, "asked_by": asked.asked_by,
        "gates": gates.collect::<Vec<_>>(), "answers": answers.collect::<Vec<_>>(),
        "since_ms": gate.since, "opens_at_ms": asked.opens_at, "shut": asked.shut,
        "opened_at_ms": gate.opened_at,
    })
}

async fn list(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
) -> Result<Json<JsonValue>, Problem> {
    blocking(move || {
        let all = who.seen(&app).approvals()?;
        Ok(Json(
            json!({ "approvals": all.iter().map(|it| described(it, &who)).collect::<Vec<_>>() }),
        ))
    })
    .await
}

async fn show(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path((run, job)): Path<(String, String)>,
) -> Result<Json<JsonValue>, Problem> {
    blocking(move || {
        let waiting = approvals::find(&app, &run, &job)?;
        let mut shown = described(&waiting, &who);
        shown["changes"] = json!(waiting.brings(&app).and_then(Result::ok));
        Ok(Json(shown))
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    decision: String,
    gate: String,
    what: String,
    reason: Option<String>,
    word: Option<String>,
}

/// What is said, from a body or a form.
pub(crate) fn given(
    decision: &str,
    (what, word, reason): (&str, Option<String>, Option<String>),
) -> Result<(Digest, AnswerSaid, Option<String>), Problem> {
    let what: Digest =
        what.parse().map_err(|_| Problem::bad("`what` is the digest of what was shown."))?;
    let said = match (decision, word) {
        ("approve", None) => AnswerSaid::Approve,
        ("reject", None) => AnswerSaid::Reject,
        ("confirm", Some(word)) => AnswerSaid::Confirm(word),
        _ => return Err(Problem::bad("`decision` is approve, reject, or confirm with a `word`.")),
    };
    Ok((what, said, Reason::given(reason)?.as_str().map(str::to_owned)))
}

async fn answer(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path((run, job)): Path<(String, String)>,
    body: axum::body::Bytes,
) -> Result<Response, Problem> {
    approvals::may_speak_somewhere(&who)?;
    let by = person(&who)?;
    let said: Said = serde_json::from_slice(&body).map_err(|error| {
        let shape = "{\"decision\": \"approve\", \"gate\": \"approval/devops\", \"what\": DIGEST}";
        Problem::bad(format!("The body is such as {shape}: {error}."))
    })?;
    let Said { decision, gate, what, reason, word } = said;
    let (what, said, reason) = given(&decision, (&what, word, reason))?;
    blocking(move || {
        let waiting = approvals::find(&app, &run, &job)?;
        let gate = GateKey::new(gate);
        approvals::may_speak(&who, &waiting, &gate)?;
        let header = &waiting.view.header;
        let stream = StreamId::Run(header.run, header.attempt);
        let by = as_member(waiting.gate(), &gate, &by);
        let by = Actor { name: MaskedText::without_secrets(by), ..who.actor() };
        let job = waiting.job.clone();
        app.engine.answer(&GateAnswer { stream, job, gate, what, said, reason, by })?;
        let now = approvals::find(&app, &run, waiting.job.as_str())?;
        Ok((StatusCode::OK, Json(described(&now, &who))).into_response())
    })
    .await
}
