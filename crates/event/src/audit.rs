//! What was done on a server that is no run and no deployment, and what was tried in vain. One stream
//! holds all of it, so that its chain shows that nothing was taken out.

use std::sync::Arc;

use mask::MaskedText;
use serde::{Deserialize, Serialize};

use crate::deployment::Actor;
use crate::ids::Timestamp;
use crate::kind::Fact;
use crate::stream::StreamId;

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum AuditEvent {
    /// Somebody did something, or tried to.
    AuditRecorded(Box<AuditRecord>),
}

/// What somebody did, or tried to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRecord {
    /// Who; none where nobody showed who they are.
    pub actor: Option<Actor>,
    /// The token that they did it with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Arc<str>>,
    /// What: `secret.set`, `token.create`, `request`.
    pub action: Arc<str>,
    /// To what. Never a value.
    pub object: MaskedText,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<MaskedText>,
    /// From where: `page`, `api`, `command`.
    pub source: Arc<str>,
    /// From which address, where they came over the network and that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Arc<str>>,
    /// Why it was not done; none where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<MaskedText>,
    /// When.
    pub at: Timestamp,
}

impl Fact for AuditEvent {
    const KINDS: &'static [&'static str] = &["AuditRecorded"];

    fn kind(&self) -> &'static str {
        match self {
            AuditEvent::AuditRecorded(_) => "AuditRecorded",
        }
    }

    /// It has no end.
    fn ends_stream(&self) -> bool {
        false
    }

    fn is_of(stream: StreamId) -> bool {
        stream == StreamId::Audit
    }
}
