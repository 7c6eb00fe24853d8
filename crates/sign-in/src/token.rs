//! An ID token: whether it is proven, for us, for this attempt, and now.
//!
//! Three parts between points, of which the third is a signature over the first two. aws-lc-rs verifies it;
//! what is said is looked at only behind that.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value as Json;

use crate::keys::{Algorithm, KeySet};
use crate::rules::Claims;

/// A token with a few hundred groups is smaller.
const TOKEN_BYTES_MAX: usize = 64 << 10;
/// How much the clocks of two machines may differ.
const CLOCK_LEEWAY_SECONDS: u64 = 60;
/// A token that was made longer ago is not of this sign-in: it comes a moment after the code.
const AGE_SECONDS_MAX: u64 = 600;
/// Longer is no name of anybody (OpenID Connect Core, 2).
const SUBJECT_BYTES_MAX: usize = 255;
/// For whom a token may be, all together.
const AUDIENCES_MAX: usize = 16;

/// What a token has to say.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'e> {
    /// By whom it is.
    pub issuer: &'e str,
    /// For whom: us.
    pub client: &'e str,
    /// For which attempt.
    pub nonce: &'e str,
    /// When it is, in seconds since 1970.
    pub now: u64,
}

/// Why a token proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// It is none that can be read.
    #[error("it is no signed token that can be read")]
    Form,
    /// It is signed in a way that is not taken.
    #[error("it is signed neither with RS256 nor with ES256")]
    Algorithm,
    /// It has a part that must be understood, and is not.
    #[error("it has a header that must be understood, and is not")]
    Critical,
    /// The provider publishes no such key.
    #[error("it is signed with a key that the provider does not publish")]
    UnknownKey,
    /// The signature is not of that key.
    #[error("its signature is not right")]
    Signature,
    /// It names nobody.
    #[error("it says nobody's name (`sub`)")]
    Subject,
    /// It is of somebody else.
    #[error("it is of another issuer (`iss`)")]
    Issuer,
    /// It is for somebody else.
    #[error("it is for another client (`aud`, `azp`)")]
    Audience,
    /// It does not last any more.
    #[error("it has expired (`exp`)")]
    Expired,
    /// It is not of this moment.
    #[error("it was made too long ago, or is not good yet (`iat`, `nbf`); is a clock wrong?")]
    Time,
    /// It is of another attempt.
    #[error("it is of another sign-in (`nonce`)")]
    Nonce,
}

/// Proves a token, and gives what it says.
///
/// # Errors
/// When it is not proven, or not what is expected.
pub fn prove(token: &str, keys: &KeySet, expected: &Expected<'_>) -> Result<Claims, Unproven> {
    let said = signed(token, keys)?;
    let claims = Claims::of(said).ok_or(Unproven::Form)?;
    judge(&claims, expected)?;
    Ok(claims)
}

/// What stands in a token whose signature is right.
fn signed(token: &str, keys: &KeySet) -> Result<Json, Unproven> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Unproven::Form);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(Unproven::Form)?;
    let (header, said) = message.split_once('.').ok_or(Unproven::Form)?;
    let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Unproven::Form);
    let json = |part: &str| -> Result<Json, Unproven> {
        serde_json::from_slice(&bytes(part)?).map_err(|_| Unproven::Form)
    };
    let header = json(header)?;
    let algorithm = header["alg"].as_str().and_then(Algorithm::of).ok_or(Unproven::Algorithm)?;
    if header.get("crit").is_some() {
        return Err(Unproven::Critical);
    }
    let id = match &header["kid"] {
        Json::Null => None,
        Json::String(id) => Some(id.as_str()),
        _ => return Err(Unproven::Form),
    };
    let signature = bytes(signature)?;
    let mut candidates = keys.candidates(id, algorithm).peekable();
    if candidates.peek().is_none() {
        return Err(Unproven::UnknownKey);
    }
    if !candidates.any(|key| key.proves(message.as_bytes(), &signature)) {
        return Err(Unproven::Signature);
    }
    json(said)
}

fn judge(claims: &Claims, expected: &Expected<'_>) -> Result<(), Unproven> {
    let subject = claims.subject();
    let is_name = !subject.is_empty() && subject.len() <= SUBJECT_BYTES_MAX;
    if !is_name || subject.contains(char::is_control) {
        return Err(Unproven::Subject);
    }
    if claims.value("iss") != Some(&Json::from(expected.issuer)) {
        return Err(Unproven::Issuer);
    }
    if !is_for(claims, expected.client) {
        return Err(Unproven::Audience);
    }
    let leeway = CLOCK_LEEWAY_SECONDS;
    let seconds = |name: &str| claims.value(name).and_then(seconds);
    let expires = seconds("exp").ok_or(Unproven::Expired)?;
    if expires.saturating_add(leeway) <= expected.now {
        return Err(Unproven::Expired);
    }
    let made = seconds("iat").ok_or(Unproven::Time)?;
    let is_late = made.saturating_add(AGE_SECONDS_MAX + leeway) < expected.now;
    let is_early = |at: u64| at > expected.now.saturating_add(leeway);
    let from = claims.value("nbf").map(|_| seconds("nbf").ok_or(Unproven::Time)).transpose()?;
    if is_late || is_early(made) || from.is_some_and(is_early) {
        return Err(Unproven::Time);
    }
    if claims.value("nonce") != Some(&Json::from(expected.nonce)) {
        return Err(Unproven::Nonce);
    }
    Ok(())
}

/// Whether it is for us: among its audiences, and given to us where it says to whom.
fn is_for(claims: &Claims, client: &str) -> bool {
    let (is_meant, is_alone) = match claims.value("aud") {
        Some(Json::String(one)) => (one == client, true),
        Some(Json::Array(all)) if all.len() <= AUDIENCES_MAX => {
            (all.iter().any(|it| it == client), all.len() == 1)
        }
        _ => (false, false),
    };
    let given_to = claims.value("azp");
    is_meant && given_to.map_or(is_alone, |it| it == client)
}

/// A moment: JSON's numbers may have a fraction.
fn seconds(value: &Json) -> Option<u64> {
    let whole = value.as_f64().filter(|it| (0.0..1e15).contains(it))?;
    value.as_u64().or_else(|| format!("{whole:.0}").parse().ok())
}
