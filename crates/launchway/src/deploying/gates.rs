//! What must be so before a deployment begins, and what must open before its first step: the rules of
//! an environment. What this version cannot look at is refused, never passed over.

use event::GateDemand;
use jiff::civil::Weekday as Day;
use settings::{Environment, Protect, Weekday, Window};
use syntax::Span;
use workflow::Pattern;

use crate::exit::{Exit, Failure};
use crate::settings_file::Found;

/// The lowest level at which anything is deployed: by a person, by hand.
const LEVEL_BY_HAND: u32 = 4;

/// The lowest level at which a deployment begins without a person.
const LEVEL_ALONE: u32 = 5;

/// Who deploys, and what.
pub(crate) struct Attempt<'a> {
    /// An urgent repair: it passes timers, windows and freezes.
    pub(crate) hotfix: bool,
    /// It goes back: branch and tag were looked at when it came.
    pub(crate) restores: bool,
    /// The word that is typed where the settings name none: `yes`, `ROLLBACK`.
    pub(crate) word: &'a str,
    /// Agreed beforehand.
    pub(crate) yes: bool,
    /// There is somebody to ask.
    pub(crate) terminal: bool,
    pub(crate) branch: Option<&'a str>,
    pub(crate) tags: &'a [String],
    pub(crate) now: jiff::Timestamp,
}

fn forbidden(message: String) -> Failure {
    Failure::new(Exit::Forbidden, message)
}

/// The gates that have to open, once every rule that is looked at beforehand holds.
pub(crate) fn of(
    found: &Found,
    environment: &Environment,
    attempt: &Attempt<'_>,
) -> Result<Vec<GateDemand>, Failure> {
    let name = &environment.name.value;
    let protect = &environment.protect;
    let level = environment.level.value;
    // Going back stays possible: who lowers a level wants fewer changes, not a broken version.
    if level < LEVEL_BY_HAND && !attempt.restores {
        let message = format!("{name} has the level {level}: nothing is deployed there");
        return Err(forbidden(message)
            .hint(format!("from level {LEVEL_BY_HAND} on a person may: level: {LEVEL_BY_HAND}")));
    }
    if !attempt.restores {
        on_source(name, protect, attempt)?;
    }
    if !attempt.hotfix {
        on_time(name, protect, attempt.now)?;
    }
    let cannot = |what: &str| {
        Failure::new(Exit::Missing, format!("{name} wants {what}, which this version cannot do"))
            .hint("launchway settings show says where that stands")
    };
    if !protect.checks.is_empty() {
        return Err(cannot("checks that are green"));
    }
    if let Some(quorum) = protect.reviewers.first() {
        return Err(cannot(&format!("the approval of {}", quorum.group.value)));
    }
    if !matches!(found.settings.journal.value, settings::Journal::Local) {
        return Err(cannot("its deployments in a shared journal"));
    }
    let mut gates = Vec::new();
    gates.extend(confirmation(name, environment, attempt)?);
    if let Some(wait) = protect.wait.as_ref().filter(|_| !attempt.hotfix) {
        let milliseconds = u64::try_from(wait.value.as_millis()).unwrap_or(u64::MAX);
        gates.push(GateDemand::Wait { milliseconds });
    }
    Ok(gates)
}

/// Below level 5 a person agrees to the plan: by typing the word, or beforehand where the settings
/// name none.
fn confirmation(
    name: &str,
    environment: &Environment,
    attempt: &Attempt<'_>,
) -> Result<Option<GateDemand>, Failure> {
    let word = environment.protect.confirm.as_ref().map(|word| word.value.to_string());
    let level = environment.level.value;
    let wants_person = level < LEVEL_ALONE || attempt.restores;
    match word {
        Some(word) if !attempt.terminal => Err(forbidden(format!(
            "{name} wants a person who types {word}, and there is no terminal to type it at"
        ))),
        Some(word) => Ok(Some(GateDemand::Confirm { word: word.into() })),
        None if !wants_person || attempt.yes => Ok(None),
        None if attempt.terminal => Ok(Some(GateDemand::Confirm { word: attempt.word.into() })),
        None => Err(forbidden(format!(
            "{name} has the level {level}: a person starts every deployment, and there is no terminal"
        ))
        .hint("agree with --yes, or look at the plan first: --plan")),
    }
}

fn on_source(name: &str, protect: &Protect, attempt: &Attempt<'_>) -> Result<(), Failure> {
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
        let message = format!("{name} takes only {}; this is {here}", listed(&protect.branches));
        return Err(forbidden(message));
    }
    if protect.branches.is_empty() && !protect.tags.is_empty() && !by_tag {
        let message = format!("{name} takes only commits tagged {}", listed(&protect.tags));
        return Err(forbidden(message));
    }
    Ok(())
}

