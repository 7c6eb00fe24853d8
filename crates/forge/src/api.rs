//! One call of GitHub's REST API: signed in, in its own time, and said without a secret.
//!
//! Where GitHub says that it has heard enough, nothing more is asked before the moment that it names:
//! asking on makes it longer. A call whose answer was lost is told apart from one that was refused,
//! because then nobody knows whether it was done.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use event::Timestamp;
use mask::Secret;
use serde_json::{Value as Json, json};
use ureq::http::{Request, Response, StatusCode};

use crate::seal::SealError;
use crate::token::{Credentials, KeyError, app_token};

/// A call that takes longer gives no answer.
const WITHIN: Duration = Duration::from_secs(30);
/// GitHub's largest answers are lists of a hundred.
const ANSWER_BYTES_MAX: u64 = 16 << 20;
/// Of what GitHub says of a refusal.
const SAID_CHARACTERS_MAX: usize = 300;
/// What is asked again where GitHub names no time: its advice for what it calls secondary limits.
const LIMITED_SECONDS: u64 = 60;
/// GitHub's limits last an hour; a clock that says more is not believed.
const LIMITED_SECONDS_MAX: u64 = 3600;
/// An installation's token is used until so long before its end.
const TOKEN_LEFT_SECONDS: u64 = 300;
/// The version of the API that this speaks.
const VERSION: &str = "2022-11-28";
/// Entries of a page, and pages that are read of a list.
const PAGE: usize = 100;
const PAGES_MAX: usize = 30;

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    /// No answer came; nobody knows whether it was done.
    #[error("{host} does not answer: {why}")]
    Unanswered {
        /// Which.
        host: String,
        /// Why.
        why: String,
    },
    /// It failed over there; nobody knows how far it came.
    #[error("{host} failed ({status}) when asked to {what}")]
    Failed {
        /// Which.
        host: String,
        /// What it said.
        status: u16,
        /// What was asked for.
        what: String,
    },
    /// It has heard enough from us for now.
    #[error("{host} takes no more calls for {seconds} s")]
    Limited {
        /// Which.
        host: String,
        /// For how long.
        seconds: u64,
    },
    /// It lets nobody in by these.
    #[error("{host} does not let us in: {why}")]
    Denied {
        /// Which.
        host: String,
        /// What it said.
        why: String,
    },
    /// There is no such thing, or none that we may see.
    #[error("{host} has nothing to {what}, or does not let us see it")]
    Absent {
        /// Which.
        host: String,
        /// What was asked for.
        what: String,
    },
    /// It said no.
    #[error("{host} refused ({status}) to {what}: {why}")]
    Refused {
        /// Which.
        host: String,
        /// What it said.
        status: u16,
        /// What was asked for.
        what: String,
        /// What it said.
        why: String,
    },
    /// What came is not what it says of itself.
    #[error("{host} gave no JSON when asked to {what}")]
    Unreadable {
        /// Which.
        host: String,
        /// What was asked for.
        what: String,
    },
    /// The key of the app.
    #[error("the key of the app cannot be used")]
    Key(#[from] KeyError),
    /// A value cannot be put into a box.
    #[error("nothing can be sealed here")]
    Seal(#[from] SealError),
}

impl ForgeError {
    /// Whether it may go well later, as it is.
    pub fn is_passing(&self) -> bool {
        match self {
            ForgeError::Unanswered { .. }
            | ForgeError::Failed { .. }
            | ForgeError::Limited { .. }
            | ForgeError::Denied { .. }
            | ForgeError::Unreadable { .. } => true,
            ForgeError::Absent { .. }
            | ForgeError::Refused { .. }
            | ForgeError::Key(_)
            | ForgeError::Seal(_) => false,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            ForgeError::Denied { .. } => Some("make a new token, then: launchway github connect"),
            ForgeError::Absent { .. } => {
                Some("does the app, or the token, have this repository, with these permissions?")
            }
            ForgeError::Key(_) => {
                Some("make a new key on the app's page, then: launchway github connect")
            }
            _ => None,
        }
    }
}

/// How something is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// For what is there.
    Get,
    /// For something new.
    Post,
    /// For something that is there as it is said, whatever was before.
    Put,
    /// For a change.
    Patch,
    /// For an end.
    Delete,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// What came; null where nothing did.
    pub json: Json,
    /// Calls that are left, where it says so.
    pub left: Option<u64>,
    /// What the next page of a list is asked for by, where there is one.
    pub next: Option<String>,
    /// When it answered, by its own clock, to the second.
    pub at: Option<Timestamp>,
}

