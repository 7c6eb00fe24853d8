//! A message as its receiver reads it. Pure; what outsiders wrote is text there and nothing else.

use event::Timestamp;
use serde_json::{Value as Json, json};

use crate::message::Message;

/// PagerDuty takes no longer summary.
const SUMMARY_CHARS_MAX: usize = 1_024;
/// Slack takes no longer text of a section.
const SECTION_CHARS_MAX: usize = 3_000;

/// How the keys begin by which PagerDuty knows what it was told by us.
pub(crate) const DEDUP_PREFIX: &str = "launchway-";

/// What a rule does with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// It happened.
    Tell,
    /// What was told before is over.
    Resolve,
}

/// What Slack's webhook takes. What outsiders wrote stands in `plain_text`, in which nothing is a
/// mention, a link or a mark; the fallback is escaped as Slack says.
pub(crate) fn slack(message: &Message) -> Json {
    let lines = [std::slice::from_ref(&message.title), &message.facts].concat().join("\n");
    let text: String = lines.chars().take(SECTION_CHARS_MAX).collect();
    let mut blocks = vec![json!({
        "type": "section", "text": { "type": "plain_text", "text": text, "emoji": false },
    })];
    if let Some(link) = &message.link {
        let link = format!("<{}|Open>", escaped(link));
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": link } }));
    }
    json!({
        "text": escaped(&message.title), "blocks": blocks, "unfurl_links": false,
        "unfurl_media": false,
    })
}

/// The three characters that mean something in Slack's texts.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// What PagerDuty's Events API v2 takes.
pub(crate) fn pagerduty(message: &Message, act: Act, key: &str) -> Json {
    if act == Act::Resolve {
        return json!({ "routing_key": key, "event_action": "resolve", "dedup_key": dedup(message) });
    }
    let summary: String = message.title.chars().take(SUMMARY_CHARS_MAX).collect();
    let mut event = json!({
        "routing_key": key,
        "event_action": "trigger",
        "dedup_key": dedup(message),
        "client": "Launchway",
        "payload": {
            "summary": summary,
            "source": message.subject,
            "severity": message.occasion.severity().as_str(),
            "timestamp": iso(message.at),
            "class": message.occasion.as_str(),
            "custom_details": { "facts": message.facts },
        },
    });
    if let Some(link) = &message.link {
        event["client_url"] = json!(link);
        event["links"] = json!([{ "href": link, "text": "Open" }]);
    }
    event
}

/// One incident for what is wrong with one thing, however often it goes wrong. PagerDuty takes 255
/// characters; a digest is the same length for every subject.
fn dedup(message: &Message) -> String {
    let digest = event::Digest::of(message.subject.as_bytes()).to_string();
    format!(
        "{DEDUP_PREFIX}{}",
        digest.chars().filter(char::is_ascii_alphanumeric).collect::<String>()
    )
}

/// What any other webhook is sent.
pub(crate) fn webhook(message: &Message, key: &str) -> Json {
    json!({
        "version": 1,
        "key": key,
        "occasion": message.occasion.as_str(),
        "severity": message.occasion.severity().as_str(),
        "subject": message.subject,
        "title": message.title,
        "facts": message.facts,
        "link": message.link,
        "at": iso(message.at),
    })
}

/// The text of an email.
pub(crate) fn email(message: &Message) -> String {
    let mut lines = vec![message.title.clone(), String::new()];
    lines.extend(message.facts.iter().cloned());
    if let Some(link) = &message.link {
        lines.extend([String::new(), link.clone()]);
    }
    lines.push(String::new());
    lines.join("\r\n")
}

/// `2026-11-21T18:00:00Z`
fn iso(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0.cast_signed()).unwrap_or_default();
    at.to_string()
}
