//! Whether a webhook is GitHub's, and fresh: decided on its bytes, before anything is made of them.
//!
//! The signature covers the body and nothing else: the event's name and the webhook's id stand in
//! headers that whoever caught a body could choose anew. So a body is taken once by what it says too
//! ([`Proven::digest`]), as far as two honest ones differ, and not at all when it is older than
//! what GitHub would deliver again ([`FRESH_MS`]).

use aws_lc_rs::hmac;
use event::{Digest, Timestamp};
use mask::Secret;
use serde_json::Value as Json;
use views::happened_at;

/// GitHub sends no larger payload.
pub const BODY_BYTES_MAX: usize = 25 << 20;
/// GitHub delivers again for three days; a day more for clocks and patience.
pub const FRESH_MS: u64 = 4 * 24 * 60 * 60 * 1000;
/// How long a webhook is remembered: far longer than it counts as fresh.
pub const KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// A clock may be wrong by so much.
const AHEAD_MS: u64 = 10 * 60 * 1000;
/// Longer than any name or id of GitHub's.
const HEADER_CHARACTERS_MAX: usize = 100;

/// The headers of a webhook that count.
#[derive(Clone, Copy, Debug, Default)]
pub struct Heads<'h> {
    /// `X-GitHub-Event`
    pub event: &'h str,
    /// `X-GitHub-Delivery`
    pub delivery: &'h str,
    /// `X-Hub-Signature-256`
    pub signature: &'h str,
    /// `Content-Type`
    pub content_type: &'h str,
}

/// Why a webhook is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// It shows no signature, or one of something else.
    #[error("the signature is not that of this body with the secret of this server")]
    Unproven,
    /// A header is missing, or nothing that GitHub sends.
    #[error("the header {0} is missing, or nothing that GitHub sends")]
    Header(&'static str),
    /// The body is no JSON object.
    #[error("the body is not a JSON object: set the webhook's content type to application/json")]
    Body,
    /// It is about something that happened too long ago, or has yet to happen.
    #[error("it is about something {0}: GitHub delivers nothing that is older than three days")]
    Stale(&'static str),
}

/// A webhook of GitHub's.
#[derive(Clone, Debug, PartialEq)]
pub struct Proven {
    /// GitHub's id of it; the same when it is delivered again.
    pub id: String,
    /// `push`
    pub event: String,
    /// What makes a second one of the same words a copy; none where honest ones can be alike.
    pub digest: Option<Digest>,
    /// The payload.
    pub payload: Json,
}

/// Proves a webhook: first the signature, then the rest.
///
/// # Errors
/// When it is not to be taken.
pub fn prove(
    secret: &Secret,
    heads: Heads<'_>,
    body: &[u8],
    now: Timestamp,
) -> Result<Proven, NotTaken> {
    if !is_signed(secret, heads.signature, body) {
        return Err(NotTaken::Unproven);
    }
    let is_word = |text: &str| {
        let is_letter = |it: u8| it.is_ascii_alphanumeric() || b"-_".contains(&it);
        !text.is_empty() && text.len() <= HEADER_CHARACTERS_MAX && text.bytes().all(is_letter)
    };
    if !is_word(heads.delivery) {
        return Err(NotTaken::Header("X-GitHub-Delivery"));
    }
    if !is_word(heads.event) {
        return Err(NotTaken::Header("X-GitHub-Event"));
    }
    let payload: Json = match serde_json::from_slice(body) {
        Ok(payload @ Json::Object(_)) => payload,
        _ => return Err(NotTaken::Body),
    };
    if let Some(at) = happened_at(heads.event, &payload) {
        if at.0 + FRESH_MS < now.0 {
            return Err(NotTaken::Stale("long ago"));
        }
        if at.0 > now.0 + AHEAD_MS {
            return Err(NotTaken::Stale("in the future"));
        }
    }
    // Somebody may press the same button twice: those events carry no time of their own.
    let is_unlike = !matches!(heads.event, "workflow_dispatch" | "repository_dispatch" | "ping");
    Ok(Proven {
        id: heads.delivery.to_owned(),
        event: heads.event.to_owned(),
        digest: is_unlike.then(|| Digest::of(body)),
        payload,
    })
}

/// In constant time, whatever is shown.
fn is_signed(secret: &Secret, shown: &str, body: &[u8]) -> bool {
    let Some(signature) = shown.strip_prefix("sha256=").and_then(bytes_of) else { return false };
    // An empty secret proves nothing.
    if secret.expose().is_empty() {
        return false;
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    hmac::verify(&key, body, &signature).is_ok()
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).ok();
    (0..hex.len()).step_by(2).map(byte).collect()
}

#[cfg(test)]
mod tests;
