//! What cannot be answered: problem details (RFC 9457) for programs, a page for people.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::engine::{Refused, Why};

/// A problem, as programs get it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// What kind of problem.
    pub title: String,
    /// What happened, for people.
    pub detail: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The token was not good for it.
    #[serde(skip)]
    pub(crate) is_of_scope: bool,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        let title = status.canonical_reason().unwrap_or("Problem").to_owned();
        Problem {
            status: status.as_u16(),
            title,
            detail: detail.into(),
            hint: None,
            is_of_scope: false,
        }
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, detail)
    }

    /// A token is not good for it: that was tried by somebody who may not.
    pub(crate) fn of_scope(detail: impl Into<String>) -> Problem {
        Problem { is_of_scope: true, ..Problem::forbidden(detail) }
    }

    pub(crate) fn is_of_scope(&self) -> bool {
        self.is_of_scope
    }

    pub(crate) fn bad(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }

    /// Something that is needed failed. What it says is for whoever looks after the server, and may
    /// name paths: it is logged, and not answered.
    pub(crate) fn missing(error: &(dyn std::error::Error + 'static)) -> Problem {
        let detail = "The server cannot read what it keeps now; its own output says why.";
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        // Said once, and not by everybody who asks.
        if store::is_away(error) {
            return problem;
        }
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(reason) = source {
            text.push_str(": ");
            text.push_str(&reason.to_string());
            source = reason.source();
        }
        crate::say(&format!("warning: {text}"));
        problem
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        let status = match refused.why {
            Why::NotFound => StatusCode::NOT_FOUND,
            Why::Conflict => StatusCode::CONFLICT,
            Why::Input => StatusCode::UNPROCESSABLE_ENTITY,
            Why::Forbidden => StatusCode::FORBIDDEN,
            Why::TooOften => StatusCode::TOO_MANY_REQUESTS,
            Why::Unproven => StatusCode::UNAUTHORIZED,
            Why::Missing => StatusCode::SERVICE_UNAVAILABLE,
        };
        Problem { hint: refused.hint, ..Problem::new(status, refused.message) }
    }
}

impl From<ports::JournalError> for Problem {
    fn from(error: ports::JournalError) -> Problem {
        match error {
            ports::JournalError::Forgotten { .. } => {
                let detail =
                    "It was deleted by launchway prune; the journal keeps only that it was there.";
                Problem::new(StatusCode::GONE, detail)
            }
            ports::JournalError::Unreadable(what) => {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, what)
            }
            error => Problem::missing(&error),
        }
    }
}

impl From<store::StoreError> for Problem {
    fn from(error: store::StoreError) -> Problem {
        Problem::missing(&error)
    }
}

impl From<store::ReadError> for Problem {
    fn from(error: store::ReadError) -> Problem {
        Problem::missing(&error)
    }
}

impl From<figures::FiguresError> for Problem {
    fn from(error: figures::FiguresError) -> Problem {
        Problem::missing(&error)
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Problem {
        Problem::missing(&error)
    }
}

impl From<crate::access::AccessError> for Problem {
    fn from(error: crate::access::AccessError) -> Problem {
        Problem::missing(&error)
    }
}

/// The form for programs. Pages turn it into theirs (`guard.rs`).
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self).expect("a problem is plain data");
        let kind = HeaderValue::from_static("application/problem+json");
        let mut response = (status, [(header::CONTENT_TYPE, kind)], body).into_response();
        response.extensions_mut().insert(self);
        response
    }
}
