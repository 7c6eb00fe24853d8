//! Schedules, made by the server's own clock from the workflow files of each default branch.
//!
//! What is due at a minute has a name made of that minute, so it is made once, whoever is killed when.
//! What came due while nobody was there is said and not made up for: a nightly job that runs at noon is
//! seldom what anybody wants. What could not be made because of the moment (`intake/moment.rs`), the database away or the
//! disk full, is tried again: its repository stays behind, and no other does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use event::{Digest, Timestamp};
use jiff::tz::TimeZone;
use repository::{About, PrivateStore};
use serde::{Deserialize, Serialize};
use syntax::Source;
use workflow::{Calendar, Schedule};

use super::hook::{Answer, Pushed};
use crate::exit::Failure;
use crate::running::files;
use crate::serving::data;
use crate::serving::intake::moment;
use crate::serving::intake::{Event, Intake};
use crate::serving::repositories::{self, Connected};
use crate::terminal::style::talk;
use crate::terminal::time::now;

/// A minute is looked at within this.
const LOOK: Duration = Duration::from_secs(5);
const MINUTE_MS: u64 = 60_000;
/// A server that was away for so long has missed nothing yet.
const LATE_MINUTES_MAX: u64 = 5;
/// Minutes that are looked back: what was missed before is not counted.
pub(crate) const BACK_MINUTES_MAX: u64 = 7 * 24 * 60;

/// Of a repository that was behind already when this server started.
const NOT_KNOWN_WHY: &str = "the database was away, or nothing could be read or written";

/// Looks at the time.
pub(crate) struct Clock {
    pub(crate) intake: Arc<Intake>,
}

/// The last minute that was looked at.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Looked {
    minute: u64,
    /// That of repositories which are behind, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    behind: BTreeMap<String, u64>,
}

impl Looked {
    fn last_of(&self, name: &str) -> u64 {
        self.behind.get(name).copied().unwrap_or(self.minute)
    }
}

/// Schedules of a commit: file, and what it says.
type Schedules = Vec<(String, String, TimeZone)>;

/// What is kept in mind from look to look.
#[derive(Default)]
struct Mind {
    /// By the paths of repositories, of the commit they are of.
    known: BTreeMap<PathBuf, (String, Schedules)>,
    /// What went wrong last, by repository: said once.
    said: BTreeMap<String, String>,
    /// Why repositories are behind.
    why: BTreeMap<String, String>,
    /// Why the last look came to nothing.
    stuck: Option<String>,
}

impl Mind {
    /// What kept a schedule from being made in time.
    fn late(&self, name: &str, is_behind: bool) -> String {
        let why = self.why.get(name).or(self.stuck.as_ref()).map(String::as_str);
        match why.or(is_behind.then_some(NOT_KNOWN_WHY)) {
            Some(why) => format!("and could not be made: {why}"),
            None => "while the server was away".to_owned(),
        }
    }

    fn went(&mut self, name: &str, wrong: Option<&Failure>) {
        // Said by whoever waits for the database.
        let wrong = wrong.filter(|it| !store::is_away(it.error.as_ref()));
        let Some(failure) = wrong else { return drop(self.said.remove(name)) };
        let text = format!("warning: schedules of {name}: {:#}", failure.error);
        if self.said.insert(name.to_owned(), text.clone()).as_ref() != Some(&text) {
            talk(&text);
        }
    }
}

impl Clock {
    /// Looks until the other end of `stop` is dropped.
    pub(crate) fn run(&self, stop: &Receiver<()>) {
        let mut mind = Mind::default();
        let mut said = String::new();
        loop {
            let looked = self.look(now(), &mut mind);
            mind.stuck = looked.as_ref().err().map(|failure| format!("{:#}", failure.error));
            if let Err(failure) = looked
                && !store::is_away(failure.error.as_ref())
            {
                let text = format!("warning: schedules: {:#}", failure.error);
                if said != text {
                    talk(&text);
                }
                said = text;
            }
            match stop.recv_timeout(LOOK) {
                Err(RecvTimeoutError::Timeout) => {}
                _ => return,
            }
        }
    }

    fn look(&self, now: Timestamp, mind: &mut Mind) -> Result<(), Failure> {
        let this = now.0 / MINUTE_MS;
        let path = self.intake.data.path("clock.json");
        let before = data::read::<Looked>(&path)?;
        let first = || Looked { minute: this, behind: BTreeMap::new() };
        let looked = before.unwrap_or_else(first);
        let mut next = Looked { minute: looked.minute.max(this), behind: BTreeMap::new() };
        if looked == next && path.exists() {
            return Ok(());
        }
        for connected in repositories::all(&self.intake.data)? {
            let (name, last) = (connected.name.as_str(), looked.last_of(&connected.name));
            if last >= this {
                // The clock went back.
                next.behind.extend(looked.behind.get(name).map(|it| (name.to_owned(), *it)));
                continue;
            }
            // One that cannot be read keeps no other waiting.
            let late = mind.late(name, looked.behind.contains_key(name));
            let went = self.look_at(&connected, (last, this), &late, &mut mind.known);
            mind.why.remove(name);
            let due_at = Timestamp((last + 1) * MINUTE_MS);
            if went.as_ref().is_err_and(|failure| moment::is_to_blame(failure, due_at, now)) {
                next.behind.insert(name.to_owned(), last);
                let why = went.as_ref().err().map(|failure| format!("{:#}", failure.error));
                mind.why.extend(why.map(|why| (name.to_owned(), why)));
            }
            mind.went(name, went.as_ref().err());
        }
        if looked == next && path.exists() {
            return Ok(());
        }
        data::write(&path, &next)
    }

