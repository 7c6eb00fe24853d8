//! Values that are kept here, put into GitHub's secrets and variables: by whoever keeps them, on this machine or by
//! the server itself. No value goes anywhere else.
//!
//! Nothing is remembered of it: what is still to be done is what GitHub says that it has not. Killed, or refused in
//! the middle, it goes on where it was by being begun again.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use event::Timestamp;
use forge::{
    ForgeError, GitHub, HereValue, Method, SealingKey, SyncLine, SyncRefusal, SyncState, SyncWish,
    There, ValueId, ValueKind, sync_lines,
};
use mask::Secret;
use serde_json::Value as Json;
use server::{SyncPlan, SyncValue};
use store::Vault;

use crate::exit::{Exit, Failure};
use crate::kept;
use crate::terminal::time::now;

/// A value that somebody sets while it is put there is put there again, so often.
const TIMES_MAX: u32 = 5;

/// How far this machine's clock may be behind GitHub's: the way there and whole seconds take some.
const CLOCK_BEHIND_MAX_MS: u64 = 10_000;

/// What GitHub wants of whoever puts values there.
const PERMISSIONS: &str = "it takes, of an app or of a fine-grained token: Secrets: write, Variables: write, Environments: write; Administration: write to make environments";

/// Writes down what is about to be done to what, before it is; where that fails, nothing is done.
pub(crate) type Recorded<'r> = &'r dyn Fn(&str, String) -> Result<(), Failure>;

/// From where, to where, and what of it.
pub(crate) struct Sync<'s> {
    pub(crate) vault: Vault,
    /// Under which name the values are kept.
    pub(crate) owner: &'s str,
    pub(crate) github: &'s GitHub,
    /// `https://github.com`
    pub(crate) url: &'s str,
    /// GitHub's name for the repository.
    pub(crate) repository: &'s str,
    /// Its number there, where the one that the name meant is known by it: another may have the name by now.
    pub(crate) number: Option<u64>,
    pub(crate) chosen: Chosen,
}

/// Which values; all where nothing is said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chosen {
    pub(crate) names: Vec<String>,
    pub(crate) environments: Vec<String>,
    pub(crate) only: Option<ValueKind>,
    pub(crate) wish: SyncWish,
}

/// What is here and there.
pub(crate) struct Looked {
    pub(crate) lines: Vec<SyncLine>,
    /// Environments that GitHub does not have, and something is kept for.
    pub(crate) missing: Vec<String>,
}

/// What became of one thing.
pub(crate) enum Became {
    /// An environment was made.
    Environment(String),
    /// A value is there, GitHub says no to it, or somebody forgot it here meanwhile.
    Value(SyncValue),
}

impl Chosen {
    fn has(&self, it: &store::Kept) -> bool {
        let is_named = self.names.is_empty() || self.names.contains(&it.name);
        let environment = it.scope.environment.as_deref();
        let is_there = self.environments.is_empty()
            || self.environments.iter().any(|name| is_of(environment, name));
        is_named && is_there && self.only.is_none_or(|kind| kind == kind_of(it))
    }
}

/// Environments are called alike in any case.
fn is_of(environment: Option<&str>, name: &str) -> bool {
    environment.is_some_and(|it| it.eq_ignore_ascii_case(name))
}

fn kind_of(it: &store::Kept) -> ValueKind {
    if it.variable.is_some() { ValueKind::Variable } else { ValueKind::Secret }
}

