//! What stands before every page: which host is meant, who asks, whether they may, and the headers
//! that every answer has.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::RequestExt as _;
use axum::body::Body;
use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use crate::access::{Scope, Token};
use crate::api;
use crate::app::{App, Shared, blocking};
use crate::bound::{self, Reach};
use crate::oidc;
use crate::pages;
use crate::peer::Peer;
use crate::problem::Problem;
use crate::reason::Reason;
use crate::words::percent;

/// The name of the cookie.
const COOKIE: &str = "launchway_session";
/// That of the cookie which a browser has while its person signs in elsewhere. Where it is encrypted, no
/// other host may have set it (`__Host-`): whose answer comes back would be another's to choose.
const ATTEMPT_COOKIE: &str = "launchway_sign_in";
/// Somebody who finds their password takes less.
const ATTEMPT_SECONDS: u64 = 600;
/// How long an answer may take to begin. What follows a run begins at once.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// What the framework says of a request that it refuses.
const REFUSAL_BYTES_MAX: usize = 4096;
/// Nothing but what is ours, no script in a page, no frame around it.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What a server says that stands by.
pub(crate) const STANDS_BY: &str = "This server stands by: its folder was made of a copy, and it drives, sends, \
     schedules and tells nothing until launchway serve --take-over says that the original is gone.";

/// Where the server is, as callers name it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// `https://ci.example.com`; none: the address it listens on.
    pub(crate) url: Option<String>,
    pub(crate) address: SocketAddr,
}

impl Place {
    /// How whoever asked by this `Host` names the server, for a command that they type.
    pub(crate) fn named(&self, host: &str) -> String {
        self.url.clone().unwrap_or_else(|| format!("http://{host}"))
    }

    /// Whether a `Host` header means this server. A page of another name that resolves to this
    /// address (DNS rebinding) means another.
    fn is_meant(&self, host: &str) -> bool {
        if let Some(url) = &self.url {
            let named = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
            if named.eq_ignore_ascii_case(host) {
                return true;
            }
        }
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
            _ => (host, Some(80)),
        };
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let is_here = name.eq_ignore_ascii_case("localhost")
            || name.parse().is_ok_and(|ip: std::net::IpAddr| {
                ip == self.address.ip() || ip.is_loopback() || self.address.ip().is_unspecified()
            });
        is_here && port == Some(self.address.port())
    }

    /// Whether a page of ours sent the request.
    fn is_own(&self, origin: &str, host: &str) -> bool {
        let named = self.url.as_deref();
        // Under the name that it is encrypted by, no page that is not is one of ours.
        let is_named =
            named.is_some_and(|url| url.split_once("://").is_some_and(|it| it.1 == host));
        named == Some(origin) || (!is_named && origin == format!("http://{host}"))
    }

    /// How people reach it.
    pub(crate) fn url(&self) -> String {
        self.url.clone().unwrap_or_else(|| format!("http://{}", self.address))
    }

    /// Whether nobody between this server and a caller can listen in.
    pub(crate) fn is_private(&self) -> bool {
        self.is_secure() || self.address.ip().is_loopback()
    }

    fn is_secure(&self) -> bool {
        self.url.as_ref().is_some_and(|url| url.starts_with("https://"))
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) token: Token,
    /// By a cookie, so a browser may have been made to ask.
    pub(crate) is_session: bool,
    /// The server that they ask stands by: their pages say so.
    pub(crate) is_standing_by: bool,
    /// From where, as far as proxies are believed.
    pub(crate) address: Option<IpAddr>,
}

impl Who {
    /// What they are called: the person, else the program.
    pub(crate) fn name(&self) -> String {
        self.token.asker()
    }

    /// By which way they came.
    pub(crate) fn source(&self) -> &'static str {
        if self.is_session { "page" } else { "api" }
    }

    /// From which address, for the journal.
    pub(crate) fn address(&self) -> Option<Arc<str>> {
        self.address.map(|it| it.to_string().into())
    }

    /// Who they are, for the journal.
    pub(crate) fn actor(&self) -> event::Actor {
        let proof = if self.token.proof.is_some() { "oidc" } else { "token" };
        let name = mask::MaskedText::without_secrets(self.name());
        let (source, address) = (Some(self.source().into()), self.address());
        event::Actor { name, proof: proof.into(), source, address }
    }

    /// Refuses who may not do this.
    pub(crate) fn may(&self, scope: Scope) -> Result<(), Problem> {
        if self.token.holds(scope) {
            return Ok(());
        }
        Err(self.may_not(scope.as_str()))
    }

    /// Refuses who may not do this in an environment.
    pub(crate) fn may_in(&self, scope: Scope, environment: &str) -> Result<(), Problem> {
        if self.token.places(scope).have(environment) {
            return Ok(());
        }
        Err(self.may_not(&format!("{} in {environment}", scope.as_str())))
    }

    fn may_not(&self, needs: &str) -> Problem {
        let has = self.token.may();
        Problem::of_scope(match self.token.proof {
            Some(_) => format!("You may {has}; this needs somebody who may {needs}."),
            None => format!("This token may {has}; this needs one that may {needs}."),
        })
    }
}

