//! What others are owed: rows beside the journal, computed from it, each sent until it is settled.
//!
//! ```text
//!   events behind a cursor ──▶ owe: rows and the cursor, at once ──▶ due ──▶ begin ──▶ (the world)
//!                                                                     ▲                    │
//!                                                                     └──── settle ◀───────┘
//! ```
//!
//! An attempt stands here before the receiver hears of it. Whoever finds one that began and did not
//! end knows that nobody knows whether it arrived, and looks first where the receiver can be asked.
//! When to try again is decided by the crate `outbox`; these are the rows.

mod rows;

use event::Timestamp;

use crate::error::StoreError;
use crate::store::Store;
use crate::writer::{Answer, Request};

pub(crate) use rows::change;

/// The longest body that is kept: what is sent is computed from it, it is no place for logs.
pub const BODY_BYTES_MAX: usize = 256 << 10;

/// Something that somebody is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// The same however often it is computed, and never used for anything else.
    pub key: String,
    /// Whoever is owed it: what is down is down for all that goes there.
    pub receiver: String,
    /// Deliveries of one lane are sent in order.
    pub lane: String,
    /// What it is, for people.
    pub about: String,
    /// What whoever sends it needs. Nothing secret: it is kept in the clear.
    pub body: String,
    /// What becomes of earlier ones in its lane.
    pub follow: Follow,
}

/// What a delivery means for those before it in its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Each is sent.
    Each,
    /// Only the newest counts: what was not sent yet is not sent any more.
    Newest,
}

/// Something that is owed, or was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// In the order in which it came to be owed.
    pub id: u64,
    /// The same on every retry.
    pub key: String,
    /// Who found that it is owed.
    pub consumer: String,
    /// Whoever is owed it.
    pub receiver: String,
    /// What is sent in order.
    pub lane: String,
    /// What it is, for people.
    pub about: String,
    /// What whoever sends it needs.
    pub body: String,
    /// Since when.
    pub owed_at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// Nobody knows whether an earlier attempt arrived.
    pub is_unsure: bool,
    /// Where it stands.
    pub state: DeliveryState,
    /// Not before; of what is still owed.
    pub next_at: Timestamp,
    /// When it was settled.
    pub settled_at: Option<Timestamp>,
    /// Why it is not delivered (yet).
    pub note: Option<String>,
    /// What the receiver calls it.
    pub remote: Option<String>,
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeliveryState {
    /// It is owed.
    Waiting,
    /// An attempt is under way, or was interrupted.
    UnderWay,
    /// The receiver has it.
    Delivered,
    /// Nobody tries any more.
    GivenUp,
    /// A newer one of its lane says more.
    Superseded,
}

impl DeliveryState {
    /// As it stands in JSON and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            DeliveryState::Waiting => "waiting",
            DeliveryState::UnderWay => "under_way",
            DeliveryState::Delivered => "delivered",
            DeliveryState::GivenUp => "given_up",
            DeliveryState::Superseded => "superseded",
        }
    }

    /// Whether nothing will happen to it any more.
    pub fn is_settled(self) -> bool {
        !matches!(self, DeliveryState::Waiting | DeliveryState::UnderWay)
    }
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The receiver has it.
    Delivered {
        /// What the receiver calls it.
        remote: Option<String>,
    },
    /// It is tried once more.
    Again {
        /// Not before.
        next_at: Timestamp,
        /// What went wrong.
        note: String,
        /// Nobody knows whether it arrived.
        is_unsure: bool,
    },
    /// Nobody tries any more.
    GivenUp {
        /// Why not.
        note: String,
    },
}

/// How a receiver answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiverHealth {
    /// Attempts in a row that did not reach it.
    pub failures: u32,
    /// Nothing is sent there before.
    pub shut_until: Timestamp,
    /// What it was the last time.
    pub note: String,
}

/// A receiver that did not answer the last time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TroubledReceiver {
    /// Who sends there.
    pub consumer: String,
    /// Which.
    pub receiver: String,
    /// How it answers.
    pub health: ReceiverHealth,
}

/// How many deliveries stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    /// Still owed.
    pub owed: u64,
    /// Delivered, as far as rows are kept.
    pub delivered: u64,
    /// Given up, as far as rows are kept.
    pub given_up: u64,
}

/// What changes the rows.
#[derive(Debug)]
pub(crate) enum Change {
    Owe { consumer: String, from: Option<u64>, to: u64, at: Timestamp, owed: Vec<Owed> },
    Begin { id: u64, at: Timestamp, stale_before: Timestamp },
    Settle { id: u64, at: Timestamp, settled: Settled, health: Option<ReceiverHealth> },
    Free { consumer: String },
    Retry { id: u64, at: Timestamp },
    Forget { before: Timestamp },
}

/// The rows of what is owed.
impl Store {
    /// Up to which event of the whole journal a consumer looked; none where it never did.
    ///
    /// # Errors
    /// When the file does not say.
    pub fn outbox_cursor(&self, consumer: &str) -> Result<Option<u64>, StoreError> {
        self.look(|session| rows::cursor(session, consumer))
    }

    /// The place of the newest event in the whole journal; 0 where there is none.
    ///
    /// # Errors
    /// When the file does not say.
    pub fn end_of_feed(&self) -> Result<u64, StoreError> {
        self.look(rows::end_of_feed)
    }