fn on_time(name: &str, protect: &Protect, now: jiff::Timestamp) -> Result<(), Failure> {
    let second = now.as_second();
    let frozen = protect.freezes.iter();
    let mut frozen = frozen.filter(|it| (it.from_s.value..it.to_s.value).contains(&second));
    if let Some(freeze) = frozen.next() {
        return Err(forbidden(format!("{name} is frozen: {}", freeze.reason.value))
            .hint("an urgent repair passes: --hotfix --reason TEXT"));
    }
    let mut open = false;
    for window in &protect.windows {
        open |= is_in(window, now)?;
    }
    if !protect.windows.is_empty() && !open {
        return Err(forbidden(format!("{name} has windows for deployments, and this is none"))
            .hint("launchway settings show lists them; an urgent repair passes: --hotfix"));
    }
    Ok(())
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
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// A terminal, the branch main, and Monday noon in UTC.
    fn check(environment: &str, change: impl FnOnce(&mut Attempt<'_>), expect: &Expect) {
        let text = format!(
            "version: 1\nproject: planner\ngroups: {{ devops: [mona, hubot] }}\nservices: {{ api: {{ run: [app] }} }}\nenvironments:\n  production:\n    targets: {{ host: 127.0.0.1:8080 }}\n{environment}"
        );
        let source = syntax::Source::new("launchway.yml", text);
        let (settings, found) = settings::read(&source);
        let settings = settings.unwrap_or_else(|| panic!("{found:?}"));
        let found = Found { settings, root: ".".into() };
        let tags = ["v1.2.0".to_owned()];
        let mut attempt = Attempt {
            hotfix: false,
            restores: false,
            word: "yes",
            yes: false,
            terminal: true,
            branch: Some("main"),
            tags: &tags,
            now: "2026-11-23T12:00:00Z".parse().expect("a moment"),
        };
        change(&mut attempt);
        let environment = found.settings.environment("production").expect("it is there");
        let said = match of(&found, environment, &attempt) {
            Ok(gates) => format!("{gates:?}"),
            Err(failure) => format!("{:?}: {}", failure.exit, failure.error),
        };
        expect.assert_eq(&said);
    }

    #[test]
    fn a_person_agrees_below_level_5() {
        check("", |_| {}, &expect![[r#"[Confirm { word: "yes" }]"#]]);
        check("", |it| it.yes = true, &expect!["[]"]);
        check(
            "",
            |it| it.terminal = false,
            &expect![
                "Forbidden: production has the level 4: a person starts every deployment, and there is no terminal"
            ],
        );
        check("    level: 5\n", |it| it.terminal = false, &expect!["[]"]);
        check(
            "    level: 3\n",
            |it| it.yes = true,
            &expect!["Forbidden: production has the level 3: nothing is deployed there"],
        );
        check("    level: 3\n", |it| (it.yes, it.restores) = (true, true), &expect!["[]"]);
        let word = "    protect: { confirm: DEPLOY, wait: 5m }\n";
        check(
            word,
            |it| it.yes = true,
            &expect![[r#"[Confirm { word: "DEPLOY" }, Wait { milliseconds: 300000 }]"#]],
        );
        check(word, |it| it.hotfix = true, &expect![[r#"[Confirm { word: "DEPLOY" }]"#]]);
        check(
            word,
            |it| (it.yes, it.terminal) = (true, false),
            &expect![
                "Forbidden: production wants a person who types DEPLOY, and there is no terminal to type it at"
            ],
        );
    }

    #[test]
    fn branches_tags_windows_and_freezes_are_looked_at() {
        let branches = "    protect: { branches: [release/*], tags: [v2.*] }\n";
        check(
            branches,
            |it| it.yes = true,
            &expect!["Forbidden: production takes only release/*; this is main"],
        );
        check(branches, |it| (it.yes, it.branch) = (true, Some("release/2")), &expect!["[]"]);
        check(branches, |it| (it.yes, it.restores) = (true, true), &expect!["[]"]);
        let tags = "    protect: { tags: ['v1.*'] }\n";
        check(tags, |it| it.yes = true, &expect!["[]"]);
        check(
            tags,
            |it| (it.yes, it.tags) = (true, &[]),
            &expect!["Forbidden: production takes only commits tagged v1.*"],
        );
        let window =
            "    protect: { windows: [{ days: [mon], from: '11:00', to: '14:00', zone: UTC }] }\n";
        check(window, |it| it.yes = true, &expect!["[]"]);
        let other =
            "    protect: { windows: [{ days: [tue], from: '11:00', to: '14:00', zone: UTC }] }\n";
        check(
            other,
            |it| it.yes = true,
            &expect!["Forbidden: production has windows for deployments, and this is none"],
        );
        check(other, |it| (it.yes, it.hotfix) = (true, true), &expect!["[]"]);
        let freeze = "    protect: { freezes: [{ from: 2026-11-01T00:00:00Z, to: 2026-12-01T00:00:00Z, reason: sale }] }\n";
        check(freeze, |it| it.yes = true, &expect!["Forbidden: production is frozen: sale"]);
    }

    #[test]
    fn what_cannot_be_looked_at_is_refused() {
        check(
            "    protect: { reviewers: { devops: 1 } }\n",
            |_| {},
            &expect![
                "Missing: production wants the approval of devops, which this version cannot do"
            ],
        );
        check(
            "    protect: { checks: [test] }\n",
            |_| {},
            &expect![
                "Missing: production wants checks that are green, which this version cannot do"
            ],
        );
    }
}