/// Stands before every route.
pub(crate) async fn check(State(app): State<Shared>, mut request: Request, next: Next) -> Response {
    app.counts.requests.fetch_add(1, Ordering::Relaxed);
    let is_program = is_for_programs(request.uri().path());
    let is_change = !matches!(*request.method(), Method::GET | Method::HEAD);
    let place = format!("{} {}", request.method(), request.uri().path());
    let (wanted, reach) = (wanted(&app, &request), reach_of(&mut request).await);
    let address = address_of(&app, &request);
    let who = match admit(&app, wanted).await {
        Ok(who) => who.map(|who| Who { address, ..who }),
        Err(answer) => {
            app.counts.refused.fetch_add(1, Ordering::Relaxed);
            return finished(&app, None, is_program, *answer);
        }
    };
    let who = match who {
        Some(who) => match reaching(&app, who.clone(), reach).await {
            Ok(narrowed) => Some(narrowed),
            Err(problem) => {
                app.counts.refused.fetch_add(1, Ordering::Relaxed);
                if is_change && problem.is_of_scope() {
                    write_down(&app, who.clone(), place, problem.detail.clone()).await;
                }
                return finished(&app, Some(&who), is_program, problem.into_response());
            }
        },
        None => None,
    };
    if app.stands_by && would_act(request.uri().path(), is_change) {
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, STANDS_BY);
        return finished(&app, who.as_ref(), is_program, problem.into_response());
    }
    if let Some(who) = &who {
        request.extensions_mut().insert(who.clone());
    }
    let response = match tokio::time::timeout(ANSWER_TIMEOUT, next.run(request)).await {
        Ok(response) => in_our_words(response).await,
        Err(_) => {
            Problem::new(StatusCode::GATEWAY_TIMEOUT, "The answer took too long.").into_response()
        }
    };
    if let Some(who) = who.clone().filter(|_| is_change) {
        let refused = response.extensions().get::<Problem>().filter(|it| it.is_of_scope());
        if let Some(why) = refused.map(|it| it.detail.clone()) {
            write_down(&app, who, place, why).await;
        }
    }
    finished(&app, who.as_ref(), is_program, response)
}

/// Where jobs ask, by words of their own.
fn is_for_jobs(path: &str) -> bool {
    path == "/oidc/token" || path == oidc::GITHUB_TOKEN
}

/// From where it is, as the journal shall have it.
fn address_of(app: &App, request: &Request) -> Option<IpAddr> {
    let peer = request.extensions().get::<Peer>()?;
    Some(peer.address(request.headers(), &app.trusted_proxies))
}

/// Whether a server that stands by would do more than show what is past.
fn would_act(path: &str, is_change: bool) -> bool {
    let is_sign_in = path == "/sign-out" || path == "/sign-in" || path.starts_with("/sign-in/");
    path == api::RUNNER_DOOR || is_for_jobs(path) || (is_change && !is_sign_in)
}

/// What a request is about, as its route says.
async fn reach_of(request: &mut Request) -> Reach {
    let pattern = request.extensions().get::<MatchedPath>().map(|it| it.as_str().to_owned());
    let parts = request.extract_parts::<RawPathParams>().await;
    match &parts {
        Ok(parts) => bound::reach(pattern.as_deref(), parts),
        Err(_) => bound::reach(pattern.as_deref(), []),
    }
}

/// Who asks, with what they may there. Only who is bound costs a look.
async fn reaching(app: &Shared, who: Who, reach: Reach) -> Result<Who, Problem> {
    if !who.has_bounds() {
        return Ok(who);
    }
    let app = Shared::clone(app);
    blocking(move || who.reaching(&app, &reach)).await
}

/// What the framework refuses before a route of ours is asked (a number that is none, a body that cannot be
/// read, a method that is not there) is a problem like others.
async fn in_our_words(response: Response) -> Response {
    let is_ours = response.extensions().get::<Problem>().is_some();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_bare = kind.is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    let status = response.status();
    if is_ours || !is_bare || !status.is_client_error() {
        return response;
    }
    let (head, body) = response.into_parts();
    let text = axum::body::to_bytes(body, REFUSAL_BYTES_MAX).await.unwrap_or_default();
    let detail = match String::from_utf8_lossy(&text) {
        text if text.is_empty() => format!("{}.", status.canonical_reason().unwrap_or("Refused")),
        text => text.into_owned(),
    };
    let mut problem = Problem::new(status, detail).into_response();
    if let Some(allow) = head.headers.get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allow.clone());
    }
    problem
}

