//! The hands: looks through the journal, sends what is due, writes down how it ended.
//!
//! One attempt at a time for each receiver, each on a thread of its own: one that hangs keeps nobody
//! else waiting. There is nothing in memory that is not in the rows, but for who is being sent to.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use event::Timestamp;
use store::{Delivery, Happened, Owed, Store, StoreError};

use crate::decide;
use crate::post::{Ended, Fault, Look, Post, Trouble, since};

/// Events that are read at one moment, and looked at before the cursor is moved where they owe nothing.
const FEED_EVENTS: usize = 2_000;

/// Attempts at a time.
const ATTEMPTS_MAX: usize = 16;

/// Rows that are looked at for what can be sent: more receivers than attempts at a time.
const DUE_MAX: usize = 256;

/// An attempt that began longer ago was interrupted, where several processes send from one store:
/// every [`Post::send`] ends long before.
const INTERRUPTED_MS: u64 = 5 * 60_000;

/// A look without a sign.
const LOOK: Duration = Duration::from_secs(5);

/// When told to end: how long attempts under way may go on. What is cut off is looked at first by the
/// next one.
const GRACE: Duration = Duration::from_secs(5);

/// Rows that were settled are kept for people for so long.
const KEPT_MS: u64 = 30 * 24 * 3_600_000;

/// How often what is older is deleted.
const TIDY_MS: u64 = 3_600_000;

/// Reasons for which events are passed over that are said in one look; of more it is said how many.
const REASONS_MAX: usize = 16;

/// Is told, in a line, what somebody should know.
type Say = Box<dyn Fn(&str) + Send + Sync>;

/// What tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Where a courier is told that something may be owed.
#[derive(Clone, Debug)]
pub struct Wake(SyncSender<()>);

impl Wake {
    /// Something changed. Never waits: one sign is as good as many.
    pub fn now(&self) {
        let _ = self.0.try_send(());
    }
}

/// What a round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Attempts that were made.
    pub attempts: usize,
    /// Of them, how many arrived.
    pub arrived: usize,
}

/// Whoever sends what one consumer owes.
pub struct Courier {
    inner: Arc<Inner>,
    signs: Receiver<()>,
    wake: Wake,
}

struct Inner {
    store: Arc<Store>,
    post: Arc<dyn Post>,
    clock: Clock,
    say: Say,
    busy: Mutex<BTreeSet<String>>,
    idle: Condvar,
    /// Why nothing new is looked at, as it was said last.
    waits: Mutex<Option<String>>,
}

impl Courier {
    /// For a consumer. `say` is told, in a line, what somebody who looks after it should know.
    pub fn new(
        store: Arc<Store>,
        post: Arc<dyn Post>,
        clock: Clock,
        say: impl Fn(&str) + Send + Sync + 'static,
    ) -> Courier {
        let (sender, signs) = sync_channel(1);
        let (busy, idle, waits) = (Mutex::default(), Condvar::new(), Mutex::default());
        let inner = Inner { store, post, clock, say: Box::new(say), busy, idle, waits };
        Courier { inner: Arc::new(inner), signs, wake: Wake(sender) }
    }

    /// Where it is told that something may be owed.
    pub fn wake(&self) -> Wake {
        self.wake.clone()
    }

