//! Tokens of identity providers: where one comes from, and what it says.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mask::Secret;
use serde_json::Value as Json;

use crate::client::encoded;
use crate::local::Question;
use crate::sign_in::{SignInError, Surroundings};

/// For whom a token is.
pub const AUDIENCE: &str = "sts.amazonaws.com";
/// GitHub's token service may think for a while.
const TOKEN_WITHIN: Duration = Duration::from_secs(15);

/// Who makes tokens himself.
pub trait Issue: Send + Sync {
    /// A token for an audience, good for some minutes.
    ///
    /// # Errors
    /// Why there is none, in words.
    fn token(&self, audience: &str) -> Result<Secret, String>;
}

/// Where a token comes from.
#[derive(Clone)]
pub(crate) enum TokenSource {
    /// Somebody put it there.
    File(PathBuf),
    /// The runner of a job of GitHub Actions gives one.
    Job { url: String, bearer: Secret },
    /// We make it.
    Own(Arc<dyn Issue>),
}

impl TokenSource {
    /// That of a job, where the environment is one and its permissions have `id-token: write`.
    pub(crate) fn of_job(variable: &dyn Fn(&str) -> Option<String>) -> Option<TokenSource> {
        let url = variable("ACTIONS_ID_TOKEN_REQUEST_URL")?;
        let bearer = Secret::new(variable("ACTIONS_ID_TOKEN_REQUEST_TOKEN")?);
        Some(TokenSource::Job { url, bearer })
    }

    pub(crate) fn token(&self, around: &dyn Surroundings) -> Result<Secret, SignInError> {
        match self {
            TokenSource::File(path) => {
                let text = around.file(path).ok_or_else(|| SignInError::NoToken(path.clone()))?;
                Ok(Secret::new(text.trim()))
            }
            TokenSource::Job { url, bearer } => {
                let between = if url.contains('?') { '&' } else { '?' };
                let url = format!("{url}{between}audience={}", encoded(AUDIENCE));
                let bearer = format!("bearer {}", bearer.expose());
                let question = Question { within: TOKEN_WITHIN, ..Question::get(url) };
                let question = question.with("authorization", &bearer);
                let no = |why: String| SignInError::NoJobToken(why);
                let reply = around.ask(&question).map_err(|it| no(it.to_string()))?;
                let said: Json = serde_json::from_str(&reply.body).unwrap_or(Json::Null);
                match said["value"].as_str() {
                    Some(token) if reply.status == 200 => Ok(Secret::new(token)),
                    _ => Err(no(format!("the answer was {}", reply.status))),
                }
            }
            TokenSource::Own(issuer) => issuer.token(AUDIENCE).map_err(SignInError::NoOwnToken),
        }
    }
}

/// What a token says of itself: nothing here proves it. None where it is no token.
pub fn claims(token: &str) -> Option<Json> {
    let payload = token.split('.').nth(1)?;
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// What a role's trust judges by, in words.
pub(crate) fn told(token: &str) -> String {
    let Some(claims) = claims(token) else { return "what was sent is no token".to_owned() };
    let text = |key: &str| match &claims[key] {
        Json::String(text) => text.clone(),
        Json::Null => "absent".to_owned(),
        other => other.to_string(),
    };
    format!("the token's iss is {}, its sub {}, its aud {}", text("iss"), text("sub"), text("aud"))
}
