//! What GitHub did not tell, looked for: at the start, and every few minutes.
//!
//! ```text
//!   looked/OWNER/NAME.json   what each branch and tag led to when it was last acted upon, and what is missed
//!   look ─▶ one leads elsewhere ─▶ missed ─▶ still at the next look ─▶ deliveries.db ─▶ taking.rs, in its turn
//!   an app: deliveries that failed ─▶ GitHub delivers them again ─▶ webhooks, as ever
//! ```
//!
//! What is found waits among the webhooks, behind those of its branch that came: where one of them told of it
//! meanwhile, it is nothing. It has its name before it is put there, so it runs once, whoever is killed when. A
//! webhook that comes behind it is told from a new push by when GitHub says that the push was.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use event::Timestamp;
use forge::Again;
use repository::{Access, Mirror, RefUpdate, Refs, Repository};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::TakenWebhook;

use super::taking::Taking;
use super::{Link, failed};
use crate::exit::Failure;
use crate::serving::data::{self, DataFolder};
use crate::serving::following::{MOVED_MAX, NOTHING, called, moved};
use crate::serving::repositories::{self, Connected};
use crate::terminal::style::talk;
use crate::terminal::time::now;

/// From one look to the next, where nobody said another length of time.
pub(crate) const EVERY: Duration = Duration::from_secs(180);
/// A webhook is under way for a moment: what it did not tell by then, it does not tell.
const UNDER_WAY: Duration = Duration::from_secs(60);
/// When a repository that was connected meanwhile is noticed.
const LOOK_AROUND: Duration = Duration::from_secs(5);
/// GitHub delivers again what failed in the last three days: asked for at the start;
const FAILED_FIRST_MS: u64 = 3 * 24 * 60 * 60 * 1000;
/// later what failed since then, or between two looks, where that is longer.
const FAILED_MS: u64 = 60 * 60 * 1000;
/// Where more tags are pushed at once GitHub tells of none, and no workflow runs there.
const TAGS_TOLD_MAX: usize = 3;
/// What the ids of what is found begin with. No webhook has a point in its id.
const FOUND: &str = "found.";

/// What is known of a repository's branches and tags.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Seen {
    /// What they led to when they were last acted upon, by their whole names.
    refs: Refs,
    /// Those that lead elsewhere by now, and nobody told.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    missed: BTreeMap<String, Missed>,
    /// When it was looked, of those whose last push was found: pushes before are past.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    found: BTreeMap<String, Timestamp>,
    /// Which push of those that webhooks told of lately was the last one: they come in any order.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    told: BTreeMap<String, Told>,
}

/// When a push happened, and what its branch led to before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Told {
    at: Timestamp,
    before: String,
}

/// A push that was acted upon.
pub(super) struct Move<'a> {
    pub(super) git_ref: &'a str,
    /// What its branch led to before, and leads to since.
    pub(super) before: &'a str,
    pub(super) after: &'a str,
    pub(super) at: When,
}

