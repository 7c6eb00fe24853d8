//! Questions to whoever stands beside us and hands out credentials or tokens: the machine's own
//! metadata, the agent of a task, the runner of a job.

use std::time::Duration;

use crate::transport::{Reply, Unanswered};

/// A question over HTTP without a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// How it is asked.
    pub method: Method,
    /// Where.
    pub url: String,
    /// Its headers. One of them may be a secret: not for logs.
    pub headers: Vec<(&'static str, String)>,
    /// The longest wait. A machine without metadata does not answer at all.
    pub within: Duration,
}

/// How a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// It is only looked.
    Get,
    /// Something is made: a session's token.
    Put,
}

/// How long the machine's own services may take.
pub(crate) const NEAR_WITHIN: Duration = Duration::from_secs(2);

impl Question {
    /// A look, without headers.
    pub(crate) fn get(url: String) -> Question {
        Question { method: Method::Get, url, headers: Vec::new(), within: NEAR_WITHIN }
    }

    pub(crate) fn with(mut self, header: &'static str, value: &str) -> Question {
        self.headers.push((header, value.to_owned()));
        self
    }
}

/// What is said where nobody asks.
pub(crate) fn nobody(question: &Question) -> Result<Reply, Unanswered> {
    let host = crate::transport::host_of(&question.url).to_owned();
    Err(Unanswered { host, why: "nobody asks here".to_owned() })
}
