//! The events of one run, or one deployment, as they happen: server-sent, from where whoever comes back stopped.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use event::{DeploymentId, Envelope, Fact, RunEvent, Seq, StreamId};
use ports::Journal as _;
use serde::Serialize;

use crate::app::{App, Shared, blocking};
use crate::deployed;
use crate::guard::Who;
use crate::live::{After, Follower, GoesOn, goes_on, resumed};
use crate::problem::Problem;
use crate::wire::StoredEvent;

/// Those of a run.
pub(super) async fn of_run(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(run): Path<String>,
    Query(after): Query<After>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let seen = resumed(&headers, &after)?;
    let (stream, from) = blocking({
        let app = Arc::clone(&app);
        move || {
            let stream = app.stream(&run)?;
            Ok((stream, goes_on(&app, (stream, seen), |app, after| of(app, stream, after))?))
        }
    })
    .await?;
    streamed(&app, &who, from, move |app, after| of(app, stream, after))
}

fn of(app: &App, stream: StreamId, after: Seq) -> Result<Vec<Envelope<RunEvent>>, Problem> {
    Ok(app.store.read(stream, after)?)
}

/// Those of a deployment, whoever drives it.
pub(super) async fn of_deployment(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(id): Path<u64>,
    Query(after): Query<After>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let seen = resumed(&headers, &after)?;
    let id = DeploymentId(id);
    let from = blocking({
        let app = Arc::clone(&app);
        move || {
            let stream = StreamId::Deployment(id);
            // A number that was taken alone is none yet.
            if app.store.head(stream)?.0 == Seq(0) {
                return Err(Problem::not_found(format!("there is no deployment {id}")));
            }
            goes_on(&app, (stream, seen), |app, after| deployed::events(app, id, after))
        }
    })
    .await?;
    streamed(&app, &who, from, move |app, after| deployed::events(app, id, after))
}

/// Tells what `read` gives behind the last that was seen, until that is the end.
fn streamed<E: Fact + Serialize + Send + 'static>(
    app: &Shared,
    who: &Who,
    GoesOn { mut seen, is_over }: GoesOn,
    read: impl Fn(&App, Seq) -> Result<Vec<Envelope<E>>, Problem> + Clone + Send + 'static,
) -> Result<Response, Problem> {
    let (response, mut follower) = Follower::begin(app, who)?;
    tokio::spawn(async move {
        if is_over {
            let _ended = follower.tell("", "end", "").await;
            return;
        }
        loop {
            let (app, after, read) = (follower.app(), seen, read.clone());
            let Ok(news) = blocking(move || read(&app, after)).await else { return };
            for envelope in news {
                seen = envelope.seq;
                let is_over = envelope.event.ends_stream();
                let stored =
                    StoredEvent { seq: envelope.seq, at_ms: envelope.at, event: envelope.event };
                let data = serde_json::to_string(&stored).expect("an event is plain data");
                if follower.tell(&seen.to_string(), "event", &data).await.is_err() {
                    return;
                }
                if is_over {
                    let _ended = follower.tell("", "end", "").await;
                    return;
                }
            }
            if follower.wait().await.is_err() {
                return;
            }
        }
    });
    Ok(response)
}
