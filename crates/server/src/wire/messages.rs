//! Messages, as `notify list --format json` writes them.

use event::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Delivery, TroubledReceiver};

/// What somebody was sent or is owed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MessageLine {
    /// In the order in which it came to be owed.
    pub number: u64,
    /// The same on every retry.
    pub key: String,
    /// Who found that it is owed.
    pub consumer: String,
    /// Whoever is owed it.
    pub receiver: String,
    /// What it is, for people.
    pub about: String,
    /// Where it stands: `waiting`, `under_way`, `delivered`, `given_up`, `superseded`.
    pub state: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Nobody knows whether an earlier attempt arrived.
    pub unsure: bool,
    /// Why it is not delivered (yet).
    pub note: Option<String>,
    /// What the receiver calls it.
    pub remote: Option<String>,
    /// Since when.
    pub owed_at_ms: Timestamp,
    /// When it was settled.
    pub settled_at_ms: Option<Timestamp>,
    /// Not before; of what is still owed.
    pub next_at_ms: Option<Timestamp>,
}

/// A receiver that does not answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TroubledLine {
    /// Which.
    pub receiver: String,
    /// How often in a row.
    pub failures: u32,
    /// What went wrong the last time.
    pub note: String,
    /// It is left alone until then.
    pub shut_until_ms: Timestamp,
}

/// A part of the list of messages, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MessageList {
    /// The messages.
    pub messages: Vec<MessageLine>,
    /// Receivers that do not answer.
    pub troubled: Vec<TroubledLine>,
    /// What `before` is given for the next part; none at the end.
    pub older: Option<u64>,
}

impl From<&Delivery> for MessageLine {
    fn from(it: &Delivery) -> MessageLine {
        let is_settled = it.state.is_settled();
        MessageLine {
            number: it.id,
            key: it.key.clone(),
            consumer: it.consumer.clone(),
            receiver: it.receiver.clone(),
            about: it.about.clone(),
            state: it.state.as_str().to_owned(),
            attempts: it.attempts,
            unsure: it.is_unsure && !is_settled,
            note: it.note.clone(),
            remote: it.remote.clone(),
            owed_at_ms: it.owed_at,
            settled_at_ms: it.settled_at,
            next_at_ms: (!is_settled).then_some(it.next_at),
        }
    }
}

impl From<&TroubledReceiver> for TroubledLine {
    fn from(it: &TroubledReceiver) -> TroubledLine {
        TroubledLine {
            receiver: it.receiver.clone(),
            failures: it.health.failures,
            note: it.health.note.clone(),
            shut_until_ms: it.health.shut_until,
        }
    }
}