    fn look_at(
        &self,
        connected: &Connected,
        (last, this): (u64, u64),
        late: &str,
        known: &mut BTreeMap<PathBuf, (String, Schedules)>,
    ) -> Result<(), Failure> {
        let Some(tip) = connected.tip()? else { return Ok(()) };
        if known.get(&connected.path).is_none_or(|(at, _)| *at != tip) {
            let schedules = schedules(connected, &tip)?;
            known.insert(connected.path.clone(), (tip.clone(), schedules));
        }
        let from = (last + 1).max(this.saturating_sub(BACK_MINUTES_MAX));
        for (file, cron, zone) in &known[&connected.path].1 {
            let mut missed = Vec::new();
            for minute in from..=this {
                if !is_due(cron, zone, minute) {
                    continue;
                }
                let name = Digest::of(format!("{}\n{file}\n{cron}", connected.name).as_bytes());
                let name: String = name.to_string().chars().rev().take(12).collect();
                let id = format!("{:015}-schedule-{name}", minute * MINUTE_MS);
                if minute + LATE_MINUTES_MAX >= this {
                    self.make(connected, &tip, (file, cron), minute, &id)?;
                } else if !self.intake.data.told(&id).exists() {
                    missed.push((minute, id));
                }
            }
            if let Some((minute, id)) = missed.last() {
                let times = missed.len();
                let line = format!(
                    "{file} did not run: `{cron}` came due {times} times {late}, the last time then; it runs again when it is due"
                );
                let mut answer = answer(connected, &tip, *minute);
                answer.said.push(line.replace("came due 1 times", "came due once"));
                self.intake.say(&format!("{id}-missed"), &answer)?;
            }
        }
        Ok(())
    }

    fn make(
        &self,
        connected: &Connected,
        tip: &str,
        (file, cron): (&str, &str),
        minute: u64,
        id: &str,
    ) -> Result<(), Failure> {
        let mut repository = connected.at(tip, Default::default())?;
        repository.user = repository.head.committer.clone();
        let git_ref = format!("refs/heads/{}", repository.default_branch);
        let payload = repository.scheduled(cron, file);
        let event = repository.told("schedule", payload, &About::Ref(git_ref))?;
        let push = answer(connected, tip, minute).push;
        let event = Event {
            connected,
            repository,
            event,
            push,
            only: Some(file.to_owned()),
            outside: false,
            is_held: false,
            asked: None,
            said: None,
        };
        self.intake.take_event(id, event)
    }
}

fn answer(connected: &Connected, tip: &str, minute: u64) -> Answer {
    let push = Pushed {
        repository: connected.path.clone(),
        old: String::new(),
        new: tip.to_owned(),
        git_ref: String::new(),
        pusher: ("the clock".to_owned(), String::new()),
        at: Timestamp(minute * MINUTE_MS),
        event: Some("schedule".to_owned()),
    };
    let name = connected.name.clone();
    Answer { push, name, runs: Vec::new(), said: Vec::new(), is_held: false }
}

/// The schedules in the workflow files of a commit, as far as they can be read.
fn schedules(connected: &Connected, tip: &str) -> Result<Schedules, Failure> {
    let repository = connected.at(tip, Default::default())?;
    let event = repository.told("schedule", serde_json::json!({}), &About::Ref(String::new()))?;
    let committed =
        event.committed_files(&repository, &PrivateStore::passing(), files::WORKFLOWS)?;
    let mut all = Vec::new();
    for file in committed.unwrap_or_default() {
        if file.is_link || !files::is_yaml(file.path.as_ref()) {
            continue;
        }
        let (workflow, _) = workflow::read(&Source::new(file.path.clone(), &*file.text));
        let Some(workflow) = workflow else { continue };
        let of_file = workflow.on.get("schedule").map_or(&[][..], |it| &it.schedule[..]);
        for Schedule { cron, timezone } in of_file {
            let zone = match timezone {
                Some(name) => TimeZone::get(&name.value),
                None => Ok(TimeZone::UTC),
            };
            match zone {
                Ok(zone) => all.push((file.path.clone(), cron.value.to_string(), zone)),
                Err(_) => talk(&format!(
                    "warning: {} of {} is not run by its schedule: its timezone is not known here",
                    file.path, connected.name
                )),
            }
        }
    }
    Ok(all)
}

fn is_due(cron: &str, zone: &TimeZone, minute: u64) -> bool {
    let seconds = i64::try_from(minute * 60).unwrap_or(i64::MAX);
    let Ok(at) = jiff::Timestamp::from_second(seconds) else { return false };
    let at = at.to_zoned(zone.clone());
    workflow::is_due(
        cron,
        Calendar {
            minute: at.minute().unsigned_abs().into(),
            hour: at.hour().unsigned_abs().into(),
            day: at.day().unsigned_abs().into(),
            month: at.month().unsigned_abs().into(),
            weekday: at.weekday().to_sunday_zero_offset().unsigned_abs().into(),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kept_a_schedule_from_being_made_is_said() {
        let mut mind = Mind::default();
        assert_eq!(mind.late("octo/app", false), "while the server was away");
        let unknown =
            "and could not be made: the database was away, or nothing could be read or written";
        assert_eq!(mind.late("octo/app", true), unknown);
        mind.stuck = Some("cannot write clock.json".to_owned());
        assert_eq!(mind.late("octo/app", false), "and could not be made: cannot write clock.json");
        mind.why.insert("octo/app".to_owned(), "no journal".to_owned());
        assert_eq!(mind.late("octo/app", true), "and could not be made: no journal");
    }
}
