//! What must be so before a deployment begins, and what must open before its first step: the rules of
//! an environment, as the tip of the default branch has them; what ships may ask for more. What this
//! version cannot look at is refused, never passed over.

use std::sync::Arc;

use event::{GateDemand, PassedRule};
use jiff::civil::Weekday as Day;
use mask::MaskedText;
use settings::{Environment, Journal, Protect, Weekday, Window};
use syntax::Span;
use workflow::Pattern;

use super::by_itself;
use super::people::{self, People};
use super::rules::Ruling;
use super::wish::Agreement;
use crate::exit::{Exit, Failure};
use crate::settings_file::Found;

/// The lowest level at which anything is deployed: by a person, by hand.
pub(crate) const LEVEL_BY_HAND: u32 = 4;

/// The lowest level at which a deployment begins without a person.
pub(crate) const LEVEL_ALONE: u32 = 5;

/// What is typed to go back.
pub(crate) const GOING_BACK: &str = "ROLLBACK";

/// Who deploys, and what.
pub(crate) struct Attempt<'a> {
    /// An urgent repair: it passes timers, windows and freezes.
    pub(crate) hotfix: bool,
    /// It goes back: branch and tag were looked at when it came.
    pub(crate) restores: bool,
    /// It brings nothing that did not run well there, and leaves something running: the clock does
    /// not hold it up, and nobody has to agree.
    pub(crate) spared: bool,
    /// The word that is typed where the settings name none: `yes`, `ROLLBACK`.
    pub(crate) word: &'a str,
    pub(crate) agreed: Agreement<'a>,
    pub(crate) branch: Option<&'a str>,
    pub(crate) tags: &'a [String],
    /// Who asked for it and who wrote it.
    pub(crate) people: &'a People<'a>,
    pub(crate) now: jiff::Timestamp,
}

impl Attempt<'_> {
    /// Whether it passes the clock's rules: an urgent repair, and whatever goes back. That it did is
    /// written down.
    fn is_urgent(&self) -> bool {
        self.hotfix || self.spared
    }
}

/// What has to open, and what was passed.
#[derive(Debug, Default)]
pub(crate) struct Opening {
    pub(crate) gates: Vec<GateDemand>,
    pub(crate) passed: Vec<PassedRule>,
}

impl Opening {
    fn pass(&mut self, rule: &str, what: String) {
        let what = MaskedText::without_secrets(what);
        let passed = PassedRule { rule: rule.into(), what };
        if !self.passed.contains(&passed) {
            self.passed.push(passed);
        }
    }
}

fn forbidden(message: String) -> Failure {
    Failure::new(Exit::Forbidden, message)
}

/// The gates that have to open, once every rule that is looked at beforehand holds.
pub(crate) fn of(
    found: &Found,
    environment: &Environment,
    ruling: &Ruling,
    attempt: &Attempt<'_>,
) -> Result<Opening, Failure> {
    let mut opening = Opening::default();
    let name = &environment.name.value;
    let ruled = ruling.environment();
    // The lower one: the commit that ships may ask for less to happen by itself, and not for more.
    let level = environment.level.value.min(ruled.level.value);
    // Going back stays possible: who lowers a level wants fewer changes, not a broken version.
    if level < LEVEL_BY_HAND && !attempt.restores {
        let message = format!("{name} has the level {level}: nothing is deployed there");
        return Err(forbidden(message)
            .hint(format!("from level {LEVEL_BY_HAND} on a person may: level: {LEVEL_BY_HAND}")));
    }
    if level >= LEVEL_ALONE && !attempt.restores && attempt.agreed.is_nobody() {
        for deploy in [ruled, environment].into_iter().filter_map(|it| it.deploy.as_ref()) {
            by_itself::must_be_of(name, deploy, attempt.branch)?;
        }
    }
    for protect in [&ruled.protect, &environment.protect] {
        if !attempt.restores {
            on_source(name, protect, attempt)?;
        }
        on_time(name, protect, attempt, &mut opening)?;
    }
    must_be_written_down(found, environment, ruling, attempt)?;
    let word = [ruled, environment].into_iter().find_map(|it| it.protect.confirm.as_ref());
    let word = word.map(|word| Arc::clone(&word.value));
    // That one is for what is shipped; going back has a word of its own (R-B11).
    let word = word.map(|word| if attempt.word == GOING_BACK { GOING_BACK.into() } else { word });
    opening.gates.extend(confirmation(name, word, level, attempt)?);
    opening.gates.extend(approvals(found, environment, ruling, attempt, &mut opening.passed)?);
    let waits = [ruled, environment].into_iter().filter_map(|it| it.protect.wait.as_ref());
    let wait = waits.map(|wait| wait.value).max();
    if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
        if attempt.is_urgent() {
            opening.pass("wait", format!("{} after the request", settings::duration_text(wait)));
        } else {
            let milliseconds = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            opening.gates.push(GateDemand::Wait { milliseconds });
        }
    }
    Ok(opening)
}

