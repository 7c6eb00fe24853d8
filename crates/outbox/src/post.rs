//! What a consumer of the journal brings: what events owe, and how it is sent.

use event::Timestamp;
use ports::JournalError;
use store::{Delivery, Happened, Owed};

/// Whoever knows what events owe to somebody, and how that is sent.
pub trait Post: Send + Sync {
    /// Its name: its cursor and its rows are kept under it. It never changes.
    fn consumer(&self) -> &str;

    /// The events that are asked about from here on were read at one moment: what is looked up for one of
    /// them may be remembered for the others, until this is called again.
    fn looks_anew(&self) {}

    /// What an event owes. Computed again after a kill, it gives the same under the same keys.
    ///
    /// # Errors
    /// When it cannot be told, now or ever.
    fn owed(&self, happened: &Happened) -> Result<Vec<Owed>, Trouble>;

    /// Whether the receiver has it already. Asked before it is sent once more, where nobody knows
    /// whether an earlier attempt arrived.
    fn look(&self, _delivery: &Delivery) -> Look {
        Look::CannotTell
    }

    /// Sends it, within a time of its own. Gives what the receiver calls it.
    ///
    /// # Errors
    /// When the receiver does not have it, or nobody knows.
    fn send(&self, delivery: &Delivery) -> Result<Option<String>, Failed>;
}

/// Why it cannot be told what an event owes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It never can: the event is passed over, and that is said.
    Unreadable(String),
    /// Not now: the cursor stays before it.
    Later(String),
}

impl From<JournalError> for Trouble {
    fn from(error: JournalError) -> Trouble {
        match &error {
            JournalError::Storage { action, source } => {
                Trouble::Later(format!("{action}: {source}"))
            }
            _ => Trouble::Unreadable(error.to_string()),
        }
    }
}

/// What a look at the receiver showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// It has it.
    Arrived {
        /// What the receiver calls it.
        remote: Option<String>,
    },
    /// It does not have it.
    NotThere,
    /// It does not let itself be asked.
    CannotTell,
    /// It did not answer.
    Failed(Failed),
}

/// Why a delivery did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// What that means for trying again.
    pub fault: Fault,
    /// What happened, for people. Nothing secret: the address of a webhook is one.
    pub why: String,
    /// How long the receiver wants to be left alone.
    pub again_ms: Option<u64>,
}

/// What a failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The receiver did not take it, and may later: it is down, or busy.
    Down,
    /// Nobody knows whether it was taken: the answer did not come.
    Unknown,
    /// The receiver answered, and will never take it.
    Refused,
}

impl Failed {
    /// A failure that says no more than this.
    pub fn new(fault: Fault, why: impl Into<String>) -> Failed {
        Failed { fault, why: why.into(), again_ms: None }
    }
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The receiver has it.
    Arrived {
        /// What the receiver calls it.
        remote: Option<String>,
    },
    /// It does not, or nobody knows.
    Failed(Failed),
}

/// Milliseconds between two times.
pub(crate) fn since(now: Timestamp, then: Timestamp) -> u64 {
    now.0.saturating_sub(then.0)
}
