//! Why somebody does something, in their words: one line, bounded, and read in one way from whatever it comes in.
//!
//! ```text
//!   a flag ─────────────┐                          ┌──▶ AuditRecord
//!   a body ──▶ Because ─┼──▶ Reason: one line, ────┤
//!   a form ──▶ Because ─┘    1,000 letters at most └──▶ Asked, where a run's events say who did it
//! ```

use std::str::FromStr;

use axum::Form;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use event::{Actor, Asked};
use mask::{MaskedText, Masker};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use views::one_line;

use crate::problem::Problem;

/// A longer reason is no reason.
pub const REASON_CHARS_MAX: usize = 1_000;

/// The header of an answer which says that a reason in the request was heeded: servers of earlier versions passed over a
/// body of what took none.
pub const REASON_HEEDED: &str = "launchway-reason";

/// Why, where they said so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason(Option<MaskedText>);

/// It has more letters than are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reason is longer than {REASON_CHARS_MAX} letters")]
pub struct TooLong;

impl Reason {
    /// Nobody said why.
    pub const NONE: Reason = Reason(None);

    /// What came, where anything did.
    pub(crate) fn given(said: Option<String>) -> Result<Reason, Problem> {
        let reason = said.map_or(Ok(Reason::NONE), |said| said.parse());
        reason.map_err(|TooLong| {
            Problem::bad(format!("The reason is longer than {REASON_CHARS_MAX} letters."))
        })
    }

    /// As people read it.
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_ref().map(MaskedText::as_str)
    }

    /// As the journal keeps it.
    pub fn text(&self) -> Option<MaskedText> {
        self.0.clone()
    }

    /// Without a value that is kept by the same deed: who says why may have said what.
    #[must_use]
    pub fn without(&self, value: &str) -> Reason {
        let mut masker = Masker::new();
        masker.add(value);
        // It stands in one line here, too.
        masker.add(&one_line(value));
        Reason(self.as_str().map(|it| masker.mask(it)))
    }

    /// How somebody asked for something, and why.
    pub fn asked(&self, by: &Actor) -> Asked {
        Asked { reason: self.text(), ..by.asked() }
    }

    /// As programs send it, where nothing else is to be said; no body where nobody said why.
    pub fn body(&self) -> Json {
        self.as_str().map_or(Json::Null, |reason| json!({ "reason": reason }))
    }
}

impl FromStr for Reason {
    type Err = TooLong;

    fn from_str(said: &str) -> Result<Reason, TooLong> {
        let line = one_line(said);
        match line.chars().count() {
            0 => Ok(Reason::NONE),
            1..=REASON_CHARS_MAX => Ok(Reason(Some(MaskedText::without_secrets(line)))),
            _ => Err(TooLong),
        }
    }
}

/// What the document of the API calls [`Because`].
pub(crate) const BODY: &str = "Because";

/// The body of what takes nothing but a reason, and the fields of a form that has nothing else. There may be none.
pub(crate) struct Because(pub(crate) Reason);

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    reason: Option<String>,
}

impl<S: Send + Sync> FromRequest<S> for Because {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Because, Problem> {
        let (parts, body) = request.into_parts();
        let body = Bytes::from_request(Request::from_parts(parts.clone(), body), state).await;
        let body = body.map_err(|it| Problem::new(it.status(), it.body_text()))?;
        let kind = parts.headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
        let is_form = kind.is_some_and(|it| it.starts_with("application/x-www-form-urlencoded"));
        // Curl calls a form whatever it sends.
        let Said { reason } = if is_form && !body.trim_ascii_start().starts_with(b"{") {
            let form = Form::from_request(Request::from_parts(parts, body.into()), state).await;
            form.map_err(|_| shape())?.0
        } else {
            of_program(&body)?
        };
        Ok(Because(Reason::given(reason)?))
    }
}

fn of_program(body: &[u8]) -> Result<Said, Problem> {
    if body.trim_ascii().is_empty() {
        return Ok(Said::default());
    }
    let said: Result<Option<Said>, _> = serde_json::from_slice(body);
    Ok(said.map_err(|_| shape())?.unwrap_or_default())
}

fn shape() -> Problem {
    Problem::bad("The body is {\"reason\": TEXT}, or reason=TEXT of a form, or there is none.")
}

/// Says in an answer that the reason was heeded.
pub(crate) fn say_heeded(answer: &mut Response) {
    if answer.status().is_success() {
        answer.headers_mut().insert(REASON_HEEDED, HeaderValue::from_static("heeded"));
    }
}