/// When it was, as far as is known.
#[derive(Clone, Copy)]
pub(super) enum When {
    /// A look found it then: what was pushed before is past.
    Looked(Timestamp),
    /// So says the webhook; none where it does not.
    Said(Option<Timestamp>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Missed {
    /// What it leads to,
    new: String,
    /// and since when that is known,
    since: Timestamp,
    /// and what it is called among the webhooks.
    id: String,
}

/// What was seen of repositories; of one writer at a time.
pub(super) struct Looked {
    data: DataFolder,
    turn: Mutex<()>,
}

/// Whether this was found by a look, and no webhook told it.
pub(super) fn is_found(id: &str) -> bool {
    id.starts_with(FOUND)
}

/// From now on what moves is looked for; what is there already is not.
pub(crate) fn begin(data: &DataFolder, connected: &Connected) -> Result<(), Failure> {
    let refs = Repository::commits_of_refs(&connected.path)?;
    data::write(&data.looked(&connected.name), &Seen { refs, ..Seen::default() })
}

/// Nothing of it is looked for any more.
pub(crate) fn end(data: &DataFolder, name: &str) -> Result<(), Failure> {
    data::remove(&data.looked(name))
}

impl Looked {
    pub(super) fn of(data: DataFolder) -> Looked {
        Looked { data, turn: Mutex::default() }
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        // Files are written as a whole: whoever died while it was held left them so.
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None where nothing is known. What cannot be read is put aside: webhooks are acted upon without it.
    fn read(&self, name: &str) -> Result<Option<Seen>, Failure> {
        let path = self.data.looked(name);
        match data::read(&path) {
            Err(failure) if data::is_damaged(&failure) => {
                let aside = data::put_aside(&path)?;
                talk(&format!(
                    "warning: {name}: {:#}; it is {} now, and what is missed is looked for from now on",
                    failure.error,
                    aside.display()
                ));
                Ok(None)
            }
            read => read,
        }
    }

    /// What a branch or tag led to when it was last acted upon; zeros where it was not there.
    pub(super) fn before(&self, name: &str, git_ref: &str) -> Result<String, Failure> {
        let seen = self.read(name)?.unwrap_or_default();
        Ok(seen.refs.get(git_ref).cloned().unwrap_or_else(|| NOTHING.to_owned()))
    }

    /// Whether a webhook tells of a push that was found before it came, or of one before that.
    pub(super) fn is_past(
        &self,
        name: &str,
        git_ref: &str,
        pushed_at: Option<Timestamp>,
    ) -> Result<bool, Failure> {
        let seen = self.read(name)?.unwrap_or_default();
        // GitHub counts seconds. What was pushed in that of the look and was not seen is found by the next one.
        Ok(seen.found.get(git_ref).zip(pushed_at).is_some_and(|(found, pushed)| pushed <= *found))
    }

    /// A push was acted upon.
    pub(super) fn acted(&self, name: &str, push: &Move<'_>) -> Result<(), Failure> {
        let _turn = self.turn();
        let Some(before) = self.read(name)? else { return Ok(()) };
        let mut seen = before.clone();
        seen.take(push);
        if seen == before {
            return Ok(());
        }
        data::write(&self.data.looked(name), &seen)
    }
}

impl Seen {
    fn take(&mut self, push: &Move<'_>) {
        let Move { git_ref, before, after, at } = *push;
        if self.missed.get(git_ref).is_some_and(|it| it.new == after) {
            self.missed.remove(git_ref);
        }
        match at {
            When::Looked(at) => {
                self.found.insert(git_ref.to_owned(), at);
            }
            When::Said(Some(at)) => {
                // Its branch has gone on since, and that was told first.
                if self.told.get(git_ref).is_some_and(|last| last.is_behind(at, after)) {
                    return;
                }
                self.told.insert(git_ref.to_owned(), Told { at, before: before.to_owned() });
            }
            When::Said(None) => {}
        }
        self.refs.insert(git_ref.to_owned(), after.to_owned());
    }

    /// Tags of which GitHub tells nobody, for they came all at once, are known from now on. Gives how many.
    fn settle_tags(&mut self, at: Timestamp) -> usize {
        let is_new = |git_ref: &str, it: &Missed| {
            it.since == at && git_ref.starts_with("refs/tags/") && !self.refs.contains_key(git_ref)
        };
        let new = self.missed.iter().filter(|(git_ref, it)| is_new(git_ref, it));
        let new: Refs = new.map(|(git_ref, it)| (git_ref.clone(), it.new.clone())).collect();
        if new.len() <= TAGS_TOLD_MAX {
            return 0;
        }
        self.missed.retain(|git_ref, _| !new.contains_key(git_ref));
        let count = new.len();
        self.refs.extend(new);
        count
    }

    /// What is there now is compared. Gives what nobody told of in that time, and since when it is known.
    fn compare(
        &mut self,
        name: &str,
        there: &Refs,
        patience: Duration,
        at: Timestamp,
    ) -> Vec<Found> {
        let is_fresh = |it: &Timestamp| it.0 + forge::FRESH_MS > at.0;
        self.found.retain(|_, it| is_fresh(it));
        self.told.retain(|_, it| is_fresh(&it.at));
        // What is gone runs nothing.
        self.refs.retain(|git_ref, _| there.contains_key(git_ref));
        let moved = moved(&self.refs, there);
        let mut missed = BTreeMap::new();
        for update in moved {
            let known = self.missed.remove(&update.git_ref).filter(|it| it.new == update.new);
            let missing = known.unwrap_or_else(|| Missed {
                new: update.new.clone(),
                since: at,
                id: format!("{FOUND}{}", called(name, &update)),
            });
            missed.insert(update.git_ref, missing);
        }
        self.missed = missed;
        let patience = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        let is_due = |it: &Missed| it.since.0.saturating_add(patience) <= at.0;
        let due = self.missed.iter().filter(|(_, it)| is_due(it));
        due.map(|(git_ref, it)| Found {
            id: it.id.clone(),
            update: RefUpdate {
                old: self.refs.get(git_ref).cloned().unwrap_or_else(|| NOTHING.to_owned()),
                new: it.new.clone(),
                git_ref: git_ref.clone(),
            },
        })
        .collect()
    }
}

impl Told {
    /// Whether this push came behind one that led to `after` then. GitHub counts seconds.
    fn is_behind(&self, at: Timestamp, after: &str) -> bool {
        at < self.at || (at == self.at && after == self.before)
    }
}

/// A push of which nobody told.
#[derive(Clone, Debug, PartialEq)]
struct Found {
    id: String,
    update: RefUpdate,
}

impl Found {
    /// As much of a webhook as decides whose turn it is: the rest is asked for then.
    fn webhook(&self, name: &str, at: Timestamp) -> TakenWebhook {
        let RefUpdate { old, new, git_ref } = &self.update;
        let body = json!({
            "ref": git_ref, "before": old, "after": new, "repository": { "full_name": name },
        });
        TakenWebhook {
            id: self.id.clone(),
            digest: None,
            event: "push".to_owned(),
            at,
            body: body.to_string().into_bytes(),
        }
    }
}

/// Looks.
pub(crate) struct Looking {
    pub(crate) taking: Arc<Taking>,
}

/// When was looked, and what was said.
#[derive(Default)]
struct State {
    /// When a repository is due.
    due: BTreeMap<String, Instant>,
    /// When deliveries are.
    deliveries: Option<Instant>,
    /// All that failed in the last days was asked for.
    is_caught_up: bool,
    /// What is wrong, by what it is wrong with: it is tried again and again, and said once.
    troubles: BTreeMap<String, String>,
}

impl State {
    fn say(&mut self, what: &str, outcome: Result<(), Failure>) {
        let trouble = match outcome {
            Err(failure) if store::is_away(failure.error.as_ref()) => return,
            // git counts milliseconds in what it says.
            outcome => outcome
                .err()
                .map(|it| format!("{:#}", it.error).replace(|it: char| it.is_ascii_digit(), "")),
        };
        match trouble {
            Some(why) if self.troubles.get(what) != Some(&why) => {
                talk(&format!("warning: {what} cannot be looked at: {why}; it is tried again"));
                self.troubles.insert(what.to_owned(), why);
            }
            None if self.troubles.remove(what).is_some() => {
                talk(&format!("{what} can be looked at again"));
            }
            _ => {}
        }
    }
}

/// What was missed of a webhook's deliveries.
const DELIVERIES: &str = "what GitHub delivered";

impl Looking {
    /// Looks until the other end of `stop` is dropped.
    pub(crate) fn run(&self, stop: &Receiver<()>) {
        let mut state = State::default();
        loop {
            let Some(next) = self.look_at_those_due(&mut state, stop) else { return };
            match stop.recv_timeout(next) {
                Err(RecvTimeoutError::Timeout) => {}
                _ => return,
            }
        }
    }

    /// Gives how long nothing is due; none where it is over.
    fn look_at_those_due(&self, state: &mut State, stop: &Receiver<()>) -> Option<Duration> {
        let data = &self.taking.looked.data;
        let known = self.taking.links.get().and_then(|link| Ok((link, repositories::all(data)?)));
        let (link, all) = match known {
            Ok((Some(link), all)) => (link, all),
            Ok((None, _)) => return Some(LOOK_AROUND),
            Err(failure) => {
                state.say("GitHub", Err(failure));
                return Some(LOOK_AROUND);
            }
        };
        state.due.retain(|name, _| all.iter().any(|it| it.name == *name));
        let on_github = all.iter().filter_map(|it| Some((it, it.github?)));
        let mut shortest = None;
        for (connected, on) in on_github {
            let every = on.every_seconds.map_or(EVERY, Duration::from_secs);
            shortest = Some(shortest.map_or(every, |it: Duration| it.min(every)));
            if state.due.get(&connected.name).is_some_and(|due| *due > Instant::now()) {
                continue;
            }
            // Each may take a minute to answer.
            if !matches!(stop.try_recv(), Err(TryRecvError::Empty)) {
                return None;
            }
            let patience = every.min(UNDER_WAY);
            let looked = self.look(&link, connected, patience);
            let is_missed = looked.as_ref().is_ok_and(|it| *it);
            state.say(&connected.name, looked.map(drop));
            let next = if is_missed { patience } else { every };
            state.due.insert(connected.name.clone(), Instant::now() + next);
        }
        if let Some(every) = shortest {
            self.have_delivered_again(&link, every, state);
        }
        let next = state.due.values().chain(&state.deliveries).min();
        let next = next.map_or(LOOK_AROUND, |it| it.saturating_duration_since(Instant::now()));
        Some(next.clamp(Duration::from_millis(100), LOOK_AROUND))
    }

    /// What the app's webhook could not be told is told again.
    fn have_delivered_again(&self, link: &Link, every: Duration, state: &mut State) {
        if !link.github.is_app() || state.deliveries.is_some_and(|due| due > Instant::now()) {
            return;
        }
        let at = now();
        let between_two = u64::try_from(every.as_millis()).unwrap_or(u64::MAX).saturating_mul(2);
        let lately = FAILED_MS.max(between_two);
        let back = if state.is_caught_up { lately } else { FAILED_FIRST_MS.max(lately) };
        let since = Timestamp(at.0.saturating_sub(back));
        let asked = link.github.deliver_missed(since, at).map_err(failed);
        if let Ok(Some(Again { count: count @ 1.., .. })) = asked {
            let webhooks = if count == 1 { "webhook" } else { "webhooks" };
            talk(&format!("GitHub delivers {count} {webhooks} again that did not come in"));
        }
        // Whatever came of it: who is asked too often refuses all.
        state.deliveries = Some(Instant::now() + every);
        state.is_caught_up |= asked.as_ref().is_ok_and(|it| it.is_none_or(|it| !it.is_more));
        state.say(DELIVERIES, asked.map(drop));
    }

    /// Looks at one. Gives whether something is missed.
    fn look(
        &self,
        link: &Link,
        connected: &Connected,
        patience: Duration,
    ) -> Result<bool, Failure> {
        let (looked, name) = (&self.taking.looked, &connected.name);
        let at = now();
        let mirror = Mirror::open(&connected.path, &link.place.clone_url(name))?;
        let header = link.github.fetch_header(name).map_err(failed)?;
        let there = mirror.listed(Access { header: Some(header.expose()) })?;
        let _turn = looked.turn();
        // As it is connected now: somebody may have taken it away.
        if repositories::on_github(&looked.data, name)?.is_none() {
            return Ok(false);
        }
        let Some(before) = looked.read(name)? else {
            data::write(&looked.data.looked(name), &Seen { refs: there, ..Seen::default() })?;
            return Ok(false);
        };
        let mut seen = before.clone();
        let mut found = seen.compare(name, &there, patience, at);
        let untold = seen.settle_tags(at);
        if untold > 0 {
            talk(&format!(
                "{name}: {untold} tags are new at once: GitHub tells of no more than {TAGS_TOLD_MAX}, and none runs"
            ));
            found.retain(|it| seen.missed.contains_key(&it.update.git_ref));
        }
        if found.len() > MOVED_MAX {
            let default = connected.branch()?.map(|branch| format!("refs/heads/{branch}"));
            talk(&format!(
                "warning: {name}: {} branches and tags moved and GitHub told of none; of these the default branch alone is run",
                found.len()
            ));
            let is_default = |it: &Found| Some(&it.update.git_ref) == default.as_ref();
            for it in found.extract_if(.., |it| !is_default(it)) {
                seen.missed.remove(&it.update.git_ref);
                seen.refs.insert(it.update.git_ref, it.update.new);
            }
        }
        // Behind this it has its name, and may be put there as often as somebody is killed.
        if seen != before {
            data::write(&looked.data.looked(name), &seen)?;
        }
        for it in found {
            self.taking.found(it.webhook(name, at), &it.update)?;
        }
        Ok(!seen.missed.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn refs(text: &str) -> Refs {
        let pairs = text.split_whitespace().filter_map(|it| it.split_once('='));
        pairs.map(|(name, at)| (name.to_owned(), at.to_owned())).collect()
    }

    /// What each look finds, a minute after the other.
    fn check(seen: &str, looks: &[&str], expected: &Expect) {
        let mut seen = Seen { refs: refs(seen), ..Seen::default() };
        let mut text = String::new();
        for (minute, there) in (1..).zip(looks) {
            let at = Timestamp(minute * 60_000);
            for it in seen.compare("octo/app", &refs(there), UNDER_WAY, at) {
                let RefUpdate { old, new, git_ref } = &it.update;
                let old = if old == NOTHING { "-" } else { old };
                text += &format!("{minute}: {git_ref} {old} {new}\n");
            }
        }
        expected.assert_eq(&text);
    }

    #[test]
    fn what_is_not_told_by_the_next_look_is_found() {
        check("main=a", &["main=a", "main=a"], &expect![""]);
        check(
            "main=a",
            &["main=b", "main=b", "main=b"],
            &expect![[r#"
                2: main a b
                3: main a b
            "#]],
        );
        // It moves on, and is new from then.
        check(
            "main=a",
            &["main=b", "main=c", "main=c"],
            &expect![[r#"
                3: main a c
            "#]],
        );
        check(
            "main=a",
            &["main=a v1=a", "main=a v1=a"],
            &expect![[r#"
                2: v1 - a
            "#]],
        );
        // Gone, or back where it was.
        check("main=a old=a", &["main=b", "main=a"], &expect![""]);
    }

    #[test]
    fn of_many_tags_at_once_none_is_missed() {
        let mut seen = Seen { refs: refs("main=a refs/tags/v0=a"), ..Seen::default() };
        let mut look = |minute: u64, there: &str| {
            let at = Timestamp(minute * 60_000);
            let found = seen.compare("octo/app", &refs(there), UNDER_WAY, at);
            let tags = seen.settle_tags(at);
            let found = found.into_iter().map(|it| it.update.git_ref).collect::<Vec<_>>();
            (tags, found.join(" "))
        };
        let three = "main=a refs/tags/v0=a refs/tags/v1=a refs/tags/v2=a refs/tags/v3=a";
        assert_eq!(look(1, three), (0, String::new()));
        assert_eq!(look(2, three), (0, "refs/tags/v1 refs/tags/v2 refs/tags/v3".to_owned()));
        let more = ["v4", "v5", "v6", "v7"].map(|it| format!(" refs/tags/{it}=b")).concat();
        let more = three.replace("main=a", "main=b") + &more;
        let known = "refs/tags/v1 refs/tags/v2 refs/tags/v3";
        assert_eq!(look(3, &more), (4, known.to_owned()));
        assert_eq!(look(4, &more), (0, format!("main {known}")));
    }

    #[test]
    fn what_is_found_again_has_the_name_that_it_had() {
        let mut seen = Seen { refs: refs("main=a"), ..Seen::default() };
        let mut look = |minute: u64| {
            seen.compare("octo/app", &refs("main=b"), UNDER_WAY, Timestamp(minute * 60_000))
        };
        assert_eq!(look(1), []);
        let first = look(2);
        assert_eq!((first.len(), &first), (1, &look(3)));
        assert!(is_found(&first[0].id));
    }

    #[test]
    fn a_webhook_that_comes_late_is_told_from_a_new_push() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataFolder::of(Some(folder.path()), None).expect("a place");
        let looked = Looked::of(data.clone());
        let (name, at) = ("octo/app", now());
        let past = |pushed_at: u64| {
            let pushed_at = Some(Timestamp(pushed_at));
            looked.is_past(name, "main", pushed_at).expect("it can be read")
        };
        data::write(&data.looked(name), &Seen::default()).expect("a file");
        let acted = |before: &str, after: &str, at: When| {
            let push = Move { git_ref: "main", before, after, at };
            looked.acted(name, &push).expect("it is written");
            looked.before(name, "main").expect("it can be read")
        };
        let pushed = |at: u64| When::Said(Some(Timestamp(at)));
        // The newest is what a look compares with, in whatever order they are told.
        assert_eq!(acted("b", "c", pushed(at.0 - 60_000)), "c");
        assert_eq!(acted("a", "b", pushed(at.0 - 60_000)), "c", "in one second");
        assert_eq!(acted("x", "a", pushed(at.0 - 90_000)), "c", "before it");
        assert_eq!(acted("c", "b", pushed(at.0 - 30_000)), "b", "forced back");
        assert!(!past(at.0 - 5_000), "it was told in time");
        assert_eq!(acted("b", "c", When::Looked(at)), "c");
        assert!(past(at.0 - 5_000) && past(at.0));
        assert!(!past(at.0 + 1_000));
        assert_eq!(looked.before(name, "main").expect("it can be read"), "c");
        assert_eq!(looked.before(name, "v1").expect("it can be read"), NOTHING);
    }
}