    /// Owes from here on: where the consumer never looked, what happened before is not looked at.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn begin(&self) -> Result<(), StoreError> {
        self.inner.begin()
    }

    /// No other process sends for this consumer: what is under way was interrupted.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn is_alone(&self) -> Result<(), StoreError> {
        let Inner { store, post, .. } = &*self.inner;
        store.free_deliveries(post.consumer())
    }

    /// Looks through what happened, then sends what is due, one after the other.
    ///
    /// # Errors
    /// When the rows cannot be read or written.
    pub fn round(&self) -> Result<Round, StoreError> {
        let inner = &self.inner;
        inner.look_through(&|| true)?;
        let mut round = Round::default();
        loop {
            let before = round.arrived;
            for delivery in inner.due()? {
                let Some(arrived) = inner.attempt(&delivery)? else { continue };
                round.attempts += 1;
                round.arrived += usize::from(arrived);
            }
            // What arrived lets the next of its lane go.
            if round.arrived == before {
                return Ok(round);
            }
        }
    }

    /// Sends what comes to be owed, until `is_over` says so. That the database is away is said by whoever
    /// the store tells.
    pub fn run(self, is_over: &dyn Fn() -> bool) {
        let inner = &self.inner;
        let mut tidied = Timestamp(0);
        while !is_over() {
            let now = (inner.clock)();
            let looked = inner.look_through(&|| !is_over());
            let mut looked = looked.and_then(|()| self.dispatch());
            if since(now, tidied) > TIDY_MS {
                tidied = now;
                let before = Timestamp(now.0.saturating_sub(KEPT_MS));
                looked = looked.and(inner.store.forget_deliveries(before));
            }
            if let Err(error) = looked
                && !store::is_away(&error)
            {
                (inner.say)(&format!("warning: {}", story(&error)));
            }
            match self.signs.recv_timeout(self.patience()) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => unreachable!("it has an end of its own"),
            }
        }
        self.drain();
    }

    /// What is due is sent, as far as that goes quickly. What is cut off here stands in its row as one
    /// that nobody knows of.
    fn drain(&self) {
        let inner = &self.inner;
        let until = Instant::now() + GRACE;
        loop {
            let looked = inner.look_through(&|| Instant::now() < until);
            let looked = looked.and_then(|()| self.dispatch());
            let left = until.saturating_duration_since(Instant::now());
            let busy = inner.busy();
            if looked.is_err() || left.is_zero() || busy.is_empty() {
                return;
            }
            // Whoever ends lets the next of their lane go.
            let count = busy.len();
            let _ = inner.idle.wait_timeout_while(busy, left, |busy| busy.len() >= count);
        }
    }

    /// Until the next is due.
    fn patience(&self) -> Duration {
        let Inner { store, post, clock, .. } = &*self.inner;
        match store.next_due(post.consumer()) {
            Ok(Some(at)) => {
                // One that is due already waits for its receiver or its lane, whose end is a sign.
                let wait_ms = at.0.saturating_sub(clock().0);
                if wait_ms == 0 { LOOK } else { Duration::from_millis(wait_ms).min(LOOK) }
            }
            _ => LOOK,
        }
    }

    /// Begins what can be sent, each on a thread of its own.
    fn dispatch(&self) -> Result<(), StoreError> {
        for delivery in self.inner.due()? {
            {
                let mut busy = self.inner.busy();
                if busy.len() >= ATTEMPTS_MAX {
                    break;
                }
                if !busy.insert(delivery.receiver.clone()) {
                    continue;
                }
            }
            let (inner, wake) = (Arc::clone(&self.inner), self.wake.clone());
            let receiver = delivery.receiver.clone();
            let work = move || {
                // Given back however the attempt ends: a fault of ours shuts nobody out for ever.
                let _turn = Turn { inner: &inner, wake, receiver: delivery.receiver.clone() };
                if let Err(error) = inner.attempt(&delivery)
                    && !store::is_away(&error)
                {
                    (inner.say)(&format!("warning: {}: {}", delivery.about, story(&error)));
                }
            };
            let started = std::thread::Builder::new().name("courier".to_owned()).spawn(work);
            if let Err(error) = started {
                self.inner.busy().remove(&receiver);
                (self.inner.say)(&format!("warning: no thread to send with: {error}"));
                break;
            }
        }
        Ok(())
    }
}

/// The right to send to a receiver.
struct Turn<'i> {
    inner: &'i Inner,
    wake: Wake,
    receiver: String,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.inner.busy().remove(&self.receiver);
        self.inner.idle.notify_all();
        self.wake.now();
    }
}

impl Inner {
    fn busy(&self) -> MutexGuard<'_, BTreeSet<String>> {
        // Whoever panicked while holding it had put nothing half into it.
        self.busy.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn begin(&self) -> Result<(), StoreError> {
        let consumer = self.post.consumer();
        if self.store.outbox_cursor(consumer)?.is_none() {
            let end = self.store.end_of_feed()?;
            // Where another process was first, that is as good.
            self.store.owe(consumer, (None, end), (self.clock)(), Vec::new())?;
        }
        Ok(())
    }