/// Tries of who may not are a part of the audit trail, up to a number that fills no disk.
async fn write_down(app: &Shared, who: Who, place: String, why: String) {
    if !app.counts.tries.may_write_down(app.now()) {
        return;
    }
    let app = Shared::clone(app);
    // What cannot be written down is said by the store; the answer stays the refusal.
    let written = blocking(move || {
        crate::audit::record(&app, &who, ("request", place), (&Reason::NONE, Some(why)))
    });
    let _ = written.await;
}

/// What a request shows of who asks.
enum Shown {
    /// Nobody has to say.
    Nothing,
    /// A token or a cookie, or neither.
    Something { bearer: Option<Option<String>>, cookie: Option<String>, wanted: String },
}

/// What a request shows, where it may be made at all.
fn wanted(app: &App, request: &Request) -> Result<Shown, Box<Response>> {
    let refuse = |problem: Problem| Box::new(problem.into_response());
    let path = request.uri().path();
    // Who a job is, and how that is proven: with words of their own, or for everybody.
    let is_oidc = is_for_jobs(path)
        || matches!(path, "/.well-known/openid-configuration" | "/.well-known/jwks");
    if is_oidc || matches!(path, "/healthz" | "/readyz") {
        return Ok(Shown::Nothing);
    }
    let host = text(request.headers(), header::HOST).unwrap_or_default();
    if !app.place.is_meant(host) {
        let detail = "This server is not known by that name; launchway serve --url says how it is.";
        return Err(refuse(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail)));
    }
    // A signature proves those, and nobody's browser can make one.
    if path.starts_with("/webhooks/") {
        return Ok(Shown::Nothing);
    }
    let is_change = !matches!(*request.method(), Method::GET | Method::HEAD);
    let bearer = text(request.headers(), header::AUTHORIZATION);
    let origin = text(request.headers(), header::ORIGIN);
    let is_own = origin.is_some_and(|origin| app.place.is_own(origin, host));
    if is_change && bearer.is_none() && !is_own {
        let detail = "This did not come from a page of this server.";
        return Err(refuse(Problem::new(StatusCode::FORBIDDEN, detail)));
    }
    if path == "/sign-in" || path.starts_with("/sign-in/") || path.starts_with("/static/") {
        return Ok(Shown::Nothing);
    }
    Ok(Shown::Something {
        bearer: bearer.map(|it| it.strip_prefix("Bearer ").map(str::to_owned)),
        cookie: cookie(request.headers(), &named(app, COOKIE)).map(str::to_owned),
        wanted: request.uri().path_and_query().map_or("/", |it| it.as_str()).to_owned(),
    })
}

/// Who asks, where what is asked for needs that.
async fn admit(
    app: &Shared,
    shown: Result<Shown, Box<Response>>,
) -> Result<Option<Who>, Box<Response>> {
    let Shown::Something { bearer, cookie, wanted } = shown? else { return Ok(None) };
    let has_token = matches!(&bearer, Some(Some(_)));
    match find(app, bearer, cookie).await {
        Err(problem) => Err(Box::new(problem.into_response())),
        // A machine that takes jobs opens its one door, and no other.
        Ok(Some(who)) if who.token.scope == Scope::Runner && wanted != api::RUNNER_DOOR => {
            let problem = who.may(Scope::Read).expect_err("it may not");
            Err(Box::new(problem.into_response()))
        }
        Ok(Some(who)) => Ok(Some(who)),
        Ok(None) if is_for_programs(&wanted) => {
            let detail = match has_token {
                true => "This is no token of this server, or it has ended.",
                false => "This needs a token: Authorization: Bearer TOKEN.",
            };
            let mut answer = Problem::new(StatusCode::UNAUTHORIZED, detail).into_response();
            let scheme = HeaderValue::from_static("Bearer");
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
            Err(Box::new(answer))
        }
        Ok(None) => {
            let place = format!("/sign-in?next={}", percent(&wanted));
            Err(Box::new(Redirect::to(&place).into_response()))
        }
    }
}

async fn find(
    app: &Shared,
    bearer: Option<Option<String>>,
    cookie: Option<String>,
) -> Result<Option<Who>, Problem> {
    if bearer.is_none() && cookie.is_none() {
        return Ok(None);
    }
    let app = Shared::clone(app);
    blocking(move || {
        let now = app.now();
        let found = match (bearer, cookie) {
            // Who shows a token means that one.
            (Some(bearer), _) => match bearer {
                Some(text) => app.access.token(&text, now)?.map(|it| (it, false)),
                None => None,
            },
            (None, Some(cookie)) => app.access.session(&cookie, now)?.map(|it| (it, true)),
            (None, None) => None,
        };
        let is_standing_by = app.stands_by;
        Ok(found.map(|(token, is_session)| Who {
            token,
            is_session,
            is_standing_by,
            address: None,
        }))
    })
    .await
}

