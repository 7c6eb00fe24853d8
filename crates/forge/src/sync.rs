//! What becomes of values that are kept here where GitHub is to have them: decided from what is here and what is
//! there, by names and times alone.
//!
//! GitHub shows no secret's value. One that was set here before GitHub last got its value was put there, as far as
//! the clocks of both tell; variables are compared.

use std::collections::BTreeMap;

use event::Timestamp;

use crate::values::{ThereValue, ValueId, ValueKind};

/// Secrets that GitHub keeps for a repository, and for an environment.
const SECRETS_MAX: usize = 100;
/// Variables of a repository.
const VARIABLES_MAX: usize = 500;
/// Variables of an environment.
const ENVIRONMENT_VARIABLES_MAX: usize = 100;

/// A value that is kept here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HereValue {
    /// Which.
    pub id: ValueId,
    /// When it was set.
    pub set_at: Timestamp,
    /// A variable's value.
    pub variable: Option<String>,
}

/// What GitHub has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct There {
    /// Values of the repository and of environments that something is kept for here.
    pub values: Vec<ThereValue>,
    /// Those of these environments that it does not have.
    pub missing: Vec<String>,
}

/// What is wanted beside what is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncWish {
    /// What seems to be up to date is put there, too.
    pub all: bool,
    /// Environments that GitHub does not have are made there.
    pub makes_environments: bool,
}

/// One value, here, there, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncLine {
    /// Which.
    pub id: ValueId,
    /// When it was set here.
    pub set_at: Option<Timestamp>,
    /// Since when it is there.
    pub since: Option<Timestamp>,
    /// What becomes of it.
    pub state: SyncState,
}

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncState {
    /// It is put there.
    New,
    /// It is put in the place of another.
    Replaced,
    /// It is there.
    UpToDate,
    /// It is not here, and stays.
    OnlyThere,
    /// It stays here: GitHub makes a token of that name for each job.
    OwnOfGitHub,
    /// GitHub does not take it.
    Refused(SyncRefusal),
}

/// Why GitHub does not take a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncRefusal {
    /// Its name is none for GitHub.
    Name,
    /// It has no such environment.
    NoEnvironment,
    /// To GitHub two environments are one whose names differ in capitals alone.
    Twice,
    /// It keeps so many, and with the new ones there would be more.
    TooMany(usize),
}

impl SyncState {
    /// `up_to_date`
    pub fn word(self) -> &'static str {
        match self {
            SyncState::New => "new",
            SyncState::Replaced => "replaced",
            SyncState::UpToDate => "up_to_date",
            SyncState::OnlyThere => "only_there",
            SyncState::OwnOfGitHub => "own_of_github",
            SyncState::Refused(_) => "refused",
        }
    }

    /// Whether it is put there.
    pub fn is_put(self) -> bool {
        matches!(self, SyncState::New | SyncState::Replaced)
    }
}

/// Who is who at GitHub, whose environments are called alike in any case.
type Key = (Option<String>, ValueKind, String);

fn key(id: &ValueId) -> Key {
    (id.environment.as_deref().map(str::to_lowercase), id.kind, id.name.clone())
}