impl Sync<'_> {
    /// What would be done.
    pub(crate) fn look(&self) -> Result<Looked, Failure> {
        let here = self.here()?;
        // Whoever may not see the repository learns that first: what is not there is then an environment.
        let seen = self.github.ask(Method::Get, self.repository, "", None);
        let seen = seen.map_err(|error| failed(error, self.repository))?;
        self.check_number(&seen.json["id"])?;
        self.check_clock(seen.at)?;
        let mut there = There::default();
        let mut places: Vec<(Option<&str>, ValueKind)> =
            here.iter().map(|it| (it.id.environment.as_deref(), it.id.kind)).collect();
        places.sort_unstable();
        places.dedup();
        for (environment, kind) in places {
            let name = environment.unwrap_or_default();
            if there.missing.iter().any(|it| it == name) {
                continue;
            }
            let values = self.github.values(self.repository, environment, kind);
            match values.map_err(|error| failed(error, self.repository))? {
                None => there.missing.push(name.to_owned()),
                Some(values) => there.values.extend(values),
            }
        }
        let names = &self.chosen.names;
        there.values.retain(|it| names.is_empty() || names.contains(&it.id.name));
        let lines = sync_lines(&here, &there, self.chosen.wish);
        Ok(Looked { lines, missing: there.missing })
    }

    /// Nobody gets the values of another who only has its name by now.
    fn check_number(&self, found: &Json) -> Result<(), Failure> {
        let Some(known) = self.number.filter(|it| found.as_u64() != Some(*it)) else {
            return Ok(());
        };
        let message = format!(
            "{} at {} is another repository by now: its number is {found}, and that of the one that was connected {known}",
            self.repository, self.url
        );
        Err(Failure::new(Exit::Refused, message)
            .hint("--to OWNER/NAME says how the one that is meant is called now"))
    }

    /// What was set here is compared with what GitHub says, each by its own clock: where this machine's is behind, what
    /// is older there would seem to be newer.
    fn check_clock(&self, there: Option<Timestamp>) -> Result<(), Failure> {
        let Some(behind) = there.and_then(|it| it.0.checked_sub(now().0)) else { return Ok(()) };
        if self.chosen.wish.all || behind <= CLOCK_BEHIND_MAX_MS {
            return Ok(());
        }
        let (url, seconds) = (self.url, behind / 1000);
        let message = format!(
            "this machine's clock is {seconds} s behind that of {url}: nobody can tell what was set since"
        );
        Err(Failure::new(Exit::Missing, message)
            .hint("set the clock; or put all of it there, whatever is there: --all"))
    }

    /// The same, as it is said to people and programs.
    pub(crate) fn plan(&self, looked: &Looked) -> SyncPlan {
        SyncPlan {
            to: self.repository.to_owned(),
            url: self.url.to_owned(),
            missing: looked.missing.clone(),
            values: looked.lines.iter().map(said).collect(),
        }
    }

    /// What is kept here and chosen; a name that nothing is kept under is a slip.
    fn here(&self) -> Result<Vec<HereValue>, Failure> {
        let kept = self.vault.list(self.owner).map_err(kept::failed)?;
        let here: Vec<HereValue> = kept
            .into_iter()
            .filter(|it| self.chosen.has(it))
            .map(|it| HereValue {
                id: ValueId {
                    kind: kind_of(&it),
                    environment: it.scope.environment,
                    name: it.name,
                },
                set_at: it.set_at,
                variable: it.variable,
            })
            .collect();
        let nothing = |what: String| {
            Err(Failure::new(Exit::Usage, format!("{what} is kept for {}", self.owner)).hint(
                "launchway secrets list and launchway vars list show what is, and for which environment",
            ))
        };
        let is_kept = |name: &&String| here.iter().any(|it| it.id.name == **name);
        if let Some(name) = self.chosen.names.iter().find(|it| !is_kept(it)) {
            return nothing(format!("no {name}{}", self.where_chosen()));
        }
        let has = |of: &&String| here.iter().any(|it| is_of(it.id.environment.as_deref(), of));
        if let Some(name) = self.chosen.environments.iter().find(|it| !has(it)) {
            return nothing(format!("nothing of the environment {name}"));
        }
        if here.is_empty() { nothing("nothing".to_owned()) } else { Ok(here) }
    }

    fn where_chosen(&self) -> String {
        match self.chosen.environments.join(", ") {
            all if all.is_empty() => all,
            some => format!(" of {some}"),
        }
    }

    /// Puts those there that are to be, in their order; each is told when it is. The first that cannot be asked
    /// for ends it; what GitHub does not take is told, and the others go on.
    pub(crate) fn put(
        &self,
        looked: &Looked,
        record: Recorded<'_>,
        mut told: impl FnMut(Became),
    ) -> Result<(), Failure> {
        let mut missing: Vec<&str> = looked.missing.iter().map(String::as_str).collect();
        let mut keys = BTreeMap::new();
        for line in looked.lines.iter().filter(|it| it.state.is_put()) {
            let environment = line.id.environment.as_deref();
            if let Some(at) = missing.iter().position(|it| Some(*it) == environment) {
                let name = missing.remove(at);
                if self.make(name, record)? {
                    told(Became::Environment(name.to_owned()));
                }
            }
            let action = format!("{}.sync", line.id.kind.word());
            let place = environment.map(|it| format!("{it} ")).unwrap_or_default();
            let to = format!("{} at {}", self.repository, self.url);
            record(&action, format!("{} {place}{} to {to}", self.owner, line.id.name))?;
            match self.put_one(line, &mut keys) {
                Ok(true) => told(became(line, "put", None)),
                Ok(false) => told(became(line, "forgotten", None)),
                Err(NotPut::Here(failure)) => return Err(failure),
                // Of this value; what is said of all of them has other numbers.
                Err(NotPut::There(ForgeError::Refused {
                    status: 400 | 409 | 413 | 422,
                    why,
                    ..
                })) => {
                    told(became(line, "refused", Some(format!("GitHub says: {why}"))));
                }
                Err(NotPut::There(error)) => return Err(failed(error, self.repository)),
            }
        }
        Ok(())
    }

    /// Makes an environment that is still not there: making one that is would take its rules away.
    fn make(&self, name: &str, record: Recorded<'_>) -> Result<bool, Failure> {
        let failed = |error| failed(error, self.repository);
        let there = self.github.values(self.repository, Some(name), ValueKind::Secret);
        if there.map_err(failed)?.is_some() {
            return Ok(false);
        }
        record("environment.make", format!("{name} of {} at {}", self.repository, self.url))?;
        self.github.make_environment(self.repository, name).map_err(failed)?;
        Ok(true)
    }

    /// What is set here while it is put there would seem to be there, by its time: it is put there again.
    fn put_one(
        &self,
        line: &SyncLine,
        keys: &mut BTreeMap<Option<String>, SealingKey>,
    ) -> Result<bool, NotPut> {
        let SyncLine { id, state, .. } = line;
        for _ in 0..TIMES_MAX {
            let Some(before) = self.set_at(id)? else { return Ok(false) };
            if id.kind == ValueKind::Secret {
                sleep(left_of_its_second(before, now()));
            }
            if !self.send(id, *state, keys)? {
                return Ok(false);
            }
            if self.set_at(id)?.is_none_or(|now| now == before) {
                return Ok(true);
            }
        }
        let message = format!("{id} is set again and again while it is put there");
        Err(NotPut::Here(Failure::new(Exit::Missing, message)))
    }

    /// When it was set here, as it is now.
    fn set_at(&self, id: &ValueId) -> Result<Option<Timestamp>, NotPut> {
        let kept = self.vault.list(self.owner).map_err(kept::failed)?;
        let is_it = |it: &&store::Kept| {
            kind_of(it) == id.kind && it.name == id.name && it.scope.environment == id.environment
        };
        Ok(kept.iter().find(is_it).map(|it| it.set_at))
    }

    /// Sends a value as it is now. Back comes whether there was one.
    fn send(
        &self,
        id: &ValueId,
        state: SyncState,
        keys: &mut BTreeMap<Option<String>, SealingKey>,
    ) -> Result<bool, NotPut> {
        let environment = id.environment.as_deref();
        let at = (environment, id.name.as_str());
        match id.kind {
            ValueKind::Secret => {
                let Some(value) = self.secret(id)? else { return Ok(false) };
                if !keys.contains_key(&id.environment) {
                    let key = self.github.sealing_key(self.repository, environment)?;
                    keys.insert(id.environment.clone(), key);
                }
                let key = &keys[&id.environment];
                self.github.put_secret(self.repository, at, &value, key)?;
            }
            ValueKind::Variable => {
                let all = self.vault.list(self.owner).map_err(kept::failed)?;
                let is_it =
                    |it: &store::Kept| it.name == id.name && it.scope.environment == id.environment;
                let value = all.into_iter().filter(is_it).find_map(|it| it.variable);
                let Some(value) = value else { return Ok(false) };
                match state {
                    SyncState::New => self.github.add_variable(self.repository, at, &value)?,
                    _ => self.github.change_variable(self.repository, at, &value)?,
                }
            }
        }
        Ok(true)
    }

    fn secret(&self, id: &ValueId) -> Result<Option<Secret>, NotPut> {
        let all = match &id.environment {
            None => self.vault.secrets(self.owner, None),
            Some(environment) => self.vault.secrets_of(self.owner, environment),
        };
        Ok(all.map_err(kept::failed)?.remove(&id.name))
    }
}

