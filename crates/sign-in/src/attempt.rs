//! One attempt to sign in: what binds the answer to the browser that asked, and to nobody else.
//!
//! ```text
//!   begun: state, nonce, verifier in a cookie of ten minutes ──▶ address: state, nonce, digest of the verifier
//!                     │                                                  │
//!                     └────────── compared ◀── answer: code, state ◀─────┘
//! ```

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::discovery::Discovery;
use crate::provider::SignInError;

/// Somebody who finds their password takes less.
pub(crate) const ATTEMPT_SECONDS_MAX: u64 = 600;
/// Of the state, the nonce and the verifier; 43 letters, the least that RFC 7636 takes of the last.
const RANDOM_BYTES: usize = 32;
/// What a browser takes as one cookie.
const COOKIE_BYTES_MAX: usize = 4_000;
/// Codes are a few dozen letters; some providers seal what they know into theirs.
const CODE_BYTES_MAX: usize = 8 << 10;
/// An error's name is a word (RFC 6749, 4.1.2.1).
const WORD_CHARS_MAX: usize = 60;

/// What a browser that was sent to the provider keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// In seconds since 1970.
    begun_at: u64,
    state: String,
    pub(crate) nonce: String,
    pub(crate) verifier: String,
    /// Where the person wanted to go.
    pub next: String,
}

/// What comes back with a browser.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    code: Option<String>,
    state: Option<String>,
    issuer: Option<String>,
    error: Option<String>,
}

impl Answer {
    /// Reads the part of an address behind its `?`. What comes twice is not there: nobody knows which is meant.
    pub fn read(query: &str) -> Answer {
        let pairs: Vec<(&str, String)> = query
            .split('&')
            .filter_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                Some((name, decoded(value)?))
            })
            .collect();
        let only = |name: &str| {
            let mut found = pairs.iter().filter(|(it, _)| *it == name);
            let first = found.next()?;
            found.next().is_none().then(|| first.1.clone())
        };
        Answer {
            code: only("code"),
            state: only("state"),
            issuer: only("iss"),
            error: only("error"),
        }
    }
}

impl Attempt {
    /// A new one.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub(crate) fn begin(next: &str, now: u64) -> Result<Attempt, SignInError> {
        let random = || -> Result<String, SignInError> {
            let mut bytes = [0; RANDOM_BYTES];
            getrandom::fill(&mut bytes).map_err(|_| SignInError::Random)?;
            Ok(URL_SAFE_NO_PAD.encode(bytes))
        };
        let (state, nonce, verifier) = (random()?, random()?, random()?);
        Ok(Attempt { begun_at: now, state, nonce, verifier, next: next.to_owned() })
    }

    /// The value of the browser's cookie. It is a secret from everybody but that browser.
    pub fn cookie(&self) -> String {
        let Attempt { begun_at, state, nonce, verifier, next } = self;
        format!("{begun_at}.{state}.{nonce}.{verifier}.{}", URL_SAFE_NO_PAD.encode(next))
    }

    /// What a cookie says, where it is one of ours.
    pub fn read(cookie: &str) -> Option<Attempt> {
        if cookie.len() > COOKIE_BYTES_MAX {
            return None;
        }
        let parts: Vec<&str> = cookie.split('.').collect();
        let [begun_at, state, nonce, verifier, next] = parts[..] else { return None };
        let is_random =
            |it: &&str| URL_SAFE_NO_PAD.decode(it).is_ok_and(|bytes| bytes.len() == RANDOM_BYTES);
        let next = String::from_utf8(URL_SAFE_NO_PAD.decode(next).ok()?).ok()?;
        [state, nonce, verifier].iter().all(is_random).then_some(Attempt {
            begun_at: begun_at.parse().ok()?,
            state: state.to_owned(),
            nonce: nonce.to_owned(),
            verifier: verifier.to_owned(),
            next,
        })
    }

    /// Where the browser is sent.
    pub(crate) fn address(
        &self,
        discovery: &Discovery,
        (client, back, asks): (&str, &str, &str),
    ) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()));
        let base = &discovery.authorization;
        let joint = if base.contains('?') { '&' } else { '?' };
        let words = form(&[
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", back),
            ("scope", asks),
            ("state", &self.state),
            ("nonce", &self.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        format!("{base}{joint}{words}")
    }

    /// The code of an answer to this attempt.
    ///
    /// # Errors
    /// When it answers another one, comes too late, is of another provider, or says no.
    pub fn code(
        &self,
        answer: &Answer,
        (issuer, names_itself): (&str, bool),
        now: u64,
    ) -> Result<String, SignInError> {
        let state = answer.state.as_deref().unwrap_or_default();
        let is_ours = verify_slices_are_equal(state.as_bytes(), self.state.as_bytes()).is_ok();
        let is_late = now.saturating_sub(self.begun_at) > ATTEMPT_SECONDS_MAX;
        if !is_ours || is_late {
            return Err(SignInError::Unbound);
        }
        let is_other = answer.issuer.as_deref().map_or(names_itself, |it| it != issuer);
        if is_other {
            return Err(SignInError::Wrong("the answer is of another provider (`iss`)".to_owned()));
        }
        if let Some(error) = &answer.error {
            return Err(SignInError::Refused(word(error)));
        }
        let code = answer.code.clone().filter(|it| (1..=CODE_BYTES_MAX).contains(&it.len()));
        code.ok_or_else(|| SignInError::Wrong("the answer has no code".to_owned()))
    }
}

/// A provider's word for what is wrong, as far as it is one.
pub(crate) fn word(text: &str) -> String {
    let plain = |it: &char| it.is_ascii_alphanumeric() || "_-.".contains(*it);
    text.chars().filter(plain).take(WORD_CHARS_MAX).collect()
}

/// Names and values as a form is sent, and as an address has them.
pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
    let pair = |(name, value): &(&str, &str)| format!("{name}={}", encoded(value));
    pairs.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// A value in which only what is never special stands for itself.
pub(crate) fn encoded(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

fn decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |it: Option<u8>| char::from(it?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}