    /// Writes down what events gave, and that they were looked at: both or nothing. False where
    /// another process looked at them first; then nothing is written. What was owed already under
    /// the same key stays as it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn owe(
        &self,
        consumer: &str,
        (from, to): (Option<u64>, u64),
        at: Timestamp,
        owed: Vec<Owed>,
    ) -> Result<bool, StoreError> {
        self.outbox(Change::Owe { consumer: consumer.to_owned(), from, to, at, owed })
    }

    /// What can be sent now, oldest first: its time has come, nothing of its lane is before it, its
    /// receiver is not shut. An attempt that began before `stale_before` counts as interrupted.
    ///
    /// # Errors
    /// When the file does not say.
    pub fn due(
        &self,
        consumer: &str,
        now: Timestamp,
        stale_before: Timestamp,
        limit: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.look(|session| rows::due(session, consumer, (now, stale_before), limit))
    }

    /// When the next is due that is not yet; none where nothing is owed.
    ///
    /// # Errors
    /// When the file does not say.
    pub fn next_due(&self, consumer: &str) -> Result<Option<Timestamp>, StoreError> {
        self.look(|session| rows::next_due(session, consumer))
    }

    /// Writes down that an attempt begins, before the receiver hears of it. False where it is not to
    /// be sent: another process has it, it is settled, or its receiver was shut meanwhile.
    ///
    /// # Errors
    /// When it cannot be written; then nothing may be sent.
    pub fn begin_delivery(
        &self,
        id: u64,
        at: Timestamp,
        stale_before: Timestamp,
    ) -> Result<bool, StoreError> {
        self.outbox(Change::Begin { id, at, stale_before })
    }

    /// Writes down how an attempt ended, and what is known of the receiver since.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn settle_delivery(
        &self,
        id: u64,
        at: Timestamp,
        settled: Settled,
        health: Option<ReceiverHealth>,
    ) -> Result<(), StoreError> {
        self.outbox(Change::Settle { id, at, settled, health }).map(drop)
    }

    /// Every attempt of a consumer that is under way was interrupted: its process is known to have
    /// ended.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn free_deliveries(&self, consumer: &str) -> Result<(), StoreError> {
        self.outbox(Change::Free { consumer: consumer.to_owned() }).map(drop)
    }

    /// Whether a delivery waits or was given up: whether [`Store::retry_delivery`] would do something.
    ///
    /// # Errors
    /// When the file does not say.
    pub fn may_retry_delivery(&self, id: u64) -> Result<bool, StoreError> {
        self.look(|session| rows::may_retry(session, id))
    }

    /// Somebody wants a delivery tried now that waits or was given up. False where it is neither.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn retry_delivery(&self, id: u64, at: Timestamp) -> Result<bool, StoreError> {
        self.outbox(Change::Retry { id, at })
    }

    /// Deletes rows that were settled before.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn forget_deliveries(&self, before: Timestamp) -> Result<(), StoreError> {
        self.outbox(Change::Forget { before }).map(drop)
    }

    /// The newest deliveries, newest first: those before one, of a consumer or of all, only those
    /// that are owed or all.
    ///
    /// # Errors
    /// When the file does not say.
    pub fn deliveries(&self, wanted: &WantedDeliveries) -> Result<Vec<Delivery>, StoreError> {
        self.look(|session| rows::list(session, wanted))
    }

    /// What the receiver calls the newest delivery of a lane that it has; none where it has none.
    ///
    /// # Errors
    /// When the file does not say.
    pub fn lane_remote(&self, consumer: &str, lane: &str) -> Result<Option<String>, StoreError> {
        self.look(|session| rows::lane_remote(session, consumer, lane))
    }

    /// The newest delivery of a lane.
    ///
    /// # Errors
    /// When the file does not say.
    pub fn newest_of_lane(
        &self,
        consumer: &str,
        lane: &str,
    ) -> Result<Option<Delivery>, StoreError> {
        self.look(|session| rows::newest_of_lane(session, consumer, lane))
    }

    /// How a receiver answers.
    ///
    /// # Errors
    /// When the file does not say.
    pub fn receiver_health(
        &self,
        consumer: &str,
        receiver: &str,
    ) -> Result<ReceiverHealth, StoreError> {
        self.look(|session| rows::health(session, consumer, receiver))
    }

    /// Receivers that did not answer the last time.
    ///
    /// # Errors
    /// When the file does not say.
    pub fn troubled_receivers(&self) -> Result<Vec<TroubledReceiver>, StoreError> {
        self.look(rows::troubled)
    }

    /// How many deliveries stand how.
    ///
    /// # Errors
    /// When the file does not say.
    pub fn outbox_counts(&self) -> Result<OutboxCounts, StoreError> {
        self.look(rows::counts)
    }

    fn outbox(&self, change: Change) -> Result<bool, StoreError> {
        match self.ask(Request::Outbox(Box::new(change))) {
            Ok(Answer::Outbox(is_done)) => Ok(is_done),
            Ok(_) => unreachable!("the answer to this request is whether it was done"),
            Err(refusal) => Err(self.refused(refusal)),
        }
    }
}

/// Which deliveries.
#[derive(Clone, Debug)]
pub struct WantedDeliveries {
    /// Only those before this one.
    pub before: Option<u64>,
    /// Only those of this consumer.
    pub consumer: Option<String>,
    /// Only what is not delivered: owed still, or given up.
    pub is_undelivered: bool,
    /// How many.
    pub limit: usize,
}
