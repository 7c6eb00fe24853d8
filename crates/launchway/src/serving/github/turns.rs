//! Whose turn it is of the webhooks that wait.
//!
//! What failed is tried again later, and the others do not wait for it; but those that are about the
//! same thing keep their order: an issue that was closed is not looked at before what made an incident
//! of it, and a branch runs its pushes in the order in which they came. What has nothing to be about yet waits too, and holds nobody back: its beginning may come
//! behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// What failed is tried again after so long, and twice as long each time,
const AGAIN: Duration = Duration::from_secs(2);
/// at most.
const AGAIN_MAX: Duration = Duration::from_secs(120);
/// Ends that wait for their beginning at a time; of more than that none is waited for.
const EARLY_MAX: usize = 200;
/// Those held back behind another of which it is kept what they are about; more than that are read anew each round.
const HELD_MAX: usize = 20_000;

/// What was tried, and when it is its turn again.
#[derive(Default)]
pub(super) struct Turns {
    tried: BTreeMap<String, Tried>,
    /// What those are about that came earlier in this round, and wait.
    owed: BTreeSet<String>,
    /// What those are about that wait behind another and were not tried yet.
    held: BTreeMap<String, String>,
}

struct Tried {
    times: u32,
    next: Instant,
    /// What it is about, where those of one thing keep their order.
    about: Option<String>,
    /// Whether it waits for what it is about.
    is_early: bool,
}

/// One that is looked at.
#[derive(Clone, Copy)]
pub(super) struct Turn<'t> {
    /// Its id.
    pub(super) id: &'t str,
    /// What it is about, where those of one thing keep their order.
    pub(super) about: Option<&'t str>,
    /// Now.
    pub(super) now: Instant,
}

impl Turns {
    /// Begins once more at the oldest.
    pub(super) fn begin(&mut self) {
        self.owed.clear();
    }

    /// What one is about that was looked at before; none of those that were not.
    pub(super) fn known(&self, id: &str) -> Option<Option<String>> {
        let held = || self.held.get(id).cloned().map(Some);
        self.tried.get(id).map(|it| it.about.clone()).or_else(held)
    }

    /// How often it was tried, where it is its turn.
    pub(super) fn times(&mut self, turn: Turn<'_>) -> Option<u32> {
        if let Some(about) = turn.about.filter(|it| self.owed.contains(*it)) {
            self.hold(turn.id, about);
            return None;
        }
        match self.tried.get(turn.id) {
            Some(it) if it.next > turn.now => {
                if !it.is_early {
                    self.owed.extend(turn.about.map(str::to_owned));
                }
                None
            }
            Some(it) => Some(it.times),
            None => Some(0),
        }
    }

    /// What it is about is kept, so that its words are not read again until it is its turn.
    fn hold(&mut self, id: &str, about: &str) {
        let is_known = self.tried.contains_key(id) || self.held.contains_key(id);
        if !is_known && self.held.len() < HELD_MAX {
            self.held.insert(id.to_owned(), about.to_owned());
        }
    }

    /// It was acted upon: what waited for it may go.
    pub(super) fn done(&mut self, turn: Turn<'_>) {
        self.tried.remove(turn.id);
        self.held.remove(turn.id);
        let is_about_it =
            |it: &&mut Tried| turn.about.is_some() && it.about.as_deref() == turn.about;
        for it in self.tried.values_mut().filter(is_about_it) {
            it.next = turn.now;
        }
    }

    /// It failed: what is about the same waits until it is done.
    pub(super) fn later(&mut self, turn: Turn<'_>) {
        self.owed.extend(turn.about.map(str::to_owned));
        self.wait(turn, false);
    }

    /// What it is about is not known yet. Gives whether that is waited for.
    pub(super) fn early(&mut self, turn: Turn<'_>) -> bool {
        let others = self.tried.iter().filter(|(id, it)| it.is_early && *id != turn.id);
        let is_room = others.count() < EARLY_MAX;
        if is_room {
            self.wait(turn, true);
        }
        is_room
    }

    fn wait(&mut self, turn: Turn<'_>, is_early: bool) {
        let times = self.tried.get(turn.id).map_or(0, |it| it.times);
        let next = turn.now + AGAIN.saturating_mul(1 << times.min(8)).min(AGAIN_MAX);
        let about = turn.about.map(str::to_owned);
        self.held.remove(turn.id);
        self.tried.insert(turn.id.to_owned(), Tried { times: times + 1, next, about, is_early });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn<'t>(id: &'t str, about: &'t str, now: Instant) -> Turn<'t> {
        Turn { id, about: Some(about).filter(|it| !it.is_empty()), now }
    }

    #[test]
    fn those_about_one_thing_keep_their_order_and_others_do_not_wait() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        turns.begin();
        assert_eq!(turns.times(turn("labeled", "#12", now)), Some(0));
        turns.later(turn("labeled", "#12", now));
        assert_eq!(turns.times(turn("closed", "#12", now)), None);
        assert_eq!(turns.times(turn("another", "#13", now)), Some(0));
        assert_eq!(turns.times(turn("push", "", now)), Some(0));
        turns.begin();
        assert_eq!(turns.times(turn("labeled", "#12", now)), None, "not yet");
        assert_eq!(turns.times(turn("closed", "#12", now)), None);
        turns.begin();
        let now = now + AGAIN;
        assert_eq!(turns.times(turn("labeled", "#12", now)), Some(1));
        turns.done(turn("labeled", "#12", now));
        assert_eq!(turns.times(turn("closed", "#12", now)), Some(0));
    }

    #[test]
    fn what_waits_behind_another_is_not_read_again() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        turns.begin();
        turns.later(turn("first", "main", now));
        for number in 0..=HELD_MAX {
            assert_eq!(turns.known(&number.to_string()), None, "read once");
            assert_eq!(turns.times(turn(&number.to_string(), "main", now)), None);
        }
        let main = Some(Some("main".to_owned()));
        assert_eq!(turns.known("0"), main);
        assert_eq!(turns.known(&HELD_MAX.to_string()), None, "there is a limit");
        turns.begin();
        turns.done(turn("first", "main", now));
        assert_eq!(turns.times(turn("0", "main", now)), Some(0));
        turns.later(turn("0", "main", now));
        assert_eq!(turns.known("0"), main);
        turns.done(turn("0", "main", now));
        assert_eq!(turns.known("0"), None);
        assert!(turns.held.len() < HELD_MAX);
    }

    #[test]
    fn an_end_waits_for_its_beginning_and_holds_nobody_back() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        assert!(turns.early(turn("closed", "#12", now)));
        turns.begin();
        assert_eq!(turns.times(turn("closed", "#12", now)), None);
        assert_eq!(turns.times(turn("labeled", "#12", now)), Some(0));
        turns.done(turn("labeled", "#12", now));
        turns.begin();
        assert_eq!(turns.times(turn("closed", "#12", now)), Some(1), "at once");
    }

    #[test]
    fn only_so_many_ends_are_waited_for_and_each_less_and_less_often() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        for number in 0..EARLY_MAX {
            assert!(turns.early(turn(&number.to_string(), "#1", now)));
        }
        assert!(!turns.early(turn("one more", "#1", now)));
        for _ in 0..40 {
            assert!(turns.early(turn("0", "#1", now)), "it has its place");
        }
        assert_eq!(turns.times(turn("0", "#1", now + AGAIN_MAX)), Some(41));
        assert_eq!(turns.times(turn("0", "#1", now + AGAIN_MAX - AGAIN)), None);
    }
}
