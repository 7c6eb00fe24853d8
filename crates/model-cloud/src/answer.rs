//! What is asked and what is answered, in AWS's shapes: the JSON 1.1 protocol, and for sign-in the
//! query protocol with its XML.

use serde_json::{Value as Json, json};

/// Something asked, as far as the model looks at it.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `X-Amz-Target`; empty for the query protocol.
    pub target: String,
    /// The body as it came.
    pub body: String,
    /// `Authorization`: which key, region and service it was signed for.
    pub authorization: String,
    /// `User-Agent`.
    pub user_agent: String,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// An answer.
    Said {
        /// The status of HTTP.
        status: u16,
        /// `x-amzn-RequestId`.
        request_id: String,
        /// `Content-Type`.
        content_type: &'static str,
        /// The body.
        body: String,
    },
    /// None: the connection ends before one.
    Lost,
}

/// Why a call was refused, in AWS's words.
#[derive(Clone, Debug)]
pub(crate) struct Refused {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) status: u16,
    pub(crate) more: Option<Box<(&'static str, Json)>>,
}

/// What a call gives.
pub(crate) type Given = Result<Json, Refused>;

impl Refused {
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Refused {
        Refused { code: code.to_owned(), message: message.into(), status: 400, more: None }
    }

    pub(crate) fn client(message: impl Into<String>) -> Refused {
        Refused::new("ClientException", message)
    }

    pub(crate) fn parameter(message: impl Into<String>) -> Refused {
        Refused::new("InvalidParameterException", message)
    }

    pub(crate) fn with_status(mut self, status: u16) -> Refused {
        self.status = status;
        self
    }

    pub(crate) fn with(mut self, key: &'static str, value: Json) -> Refused {
        self.more = Some(Box::new((key, value)));
        self
    }

    pub(crate) fn json(&self) -> Json {
        let mut body = json!({"__type": self.code, "message": self.message});
        if let Some(more) = &self.more {
            let (key, value) = &**more;
            body[*key] = value.clone();
        }
        body
    }
}

/// A text member.
pub(crate) fn text<'a>(body: &'a Json, key: &str) -> Option<&'a str> {
    body.get(key).and_then(Json::as_str)
}

/// A text member that must be there.
pub(crate) fn needed<'a>(body: &'a Json, key: &str) -> Result<&'a str, Refused> {
    let found = text(body, key).filter(|it| !it.is_empty());
    found.ok_or_else(|| Refused::parameter(format!("{key} cannot be empty.")))
}

/// The texts of a list member.
pub(crate) fn texts(body: &Json, key: &str) -> Vec<String> {
    let list = body.get(key).and_then(Json::as_array).into_iter().flatten();
    list.filter_map(|it| it.as_str().map(str::to_owned)).collect()
}

/// A time as the JSON protocol has it: seconds.
pub(crate) fn time(ms: u64) -> Json {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this age fit 53 bits")]
    let seconds = ms as f64 / 1000.0;
    json!(seconds)
}

/// Puts a member in where there is one.
pub(crate) fn put(into: &mut Json, key: &str, value: Option<Json>) {
    if let Some(value) = value {
        into[key] = value;
    }
}

/// The most that a page of a list holds.
const PAGE_MAX: usize = 100;

/// One page of a list: `(items, next token)`.
pub(crate) fn page<T: Clone>(body: &Json, all: &[T]) -> Result<(Vec<T>, Option<Json>), Refused> {
    let from = match text(body, "nextToken") {
        Some(token) => token
            .parse::<usize>()
            .ok()
            .filter(|from| *from <= all.len())
            .ok_or_else(|| Refused::parameter("Invalid token."))?,
        None => 0,
    };
    let asked = body.get("maxResults").and_then(Json::as_u64);
    let size = asked.map_or(PAGE_MAX, |it| usize::try_from(it).unwrap_or(PAGE_MAX));
    let until = (from + size.clamp(1, PAGE_MAX)).min(all.len());
    let next = (until < all.len()).then(|| json!(until.to_string()));
    Ok((all[from..until].to_vec(), next))
}
