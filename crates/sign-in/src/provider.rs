//! The provider itself: asked when somebody signs in, and never before. Its documents are remembered for a
//! while; that it does not answer, for a moment.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use https::{Forbidden, Guard};
use mask::Secret;
use serde_json::Value as Json;
use ureq::http::Uri;

use crate::Wrong;
use crate::attempt::{Answer, Attempt, encoded, form, word};
use crate::discovery::Discovery;
use crate::keys::KeySet;
use crate::rules::Claims;
use crate::token::{Expected, Unproven, prove};

/// How long the provider has for each answer. Somebody waits in front of a browser.
const WITHIN: Duration = Duration::from_secs(10);
/// Discovery documents are a few kilobytes, key sets with their certificates some dozens, tokens with
/// hundreds of groups as well.
const ANSWER_BYTES_MAX: u64 = 256 << 10;
/// Discovery and keys are asked for anew after so long: a key that the provider took back is good no longer.
const DOCUMENTS_SECONDS_MAX: u64 = 3600;
/// A token signed with an unknown key has the keys asked for again, and at most this often: else whoever
/// makes up tokens makes us ask.
const KEYS_AGAIN_SECONDS_MIN: u64 = 60;
/// A provider that did not answer is not asked for its documents again before that.
const AWAY_SECONDS: u64 = 5;

/// Which provider, and as whom it is spoken to.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name, and where its discovery document lies below.
    pub issuer: String,
    /// As whom it knows this server.
    pub client: String,
    /// What proves that; none of a public client, which has PKCE alone.
    pub secret: Option<Secret>,
    /// What it is asked to say of people (`scope` of OAuth), besides `openid`.
    pub asks: Vec<String>,
    /// Claims without which an ID token is not enough: the provider is asked for more.
    pub claims: Vec<String>,
    /// Where a browser comes back to.
    pub back: String,
}

/// Settings that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The issuer.
    #[error("an issuer is an address of https without a query, or one of http on this machine")]
    Issuer,
    /// The client.
    #[error("a client's id is a word")]
    Client,
}

/// Why somebody is not signed in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// The browser has no attempt of which this is the answer, or it is too long ago.
    #[error("this browser began no sign-in that this answers, or more than ten minutes ago")]
    Unbound,
    /// The provider says no.
    #[error("the provider says no: {0}")]
    Refused(String),
    /// The provider does not answer.
    #[error("{0}")]
    Away(String),
    /// What it says cannot be used.
    #[error("{0}")]
    Wrong(String),
    /// The token proves nothing.
    #[error("the provider's token proves nothing: {0}")]
    Unproven(Unproven),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

impl From<Wrong> for SignInError {
    fn from(wrong: Wrong) -> SignInError {
        SignInError::Wrong(wrong.0)
    }
}

/// A browser is to be sent somewhere, with a cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// Where.
    pub address: String,
    /// The cookie's value.
    pub cookie: String,
}

/// Somebody who proved who they are.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedIn {
    /// What the provider says of them.
    pub claims: Claims,
    /// Where they wanted to go.
    pub next: String,
}

/// What is remembered of the provider.
#[derive(Debug, Default)]
struct Known {
    discovery: Option<(u64, Discovery)>,
    keys: Option<(u64, KeySet)>,
    away: Option<(u64, SignInError)>,
}

/// One provider.
#[derive(Debug)]
pub struct Provider {
    settings: Settings,
    host: String,
    agent: ureq::Agent,
    known: Mutex<Known>,
}

impl Provider {
    /// One of which nothing is known yet: nobody is asked.
    ///
    /// # Errors
    /// When it cannot be one.
    pub fn new(settings: Settings) -> Result<Provider, SettingsError> {
        let issuer = &settings.issuer;
        let uri: Uri = issuer.parse().map_err(|_| SettingsError::Issuer)?;
        let is_encrypted = uri.scheme_str() == Some("https");
        let is_here = uri.scheme_str() == Some("http") && https::is_here(issuer);
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
        let is_plain = !issuer.contains(['?', '#', '@']) && !host.is_empty();
        if !is_plain || !(is_encrypted || is_here) {
            return Err(SettingsError::Issuer);
        }
        if settings.client.is_empty() || settings.client.contains(char::is_control) {
            return Err(SettingsError::Client);
        }
        // The administrator named this host, wherever it is; what its documents name is public, or it.
        let agent = Guard::allowing([host.clone()]).agent(WITHIN);
        Ok(Provider { settings, host, agent, known: Mutex::default() })
    }

