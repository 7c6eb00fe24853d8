//! The API: the same truth as the pages, for programs. One table has every operation; the routes and
//! the document are made from it, so neither can have what the other has not.

mod approvals;
pub(crate) mod artifacts;
mod audit;
mod deployed;
mod deployments;
mod dispatch;
mod held;
mod incidents;
mod messages;
pub(crate) mod metrics;
mod openapi;
mod run_images;
mod run_scans;
mod run_search;
mod run_tests;
pub(crate) mod runners;
mod secrets;
mod streams;
mod sync;
mod tokens;
mod versions;
mod workflows;

pub(crate) use approvals::given;
pub(crate) use incidents::deed;
pub(crate) use runners::RUNNER_DOOR;
pub(crate) use secrets::change;
pub(crate) use tokens::{end_person, end_token};
pub(crate) use versions::seen as seen_version;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Extension, Json, Router};
use event::{Seq, StreamId};
use ports::Journal as _;
use serde::Deserialize;
use serde_json::{Value as JsonValue, json};

use crate::access::Scope;
use crate::app::{Shared, Wanted, blocking};
use crate::asked::{self, AskedRuns};
use crate::engine::Again;
use crate::guard::Who;
use crate::live::{After, Follower, resumed};
use crate::pages;
use crate::problem::Problem;
use crate::reason::{self, Because, Reason};
use crate::wire::{RunEvents, RunLine, RunList, StoredEvent, run_details};

/// Runs of one answer.
const RUNS_MAX: usize = 100;
/// Runs of one answer where nobody says how many.
const RUNS: usize = 20;
/// Pushes of one answer.
const PUSHES: usize = 50;
/// Events of one answer; the next are asked for behind the last.
const EVENTS_MAX: usize = 5_000;
/// Facts that the feed reads at once.
const FEED_MAX: usize = 500;
/// Streams that a follower of the feed remembers to see, or not to.
const JUDGED_MAX: usize = 1_000;
/// A longer key is not kept.
const KEY_CHARS_MAX: usize = 200;

/// One operation.
struct Operation {
    method: &'static str,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    /// What it needs.
    scope: Scope,
    /// Query parameters: name, type, what for.
    query: &'static [(&'static str, &'static str, &'static str)],
    /// The schema of its body, where it takes one.
    body: Option<&'static str>,
    /// Status and schema, or media type, of what comes back.
    answer: (u16, &'static str),
    route: fn() -> MethodRouter<Shared>,
}

const BEFORE: (&str, &str, &str) = ("before", "string", "Only runs before this one, as 12.1");
const AFTER: (&str, &str, &str) = ("after", "integer", "Only what stands behind this number");

/// Every operation there is.
fn operations() -> impl Iterator<Item = &'static Operation> {
    OPERATIONS
        .iter()
        .chain(dispatch::OPERATIONS)
        .chain(approvals::OPERATIONS)
        .chain(deployed::OPERATIONS)
        .chain(deployments::OPERATIONS)
        .chain(audit::OPERATIONS)
        .chain(secrets::OPERATIONS)
        .chain(sync::OPERATIONS)
        .chain(workflows::OPERATIONS)
        .chain(versions::OPERATIONS)
        .chain(tokens::OPERATIONS)
        .chain(messages::OPERATIONS)
        .chain(runners::OPERATIONS)
        .chain(held::OPERATIONS)
        .chain(incidents::OPERATIONS)
}