    /// Reads on from the cursor to the end, as long as `goes_on` says so, and writes down what is owed.
    fn look_through(&self, goes_on: &dyn Fn() -> bool) -> Result<(), StoreError> {
        self.begin()?;
        let mut passed = PassedOver::default();
        let looked = loop {
            match self.look_on(goes_on, &mut passed) {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        passed.tell(&self.say);
        looked
    }

    /// The next events; says whether there may be more to look at now.
    fn look_on(
        &self,
        goes_on: &dyn Fn() -> bool,
        passed: &mut PassedOver,
    ) -> Result<bool, StoreError> {
        let consumer = self.post.consumer();
        let mut from = self.store.outbox_cursor(consumer)?;
        let happened = self.store.feed(from.unwrap_or(0), FEED_EVENTS)?;
        self.post.looks_anew();
        let mut seen = from;
        for it in &happened {
            if !goes_on() {
                return self.owe(consumer, from, seen, Vec::new()).map(|()| false);
            }
            let owed = match self.post.owed(it) {
                Ok(owed) => owed,
                Err(Trouble::Unreadable(why)) => {
                    passed.note(it, why, &self.say);
                    Vec::new()
                }
                Err(Trouble::Later(why)) => {
                    self.waits_for(Some(why));
                    return self.owe(consumer, from, seen, Vec::new()).map(|()| false);
                }
            };
            self.waits_for(None);
            seen = Some(it.position);
            if !owed.is_empty() {
                // At once: what a later event owes may hang on what this one did.
                self.owe(consumer, from, seen, owed)?;
                from = seen;
            }
        }
        self.owe(consumer, from, seen, Vec::new())?;
        Ok(happened.len() == FEED_EVENTS)
    }

    /// Nothing new is looked at for such a reason, or for none any more. It is looked for every few seconds, and said once.
    fn waits_for(&self, why: Option<String>) {
        let mut waits = self.waits.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(why) = why.as_ref().filter(|_| *waits != why) {
            (self.say)(&format!("warning: {} waits: {why}", self.post.consumer()));
        }
        *waits = why;
    }

    /// Moves the cursor, with what the events behind it gave. Where another process was first, it is
    /// looked at again in the next round.
    fn owe(
        &self,
        consumer: &str,
        from: Option<u64>,
        to: Option<u64>,
        owed: Vec<Owed>,
    ) -> Result<(), StoreError> {
        let Some(to) = to.filter(|_| to != from) else { return Ok(()) };
        self.store.owe(consumer, (from, to), (self.clock)(), owed).map(drop)
    }

    fn due(&self) -> Result<Vec<Delivery>, StoreError> {
        let now = (self.clock)();
        self.store.due(self.post.consumer(), now, interrupted(now), DUE_MAX)
    }

    /// One attempt; none where another process has it. Says whether it arrived.
    fn attempt(&self, delivery: &Delivery) -> Result<Option<bool>, StoreError> {
        let now = (self.clock)();
        if !self.store.begin_delivery(delivery.id, now, interrupted(now))? {
            return Ok(None);
        }
        let ended = self.deliver(delivery);
        let health = self.store.receiver_health(&delivery.consumer, &delivery.receiver)?;
        let now = (self.clock)();
        let (settled, after) = decide::settled(delivery, &health, now, &ended);
        self.tell(delivery, &settled, (health.failures, after.failures));
        let changed = (after != health).then_some(after);
        self.store.settle_delivery(delivery.id, now, settled, changed)?;
        Ok(Some(matches!(ended, Ended::Arrived { .. })))
    }

    fn deliver(&self, delivery: &Delivery) -> Ended {
        if delivery.is_unsure {
            match self.post.look(delivery) {
                Look::Arrived { remote } => return Ended::Arrived { remote },
                // Nothing was sent: what nobody knew, nobody knows still.
                Look::Failed(failed) if failed.fault != Fault::Refused => {
                    return Ended::Failed(failed);
                }
                Look::Failed(_) | Look::NotThere | Look::CannotTell => {}
            }
        }
        match self.post.send(delivery) {
            Ok(remote) => Ended::Arrived { remote },
            Err(failed) => Ended::Failed(failed),
        }
    }

    /// Says what somebody should know: one is given up, a receiver stops or begins to answer.
    fn tell(&self, delivery: &Delivery, settled: &store::Settled, failures: (u32, u32)) {
        let Delivery { about, receiver, .. } = delivery;
        match (settled, failures) {
            (store::Settled::GivenUp { note }, _) => {
                (self.say)(&format!("warning: given up: {about}, for {receiver}: {note}"));
            }
            (store::Settled::Again { note, .. }, (0, _)) => {
                (self.say)(&format!(
                    "warning: {receiver} does not take {about}, tried again: {note}"
                ));
            }
            (store::Settled::Delivered { .. }, (1.., 0)) => {
                (self.say)(&format!("{receiver} answers again"));
            }
            _ => {}
        }
    }
}

/// Events that nobody is told of, in one look: after a month without a server there may be thousands, all
/// of one repository that is gone.
#[derive(Default)]
struct PassedOver {
    /// Each is said with the first event that it is about.
    reasons: BTreeSet<String>,
    /// Those that were not said.
    more: usize,
}

impl PassedOver {
    fn note(&mut self, event: &Happened, why: String, say: &Say) {
        if self.reasons.contains(&why) || self.reasons.len() >= REASONS_MAX {
            self.more += 1;
            return;
        }
        say(&format!("warning: nobody is told of event {} of {}: {why}", event.seq, event.stream));
        self.reasons.insert(why);
    }

    fn tell(self, say: &Say) {
        let more = self.more;
        if more == 1 {
            say("warning: nobody is told of one more event, for the same reason");
        } else if more > 1 {
            say(&format!("warning: nobody is told of {more} more events, for such reasons"));
        }
    }
}

fn interrupted(now: Timestamp) -> Timestamp {
    Timestamp(now.0.saturating_sub(INTERRUPTED_MS))
}

fn story(error: &dyn std::error::Error) -> String {
    let mut story = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        story.push_str(&format!(": {error}"));
        source = error.source();
    }
    story
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use event::{Attempt, RunEvent, RunId, Seq, StreamId};
    use ports::Journal as _;
    use store::Happened;

    use super::*;
    use crate::post::Failed;

    /// Counts what it is asked about; owes nothing.
    #[derive(Default)]
    struct Asked(AtomicUsize);

    impl Post for Asked {
        fn consumer(&self) -> &str {
            "messages"
        }

        fn owed(&self, _: &Happened) -> Result<Vec<Owed>, Trouble> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(Vec::new())
        }

        fn send(&self, _: &Delivery) -> Result<Option<String>, Failed> {
            unreachable!("nothing is owed")
        }
    }

