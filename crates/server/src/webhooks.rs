//! What others tell the server unasked. Nobody has signed in: what proves them is a signature over
//! the bytes, so nothing is made of the bytes before whoever knows the secret has looked at them.
//!
//! Whoever wants to fill the memory has to say first how much: bodies are let in by their length, as
//! many bytes at once as [`BYTES_AT_ONCE`]; the others wait at the door.

use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};
use tokio::sync::Semaphore;

use crate::app::{Shared, blocking};
use crate::engine::{Received, Webhook};
use crate::problem::Problem;

/// GitHub sends no larger payload.
const BODY_BYTES_MAX: usize = 25 << 20;
/// Of all bodies that are read at one time.
const BYTES_AT_ONCE: usize = 128 << 20;
/// What room is given out in.
const ROOM_BYTES: usize = 16 << 10;
/// GitHub gives up after ten seconds; a body that takes longer is nobody's.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// Room for bodies.
#[derive(Debug)]
pub(crate) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Room {
        Room(Arc::new(Semaphore::new(BYTES_AT_ONCE / ROOM_BYTES)))
    }
}

/// The route of GitHub's webhooks. They have a limit of their own.
pub(crate) fn github() -> MethodRouter<Shared> {
    post(take)
}

async fn take(State(app): State<Shared>, request: Request) -> Response {
    match taken(&app, request).await {
        Ok(Received::New) => (StatusCode::ACCEPTED, "taken\n").into_response(),
        Ok(Received::Known) => (StatusCode::OK, "taken before\n").into_response(),
        Ok(Received::Ignored) => (StatusCode::OK, "nothing to do\n").into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn taken(app: &Shared, request: Request) -> Result<Received, Problem> {
    let headers = request.headers().clone();
    let length = text(&headers, header::CONTENT_LENGTH.as_str()).parse::<usize>();
    let Ok(length) = length else {
        let detail = "How long the body is has to be said: Content-Length.";
        return Err(Problem::new(StatusCode::LENGTH_REQUIRED, detail));
    };
    if length > BODY_BYTES_MAX {
        let detail = "This is larger than any payload of GitHub's.";
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    let units = u32::try_from(length / ROOM_BYTES + 1).expect("a body is not that large");
    let read = async {
        let room = Arc::clone(&app.room.0).acquire_many_owned(units).await;
        let room = room.expect("nobody closes it");
        // The length was said; more than that does not come through.
        to_bytes(request.into_body(), length).await.map(|body| (room, body))
    };
    let body = match tokio::time::timeout(BODY_WITHIN, read).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return Err(Problem::bad("The body did not come whole.")),
        Err(_) => {
            let detail = "The body did not come in ten seconds.";
            return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail));
        }
    };
    let app = Shared::clone(app);
    blocking(move || {
        let (_room, body) = body;
        let webhook = Webhook {
            event: text(&headers, "x-github-event"),
            delivery: text(&headers, "x-github-delivery"),
            signature: text(&headers, "x-hub-signature-256"),
            content_type: text(&headers, header::CONTENT_TYPE.as_str()),
            body: &body,
        };
        Ok(app.engine.webhook(&webhook)?)
    })
    .await
}

/// A header; nothing where it is no text.
fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