/// Paths that programs ask for: they get problems as JSON, and are not sent to a form.
fn is_for_programs(path: &str) -> bool {
    let folders = ["/api/", "/live/", "/oidc/", "/.well-known/", "/webhooks/"];
    folders.iter().any(|it| path.starts_with(it)) || path == "/metrics"
}

/// The headers that every answer has; problems of pages as pages.
fn finished(app: &App, who: Option<&Who>, is_program: bool, mut response: Response) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Problem>()
        && !is_program
    {
        let page = pages::problem(who, &problem);
        *response.body_mut() = Body::from(page);
        let kind = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What one person saw is not kept for the next; assets say otherwise themselves.
    let no_store = HeaderValue::from_static("no-store");
    headers.entry(header::CACHE_CONTROL).or_insert(no_store);
    if app.place.is_secure() {
        let always = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, always);
    }
    response
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn cookie<'h>(headers: &'h HeaderMap, wanted: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).iter();
    let pairs = all.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == wanted)
        .map(|it| it.1)
}

/// The header that gives a browser its session, or takes it.
pub(crate) fn set_cookie(app: &App, session: Option<&str>) -> HeaderValue {
    let secure = if app.place.is_secure() { "; Secure" } else { "" };
    let name = named(app, COOKIE);
    let value = match session {
        Some(session) => format!("{name}={session}; Path=/; HttpOnly; SameSite=Strict{secure}"),
        None => format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict{secure}"),
    };
    HeaderValue::from_str(&value).expect("a session is hexadecimal")
}

/// What a browser brings back that its person signed in elsewhere with.
pub(crate) fn attempt_cookie<'h>(app: &App, headers: &'h HeaderMap) -> Option<&'h str> {
    cookie(headers, &named(app, ATTEMPT_COOKIE))
}

/// The header that gives a browser what it is to bring back, or takes it. It comes back from elsewhere, so
/// it cannot be `Strict`.
pub(crate) fn set_attempt_cookie(app: &App, attempt: Option<&str>) -> HeaderValue {
    let secure = if app.place.is_secure() { "; Secure" } else { "" };
    let (value, seconds) = attempt.map_or(("", 0), |it| (it, ATTEMPT_SECONDS));
    let name = named(app, ATTEMPT_COOKIE);
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::from_str(&text).expect("an attempt is plain letters")
}

/// A cookie's name: where it goes by TLS, one that no other host can give a browser.
fn named(app: &App, cookie: &str) -> String {
    let prefix = if app.place.is_secure() { "__Host-" } else { "" };
    format!("{prefix}{cookie}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stands_by_lets_people_in_and_nothing_happen() {
        let acts = ["/runs/1/cancel", "/api/v1/runs/1/cancel", "/webhooks/github", "/secrets"];
        assert!(acts.iter().all(|path| would_act(path, true)));
        assert!(would_act(api::RUNNER_DOOR, false) && would_act("/oidc/token", false));
        assert!(["/sign-in", "/sign-out"].iter().all(|path| !would_act(path, true)));
        let shows = ["/runs", "/api/v1/runs", "/sign-in/return", "/.well-known/jwks", "/metrics"];
        assert!(shows.iter().all(|path| !would_act(path, false)));
    }

    #[test]
    fn only_the_names_of_this_server_are_answered() {
        let place = |url: Option<&str>, address: &str| Place {
            url: url.map(str::to_owned),
            address: address.parse().unwrap(),
        };
        let local = place(None, "127.0.0.1:7878");
        for host in ["127.0.0.1:7878", "localhost:7878", "[::1]:7878"] {
            assert!(local.is_meant(host), "{host}");
        }
        for host in ["", "evil.example:7878", "127.0.0.1", "127.0.0.1:80", "10.0.0.1:7878"] {
            assert!(!local.is_meant(host), "{host}");
        }
        let public = place(Some("https://ci.example.com"), "127.0.0.1:7878");
        assert!(public.is_meant("ci.example.com") && public.is_meant("localhost:7878"));
        assert!(!public.is_meant("ci.example.com.evil.example"));
        assert!(public.is_own("https://ci.example.com", "ci.example.com"));
        assert!(!public.is_own("https://evil.example", "ci.example.com"));
        assert!(!public.is_own("http://ci.example.com", "ci.example.com"));
        assert!(!local.is_own("null", "localhost:7878"));
        assert!(local.is_own("http://localhost:7878", "localhost:7878"));
    }
}