    /// What people know it by.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its name.
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// Begins an attempt.
    ///
    /// # Errors
    /// When the provider does not answer, or cannot be used.
    pub fn begin(&self, next: &str, now: u64) -> Result<Begun, SignInError> {
        let discovery = self.discovery(now)?;
        let attempt = Attempt::begin(next, now)?;
        let asks = std::iter::once("openid").chain(self.settings.asks.iter().map(String::as_str));
        let asks = asks.collect::<Vec<_>>().join(" ");
        let Settings { client, back, .. } = &self.settings;
        let address = attempt.address(&discovery, (client, back, &asks));
        Ok(Begun { address, cookie: attempt.cookie() })
    }

    /// Ends an attempt: what the browser's cookie and the address it came back to say.
    ///
    /// # Errors
    /// When it is not proven who came back.
    pub fn finish(&self, cookie: &str, query: &str, now: u64) -> Result<SignedIn, SignInError> {
        let attempt = Attempt::read(cookie).ok_or(SignInError::Unbound)?;
        let discovery = self.discovery(now)?;
        let issuer = self.settings.issuer.as_str();
        let answer = Answer::read(query);
        let code = attempt.code(&answer, (issuer, discovery.names_itself), now)?;
        let given = self.exchange(&discovery, &code, &attempt)?;
        let token = given["id_token"].as_str();
        let token = token.ok_or_else(|| Wrong::new("it gave no `id_token`"))?;
        let client = self.settings.client.as_str();
        let expected = Expected { issuer, client, nonce: &attempt.nonce, now };
        let claims = self.proven(token, &discovery, &expected)?;
        let claims = self.completed(claims, &discovery, given["access_token"].as_str())?;
        Ok(SignedIn { claims, next: attempt.next })
    }