/// GitHub, as one of us is let in.
pub struct GitHub {
    /// `https://api.github.com`
    api: String,
    credentials: Credentials,
    agent: ureq::Agent,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Nothing is asked before, in seconds since 1970.
    not_before: u64,
    /// The installation of each owner, and when it was asked for.
    installations: BTreeMap<String, (Installation, u64)>,
    /// The name that stands at what we write.
    author: Option<String>,
    /// Tokens of installations, and until when.
    tokens: BTreeMap<u64, (Secret, u64)>,
}

/// Where an app is let in, and what it may do there.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    pub(crate) id: u64,
    /// `contents` to `write`
    pub(crate) permissions: BTreeMap<String, String>,
}

impl GitHub {
    /// The API at an address.
    pub fn new(api: &str, credentials: Credentials) -> GitHub {
        let config = https::config().timeout_global(Some(WITHIN));
        // This machine is never behind a proxy.
        let config = if https::is_here(api) { config.proxy(None) } else { config };
        let agent = config.build().new_agent();
        let api = api.trim_end_matches('/').to_owned();
        GitHub { api, credentials, agent, known: Mutex::default() }
    }

    /// Whether we are an app.
    pub fn is_app(&self) -> bool {
        self.credentials.is_app()
    }

    /// The name of the API's host, with its port.
    pub fn host(&self) -> String {
        let rest = self.api.split_once("://").map_or(self.api.as_str(), |(_, rest)| rest);
        rest.split('/').next().unwrap_or(rest).to_owned()
    }

    /// Who we are, in GitHub's words.
    ///
    /// # Errors
    /// When it does not let us in.
    pub fn who(&self) -> Result<String, ForgeError> {
        let (path, name) = if self.is_app() { ("/app", "slug") } else { ("/user", "login") };
        let token = match &self.credentials {
            Credentials::Token(token) => token.clone(),
            Credentials::App { id, key } => app_token(id, key, now())?,
        };
        let answer = self.call(Method::Get, path, None, &token, "say who we are")?;
        Ok(answer.json[name].as_str().unwrap_or_default().to_owned())
    }

    /// Whether we wrote something: its `user` is the account of our token, or our app's bot. Nobody else can
    /// have that name.
    ///
    /// # Errors
    /// When it does not say who we are.
    pub(crate) fn wrote(&self, it: &Json) -> Result<bool, ForgeError> {
        self.wrote_by(&it["user"])
    }

    /// Whether somebody who is said to have written something is we.
    ///
    /// # Errors
    /// When it does not say who we are.
    pub(crate) fn wrote_by(&self, user: &Json) -> Result<bool, ForgeError> {
        let author = self.known().author.clone();
        let author = match author {
            Some(author) => author,
            None => {
                let who = self.who()?;
                if who.is_empty() {
                    return Err(self.unreadable("say who we are"));
                }
                let author = if self.is_app() { format!("{who}[bot]") } else { who };
                self.known().author = Some(author.clone());
                author
            }
        };
        let is_named = user["login"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(&author));
        Ok(is_named && (!self.is_app() || user["type"] == "Bot"))
    }

    /// Asks something of a repository: `path` is what stands behind its name, `/issues/1/comments`.
    ///
    /// # Errors
    /// When it cannot be asked, or says no.
    pub fn ask(
        &self,
        method: Method,
        repository: &str,
        path: &str,
        body: Option<&Json>,
    ) -> Result<Answered, ForgeError> {
        let token = self.token(repository)?;
        let what =
            format!("{} {repository}{}", method.name(), path.split('?').next().unwrap_or(""));
        self.call(method, &format!("/repos/{repository}{path}"), body, &token, &what)
    }

    /// All entries of a list, page by page; those under `within` where the list stands in an object.
    ///
    /// # Errors
    /// When it cannot be asked, or says no.
    pub fn list(
        &self,
        repository: &str,
        path: &str,
        within: Option<&str>,
    ) -> Result<Vec<Json>, ForgeError> {
        self.pages(repository, path, within, PAGE)
    }

