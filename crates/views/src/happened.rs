//! When something happened on a forge, by what it sent of that.

use event::Timestamp;
use serde_json::Value as Json;

/// When an event happened, as a forge's payload says; none where it says nothing.
pub fn happened_at(event: &str, payload: &Json) -> Option<Timestamp> {
    let at = match event {
        // In seconds for a push, as text elsewhere.
        "push" => payload.pointer("/repository/pushed_at")?,
        "pull_request" => payload.pointer("/pull_request/updated_at")?,
        "issues" => payload.pointer("/issue/updated_at")?,
        "release" => payload
            .pointer("/release/updated_at")
            .filter(|it| it.is_string())
            .or_else(|| payload.pointer("/release/published_at"))?,
        _ => return None,
    };
    moment_of(at)
}

/// A moment as GitHub writes it: in seconds, or as text.
pub fn moment_of(at: &Json) -> Option<Timestamp> {
    match at {
        Json::Number(seconds) => Some(Timestamp(seconds.as_u64()?.checked_mul(1000)?)),
        Json::String(text) => {
            let at: jiff::Timestamp = text.parse().ok()?;
            Some(Timestamp(u64::try_from(at.as_millisecond()).ok()?))
        }
        _ => None,
    }
}
