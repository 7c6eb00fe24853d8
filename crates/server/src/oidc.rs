//! Who a job is: tokens of OIDC, and the two documents by which a cloud knows them.
//!
//! Jobs ask with a word of their own, which opens nothing else here; the documents are for everybody.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::json;

use crate::app::{Shared, blocking};
use crate::problem::Problem;

/// How long the key set may be kept: a new key is published a day before it signs.
const KEPT: &str = "public, max-age=900";

/// What a job asks for.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    audience: Option<String>,
}

/// Where jobs ask for their token of GitHub's.
pub(crate) const GITHUB_TOKEN: &str = "/oidc/github-token";

/// A token for a job.
pub(crate) async fn token(
    State(app): State<Shared>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let bearer = word(&headers)?;
    let token = blocking(move || Ok(app.engine.id_token(&bearer, asked.audience.as_deref())?));
    let token = token.await?;
    Ok(not_kept(json!({ "count": token.len(), "value": token })))
}

/// A job's own token of GitHub's.
pub(crate) async fn github_token(
    State(app): State<Shared>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let bearer = word(&headers)?;
    Ok(not_kept(blocking(move || Ok(app.engine.github_token(&bearer)?)).await?))
}

fn not_kept(said: serde_json::Value) -> Response {
    let mut answer = Json(said).into_response();
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The word that a job shows.
fn word(headers: &HeaderMap) -> Result<String, Problem> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
    // GitHub's toolkit writes `Bearer`, people write `bearer`.
    let bearer = bearer.and_then(|it| it.split_once(' '));
    let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, bearer)) = bearer else {
        let detail = "This needs the word of a job: ACTIONS_ID_TOKEN_REQUEST_TOKEN.";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, detail));
    };
    Ok(bearer.trim().to_owned())
}

/// The discovery document.
pub(crate) async fn discovery(State(app): State<Shared>) -> Response {
    ([(header::CACHE_CONTROL, KEPT)], Json(app.engine.oidc_discovery())).into_response()
}

/// The key set.
pub(crate) async fn key_set(State(app): State<Shared>) -> Result<Response, Problem> {
    let keys = blocking(move || Ok(app.engine.oidc_keys()?)).await?;
    Ok(([(header::CACHE_CONTROL, KEPT)], Json(keys)).into_response())
}
