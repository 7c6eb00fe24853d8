//! What somebody does at a server, and why. A reason that a server passes over is never lost in silence.

use serde_json::Value as Json;
use server::{REASON_HEEDED, Reason};
use ureq::Body;

use super::Client;
use crate::exit::Failure;
use crate::terminal::style::talk;

/// Said where something was done, and not why.
const PASSED_OVER: &str = "note: the reason is not recorded: the server is of an earlier version";

impl Client {
    /// Has something done that takes nothing but a reason.
    pub(super) fn deed(&self, path: &str, reason: &Reason) -> Result<Json, Failure> {
        let request = self
            .agent
            .post(format!("{}{path}", self.url))
            .header("authorization", &self.authorization)
            .header("content-type", "application/json");
        self.said_because(request.send(reason.body().to_string()), reason)
    }

    /// Has something taken away.
    pub(super) fn delete(&self, path: &str, reason: &Reason) -> Result<Json, Failure> {
        let request = self
            .agent
            .delete(format!("{}{path}", self.url))
            .header("authorization", &self.authorization);
        let answered = match reason.body() {
            Json::Null => request.call(),
            // Seldom does a deletion have a body; as at GitHub, this one may.
            body => request
                .header("content-type", "application/json")
                .force_send_body()
                .send(body.to_string()),
        };
        self.said_because(answered, reason)
    }

    /// What came back. A server that heeds reasons says so of what took no body before it did.
    fn said_because(
        &self,
        answered: Result<ureq::http::Response<Body>, ureq::Error>,
        reason: &Reason,
    ) -> Result<Json, Failure> {
        let response = answered.map_err(|error| self.unreachable(error))?;
        let is_heeded = response.headers().contains_key(REASON_HEEDED);
        let body = self.done(response)?;
        if reason.as_str().is_some() && !is_heeded {
            talk(PASSED_OVER);
        }
        self.decoded(body)
    }
}

/// A body that says more, and why. A server of a version before refuses the word, and so does nothing without it.
pub(super) fn add(body: &mut Json, reason: &Reason) {
    if let Some(reason) = reason.as_str() {
        body["reason"] = reason.into();
    }
}
