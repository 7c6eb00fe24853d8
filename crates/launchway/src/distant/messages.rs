//! Messages of a server, and what is connected to it.

use serde_json::Value as Json;
use server::{MessageLine, MessageList, Reason};

use super::kept::of;
use super::{Client, percent};
use crate::exit::Failure;

/// Messages that are asked for at once.
const PART: usize = 200;

impl Client {
    /// The newest messages.
    pub(crate) fn messages(&self, undelivered: bool, limit: usize) -> Result<MessageList, Failure> {
        let only = if undelivered { "&only=undelivered" } else { "" };
        let mut messages: Vec<MessageLine> = Vec::new();
        let mut before = String::new();
        loop {
            let part = (limit - messages.len()).min(PART);
            let list: MessageList =
                self.get(&format!("/api/v1/messages?limit={part}{only}{before}"))?;
            messages.extend(list.messages);
            match list.older.filter(|_| messages.len() < limit) {
                Some(older) => before = format!("&before={older}"),
                None => return Ok(MessageList { messages, ..list }),
            }
        }
    }

    /// Has one tried again.
    pub(crate) fn retry_message(&self, number: u64, reason: &Reason) -> Result<(), Failure> {
        self.deed(&format!("/api/v1/messages/{number}/retry"), reason).map(drop)
    }

    /// Has a test message sent by a rule of a repository.
    pub(crate) fn test_rule(&self, repository: &str, rule: &str) -> Result<(), Failure> {
        let path = format!("{}/notify/{}/test", of(repository)?, percent(rule));
        self.post(&path, None, &Json::Null).map(drop)
    }

    /// What is connected, with all that is kept of each.
    pub(crate) fn connections(&self) -> Result<Vec<Json>, Failure> {
        let all: Json = self.get("/api/v1/connections")?;
        Ok(all["repositories"].as_array().cloned().unwrap_or_default())
    }
}
