//! What PagerDuty tells back: an incident there began, is over, or began again (webhooks, third version).
//!
//! The signature covers the body, and the body says when it was so. A second one of the same words
//! therefore needs no list of those that came: what is known, or is older than what is known, changes
//! nothing.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use event::{Severity, Timestamp};
use mask::Secret;
use serde_json::Value as Json;

use crate::text::DEDUP_PREFIX;

/// A payload of PagerDuty's has a few thousand bytes.
pub const PAGED_BYTES_MAX: usize = 1 << 20;
/// PagerDuty sends again for two days; two more for clocks and patience.
const FRESH_MS: u64 = 4 * 24 * 60 * 60 * 1000;
/// A clock may be wrong by so much.
const AHEAD_MS: u64 = 10 * 60 * 1000;
/// While a secret is replaced there are two; more than that nobody sends.
const SIGNATURES_MAX: usize = 8;
/// Longer than any id of PagerDuty's.
const ID_CHARS_MAX: usize = 100;
/// Longer than any address of PagerDuty's.
const LINK_BYTES_MAX: usize = 500;

/// What PagerDuty says about an incident there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paged {
    /// Its id there: `PGR0VU2`
    pub id: String,
    /// The id of the service there that it is about: `PF9KMXH`
    pub service: String,
    /// What happened.
    pub turn: PagedTurn,
    /// What is wrong, as it came.
    pub title: String,
    /// How bad it is: by its priority where it has one, else by its urgency.
    pub severity: Severity,
    /// Where it is looked at; none where that is no address of the web.
    pub link: Option<String>,
    /// Who did it there; `pagerduty` where nobody is named.
    pub by: String,
    /// When the incident began.
    pub began_at: Timestamp,
    /// When what is told happened.
    pub at: Timestamp,
}

/// What happened to an incident there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PagedTurn {
    /// It began.
    Began,
    /// It is over.
    Ended,
    /// It is not over after all.
    BeganAgain,
}

/// Why what came is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotPaged {
    /// It shows no signature, or one of something else.
    Unproven,
    /// It is nothing that PagerDuty sends.
    Body,
    /// It is about something that happened too long ago, or has yet to happen.
    Stale(&'static str),
}

impl std::error::Error for NotPaged {}

impl std::fmt::Display for NotPaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NotPaged::Unproven => {
                f.write_str("the signature is not that of this body with the secret of this server")
            }
            NotPaged::Body => f.write_str("this is nothing that PagerDuty sends to a V3 webhook"),
            NotPaged::Stale(when) => {
                write!(f, "it is about something {when}, by the clock of this server")
            }
        }
    }
}

/// What a webhook says, proven by the header `X-PagerDuty-Signature`. None where it is about nothing that
/// begins or ends an incident, or about one that our own message opened there: that is a run's or a
/// deployment's, which is known here.
///
/// # Errors
/// When it is not to be taken.
pub fn paged(
    secret: &Secret,
    signature: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<Option<Paged>, NotPaged> {
    if !is_signed(secret, signature, body) {
        return Err(NotPaged::Unproven);
    }
    let payload: Json = serde_json::from_slice(body).map_err(|_| NotPaged::Body)?;
    let event = payload.get("event").ok_or(NotPaged::Body)?;
    let kind = event.get("event_type").and_then(Json::as_str).ok_or(NotPaged::Body)?;
    let turn = match kind {
        "incident.triggered" => PagedTurn::Began,
        "incident.resolved" => PagedTurn::Ended,
        "incident.reopened" => PagedTurn::BeganAgain,
        _ => return Ok(None),
    };
    let told = told(event, turn).ok_or(NotPaged::Body)?;
    if told.at.0.saturating_add(FRESH_MS) < now.0 {
        return Err(NotPaged::Stale("long ago"));
    }
    if told.at.0 > now.0.saturating_add(AHEAD_MS) {
        return Err(NotPaged::Stale("in the future"));
    }
    let key = event.pointer("/data/incident_key").and_then(Json::as_str);
    Ok((!key.is_some_and(|it| it.starts_with(DEDUP_PREFIX))).then_some(told))
}

fn told(event: &Json, turn: PagedTurn) -> Option<Paged> {
    let incident = event.get("data")?;
    let text = |at: &str| incident.pointer(at).and_then(Json::as_str);
    let at = moment(event.get("occurred_at")?)?;
    let began_at = incident.get("created_at").and_then(moment).map_or(at, |it| it.min(at));
    let by = event.pointer("/agent/summary").and_then(Json::as_str).filter(|it| !it.is_empty());
    Some(Paged {
        id: id(text("/id")?)?,
        service: id(text("/service/id")?)?,
        turn,
        title: text("/title").unwrap_or_default().to_owned(),
        severity: severity(text("/priority/summary"), text("/urgency")),
        link: text("/html_url").filter(|it| is_address(it)).map(str::to_owned),
        by: by.unwrap_or("pagerduty").to_owned(),
        began_at,
        at,
    })
}

/// Priorities have the names that an account gives them; P1 to P5 are what they are unless somebody
/// changes them.
fn severity(priority: Option<&str>, urgency: Option<&str>) -> Severity {
    match priority.map(str::to_lowercase).as_deref() {
        Some("p1" | "sev1" | "sev-1" | "critical") => Severity::Critical,
        Some("p2" | "sev2" | "sev-2" | "major" | "high") => Severity::Major,
        Some("p3" | "p4" | "p5" | "sev3" | "sev-3" | "minor" | "low") => Severity::Minor,
        _ if urgency == Some("low") => Severity::Minor,
        _ => Severity::Major,
    }
}

fn id(text: &str) -> Option<String> {
    let is_id = !text.is_empty()
        && text.len() <= ID_CHARS_MAX
        && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it));
    is_id.then(|| text.to_owned())
}

fn is_address(text: &str) -> bool {
    let is_letter = |it: u8| it.is_ascii_alphanumeric() || b"-._~:/#?=&%".contains(&it);
    text.starts_with("https://") && text.len() <= LINK_BYTES_MAX && text.bytes().all(is_letter)
}

fn moment(at: &Json) -> Option<Timestamp> {
    let at: jiff::Timestamp = at.as_str()?.parse().ok()?;
    u64::try_from(at.as_millisecond()).ok().map(Timestamp)
}

/// Whether one of the signatures is that of the body, each in constant time.
fn is_signed(secret: &Secret, shown: &str, body: &[u8]) -> bool {
    // An empty secret proves nothing.
    if secret.expose().is_empty() {
        return false;
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let signatures = shown.split(',').take(SIGNATURES_MAX);
    let mut shown = signatures.filter_map(|it| it.trim().strip_prefix("v1=").and_then(bytes_of));
    // Once, however many are shown.
    let own = hmac::sign(&key, body);
    shown.any(|it| verify_slices_are_equal(own.as_ref(), &it).is_ok())
}

/// The 32 bytes that 64 digits stand for.
fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    if hex.len() != 64 || !hex.bytes().all(|it| it.is_ascii_hexdigit()) {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).ok();
    (0..hex.len()).step_by(2).map(byte).collect()
}