/// Every value of here and of there, in the order of environments, kinds and names.
pub fn sync_lines(here: &[HereValue], there: &There, wish: SyncWish) -> Vec<SyncLine> {
    let mut known: BTreeMap<Key, &ThereValue> =
        there.values.iter().map(|it| (key(&it.id), it)).collect();
    let mut counts: BTreeMap<(Option<String>, ValueKind), usize> = BTreeMap::new();
    for (environment, kind, _) in known.keys() {
        *counts.entry((environment.clone(), *kind)).or_default() += 1;
    }
    let mut times: BTreeMap<Key, usize> = BTreeMap::new();
    here.iter().for_each(|it| *times.entry(key(&it.id)).or_default() += 1);
    let mut lines = Vec::new();
    for it in here {
        let found = known.remove(&key(&it.id));
        let state = match refusal(it, there, wish) {
            _ if times[&key(&it.id)] > 1 => SyncState::Refused(SyncRefusal::Twice),
            Some(SyncRefusal::Name) if it.id.name == "GITHUB_TOKEN" => SyncState::OwnOfGitHub,
            Some(refusal) => SyncState::Refused(refusal),
            None => found.map_or(SyncState::New, |found| beside(it, found, wish)),
        };
        let since = found.map(|it| it.since);
        lines.push(SyncLine { id: it.id.clone(), set_at: Some(it.set_at), since, state });
    }
    for line in lines.iter().filter(|it| it.state == SyncState::New) {
        let (environment, kind, _) = key(&line.id);
        *counts.entry((environment, kind)).or_default() += 1;
    }
    for line in lines.iter_mut().filter(|it| it.state == SyncState::New) {
        let (environment, kind, _) = key(&line.id);
        let most = most(&line.id);
        if counts[&(environment, kind)] > most {
            line.state = SyncState::Refused(SyncRefusal::TooMany(most));
        }
    }
    let only = known.into_values().filter(|it| !here.iter().any(|of| key(&of.id) == key(&it.id)));
    lines.extend(only.map(|it| SyncLine {
        id: it.id.clone(),
        set_at: None,
        since: Some(it.since),
        state: SyncState::OnlyThere,
    }));
    lines.sort_by(|one, other| one.id.cmp(&other.id));
    lines
}

fn refusal(it: &HereValue, there: &There, wish: SyncWish) -> Option<SyncRefusal> {
    let name = it.id.name.as_bytes();
    let is_letter = |it: &u8| it.is_ascii_alphanumeric() || *it == b'_';
    let is_name = name.iter().all(is_letter) && name.first().is_some_and(|it| !it.is_ascii_digit());
    if !is_name || name.starts_with(b"GITHUB_") {
        return Some(SyncRefusal::Name);
    }
    let environment = it.id.environment.as_deref();
    let is_missing = environment.is_some_and(|it| there.missing.iter().any(|of| of == it));
    (is_missing && !wish.makes_environments).then_some(SyncRefusal::NoEnvironment)
}

/// GitHub's times have no parts of a second. Of a value that was set in the very second nobody knows whether it is the
/// one that was put there: it is put there again, which harms nobody.
fn beside(here: &HereValue, there: &ThereValue, wish: SyncWish) -> SyncState {
    let is_same = match (&here.variable, &there.variable) {
        (Some(here), Some(there)) => here == there,
        _ => here.set_at.0 / 1000 < there.since.0 / 1000,
    };
    if is_same && !wish.all { SyncState::UpToDate } else { SyncState::Replaced }
}

