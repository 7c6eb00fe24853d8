//! What was asked, and what became of it.

use serde_json::Value as Json;

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// As policies name it: `ecs:UpdateService`.
    pub action: String,
    /// What was asked.
    pub request: Json,
    /// Whether it was done, whatever was answered.
    pub done: bool,
    /// What was answered: `ok`, AWS's code, or `lost`.
    pub outcome: String,
    /// `x-amzn-RequestId` of the answer.
    pub request_id: String,
    /// Who asked.
    pub user_agent: String,
}