    /// The same, of a list that has so many entries on a page.
    pub(crate) fn pages(
        &self,
        repository: &str,
        path: &str,
        within: Option<&str>,
        size: usize,
    ) -> Result<Vec<Json>, ForgeError> {
        let mut all = Vec::new();
        let sign = if path.contains('?') { '&' } else { '?' };
        for page in 1..=PAGES_MAX {
            let path = format!("{path}{sign}per_page={size}&page={page}");
            let Answered { json, .. } = self.ask(Method::Get, repository, &path, None)?;
            let list = match within {
                Some(name) => json[name].as_array(),
                None => json.as_array(),
            };
            let found = list.map_or(0, Vec::len);
            all.extend(list.into_iter().flatten().cloned());
            if found < size {
                break;
            }
        }
        Ok(all)
    }

    /// What git shows to fetch a repository: the value of an `Authorization` header.
    ///
    /// # Errors
    /// When no token can be had.
    pub fn fetch_header(&self, repository: &str) -> Result<Secret, ForgeError> {
        use base64::Engine as _;
        let token = self.token(repository)?;
        let pair = format!("x-access-token:{}", token.expose());
        let pair = base64::engine::general_purpose::STANDARD.encode(pair);
        Ok(Secret::new(format!("Basic {pair}")))
    }

    /// The token for a repository: ours, or its installation's.
    fn token(&self, repository: &str) -> Result<Secret, ForgeError> {
        let Credentials::App { id, key } = &self.credentials else {
            let Credentials::Token(token) = &self.credentials else { unreachable!("one of two") };
            return Ok(token.clone());
        };
        let installation = self.installation((id, key), repository, u64::MAX)?.id;
        if let Some((token, until)) = self.known().tokens.get(&installation)
            && now() + TOKEN_LEFT_SECONDS < *until
        {
            return Ok(token.clone());
        }
        let own = app_token(id, key, now())?;
        let path = format!("/app/installations/{installation}/access_tokens");
        let what = "make a token of the app's installation";
        let made = self.call(Method::Post, &path, Some(&json!({})), &own, what)?.json;
        let token = made["token"].as_str().ok_or_else(|| self.unreadable(what))?;
        let until = made["expires_at"].as_str().and_then(|it| it.parse::<jiff::Timestamp>().ok());
        let until = until.and_then(|it| u64::try_from(it.as_second()).ok()).unwrap_or(0);
        let token = Secret::new(token);
        self.known().tokens.insert(installation, (token.clone(), until));
        Ok(token)
    }

    /// Where an app is let in, as it was so many seconds ago at most.
    fn installation(
        &self,
        (id, key): (&str, &Secret),
        repository: &str,
        seconds: u64,
    ) -> Result<Installation, ForgeError> {
        let owner = repository.split('/').next().unwrap_or_default().to_lowercase();
        let known = self.known().installations.get(&owner).cloned();
        if let Some((known, at)) = known
            && now().saturating_sub(at) < seconds
        {
            return Ok(known);
        }
        let own = app_token(id, key, now())?;
        let path = format!("/repos/{repository}/installation");
        let what = format!("find the app's installation for {repository}");
        let json = self.call(Method::Get, &path, None, &own, &what)?.json;
        let id = json["id"].as_u64().ok_or_else(|| self.unreadable(&what))?;
        let permissions = json["permissions"].as_object().into_iter().flatten();
        let permissions =
            permissions.filter_map(|(name, it)| Some((name.clone(), it.as_str()?.to_owned())));
        let found = Installation { id, permissions: permissions.collect() };
        self.known().installations.insert(owner, (found.clone(), now()));
        Ok(found)
    }

    /// What the app may do where a repository is, as it was lately; none where we are a person's token.
    pub(crate) fn may(
        &self,
        repository: &str,
        seconds: u64,
    ) -> Result<Option<Installation>, ForgeError> {
        let Credentials::App { id, key } = &self.credentials else { return Ok(None) };
        self.installation((id, key), repository, seconds).map(Some)
    }

    /// Asks something as the app itself, of no repository; none where we are a person's token.
    pub(crate) fn as_app(
        &self,
        method: Method,
        path: &str,
        body: Option<&Json>,
        what: &str,
    ) -> Result<Option<Answered>, ForgeError> {
        let Credentials::App { id, key } = &self.credentials else { return Ok(None) };
        let own = app_token(id, key, now())?;
        self.call(method, path, body, &own, what).map(Some)
    }