fn most(id: &ValueId) -> usize {
    match (id.kind, &id.environment) {
        (ValueKind::Secret, _) => SECRETS_MAX,
        (ValueKind::Variable, None) => VARIABLES_MAX,
        (ValueKind::Variable, Some(_)) => ENVIRONMENT_VARIABLES_MAX,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// `production/secret/KEY@7`; a variable's value in the place of `@7`: `=eu`.
    fn id(text: &str) -> (ValueId, Timestamp, Option<String>) {
        let (text, variable) = text.split_once('=').map_or((text, None), |(id, it)| (id, Some(it)));
        let (text, at) = text.split_once('@').unwrap_or((text, "0"));
        let parts: Vec<&str> = text.split('/').collect();
        let (environment, name) = match parts.as_slice() {
            [name] => (None, name),
            [environment, name] => (Some((*environment).to_owned()), name),
            _ => panic!("{text}"),
        };
        let kind = if variable.is_some() { ValueKind::Variable } else { ValueKind::Secret };
        let id = ValueId { environment, kind, name: (*name).to_owned() };
        (id, Timestamp(at.parse().expect("a time")), variable.map(str::to_owned))
    }

    fn lines(here: &[&str], there: &[&str], missing: &[&str], wish: SyncWish) -> Vec<SyncLine> {
        let here: Vec<HereValue> = here
            .iter()
            .map(|it| id(it))
            .map(|(id, set_at, variable)| HereValue { id, set_at, variable })
            .collect();
        let values = there.iter().map(|it| id(it));
        let values = values.map(|(id, since, variable)| ThereValue { id, since, variable });
        let missing = missing.iter().map(|it| (*it).to_owned()).collect();
        sync_lines(&here, &There { values: values.collect(), missing }, wish)
    }

    fn check(here: &[&str], there: &[&str], missing: &[&str], wish: SyncWish, expect: &Expect) {
        let shown = lines(here, there, missing, wish);
        let shown = shown.iter().map(|it| format!("{}: {:?}\n", it.id, it.state));
        expect.assert_eq(&shown.collect::<String>());
    }

    const USUAL: SyncWish = SyncWish { all: false, makes_environments: false };

    #[test]
    fn times_tell_of_secrets_and_values_of_variables() {
        let here = ["OLD@1500", "SAME@2900", "LATER@3000", "NEW@1", "REGION=eu", "TIER@9000=a"];
        let there = ["OLD@9000", "SAME@2000", "LATER@2000", "GONE@1", "REGION@9000=us", "TIER=a"];
        let usual = expect![[r#"
            secret GONE: OnlyThere
            secret LATER: Replaced
            secret NEW: New
            secret OLD: UpToDate
            secret SAME: Replaced
            variable REGION: Replaced
            variable TIER: UpToDate
        "#]];
        check(&here, &there, &[], USUAL, &usual);
        let all = expect![[r#"
            secret GONE: OnlyThere
            secret LATER: Replaced
            secret NEW: New
            secret OLD: Replaced
            secret SAME: Replaced
            variable REGION: Replaced
            variable TIER: Replaced
        "#]];
        check(&here, &there, &[], SyncWish { all: true, ..USUAL }, &all);
    }

    #[test]
    fn what_github_does_not_take_is_told_why() {
        let here =
            ["GITHUB_TOKEN", "GITHUB_X", "A-B", "7UP", "prod/KEY", "qa/KEY", "Qa/KEY", "dev/KEY"];
        let told = expect![[r#"
            secret 7UP: Refused(Name)
            secret A-B: Refused(Name)
            secret GITHUB_TOKEN: OwnOfGitHub
            secret GITHUB_X: Refused(Name)
            secret KEY (Qa): Refused(Twice)
            secret KEY (dev): UpToDate
            secret KEY (prod): Refused(NoEnvironment)
            secret KEY (qa): Refused(Twice)
        "#]];
        check(&here, &["QA/KEY", "Dev/KEY@9000"], &["prod"], USUAL, &told);
        let made = expect![[r#"
            secret KEY (prod): New
        "#]];
        let makes = SyncWish { makes_environments: true, ..USUAL };
        check(&["prod/KEY"], &[], &["prod"], makes, &made);
    }

    #[test]
    fn there_is_room_for_so_many() {
        let names = |of: &str, count: usize, value: &str| -> Vec<String> {
            (0..count).map(|it| format!("{of}N{it}{value}")).collect()
        };
        for (of, value, most) in
            [("", "", 100), ("qa/", "", 100), ("", "=x", 500), ("qa/", "=x", 100)]
        {
            let refused = |here: usize, there: usize| {
                let (here, there) = (names(of, here, value), names(of, there, value));
                let here: Vec<&str> = here.iter().map(String::as_str).collect();
                let there: Vec<&str> = there.iter().map(String::as_str).collect();
                let lines = lines(&here, &there, &[], USUAL);
                let is_it =
                    |it: &&SyncLine| it.state == SyncState::Refused(SyncRefusal::TooMany(most));
                lines.iter().filter(is_it).count()
            };
            assert_eq!((refused(most, 0), refused(most, most)), (0, 0), "{of} {value}");
            // Which of them would be left out nobody knows.
            assert_eq!(refused(most + 1, 0), most + 1, "{of} {value}");
            assert_eq!(refused(most + 3, most), 3, "{of} {value}");
        }
    }
}