/// Where it is written down: what is protected, where others would hear of it.
///
/// What runs on this machine alone is nobody else's to deploy: its lock and its ledger lie beside it.
/// For that same reason a journal that others share is none for it: their machine is another one.
fn must_be_written_down(
    found: &Found,
    environment: &Environment,
    ruling: &Ruling,
    attempt: &Attempt<'_>,
) -> Result<(), Failure> {
    let name = &environment.name.value;
    let is_here = |service: &settings::Text| {
        let resolved = found.settings.resolve(name, &service.value).ok();
        resolved.is_some_and(|it| matches!(it.target, settings::Target::Host(_)))
    };
    let mut services = found.settings.order.iter();
    match &found.settings.journal.value {
        Journal::Server(_) => {
            let message = format!("{name} wants a server's journal, which this version cannot do");
            Err(Failure::new(Exit::Missing, message)
                .hint("a bucket does without a server: docs/shared-journal.md"))
        }
        Journal::Bucket(_) => match services.find(|it| is_here(it)) {
            None => Ok(()),
            Some(service) => Err(forbidden(format!(
                "{} of {name} runs on this machine, and the journal is shared: on another machine \
                 it would not be there",
                service.value
            ))
            .hint("keep what runs here in settings of its own, with `journal: local`")),
        },
        Journal::Alone => Ok(()),
        // Who goes back is held up by nothing: it was written down where it came.
        Journal::Local if attempt.restores || services.all(is_here) => Ok(()),
        Journal::Local => {
            let protects = [ruling.environment(), environment].map(|it| &it.protect);
            if protects.iter().all(|it| it.is_empty()) {
                return Ok(());
            }
            Err(forbidden(format!(
                "{name} is protected, and its journal lies on this machine alone: who deploys from \
                 another one would not hear of it"
            ))
            .hint("share it: `journal: s3://BUCKET/PREFIX`, docs/shared-journal.md")
            .hint("or say that no other machine deploys: `journal: alone`"))
        }
    }
}

/// Whose agreement is wanted. What goes back to a release that ran well there, or runs more of one,
/// needs nobody's: it was agreed to when it came, and the automatic way back asks nobody either.
/// That is written down. What leaves nothing running is no way back, and a command is none either.
fn approvals(
    found: &Found,
    environment: &Environment,
    ruling: &Ruling,
    attempt: &Attempt<'_>,
    passed: &mut Vec<PassedRule>,
) -> Result<Vec<GateDemand>, Failure> {
    let wanted = people::wanted(found, environment, ruling);
    if attempt.spared {
        let words = wanted.iter().map(|it| format!("{} of {}", it.count, it.group));
        let words: Vec<String> = words.collect();
        if !words.is_empty() {
            let what =
                format!("{}: it brings nothing that did not run well there", words.join(", "));
            let what = MaskedText::without_secrets(what);
            passed.push(PassedRule { rule: "reviewers".into(), what });
        }
        return Ok(Vec::new());
    }
    people::demands(&environment.name.value, &wanted, ruling, attempt.people)
}

/// Below level 5 a person agrees to the plan: by typing the word, or beforehand where the settings
/// name none.
fn confirmation(
    name: &str,
    word: Option<Arc<str>>,
    level: u32,
    attempt: &Attempt<'_>,
) -> Result<Option<GateDemand>, Failure> {
    let wants_person = level < LEVEL_ALONE || attempt.restores;
    let agreed = &attempt.agreed;
    let asked = |word: Arc<str>| Ok(Some(GateDemand::Confirm { word }));
    match (word, agreed.word) {
        (Some(word), Some(typed)) if *word == *typed => asked(word),
        (None, Some(typed)) if attempt.word == typed => asked(typed.into()),
        (word, Some(typed)) => {
            let word = word.as_deref().unwrap_or(attempt.word).to_owned();
            Err(forbidden(format!("{name} wants {word}, and --confirm says {typed}")))
        }
        (Some(word), None) if !agreed.terminal => Err(forbidden(format!(
            "{name} wants a person who types {word}, and there is no terminal to type it at"
        ))
        .hint(format!("who typed it elsewhere hands it on: --confirm {word}"))),
        (Some(word), None) => asked(word),
        (None, None) if !wants_person || agreed.yes => Ok(None),
        (None, None) if agreed.terminal => asked(attempt.word.into()),
        (None, None) => Err(forbidden(format!(
            "{name} has the level {level}: a person starts every deployment, and there is no terminal"
        ))
        .hint("agree with --yes")),
    }
}

/// Whether its branch or tag is one that the environment takes.
pub(crate) fn on_source(
    name: &str,
    protect: &Protect,
    attempt: &Attempt<'_>,
) -> Result<(), Failure> {
    let fits = |patterns: &[settings::Text], names: &[&str]| {
        patterns.iter().any(|pattern| {
            let parsed = Pattern::parse(&pattern.value, Span::default());
            parsed.is_ok_and(|pattern| names.iter().any(|name| pattern.fits(name)))
        })
    };
    let listed = |patterns: &[settings::Text]| {
        let words: Vec<&str> = patterns.iter().map(|it| &*it.value).collect();
        words.join(", ")
    };
    let branch: Vec<&str> = attempt.branch.into_iter().collect();
    let tags: Vec<&str> = attempt.tags.iter().map(String::as_str).collect();
    let (by_branch, by_tag) = (fits(&protect.branches, &branch), fits(&protect.tags, &tags));
    if !protect.branches.is_empty() && !by_branch && !by_tag {
        let here = attempt.branch.unwrap_or("no branch");
        let tagged = match &*protect.tags {
            [] => String::new(),
            tags => format!(", or commits tagged {}", listed(tags)),
        };
        let message =
            format!("{name} takes only {}{tagged}; this is {here}", listed(&protect.branches));
        return Err(forbidden(message));
    }
    if protect.branches.is_empty() && !protect.tags.is_empty() && !by_tag {
        let message = format!("{name} takes only commits tagged {}", listed(&protect.tags));
        return Err(forbidden(message));
    }
    Ok(())
}

