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
use crate::engine::{Received, Teller, Webhook};
use crate::problem::Problem;

/// Of all bodies of GitHub's that are read at one time,
const BYTES_AT_ONCE: usize = 128 << 20;
/// and of PagerDuty's, which are small and few.
const PAGES_BYTES_AT_ONCE: usize = 16 << 20;
/// What room is given out in.
const ROOM_BYTES: usize = 16 << 10;
/// GitHub gives up after ten seconds; a body that takes longer is nobody's.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// Room for bodies: each teller has its own, so that who fills one keeps no other out.
#[derive(Debug)]
pub(crate) struct Room {
    github: Arc<Semaphore>,
    pagerduty: Arc<Semaphore>,
}

impl Default for Room {
    fn default() -> Room {
        let of = |bytes: usize| Arc::new(Semaphore::new(bytes / ROOM_BYTES));
        Room { github: of(BYTES_AT_ONCE), pagerduty: of(PAGES_BYTES_AT_ONCE) }
    }
}

impl Room {
    fn of(&self, teller: Teller) -> Arc<Semaphore> {
        Arc::clone(match teller {
            Teller::GitHub => &self.github,
            Teller::PagerDuty => &self.pagerduty,
        })
    }
}

impl Teller {
    /// It sends no larger payload.
    fn body_bytes_max(self) -> usize {
        match self {
            Teller::GitHub => 25 << 20,
            Teller::PagerDuty => 1 << 20,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Teller::GitHub => "GitHub",
            Teller::PagerDuty => "PagerDuty",
        }
    }

    /// The headers that say what it is about, by what it is known, and what proves it; of those that
    /// it sends.
    fn headers(self) -> [&'static str; 3] {
        match self {
            Teller::GitHub => ["x-github-event", "x-github-delivery", "x-hub-signature-256"],
            Teller::PagerDuty => ["", "", "x-pagerduty-signature"],
        }
    }
}

/// The route of somebody's webhooks. They have a limit of their own.
pub(crate) fn of(teller: Teller) -> MethodRouter<Shared> {
    post(async move |State(app): State<Shared>, request: Request| take(&app, teller, request).await)
}

async fn take(app: &Shared, teller: Teller, request: Request) -> Response {
    match taken(app, teller, request).await {
        Ok(Received::New) => (StatusCode::ACCEPTED, "taken\n").into_response(),
        Ok(Received::Known) => (StatusCode::OK, "taken before\n").into_response(),
        Ok(Received::Ignored) => (StatusCode::OK, "nothing to do\n").into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn taken(app: &Shared, teller: Teller, request: Request) -> Result<Received, Problem> {
    let headers = request.headers().clone();
    let length = text(&headers, header::CONTENT_LENGTH.as_str()).parse::<usize>();
    let Ok(length) = length else {
        let detail = "How long the body is has to be said: Content-Length.";
        return Err(Problem::new(StatusCode::LENGTH_REQUIRED, detail));
    };
    if length > teller.body_bytes_max() {
        let detail = format!("This is larger than any payload of {}'s.", teller.name());
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    // Of nobody who is not connected a body is read.
    let asked = Shared::clone(app);
    blocking(move || Ok(asked.engine.hears(teller)?)).await?;
    let units = u32::try_from(length / ROOM_BYTES + 1).expect("a body is not that large");
    let read = async {
        let room = app.room.of(teller).acquire_many_owned(units).await;
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
        let [event, delivery, signature] = teller.headers().map(|name| text(&headers, name));
        let webhook = Webhook {
            teller,
            event,
            delivery,
            signature,
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
