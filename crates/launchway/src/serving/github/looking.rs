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

mod looked;
mod seen;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use event::Timestamp;
use forge::Again;
use repository::{Access, Mirror, Repository};

pub(super) use self::looked::Looked;
pub(super) use self::seen::{Move, When, is_found};
use self::seen::{Seen, TAGS_TOLD_MAX};
use super::taking::Taking;
use super::{Link, failed};
use crate::exit::Failure;
use crate::serving::arriving::moved::MOVED_MAX;
use crate::serving::data::{self, DataFolder};
use crate::serving::repositories::{self, Connected};
use crate::terminal::plural::plural;
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

/// From now on what moves is looked for; what is there already is not.
pub(crate) fn begin(data: &DataFolder, connected: &Connected) -> Result<(), Failure> {
    let refs = Repository::commits_of_refs(&connected.path)?;
    data::write(&data.looked(&connected.name), &Seen::of(refs))
}

/// Nothing of it is looked for any more.
pub(crate) fn end(data: &DataFolder, name: &str) -> Result<(), Failure> {
    data::remove(&data.looked(name))
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
            let webhooks = plural(count, "webhook");
            talk(&format!("GitHub delivers {webhooks} again that did not come in"));
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
            data::write(&looked.data.looked(name), &Seen::of(there))?;
            return Ok(false);
        };
        let mut seen = before.clone();
        let mut found = seen.compare(name, &there, patience, at);
        let untold = seen.settle_tags(at, &mut found);
        if untold > 0 {
            talk(&format!(
                "{name}: {untold} tags are new at once: GitHub tells of no more than {TAGS_TOLD_MAX}, and none runs"
            ));
        }
        if found.len() > MOVED_MAX {
            let default = connected.branch()?.map(|branch| format!("refs/heads/{branch}"));
            talk(&format!(
                "warning: {name}: {} branches and tags moved and GitHub told of none; of these the default branch alone is run",
                found.len()
            ));
            seen.settle_all_but(default.as_deref(), &mut found);
        }
        // Behind this it has its name, and may be put there as often as somebody is killed.
        if seen != before {
            data::write(&looked.data.looked(name), &seen)?;
        }
        for it in found {
            self.taking.found(it.webhook(name, at), &it.update)?;
        }
        Ok(seen.misses_something())
    }
}