fn on_time(
    name: &str,
    protect: &Protect,
    attempt: &Attempt<'_>,
    opening: &mut Opening,
) -> Result<(), Failure> {
    let second = attempt.now.as_second();
    let frozen = protect.freezes.iter();
    let mut frozen = frozen.filter(|it| (it.from_s.value..it.to_s.value).contains(&second));
    if let Some(freeze) = frozen.next() {
        if !attempt.is_urgent() {
            let until = jiff::Timestamp::from_second(freeze.to_s.value);
            let until = until.map_or_else(|_| "further notice".to_owned(), |it| it.to_string());
            return Err(forbidden(format!(
                "{name} is frozen until {until}: {}",
                freeze.reason.value
            ))
            .hint("an urgent repair passes: --hotfix --reason TEXT"));
        }
        opening.pass("freezes", format!("frozen: {}", freeze.reason.value));
    }
    let mut open = protect.windows.is_empty();
    for window in &protect.windows {
        open |= is_in(window, attempt.now)?;
    }
    if !open {
        if !attempt.is_urgent() {
            let windows: Vec<String> = protect.windows.iter().map(ToString::to_string).collect();
            let message = format!("{name} is deployed to {}, and not now", windows.join("; "));
            return Err(forbidden(message).hint("an urgent repair passes: --hotfix --reason TEXT"));
        }
        opening.pass("windows", "it is outside of every window".to_owned());
    }
    Ok(())
}

/// When the clock lets something through that could go now, and why not before; none where it does.
pub(crate) fn opens(
    name: &str,
    protect: &Protect,
    from: jiff::Timestamp,
) -> Result<Option<(jiff::Timestamp, String)>, Failure> {
    /// Windows come back each week, but for one in the hour that a zone leaves out for summer time.
    const MINUTES_MAX: u32 = 15 * 24 * 60;
    let (mut at, mut why, mut minutes) = (from, None, 0);
    loop {
        let second = at.as_second();
        let mut frozen = protect.freezes.iter();
        let frozen = frozen.find(|it| (it.from_s.value..it.to_s.value).contains(&second));
        if let Some(freeze) = frozen {
            why.get_or_insert_with(|| format!("{name} is frozen: {}", freeze.reason.value));
            let Ok(until) = jiff::Timestamp::from_second(freeze.to_s.value) else {
                return Err(forbidden(format!(
                    "{name} is frozen for ever: {}",
                    freeze.reason.value
                )));
            };
            // Behind it they are looked for anew: each freeze may take the only one of its week.
            (at, minutes) = (until, 0);
            continue;
        }
        let mut open = protect.windows.is_empty();
        for window in &protect.windows {
            open |= is_in(window, at)?;
        }
        if open {
            return Ok(why.map(|why| (at, why)));
        }
        let windows: Vec<String> = protect.windows.iter().map(ToString::to_string).collect();
        let windows = windows.join("; ");
        why.get_or_insert_with(|| format!("{name} is deployed to {windows}, and not now"));
        minutes += 1;
        if minutes > MINUTES_MAX {
            return Err(forbidden(format!("{name} is deployed to {windows}, which never comes")));
        }
        // The next whole minute: windows begin with one.
        let next = (second.div_euclid(60) + 1) * 60;
        at = jiff::Timestamp::from_second(next).unwrap_or(jiff::Timestamp::MAX);
    }
}

fn is_in(window: &Window, now: jiff::Timestamp) -> Result<bool, Failure> {
    let zone = now.in_tz(&window.zone.value).map_err(|error| {
        Failure::caused(Exit::Missing, anyhow::Error::new(error).context("the window's time zone"))
    })?;
    let minute = i32::from(zone.hour()) * 60 + i32::from(zone.minute());
    let from_to = i32::from(window.from_minute.value)..i32::from(window.to_minute.value);
    let today = match zone.weekday() {
        Day::Monday => Weekday::Monday,
        Day::Tuesday => Weekday::Tuesday,
        Day::Wednesday => Weekday::Wednesday,
        Day::Thursday => Weekday::Thursday,
        Day::Friday => Weekday::Friday,
        Day::Saturday => Weekday::Saturday,
        Day::Sunday => Weekday::Sunday,
    };
    let is_day = window.days.is_empty() || window.days.iter().any(|day| day.value == today);
    Ok(is_day && from_to.contains(&minute))
}

#[cfg(test)]
mod tests;