/// How long the second still is in which a value was set. GitHub's times have no parts of one, and what is put there
/// in that second would not seem to be there.
fn left_of_its_second(set_at: Timestamp, now: Timestamp) -> Duration {
    let is_same = set_at.0 / 1000 == now.0 / 1000;
    if is_same { Duration::from_millis(1000 - now.0 % 1000) } else { Duration::ZERO }
}

/// A line without a value.
pub(crate) fn said(line: &SyncLine) -> SyncValue {
    let SyncLine { id: ValueId { environment, kind, name }, set_at, since, state } = line;
    SyncValue {
        kind: kind.word().to_owned(),
        name: name.clone(),
        environment: environment.clone(),
        state: state.word().to_owned(),
        set_at_ms: *set_at,
        there_since_ms: *since,
        why: why(line),
    }
}

fn became(line: &SyncLine, state: &str, why: Option<String>) -> Became {
    Became::Value(SyncValue { state: state.to_owned(), why, ..said(line) })
}

/// Why it is not put there, and what to do.
fn why(line: &SyncLine) -> Option<String> {
    let environment = line.id.environment.as_deref().unwrap_or_default();
    Some(match line.state {
        SyncState::OwnOfGitHub => {
            "GitHub makes one for each job; another token needs another name".to_owned()
        }
        SyncState::Refused(SyncRefusal::Name) => {
            "GitHub takes letters, digits and _, no digit first, and not GITHUB_: keep it under another name".to_owned()
        }
        SyncState::Refused(SyncRefusal::NoEnvironment) => {
            format!("GitHub has no environment {environment}: make it there, or --make-environments")
        }
        SyncState::Refused(SyncRefusal::Twice) => format!(
            "it is kept for another environment that differs from {environment} in capitals alone, which is one to GitHub: forget one of them"
        ),
        SyncState::Refused(SyncRefusal::TooMany(most)) => {
            format!("GitHub keeps {most} in one place, and there would be more: choose by name")
        }
        _ => return None,
    })
}

/// Why a value is not there.
enum NotPut {
    Here(Failure),
    There(ForgeError),
}

impl From<Failure> for NotPut {
    fn from(failure: Failure) -> NotPut {
        NotPut::Here(failure)
    }
}

impl From<ForgeError> for NotPut {
    fn from(error: ForgeError) -> NotPut {
        NotPut::There(error)
    }
}

/// What GitHub did not do, for people.
fn failed(error: ForgeError, repository: &str) -> Failure {
    let hint = match &error {
        ForgeError::Refused { status: 403, .. } => PERMISSIONS.to_owned(),
        ForgeError::Refused { status: 301, .. } => {
            format!("is {repository} called otherwise by now? --to OWNER/NAME says how")
        }
        ForgeError::Absent { .. } => {
            format!("is there {repository}, and may the token, or the app, see it?")
        }
        ForgeError::Denied { .. } => {
            "make a new token; a server's: launchway github connect".to_owned()
        }
        _ => return Failure::caused(Exit::Missing, error),
    };
    let exit = match &error {
        ForgeError::Refused { status: 403, .. } => Exit::Forbidden,
        _ => Exit::Missing,
    };
    Failure::caused(exit, error).hint(hint)
}
