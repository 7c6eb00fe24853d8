//! Messages: what others were sent and are owed, tried again, and a test of a rule.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Value as JsonValue, json};
use std::sync::Arc;
use store::WantedDeliveries;

use super::Operation;
use super::openapi::{many, number, object, or_null, text, yes_no};
use crate::access::Scope;
use crate::app::{Shared, blocking};
use crate::audit;
use crate::guard::Who;
use crate::problem::Problem;
use crate::reason::{Because, Reason};
use crate::wire::{MessageLine, MessageList, TroubledLine};

/// Messages of one answer.
const MESSAGES_MAX: usize = 200;
/// Messages of one answer where nobody says how many.
const MESSAGES: usize = 30;

/// Operations about them.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: "get",
        path: "/api/v1/messages",
        id: "listMessages",
        summary: "What others were sent and are owed, newest first, and receivers that do not answer",
        scope: Scope::Read,
        query: &[
            ("before", "integer", "Only messages before this one"),
            ("only", "string", "undelivered: owed still, or given up"),
            ("limit", "integer", "How many, 200 at most"),
        ],
        body: None,
        answer: (200, "MessageList"),
        route: || get(list),
    },
    Operation {
        method: "post",
        path: "/api/v1/messages/{number}/retry",
        id: "retryMessage",
        summary: "Have one tried again that waits or was given up",
        scope: Scope::Admin,
        query: &[],
        body: Some("Because"),
        answer: (202, "RetriedMessage"),
        route: || post(retry),
    },
    Operation {
        method: "post",
        path: "/api/v1/repositories/{owner}/{name}/notify/{rule}/test",
        id: "testRule",
        summary: "Send a test message by a rule of launchway.yml at the tip of the default branch, now and once",
        scope: Scope::Admin,
        query: &[],
        body: None,
        answer: (200, "TestedRule"),
        route: || post(test),
    },
];

/// The shapes that they speak in.
pub(super) fn schemas() -> Vec<(&'static str, JsonValue)> {
    let message = [
        ("number", number()),
        ("key", text()),
        ("consumer", text()),
        ("receiver", text()),
        ("about", text()),
        (
            "state",
            json!({ "enum": ["waiting", "under_way", "delivered", "given_up", "superseded"] }),
        ),
        ("attempts", number()),
        ("unsure", yes_no()),
        ("note", or_null("string")),
        ("remote", or_null("string")),
        ("owed_at_ms", number()),
        ("settled_at_ms", or_null("integer")),
        ("next_at_ms", or_null("integer")),
    ];
    let troubled = [
        ("receiver", text()),
        ("failures", number()),
        ("note", text()),
        ("shut_until_ms", number()),
    ];
    let list = [
        ("messages", many(object(&message, &[]))),
        ("troubled", many(object(&troubled, &[]))),
        ("older", or_null("integer")),
    ];
    vec![
        ("MessageList", object(&list, &[])),
        ("RetriedMessage", object(&[("number", number())], &[])),
        ("TestedRule", object(&[("rule", text())], &[])),
    ]
}

#[derive(Deserialize)]
struct Asked {
    before: Option<u64>,
    only: Option<String>,
    limit: Option<usize>,
}

async fn list(
    State(app): State<Shared>,
    Query(asked): Query<Asked>,
) -> Result<Json<MessageList>, Problem> {
    let is_undelivered = match asked.only.as_deref() {
        None => false,
        Some("undelivered") => true,
        Some(_) => return Err(Problem::bad("`only` is undelivered, or is left out.")),
    };
    blocking(move || {
        let limit = asked.limit.unwrap_or(MESSAGES).clamp(1, MESSAGES_MAX);
        let wanted = WantedDeliveries {
            before: asked.before,
            consumer: None,
            is_undelivered,
            limit: limit + 1,
        };
        let mut found = app.store.deliveries(&wanted)?;
        let is_more = found.len() > limit;
        found.truncate(limit);
        Ok(Json(MessageList {
            older: found.last().filter(|_| is_more).map(|it| it.id),
            messages: found.iter().map(MessageLine::from).collect(),
            troubled: app.store.troubled_receivers()?.iter().map(TroubledLine::from).collect(),
        }))
    })
    .await
}

async fn retry(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(number): Path<u64>,
    Because(reason): Because,
) -> Result<(StatusCode, Json<JsonValue>), Problem> {
    who.may(Scope::Admin)?;
    blocking(move || {
        let settled = || {
            let detail = format!("{number} neither waits nor was given up");
            Problem::new(StatusCode::CONFLICT, detail)
        };
        if !app.store.may_retry_delivery(number)? {
            return Err(settled());
        }
        // Written down first: nothing is sent again that nobody hears of, whatever happens in between.
        audit::record(&app, &who, ("message.retry", format!("message {number}")), (&reason, None))?;
        if !app.store.retry_delivery(number, app.now())? {
            return Err(settled());
        }
        Ok((StatusCode::ACCEPTED, Json(json!({ "number": number }))))
    })
    .await
}

async fn test(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path((owner, name, rule)): Path<(String, String, String)>,
) -> Result<Json<JsonValue>, Problem> {
    who.may(Scope::Admin)?;
    // A receiver may take its time, and each test has a thread meanwhile.
    let turn = Arc::clone(&app.testing).try_acquire_owned().map_err(|_| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Another rule is tested now: try again in a moment.",
        )
    })?;
    blocking(move || {
        let repository = format!("{owner}/{name}");
        let sent = app.engine.test_rule(&repository, &rule);
        drop(turn);
        let refused = sent.as_ref().err().map(|it| it.message.clone());
        audit::record(
            &app,
            &who,
            ("message.test", format!("{repository} {rule}")),
            (&Reason::NONE, refused),
        )?;
        sent?;
        Ok(Json(json!({ "rule": rule })))
    })
    .await
}