    /// A code for a token.
    fn exchange(
        &self,
        discovery: &Discovery,
        code: &str,
        attempt: &Attempt,
    ) -> Result<Json, SignInError> {
        let Settings { client, secret, back, .. } = &self.settings;
        let mut body = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", back.as_str()),
            ("code_verifier", attempt.verifier.as_str()),
        ];
        let mut request = self.agent.post(&discovery.token).header("accept", "application/json");
        match secret {
            Some(secret) if !discovery.secret_in_body => {
                // RFC 6749, 2.3.1: both are encoded as in a form first.
                let both = format!("{}:{}", encoded(client), encoded(secret.expose()));
                request =
                    request.header("authorization", format!("Basic {}", STANDARD.encode(both)));
            }
            Some(secret) => {
                body.extend([("client_id", client.as_str()), ("client_secret", secret.expose())]);
            }
            None => body.push(("client_id", client.as_str())),
        }
        let sent = request.content_type("application/x-www-form-urlencoded").send(form(&body));
        let (status, text) = self.heard(&discovery.token, sent)?;
        let said: Option<Json> = serde_json::from_slice(&text).ok();
        match (status, said) {
            (200, Some(said)) => Ok(said),
            (400 | 401, Some(said)) => {
                let error = word(said["error"].as_str().unwrap_or("without a reason"));
                Err(SignInError::Refused(error))
            }
            (200, None) => Err(Wrong::new("its token endpoint answers with no JSON").into()),
            (status, _) => Err(self.no_answer(&discovery.token, status)),
        }
    }

    /// A token whose key is unknown may be signed with one that is new.
    fn proven(
        &self,
        token: &str,
        discovery: &Discovery,
        expected: &Expected<'_>,
    ) -> Result<Claims, SignInError> {
        let keys = self.keys(discovery, expected.now, DOCUMENTS_SECONDS_MAX)?;
        let proven = match prove(token, &keys, expected) {
            Err(Unproven::UnknownKey) => {
                let keys = self.keys(discovery, expected.now, KEYS_AGAIN_SECONDS_MIN)?;
                prove(token, &keys, expected)
            }
            proven => proven,
        };
        proven.map_err(SignInError::Unproven)
    }

    /// With what the provider says elsewhere, where something that is looked for is missing. It says so of
    /// the same person, or nothing.
    fn completed(
        &self,
        claims: Claims,
        discovery: &Discovery,
        access: Option<&str>,
    ) -> Result<Claims, SignInError> {
        let is_whole = self.settings.claims.iter().all(|name| claims.find(name).is_some());
        let (Some(url), Some(access), false) = (&discovery.userinfo, access, is_whole) else {
            return Ok(claims);
        };
        if access.is_empty() || !access.bytes().all(|it| it.is_ascii_graphic()) {
            return Err(Wrong::new("its `access_token` is none that can be sent").into());
        }
        let request = self.agent.get(url).header("authorization", format!("Bearer {access}"));
        let (status, text) =
            self.heard(url, request.header("accept", "application/json").call())?;
        if status != 200 {
            return Err(self.no_answer(url, status));
        }
        let more = serde_json::from_slice(&text).ok().and_then(Claims::of);
        let more = more.filter(|it| it.subject() == claims.subject());
        let more = more.ok_or_else(|| Wrong::new("it speaks of somebody else (`userinfo`)"))?;
        Ok(claims.with(more))
    }

    fn discovery(&self, now: u64) -> Result<Discovery, SignInError> {
        let mut known = self.known();
        if let Some((at, discovery)) = &known.discovery
            && now.saturating_sub(*at) < DOCUMENTS_SECONDS_MAX
        {
            return Ok(discovery.clone());
        }
        // One at a time asks; who waits for it hears what it heard.
        if let Some((at, error)) = &known.away
            && now.saturating_sub(*at) < AWAY_SECONDS
        {
            return Err(error.clone());
        }
        let issuer = &self.settings.issuer;
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let found = self.document(&url);
        let found = found.and_then(|text| Ok(Discovery::read(issuer, &text)?));
        match found {
            Ok(discovery) => {
                known.away = None;
                known.discovery = Some((now, discovery.clone()));
                Ok(discovery)
            }
            Err(error) => {
                known.away = Some((now, error.clone()));
                Err(error)
            }
        }
    }

    /// The keys, not older than that.
    fn keys(&self, discovery: &Discovery, now: u64, age: u64) -> Result<KeySet, SignInError> {
        let mut known = self.known();
        if let Some((at, keys)) = &known.keys
            && now.saturating_sub(*at) < age
        {
            return Ok(keys.clone());
        }
        let keys = KeySet::read(&self.document(&discovery.keys)?)?;
        known.keys = Some((now, keys.clone()));
        Ok(keys)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn document(&self, url: &str) -> Result<Vec<u8>, SignInError> {
        let sent = self.agent.get(url).header("accept", "application/json").call();
        match self.heard(url, sent)? {
            (200, text) => Ok(text),
            (status, _) => Err(self.no_answer(url, status)),
        }
    }

    /// What was answered. In our words: what the library says may hold the address with what is in it.
    fn heard(
        &self,
        url: &str,
        sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<(u16, Vec<u8>), SignInError> {
        let mut answer = sent.map_err(|error| fault(&error, &host_of(url)))?;
        let text = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let text = text.map_err(|error| fault(&error, &host_of(url)))?;
        Ok((answer.status().as_u16(), text))
    }

    fn no_answer(&self, url: &str, status: u16) -> SignInError {
        let host = host_of(url);
        match status {
            300..=399 => {
                SignInError::Wrong(format!("{host} answered {status}; a redirect is not followed"))
            }
            500..=599 | 429 => SignInError::Away(format!("{host} answered {status}")),
            _ => SignInError::Wrong(format!("{host} answered {status}")),
        }
    }
}

fn host_of(url: &str) -> String {
    let uri: Option<Uri> = url.parse().ok();
    uri.and_then(|it| it.host().map(str::to_owned)).unwrap_or_default()
}

fn fault(error: &ureq::Error, host: &str) -> SignInError {
    use std::io::ErrorKind;
    let away = |what: &str| SignInError::Away(format!("{host} {what}"));
    match error {
        ureq::Error::Other(inner) if inner.is::<Forbidden>() => {
            SignInError::Wrong(inner.to_string())
        }
        ureq::Error::BodyExceedsLimit(_) => {
            SignInError::Wrong(format!("{host} answers with too much"))
        }
        ureq::Error::HostNotFound => away("has no address"),
        ureq::Error::ConnectionFailed => away("cannot be connected to"),
        ureq::Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => {
            away("refuses connections")
        }
        ureq::Error::Io(error) if https::is_untrusted(error) => {
            away(&format!("has a certificate that is not trusted here; {}", https::TRUST_HINT))
        }
        ureq::Error::Timeout(_) => away(&format!("did not answer within {} s", WITHIN.as_secs())),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => away("does not prove who it is (TLS)"),
        _ => away("broke the connection off"),
    }
}
