//! Signing in by the provider: a browser is sent away, and comes back.
//!
//! ```text
//!   /sign-in/provider ──▶ the provider ──▶ /sign-in/return ──▶ a page of ours, which goes on by itself
//!    a cookie, Lax                          a session, Strict
//! ```
//!
//! The page in between is there because of the session's cookie: a browser that was sent here from
//! elsewhere shows no `Strict` cookie wherever it is redirected to; a page of ours that leads on does.

use std::net::IpAddr;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};

use super::sign_in::{Next, SignInPage, own};
use super::{Frame, shown};
use crate::access::{AccessError, Proof, Token};
use crate::app::{App, Shared, blocking};
use crate::audit;
use crate::guard::{Who, attempt_cookie, set_attempt_cookie, set_cookie};
use crate::peer::Peer;
use crate::problem::Problem;
use crate::provider::{ComeBack, NotSignedIn, SignIn};
use crate::reason::Reason;
use crate::words::percent;

#[derive(Template)]
#[template(path = "signed_in.html")]
struct SignedInPage {
    frame: Frame,
    name: String,
    may: String,
    next: String,
}

/// Sends a browser to the provider.
pub(crate) async fn sent(
    State(app): State<Shared>,
    headers: HeaderMap,
    Query(Next { next }): Query<Next>,
) -> Result<Response, Problem> {
    let sign_in = provider(&app)?;
    let next = own(next);
    // The provider sends it back to one address: the cookie has to be of that host.
    let url = app.place.url();
    let host = url.split_once("://").map_or(url.as_str(), |it| it.1);
    if headers.get(header::HOST).and_then(|it| it.to_str().ok()) != Some(host) {
        let there = format!("{url}/sign-in/provider?next={}", percent(&next));
        return Ok(Redirect::to(&there).into_response());
    }
    let now = app.now();
    let (wanted, asked) = (next.clone(), Arc::clone(&sign_in));
    let begun = patiently(&app, move || Ok(asked.begin(&wanted, now))).await?;
    match begun {
        Ok(begun) => {
            let mut answer = Redirect::to(&begun.address).into_response();
            let cookie = set_attempt_cookie(&app, Some(&begun.cookie));
            answer.headers_mut().insert(header::SET_COOKIE, cookie);
            Ok(answer)
        }
        Err(why) => refused(&app, &*sign_in, next, &why),
    }
}

/// A browser came back.
pub(crate) async fn came_back(
    State(app): State<Shared>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let sign_in = provider(&app)?;
    let turn = match app.exchanges.take(peer.caller(&headers, &app.trusted_proxies), app.now()) {
        Ok(turn) => turn,
        Err(seconds) => return too_many(&app, &*sign_in, seconds),
    };
    let address = peer.address(&headers, &app.trusted_proxies);
    let cookie = attempt_cookie(&app, &headers).unwrap_or_default().to_owned();
    let (shared, asked) = (Shared::clone(&app), Arc::clone(&sign_in));
    let ended = patiently(&app, move || {
        let now = shared.now();
        match asked.finish(&cookie, &query.unwrap_or_default(), now) {
            Ok(back) => admit(&shared, back, address),
            Err(why) => {
                if why.is_bound {
                    let object = format!("a browser, by {}", asked.host());
                    audit::not_let_in(&shared, address, (why.name.clone(), object), &why.why);
                }
                Ok(Err(why))
            }
        }
    })
    .await?;
    // Who proved who they are is no stranger, and of whom the provider was not asked it was not in vain.
    if ended.as_ref().map_or_else(|why| !why.is_bound && !why.is_away, |_| true) {
        app.exchanges.give_back(&turn);
    }
    let (session, text, next) = match ended {
        Ok(it) => it,
        Err(why) => return refused(&app, &*sign_in, own(None), &why),
    };
    let page = SignedInPage {
        frame: Frame::of_strangers(&app),
        may: session.may(),
        name: session.name,
        next: own(Some(next)),
    };
    let page: Html<String> = shown(&page)?;
    let mut answer = page.into_response();
    answer.headers_mut().append(header::SET_COOKIE, set_cookie(&app, Some(&text)));
    answer.headers_mut().append(header::SET_COOKIE, set_attempt_cookie(&app, None));
    Ok(answer)
}

type Admitted = Result<(Token, String, String), NotSignedIn>;

/// A session for somebody who proved who they are, written down either way.
fn admit(app: &App, back: ComeBack, address: IpAddr) -> Result<Admitted, Problem> {
    let ComeBack { issuer, subject, name, person, grants, next } = back;
    let object = format!("a browser, by {issuer} as {subject}");
    let rules = app.sign_in.as_ref().expect("it was asked").rules();
    let proof = Proof { issuer, subject, grants, rules };
    match app.access.admit((&name, person.as_deref()), proof, app.now()) {
        Ok((token, text)) => {
            let is_standing_by = app.stands_by;
            let who = Who { token, is_session: true, is_standing_by, address: Some(address) };
            audit::record(app, &who, ("session.begin", object), (&Reason::NONE, None))?;
            Ok(Ok((who.token, text, next)))
        }
        Err(error @ (AccessError::Taken(_) | AccessError::Name | AccessError::Machine)) => {
            let why = error.to_string();
            audit::not_let_in(app, address, (Some(name.clone()), object), &why);
            Ok(Err(NotSignedIn { why, name: Some(name), is_away: false, is_bound: true }))
        }
        Err(error) => Err(error.into()),
    }
}

fn provider(app: &App) -> Result<Arc<dyn SignIn>, Problem> {
    let none = || Problem::not_found("Nobody signs in by a provider here.");
    app.sign_in.clone().ok_or_else(none)
}

/// What asks the provider waits for its turn first, where no thread waits with it.
async fn patiently<T: Send + 'static>(
    app: &App,
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let turn = Arc::clone(&app.signing_in).acquire_owned().await;
    blocking(move || {
        let done = work();
        drop(turn);
        done
    })
    .await
}

/// Too many came in vain. The browser keeps what it has: it may come again as it is.
fn too_many(app: &App, sign_in: &dyn SignIn, seconds: u64) -> Result<Response, Problem> {
    let said = format!(
        "Too many tried to sign in with {} in vain: try again in {seconds} s. A token works now.",
        sign_in.host()
    );
    let page: Html<String> = shown(&SignInPage::of(app, own(None), Some(said)))?;
    let later = [(header::RETRY_AFTER, seconds.to_string())];
    Ok((StatusCode::TOO_MANY_REQUESTS, later, page).into_response())
}

/// The page for signing in, with why that did not work. Tokens go on working.
fn refused(
    app: &App,
    sign_in: &dyn SignIn,
    next: String,
    NotSignedIn { why, name, is_away, .. }: &NotSignedIn,
) -> Result<Response, Problem> {
    let host = sign_in.host();
    let (status, said) = match name {
        _ if *is_away => (
            StatusCode::BAD_GATEWAY,
            format!("Signing in with {host} does not work now: {why}. A token still does."),
        ),
        Some(name) => (StatusCode::FORBIDDEN, format!("{name} is not let in: {why}.")),
        None => (StatusCode::UNAUTHORIZED, format!("Nobody is signed in: {why}.")),
    };
    let page: Html<String> = shown(&SignInPage::of(app, next, Some(said)))?;
    let mut answer = (status, page).into_response();
    answer.headers_mut().insert(header::SET_COOKIE, set_attempt_cookie(app, None));
    Ok(answer)
}
