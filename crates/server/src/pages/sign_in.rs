//! Signing in: a token for a session.

use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::{Extension, http::HeaderMap};
use serde::Deserialize;

use super::{Frame, Page, shown};
use crate::app::{App, Shared, blocking};
use crate::audit;
use crate::guard::{Who, set_cookie};
use crate::peer::Peer;
use crate::problem::Problem;
use crate::reason::Reason;
use crate::words::percent;

/// A longer address is not one of ours.
const NEXT_BYTES_MAX: usize = 2_000;

#[derive(Template)]
#[template(path = "sign_in.html")]
pub(super) struct SignInPage {
    frame: Frame,
    next: String,
    /// By whom people sign in without a token: its host, and where the way there begins.
    provider: Option<(String, String)>,
    refused: Option<String>,
}

impl SignInPage {
    pub(super) fn of(app: &App, next: String, refused: Option<String>) -> SignInPage {
        let provider = app
            .sign_in
            .as_ref()
            .map(|it| (it.host().to_owned(), format!("/sign-in/provider?next={}", percent(&next))));
        SignInPage { frame: Frame::of_strangers(app), next, provider, refused }
    }
}

#[derive(Deserialize)]
pub(crate) struct Next {
    pub(super) next: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Given {
    token: String,
    next: Option<String>,
}

/// Where somebody goes on: a page of this server, whatever they were sent here with.
pub(super) fn own(next: Option<String>) -> String {
    next.filter(|next| {
        let is_path = next.starts_with('/') && !next.starts_with("//") && !next.starts_with("/\\");
        is_path && next.len() <= NEXT_BYTES_MAX && !next.contains(char::is_control)
    })
    .unwrap_or_else(|| "/runs".to_owned())
}

/// The form.
pub(crate) async fn sign_in(State(app): State<Shared>, Query(Next { next }): Query<Next>) -> Page {
    shown(&SignInPage::of(&app, own(next), None))
}

/// A session for a token.
pub(crate) async fn signed_in(
    State(app): State<Shared>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Form(Given { token, next }): Form<Given>,
) -> Result<Response, Problem> {
    let next = own(next);
    let shared = Shared::clone(&app);
    let address = Some(peer.address(&headers, &app.trusted_proxies));
    let session = blocking(move || {
        let now = shared.now();
        let Some(token) = shared.access.token(token.trim(), now)? else { return Ok(None) };
        let session = shared.access.begin_session(&token, now)?;
        let is_standing_by = shared.stands_by;
        let who = Who { token, is_session: true, is_standing_by, address };
        let browser = "a browser".to_owned();
        audit::record(&shared, &who, ("session.begin", browser), (&Reason::NONE, None))?;
        Ok(Some(session))
    })
    .await?;
    let Some(session) = session else {
        let refused = "This is no token of this server, or it has expired.".to_owned();
        let page = SignInPage::of(&app, next, Some(refused));
        let page: Html<String> = shown(&page)?;
        return Ok((StatusCode::UNAUTHORIZED, page).into_response());
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::SET_COOKIE, set_cookie(&app, Some(&session)));
    Ok((headers, Redirect::to(&next)).into_response())
}

/// Ends the session.
pub(crate) async fn sign_out(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
) -> Result<Response, Problem> {
    let shared = Shared::clone(&app);
    if who.is_session {
        blocking(move || {
            audit::record(
                &shared,
                &who,
                ("session.end", "a browser".to_owned()),
                (&Reason::NONE, None),
            )?;
            Ok(shared.access.end_session(&who.token)?)
        })
        .await?;
    }
    let mut headers = HeaderMap::new();
    headers.insert(header::SET_COOKIE, set_cookie(&app, None));
    Ok((headers, Redirect::to("/sign-in")).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        let check = |next: &str, expect: &str| assert_eq!(own(Some(next.to_owned())), expect);
        check("/runs/12?line=3", "/runs/12?line=3");
        check("//evil.example/", "/runs");
        check("/\\evil.example/", "/runs");
        check("https://evil.example/", "/runs");
        check("/a\r\nSet-Cookie: x", "/runs");
        check("", "/runs");
    }
}