    #[test]
    fn whoever_is_to_end_does_not_read_to_the_end_of_the_journal_first() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path()).unwrap());
        let post = Arc::new(Asked::default());
        let clock: Clock = Arc::new(|| Timestamp(1));
        let courier =
            Courier::new(Arc::clone(&store), Arc::clone(&post) as Arc<dyn Post>, clock, |_| {});
        courier.begin().unwrap();
        let events = vec![RunEvent::RunStarted { at: Timestamp(1) }; 9];
        let stream = StreamId::Run(RunId(1), Attempt(1));
        store.append(stream, Seq(0), Timestamp(1), &events).unwrap();
        courier.inner.look_through(&|| post.0.load(Ordering::Relaxed) < 4).unwrap();
        assert_eq!(store.outbox_cursor("messages").unwrap(), Some(4));
        // Whoever comes next goes on where it ended.
        courier.inner.look_through(&|| true).unwrap();
        assert_eq!(
            (store.outbox_cursor("messages").unwrap(), post.0.load(Ordering::Relaxed)),
            (Some(9), 9)
        );
    }

    /// Waits for one reason after the other, and then for none.
    struct Waits(Mutex<Vec<&'static str>>);

    impl Post for Waits {
        fn consumer(&self) -> &str {
            "messages"
        }

        fn owed(&self, _: &Happened) -> Result<Vec<Owed>, Trouble> {
            match self.0.lock().unwrap().pop() {
                Some(why) => Err(Trouble::Later(why.to_owned())),
                None => Ok(Vec::new()),
            }
        }

        fn send(&self, _: &Delivery) -> Result<Option<String>, Failed> {
            unreachable!("nothing is owed")
        }
    }

    #[test]
    fn what_is_waited_for_is_said_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path()).unwrap());
        let reasons = vec!["9 %", "git", "git", "9 %", "4 %", "4 %", "4 %"];
        let post = Arc::new(Waits(Mutex::new(reasons)));
        let clock: Clock = Arc::new(|| Timestamp(1));
        let said = Arc::new(Mutex::new(Vec::new()));
        let say = {
            let said = Arc::clone(&said);
            move |line: &str| said.lock().unwrap().push(line.to_owned())
        };
        let courier = Courier::new(Arc::clone(&store), post, clock, say);
        courier.begin().unwrap();
        let events = [RunEvent::RunStarted { at: Timestamp(1) }];
        let stream = StreamId::Run(RunId(1), Attempt(1));
        store.append(stream, Seq(0), Timestamp(1), &events).unwrap();
        for _ in 0..8 {
            courier.round().unwrap();
        }
        let waits = |why: &str| format!("warning: messages waits: {why}");
        assert_eq!(*said.lock().unwrap(), [waits("4 %"), waits("9 %"), waits("git"), waits("9 %")]);
        assert_eq!(store.outbox_cursor("messages").unwrap(), Some(1));
    }
}