    pub(crate) fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Json>,
        token: &Secret,
        what: &str,
    ) -> Result<Answered, ForgeError> {
        let host = self.host();
        let wait = self.known().not_before.saturating_sub(now());
        if wait > 0 {
            return Err(ForgeError::Limited { host, seconds: wait });
        }
        let request = Request::builder()
            .method(method.name())
            .uri(format!("{}{path}", self.api))
            .header("authorization", format!("Bearer {}", token.expose()))
            .header("accept", "application/vnd.github+json")
            .header("x-github-api-version", VERSION)
            .header("content-type", "application/json");
        let text = body.map(Json::to_string).unwrap_or_default();
        let request = request.body(text);
        // The library's words would show what could not be sent, the token among it.
        let request = request.map_err(|_| ForgeError::Refused {
            host: host.clone(),
            status: 0,
            what: what.to_owned(),
            why: "this cannot be asked".to_owned(),
        })?;
        let answer = self.agent.run(request);
        let mut answer = answer.map_err(|error| ForgeError::Unanswered {
            host: host.clone(),
            why: error.to_string(),
        })?;
        let limited = self.limited(&answer);
        let (left, next) = (number(&answer, "x-ratelimit-remaining"), next(&answer));
        let at = date(&answer);
        let status = answer.status();
        let text = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
        let text = text.map_err(|error| ForgeError::Unanswered {
            host: host.clone(),
            why: error.to_string(),
        })?;
        let json = if text.is_empty() { Ok(Json::Null) } else { serde_json::from_str(&text) };
        if status.is_success() {
            let json = json.map_err(|_| self.unreadable(what))?;
            return Ok(Answered { json, left, next, at });
        }
        let said = json.ok().and_then(|it| it["message"].as_str().map(str::to_owned));
        let why: String = said
            .unwrap_or_else(|| "it does not say why".into())
            .chars()
            .take(SAID_CHARACTERS_MAX)
            .collect();
        let is_secondary = why.to_lowercase().contains("rate limit");
        if let Some(seconds) = limited.or(is_secondary.then_some(LIMITED_SECONDS)) {
            self.known().not_before = now() + seconds;
            return Err(ForgeError::Limited { host, seconds });
        }
        let what = what.to_owned();
        Err(match status {
            StatusCode::UNAUTHORIZED => {
                self.known().tokens.clear();
                ForgeError::Denied { host, why }
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => ForgeError::Absent { host, what },
            it if it.is_server_error() => ForgeError::Failed { host, status: it.as_u16(), what },
            it => ForgeError::Refused { host, status: it.as_u16(), what, why },
        })
    }

    /// For how long nothing is to be asked, where the answer says so.
    fn limited(&self, answer: &Response<ureq::Body>) -> Option<u64> {
        if !matches!(answer.status(), StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS) {
            return None;
        }
        let seconds = if let Some(seconds) = number(answer, "retry-after") {
            seconds
        } else if number(answer, "x-ratelimit-remaining") == Some(0) {
            number(answer, "x-ratelimit-reset")
                .map_or(LIMITED_SECONDS, |at| at.saturating_sub(now()))
        } else if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            LIMITED_SECONDS
        } else {
            return None;
        };
        Some(seconds.clamp(1, LIMITED_SECONDS_MAX))
    }

    pub(crate) fn unreadable(&self, what: &str) -> ForgeError {
        ForgeError::Unreadable { host: self.host(), what: what.to_owned() }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        // Whoever died while it was held left it whole: every change is one step.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn number(answer: &Response<ureq::Body>, name: &str) -> Option<u64> {
    answer.headers().get(name)?.to_str().ok()?.parse().ok()
}

fn date(answer: &Response<ureq::Body>) -> Option<Timestamp> {
    let text = answer.headers().get("date")?.to_str().ok()?;
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    u64::try_from(at.as_millisecond()).ok().map(Timestamp)
}

/// The cursor of the next page, as the header `Link` has it.
fn next(answer: &Response<ureq::Body>) -> Option<String> {
    let links = answer.headers().get("link")?.to_str().ok()?;
    let link = links.split(',').find(|it| it.contains("rel=\"next\""))?;
    let (_, query) = link.split_once('<')?.1.split_once('>')?.0.split_once('?')?;
    let cursor = query.split('&').find_map(|it| it.strip_prefix("cursor="))?;
    let is_letter = |it: u8| it.is_ascii_alphanumeric() || b"-_.%".contains(&it);
    cursor.bytes().all(is_letter).then(|| cursor.to_owned())
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs())
}