/// The same, described.
pub(crate) fn heeded() -> Json {
    let what = "A reason in the body, where there is one, is written down";
    json!({ REASON_HEEDED: { "description": what, "schema": { "const": "heeded" } } })
}

/// What such a body looks like.
pub(crate) fn schema() -> Json {
    json!({
        "type": ["object", "null"],
        "properties": { "reason": field() },
        "additionalProperties": false,
    })
}

/// The same as a field of a body that has more.
pub(crate) fn field() -> Json {
    json!({ "type": ["string", "null"], "maxLength": REASON_CHARS_MAX })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_reason_is_one_line_of_so_many_letters() {
        let read = |said: &str| said.parse::<Reason>().map(|it| it.as_str().map(str::to_owned));
        assert_eq!(read(" a\n\tb\u{1b}[31m\u{9b}c "), Ok(Some("a b [31m c".to_owned())));
        assert_eq!(read(" \n "), Ok(None));
        assert_eq!(read(&"ä".repeat(REASON_CHARS_MAX)).map(|it| it.is_some()), Ok(true));
        assert_eq!(read(&"ä".repeat(REASON_CHARS_MAX + 1)), Err(TooLong));
        let padded = format!("{}ä", " ".repeat(REASON_CHARS_MAX));
        assert_eq!(read(&padded), Ok(Some("ä".to_owned())));
    }

    #[test]
    fn a_value_that_is_kept_is_not_said_as_the_reason() {
        let reason: Reason = "it was hunter2-hunter2 before".parse().unwrap();
        assert_eq!(reason.without("hunter2-hunter2").as_str(), Some("it was *** before"));
        let reason: Reason = "it was begin\n two  end".parse().unwrap();
        assert_eq!(reason.without("begin\n two  end").as_str(), Some("it was ***"));
        assert_eq!(reason.without("other").as_str(), reason.as_str());
        assert_eq!(Reason::NONE.without("other"), Reason::NONE);
    }

    /// What is read of a body that is called so; its bytes are there, so nothing is waited for.
    fn read(kind: Option<&str>, body: &str) -> Result<Option<String>, Problem> {
        let request = Request::post("/").body(Body::from(body.to_owned()));
        let mut request = request.expect("it is a request");
        if let Some(kind) = kind {
            request.headers_mut().insert(CONTENT_TYPE, kind.parse().expect("plain text"));
        }
        let read = Because::from_request(request, &()).now_or_never();
        let Because(reason) = read.expect("it is there")?;
        Ok(reason.as_str().map(str::to_owned))
    }

    const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

    #[test]
    fn a_body_has_a_reason_and_nothing_else_or_is_none() {
        const JSON: Option<&str> = Some("application/json");
        const IN_UTF_8: Option<&str> = Some("application/x-www-form-urlencoded; charset=utf-8");
        let kinds = [None, JSON, Some("text/plain"), FORM, IN_UTF_8];
        // What is JSON at sight is that, whatever it is called.
        for kind in kinds {
            for none in ["", "{}", " \n{ }", r#"{"reason":null}"#] {
                assert_eq!(read(kind, none), Ok(None), "{kind:?} {none}");
            }
            let late = read(kind, " {\"reason\":\"late & wrong\"}\n");
            assert_eq!(late.unwrap().as_deref(), Some("late & wrong"), "{kind:?}");
            for wrong in ["late", "[]", r#"{"reason":1}"#, r#"{"because":"late"}"#, "{reason=late"]
            {
                let problem = read(kind, wrong).unwrap_err();
                assert_eq!(problem.status, 400, "{kind:?} {wrong}");
                assert!(problem.detail.contains("{\"reason\": TEXT}"), "{kind:?} {wrong}");
            }
        }
        for (kind, body, reason) in [
            (None, "null", None),
            (JSON, " \n", None),
            (FORM, "reason=", None),
            (FORM, "reason=late+%26+wrong", Some("late & wrong")),
            (IN_UTF_8, "reason=late", Some("late")),
        ] {
            assert_eq!(read(kind, body).unwrap().as_deref(), reason, "{kind:?} {body}");
        }
        for (kind, wrong) in [
            (None, "reason=late"),
            (JSON, "reason=late"),
            (FORM, "because=late"),
            (FORM, "reason=late&reason=later"),
            (FORM, "null"),
        ] {
            assert_eq!(read(kind, wrong).unwrap_err().status, 400, "{kind:?} {wrong}");
        }
        let long = format!("reason={}", "x".repeat(REASON_CHARS_MAX + 1));
        assert_eq!(read(FORM, &long).unwrap_err().status, 400);
    }
}