/// Those about runs, repositories and the journal.
const OPERATIONS: &[Operation] = &[
    Operation {
        method: "get",
        path: "/api/v1/runs",
        id: "listRuns",
        summary: "Runs, newest first",
        scope: Scope::Read,
        query: &[
            BEFORE,
            ("repository", "string", "Only those of owner/name"),
            ("workflow", "string", "Only those of this file, as ci.yml"),
            ("branch", "string", "Only those of this branch or tag"),
            (
                "status",
                "string",
                "Only those that are queued, waiting, in_progress or completed, or ended as success, \
                 failure, timed_out, cancelled or skipped",
            ),
            ("actor", "string", "Only those that this person set off"),
            ("event", "string", "Only those of this event, as push"),
            ("limit", "integer", "How many, 100 at most"),
        ],
        body: None,
        answer: (200, "RunList"),
        route: || get(list_runs),
    },
    Operation {
        method: "get",
        path: "/api/v1/runs/{run}",
        id: "showRun",
        summary: "One run: 12 is its newest attempt, 12.1 its first",
        scope: Scope::Read,
        query: &[],
        body: None,
        answer: (200, "Run"),
        route: || get(show_run),
    },
    Operation {
        method: "get",
        path: "/api/v1/runs/{run}/events",
        id: "listRunEvents",
        summary: "A run's events, as the journal has them",
        scope: Scope::Read,
        query: &[AFTER],
        body: None,
        answer: (200, "RunEvents"),
        route: || get(list_events),
    },
    Operation {
        method: "get",
        path: "/api/v1/runs/{run}/events/stream",
        id: "followRun",
        summary: "A run's events as they happen; Last-Event-ID goes on",
        scope: Scope::Read,
        query: &[AFTER],
        body: None,
        answer: (200, "text/event-stream"),
        route: || get(streams::of_run),
    },
    Operation {
        method: "get",
        path: "/api/v1/runs/{run}/jobs/{job}/log",
        id: "readLog",
        summary: "What a job printed so far, masked",
        scope: Scope::Read,
        query: &[(
            "aside",
            "integer",
            "The number of a background step, which has a log of its own",
        )],
        body: None,
        answer: (200, "text/plain"),
        route: || get(pages::raw),
    },
    Operation {
        method: "get",
        path: "/api/v1/runs/{run}/summaries/{blob}",
        id: "readSummary",
        summary: "The Markdown of a step's summary",
        scope: Scope::Read,
        query: &[],
        body: None,
        answer: (200, "text/plain"),
        route: || get(read_summary),
    },
    Operation {
        method: "post",
        path: "/api/v1/runs/{run}/cancel",
        id: "cancelRun",
        summary: "End a run in its own order",
        scope: Scope::Operate,
        query: &[],
        body: Some("Because"),
        answer: (202, "Accepted"),
        route: || post(cancel_run),
    },
    Operation {
        method: "post",
        path: "/api/v1/runs/{run}/rerun",
        id: "rerunRun",
        summary: "Run it once more; Idempotency-Key makes it once however often it is asked",
        scope: Scope::Operate,
        query: &[],
        body: Some("Rerun"),
        answer: (201, "Accepted"),
        route: || post(rerun_run),
    },
    Operation {
        method: "post",
        path: "/api/v1/runs/{run}/resume",
        id: "resumeRun",
        summary: "Start jobs again that were lost and wait for a person",
        scope: Scope::Operate,
        query: &[],
        body: Some("Because"),
        answer: (202, "Accepted"),
        route: || post(resume_run),
    },
    Operation {
        method: "get",
        path: "/api/v1/repositories",
        id: "listRepositories",
        summary: "Repositories whose pushes are run",
        scope: Scope::Read,
        query: &[],
        body: None,
        answer: (200, "RepositoryList"),
        route: || get(list_repositories),
    },
    Operation {
        method: "get",
        path: "/api/v1/connections",
        id: "listConnections",
        summary: "The same repositories with all that is kept of each: rules, labels, what was agreed to",
        scope: Scope::Admin,
        query: &[],
        body: None,
        answer: (200, "ConnectionList"),
        route: || get(list_connections),
    },
    Operation {
        method: "get",
        path: "/api/v1/pushes",
        id: "listPushes",
        summary: "Pushes that came, newest first, and what became of each",
        scope: Scope::Read,
        query: &[],
        body: None,
        answer: (200, "PushList"),
        route: || get(list_pushes),
    },
    metrics::OPERATION,
    artifacts::OPERATION,
    run_search::OPERATION,
    run_tests::OPERATION,
    run_images::OPERATION,
    run_scans::OPERATION,
    Operation {
        method: "get",
        path: "/api/v1/events",
        id: "follow",
        summary: "What happens in the whole journal, without its details; Last-Event-ID goes on",
        scope: Scope::Read,
        query: &[AFTER],
        body: None,
        answer: (200, "text/event-stream"),
        route: || get(follow),
    },
    Operation {
        method: "get",
        path: "/api/v1/openapi.json",
        id: "readDocument",
        summary: "This document",
        scope: Scope::Read,
        query: &[],
        body: None,
        answer: (200, "application/json"),
        route: || get(document),
    },
];

