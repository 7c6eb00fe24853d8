//! How times, states and numbers are said on pages.

use event::{Attempt, Conclusion, RunId, Status, StreamId, Timestamp};

use crate::ansi;

/// A state, as it is shown: a sign, a word beside it, and the class of its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) sign: &'static str,
    pub(crate) word: &'static str,
    pub(crate) class: &'static str,
}

impl State {
    pub(crate) const UNATTENDED: State = State { sign: "?", word: "unattended", class: "waits" };
    pub(crate) const LOST: State = State { sign: "?", word: "lost", class: "waits" };
    pub(crate) const INTERRUPTED: State = State { sign: "?", word: "interrupted", class: "waits" };

    pub(crate) fn of(conclusion: Option<Conclusion>, status: Status) -> State {
        let (sign, word, class) = match (conclusion, status) {
            (Some(Conclusion::Success), _) => ("✓", "success", "good"),
            (Some(Conclusion::Failure), _) => ("✗", "failure", "bad"),
            (Some(Conclusion::TimedOut), _) => ("✗", "timed out", "bad"),
            (Some(Conclusion::Cancelled), _) => ("⊘", "cancelled", "off"),
            (Some(Conclusion::Skipped), _) => ("–", "skipped", "off"),
            (None, Status::InProgress) => ("●", "in progress", "runs"),
            (None, Status::Queued) => ("○", "queued", "waits"),
            (None, Status::Waiting) => ("○", "waiting", "waits"),
            (None, Status::Completed) => ("●", "completed", "off"),
        };
        State { sign, word, class }
    }

    /// Of a deployment's standing.
    pub(crate) fn of_deployment(standing: &'static str) -> State {
        let (sign, class) = match standing {
            "succeeded" => ("✓", "good"),
            "failed" | "rollback_stuck" => ("✗", "bad"),
            "rolled_back" => ("↺", "bad"),
            "superseded" | "cancelled" | "refused" => ("⊘", "off"),
            _ => ("●", "runs"),
        };
        let word = match standing {
            "rolled_back" => "rolled back",
            "rollback_stuck" => "rollback stuck",
            other => other,
        };
        State { sign, word, class }
    }
}

/// A point in time: for machines, for scripts, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) iso: String,
    pub(crate) ms: u64,
    pub(crate) text: String,
}

impl Moment {
    pub(crate) fn of(at: Timestamp) -> Moment {
        let ms = i64::try_from(at.0).unwrap_or(i64::MAX);
        let moment = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
        let text = moment.strftime("%-d %b %Y %H:%M UTC").to_string();
        Moment { iso: moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), ms: at.0, text }
    }
}

/// The day in UTC that ends then: `31 Jan 2027`.
pub(crate) fn last_day(end: Timestamp) -> String {
    let ms = i64::try_from(end.0.saturating_sub(1)).unwrap_or(i64::MAX);
    let moment = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX);
    moment.strftime("%-d %b %Y").to_string()
}

/// `1,234,567`
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `12` or `12.2`: a run, or one of its attempts.
pub(crate) fn parse_run(text: &str) -> Option<(RunId, Option<Attempt>)> {
    let (run, attempt) = match text.split_once('.') {
        Some((run, attempt)) => (run, Some(Attempt(number(attempt)?))),
        None => (text, None),
    };
    Some((RunId(number(run)?), attempt))
}

/// Digits alone: a name for a thing has one form.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// `/runs/12.1`
pub(crate) fn run_href(run: RunId, attempt: Attempt) -> String {
    format!("/runs/{run}.{attempt}")
}

/// The page of a stream.
pub(crate) fn stream_href(stream: StreamId) -> Option<String> {
    stream.as_run().map(|(run, attempt)| run_href(run, attempt))
}

/// Text as a part of a path or of a query.
pub(crate) fn percent(text: &str) -> String {
    let mut coded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                coded.push(char::from(byte));
            }
            _ => coded.push_str(&format!("%{byte:02X}")),
        }
    }
    coded
}

/// A text of ours as HTML, what it has between backticks as code: escaped as every text is, whoever wrote those words.
pub(crate) fn coded(text: &str) -> String {
    let mut html = String::new();
    let mut rest = text;
    while let Some((before, code, after)) = rest
        .split_once('`')
        .and_then(|(before, rest)| rest.split_once('`').map(|(code, after)| (before, code, after)))
    {
        ansi::escape(before, &mut html);
        html.push_str("<code>");
        ansi::escape(code, &mut html);
        html.push_str("</code>");
        rest = after;
    }
    ansi::escape(rest, &mut html);
    html
}

/// Now.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp(since.map_or(0, |since| since.as_millis() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_moments_are_said_shortly() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        let moment = Moment::of(Timestamp(1_772_366_399_000));
        assert_eq!((&*moment.iso, &*moment.text), ("2026-03-01T11:59:59Z", "1 Mar 2026 11:59 UTC"));
    }

    #[test]
    fn a_run_has_one_name() {
        assert_eq!(parse_run("12"), Some((RunId(12), None)));
        assert_eq!(parse_run("12.2"), Some((RunId(12), Some(Attempt(2)))));
        for wrong in ["", ".", "12.", "+12", "12.1.1", "x", "99999999999999999999"] {
            assert_eq!(parse_run(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_stands_between_backticks_is_code() {
        let check = |text: &str, expect: &str| assert_eq!(coded(text), expect);
        check("waits for `lint` & more", "waits for <code>lint</code> &amp; more");
        check("`a` and `b`", "<code>a</code> and <code>b</code>");
        check("one ` alone", "one ` alone");
        check("`<b>`</code>`", "<code>&lt;b&gt;</code>&lt;/code&gt;`");
        check("`\u{202e}x`", "<code><b class=\"bidi\">U+202E</b>x</code>");
        check("", "");
    }

    #[test]
    fn paths_are_coded() {
        assert_eq!(percent("build/linux (2)"), "build%2Flinux%20%282%29");
    }
}
