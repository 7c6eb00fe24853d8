//! Sending over HTTP: Slack, PagerDuty, any webhook.

use std::time::Duration;

use aws_lc_rs::hmac;
use event::Timestamp;
use https::{Forbidden, Guard};
use mask::Secret;
use outbox::{Failed, Fault};
use serde_json::Value as Json;

use crate::guard::told;

/// How long all of it may take. Receivers answer in less than a second.
const WITHIN: Duration = Duration::from_secs(10);

/// What is read of an answer: a word that says why not.
const ANSWER_BYTES_MAX: u64 = 4 << 10;

/// What is told of it.
const ANSWER_CHARS_MAX: usize = 120;

/// One request.
pub(crate) struct Sent<'s> {
    /// A secret, as a rule: it stands in no error.
    pub(crate) url: &'s str,
    pub(crate) body: &'s Json,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// What the answer may be shown of: Slack's and PagerDuty's words, not those of anybody.
    pub(crate) tells_why: bool,
}

/// Sends, and hears whether it was taken.
pub(crate) fn post(guard: &Guard, sent: &Sent<'_>) -> Result<(), Failed> {
    let host = host_of(sent.url).ok_or_else(|| refused("its address is none of https"))?;
    let is_encrypted = sent.url.starts_with("https://");
    if !is_encrypted && !guard.allows(&host) {
        return Err(refused(&format!(
            "nothing encrypts what goes to {host}; write https, or allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`"
        )));
    }
    let mut request = guard.agent(WITHIN).post(sent.url).header("content-type", "application/json");
    for (name, value) in &sent.headers {
        request = request.header(*name, value);
    }
    let mut answer = request.send(sent.body.to_string()).map_err(|error| fault(&error, &host))?;
    let status = answer.status().as_u16();
    if answer.status().is_success() {
        return Ok(());
    }
    let after = answer.headers().get("retry-after").and_then(|it| it.to_str().ok());
    let again_ms =
        after.and_then(|it| it.trim().parse::<u64>().ok()).map(|it| it.saturating_mul(1_000));
    let said = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
    let said = said.ok().filter(|_| sent.tells_why).map(|it| crate::message::clean(&it));
    let said: String = said.unwrap_or_default().chars().take(ANSWER_CHARS_MAX).collect();
    let said = if said.is_empty() { said } else { format!(": {said}") };
    let (fault, why) = match status {
        300..=399 => {
            (Fault::Refused, format!("{host} answered {status}; a redirect is not followed"))
        }
        408 | 425 | 429 | 500..=599 => (Fault::Down, format!("{host} answered {status}{said}")),
        _ => (Fault::Refused, format!("{host} answered {status}{said}")),
    };
    Err(Failed { fault, why, again_ms })
}

fn refused(why: &str) -> Failed {
    Failed::new(Fault::Refused, why)
}

/// In our words: what the library says may hold the address, which is a secret.
fn fault(error: &ureq::Error, host: &str) -> Failed {
    use std::io::ErrorKind;
    let down = |what: &str| Failed::new(Fault::Down, format!("{host} {what}"));
    match error {
        ureq::Error::Other(inner) if inner.is::<Forbidden>() => {
            refused(&inner.downcast_ref::<Forbidden>().map_or_else(String::new, told))
        }
        ureq::Error::HostNotFound => down("has no address"),
        ureq::Error::ConnectionFailed => down("cannot be connected to"),
        ureq::Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => {
            down("refuses connections")
        }
        ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => {
            down("cannot be reached in time")
        }
        ureq::Error::Timeout(_) => Failed::new(
            Fault::Unknown,
            format!("{host} did not answer within {} s", WITHIN.as_secs()),
        ),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => down("does not prove who it is (TLS)"),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => refused("its address is none of https"),
        _ => Failed::new(Fault::Unknown, format!("the connection to {host} broke off")),
    }
}

/// The host of an address, as it is resolved.
pub(crate) fn host_of(url: &str) -> Option<String> {
    let uri: ureq::http::Uri = url.parse().ok()?;
    let is_web = matches!(uri.scheme_str(), Some("https" | "http"));
    uri.host().filter(|_| is_web).map(|it| it.trim_matches(['[', ']']).to_ascii_lowercase())
}

/// `t=SECONDS,v1=HEX`: HMAC-SHA256 of the seconds, a point and the body. The time is signed with it, so
/// that nobody can send it once more later.
pub(crate) fn signature(key: &Secret, at: Timestamp, body: &str) -> String {
    let seconds = at.0 / 1_000;
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
    let tag = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    let hex: String = tag.as_ref().iter().map(|it| format!("{it:02x}")).collect();
    format!("t={seconds},v1={hex}")
}