/// The document of the API.
pub(crate) fn described() -> JsonValue {
    openapi::document()
}

/// The routes of every operation. What somebody asks by a name that an operation does not know is not passed over.
pub(crate) fn routes() -> Router<Shared> {
    operations().fold(Router::new(), |router, it| {
        let known = move |request: Request, next: Next| async move {
            asked::known(request.uri(), (it.id, it.query))?;
            let mut answer = next.run(request).await;
            if it.body == Some(reason::BODY) {
                reason::say_heeded(&mut answer);
            }
            Ok::<Response, Problem>(answer)
        };
        router.route(it.path, (it.route)().route_layer(from_fn(known)))
    })
}

async fn list_runs(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Query(asked): Query<AskedRuns>,
) -> Result<Json<RunList>, Problem> {
    let wanted = Wanted {
        seen_by: who.token.is_bound().then_some(who.token),
        before: asked.before()?,
        filter: asked.filter()?,
        limit: asked.limit.unwrap_or(RUNS).clamp(1, RUNS_MAX),
    };
    let turn = app.turn_to_search(&wanted).await?;
    blocking(move || {
        let found = app.rows(&wanted)?;
        drop(turn);
        let line = |row: &views::RunRow| {
            let stream = StreamId::Run(row.run, row.attempt);
            let unattended = row.conclusion.is_none() && !app.engine.is_attended(stream);
            RunLine::new(row, unattended)
        };
        let older = found.older.and_then(StreamId::as_run);
        Ok(Json(RunList {
            runs: found.rows.iter().map(line).collect(),
            older: older.map(|(run, attempt)| format!("{run}.{attempt}")),
        }))
    })
    .await
}

async fn show_run(
    State(app): State<Shared>,
    Path(run): Path<String>,
) -> Result<Json<JsonValue>, Problem> {
    blocking(move || {
        let stream = app.stream(&run)?;
        let mut view = app.view(stream)?;
        artifacts::take_in(&app, &mut view);
        let is_attended = app.engine.is_attended(stream);
        let unattended = view.conclusion.is_none() && !is_attended;
        let why = |job: &views::JobView| pages::why(&view, job, is_attended);
        Ok(Json(run_details(&view, unattended, None, &why, app.now())))
    })
    .await
}

async fn list_events(
    State(app): State<Shared>,
    Path(run): Path<String>,
    Query(after): Query<After>,
) -> Result<Json<RunEvents>, Problem> {
    blocking(move || {
        let stream = app.stream(&run)?;
        let events = app.store.read(stream, Seq(after.after))?;
        let stored = events.into_iter().take(EVENTS_MAX);
        let events: Vec<_> =
            stored.map(|it| StoredEvent { seq: it.seq, at_ms: it.at, event: it.event }).collect();
        if events.is_empty() && after.after == 0 {
            return Err(Problem::not_found("There is no such run."));
        }
        let (run, attempt) = stream.as_run().expect("the stream of a run");
        let (unattended, waits) = (!app.engine.is_attended(stream), app.engine.waits(stream));
        Ok(Json(RunEvents { run, attempt, unattended, waits, events }))
    })
    .await
}

async fn follow(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Query(after): Query<After>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let seen = resumed(&headers, &after)?;
    let mut seen = blocking({
        let app = Arc::clone(&app);
        // Beyond the end there is nothing to wait for.
        move || Ok(if seen == 0 { 0 } else { seen.min(app.store.newest_position()?) })
    })
    .await?;
    let (response, mut follower) = Follower::begin(&app, &who)?;
    let mut judged = Judged::default();
    tokio::spawn(async move {
        loop {
            let (app, asker) = (follower.app(), who.clone());
            let news = blocking(move || {
                let mut news = app.store.feed(seen, FEED_MAX)?;
                let last = news.last().map_or(seen, |it| it.position);
                let is_all = news.len() < FEED_MAX;
                if asker.token.is_bound() {
                    let list = asker.seen(&app);
                    let is_seen = |name: &str| list.stream(name.parse().ok()?).ok();
                    news.retain(|it| judged.sees(&it.stream, is_seen));
                }
                Ok((news, last, is_all, judged))
            });
            let Ok((news, last, is_all, back)) = news.await else { return };
            judged = back;
            let told = news.last().map_or(seen, |it| it.position);
            for fact in news {
                let data = json!({ "stream": fact.stream, "seq": fact.seq, "at_ms": fact.at, "type": fact.kind });
                let position = fact.position.to_string();
                if follower.tell(&position, "event", &data.to_string()).await.is_err() {
                    return;
                }
            }
            if told < last {
                follower.passes(last);
            }
            let has_told = told > seen;
            seen = last;
            if !has_told && !is_all && follower.beat().await.is_err() {
                return;
            }
            if is_all && follower.wait().await.is_err() {
                return;
            }
        }
    });
    Ok(response)
}

/// Which streams somebody sees: each is looked up once, however much happens in it.
#[derive(Default)]
struct Judged(BTreeMap<String, bool>);

impl Judged {
    fn sees(&mut self, stream: &str, look: impl FnOnce(&str) -> Option<bool>) -> bool {
        if let Some(known) = self.0.get(stream) {
            return *known;
        }
        if self.0.len() >= JUDGED_MAX {
            self.0.clear();
        }
        // Of what it cannot be known nothing is shown, and it is asked again.
        let Some(is_seen) = look(stream) else { return false };
        self.0.insert(stream.to_owned(), is_seen);
        is_seen
    }
}

async fn read_summary(
    State(app): State<Shared>,
    Path((run, blob)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let text = blocking(move || {
        use std::io::Read as _;
        let view = app.view(app.stream(&run)?)?;
        let all = view.jobs.iter().flat_map(|job| &job.summaries);
        // A blob is given to nobody but by what names it.
        let named = all.map(|it| &it.blob).find(|it| it.as_str() == blob);
        let missing = || Problem::not_found("There is no such summary.");
        let mut text = Vec::new();
        let file = app.store.blobs().get(named.ok_or_else(missing)?);
        file.map_err(|_| missing())?.read_to_end(&mut text)?;
        Ok(text)
    })
    .await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

fn accepted(status: StatusCode, stream: StreamId) -> Response {
    let (run, attempt) = stream.as_run().expect("the stream of a run");
    let place = format!("/api/v1/runs/{run}.{attempt}");
    let body = Json(json!({ "run": run, "attempt": attempt }));
    (status, [(header::LOCATION, place)], body).into_response()
}

async fn cancel_run(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(run): Path<String>,
    Because(reason): Because,
) -> Result<Response, Problem> {
    who.may(Scope::Operate)?;
    blocking(move || {
        let stream = app.stream(&run)?;
        app.engine.cancel(stream, &who.actor(), &reason)?;
        Ok(accepted(StatusCode::ACCEPTED, stream))
    })
    .await
}

async fn resume_run(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(run): Path<String>,
    Because(reason): Because,
) -> Result<Response, Problem> {
    who.may(Scope::Operate)?;
    blocking(move || {
        let stream = app.stream(&run)?;
        app.engine.resume(stream, &who.actor(), &reason)?;
        Ok(accepted(StatusCode::ACCEPTED, stream))
    })
    .await
}

async fn rerun_run(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(run): Path<String>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> Result<Response, Problem> {
    who.may(Scope::Operate)?;
    let (which, reason) = again(&body)?;
    let key = key(&headers, &who)?;
    blocking(move || {
        let stream = app.stream(&run)?;
        let made = app.engine.rerun(stream, which, &who.actor(), &reason, key.as_deref())?;
        Ok(accepted(StatusCode::CREATED, made))
    })
    .await
}

/// The `Idempotency-Key`, where one was given. It is whose it is: two people, or two tokens of one name, may
/// think of the same one.
fn key(headers: &HeaderMap, who: &Who) -> Result<Option<String>, Problem> {
    let key = headers.get("idempotency-key").map(|it| it.to_str().map(str::to_owned));
    let key = key.transpose().map_err(|_| Problem::bad("Idempotency-Key is plain text."))?;
    if key.as_ref().is_some_and(|it| it.is_empty() || it.len() > KEY_CHARS_MAX) {
        return Err(Problem::bad("Idempotency-Key has 1 to 200 letters."));
    }
    Ok(key.map(|key| format!("{}\n{key}", who.token.holder())))
}

/// What runs again, and why.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AgainBody {
    only: Option<String>,
    reason: Option<String>,
}

/// `{"only": "failed", "reason": "the disk was full"}`; without a body all.
fn again(body: &[u8]) -> Result<(Again, Reason), Problem> {
    let refused = || {
        let shape = "{} or {\"only\": \"failed\"} or {\"only\": \"all\"}";
        Problem::bad(format!("The body is {shape}, each with {{\"reason\": TEXT}} or without."))
    };
    let AgainBody { only, reason } = match body.is_empty() {
        true => AgainBody::default(),
        false => serde_json::from_slice(body).map_err(|_| refused())?,
    };
    let which = match only.as_deref() {
        None | Some("all") => Again::All,
        Some("failed") => Again::Failed,
        Some(_) => return Err(refused()),
    };
    Ok((which, Reason::given(reason)?))
}

async fn list_repositories(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
) -> Result<Json<JsonValue>, Problem> {
    blocking(move || {
        let all = who.seen(&app).repositories()?;
        let line = |it: &crate::engine::ConnectedRepository| {
            let elsewhere = it.elsewhere.as_ref().map(|it| {
                json!({ "url": it.url, "every_seconds": it.every_seconds, "trouble": it.trouble })
            });
            json!({
                "name": it.name, "path": it.path, "elsewhere": elsewhere,
                "environments": it.environments, "switched_off": it.switched_off,
            })
        };
        Ok(Json(json!({ "repositories": all.iter().map(line).collect::<Vec<_>>() })))
    })
    .await
}

async fn list_connections(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
) -> Result<Json<JsonValue>, Problem> {
    who.may(Scope::Admin)?;
    blocking(move || {
        let mut all = app.engine.connections()?;
        let is_theirs = |it: &JsonValue| {
            it["name"].as_str().is_some_and(|name| who.may_within(name, Scope::Admin))
        };
        all.retain(is_theirs);
        Ok(Json(json!({ "repositories": all })))
    })
    .await
}

async fn list_pushes(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
) -> Result<Json<JsonValue>, Problem> {
    blocking(move || {
        let all = who.seen(&app).pushes(PUSHES)?;
        let line = |it: &crate::engine::Push| {
            let runs = it.runs.iter().filter_map(|(stream, _)| stream.as_run());
            json!({
                "repository": it.repository, "ref": it.git_ref, "commit": it.commit,
                "pusher": it.pusher, "at_ms": it.at, "said": it.said,
                "runs": runs.map(|(run, attempt)| json!({ "run": run, "attempt": attempt })).collect::<Vec<_>>(),
            })
        };
        Ok(Json(json!({ "pushes": all.iter().map(line).collect::<Vec<_>>() })))
    })
    .await
}

async fn document() -> Json<JsonValue> {
    Json(openapi::document())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_judged_once() {
        let mut judged = Judged::default();
        let mut looks = 0;
        for _ in 0..3 {
            assert!(judged.sees("run/1/1", |_| {
                looks += 1;
                Some(true)
            }));
            assert!(!judged.sees("run/2/1", |_| {
                looks += 1;
                Some(false)
            }));
        }
        assert_eq!(looks, 2);
        for run in 0..=JUDGED_MAX {
            assert!(judged.sees(&format!("run/{run}/9"), |_| Some(true)));
        }
        assert!(judged.0.len() <= JUDGED_MAX);
    }

    #[test]
    fn a_rerun_says_what() {
        assert_eq!(again(b"").unwrap(), (Again::All, Reason::NONE));
        assert_eq!(again(b"{}").unwrap(), (Again::All, Reason::NONE));
        assert_eq!(again(br#"{"only":"failed"}"#).unwrap().0, Again::Failed);
        let (which, reason) = again(br#"{"reason":"the disk was full"}"#).unwrap();
        assert_eq!((which, reason.as_str()), (Again::All, Some("the disk was full")));
        for wrong in ["[]", "x", r#"{"only":"some"}"#, r#"{"other":1}"#, r#"{"only":"all","x":1}"#]
        {
            assert!(again(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
