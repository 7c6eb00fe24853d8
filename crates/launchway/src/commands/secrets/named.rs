//! The secrets and variables that workflows and settings name, beside those that are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use event::Timestamp;
use mask::Secret;
use repository::Repository;
use server::{KeptKind, Named, NamedValue, Reason};
use settings::SecretReference;
use store::{Scope, Value};

use crate::cli::AtServerArgs;
use crate::commands::whose::Whose;
use crate::deploying::person;
use crate::distant::{Client, KeptKey, KeptLine};
use crate::exit::{Exit, Failure};
use crate::running::files;
use crate::running::names::Needed;
use crate::serving::data::DataFolder;
use crate::serving::repositories::keeping;
use crate::settings_file::{Found, load_if_there};
use crate::state::StateFolder;
use crate::terminal::time::now;
use crate::{journal, kept, telling};

/// Where somebody stands.
pub(crate) struct Here {
    keeper: Keeper,
    /// Under which name values are kept.
    pub(crate) owner: String,
    settings: Option<Found>,
}

/// Who keeps what is kept.
enum Keeper {
    /// The vault of a folder on this machine.
    Folder {
        state: StateFolder,
        /// It is the server's, and says of each who set it.
        is_servers: bool,
        needed: Box<Needed>,
    },
    /// A server.
    Server(Client),
}

/// What is kept for whoever stands somewhere, without any secret's value.
struct Kept {
    secrets: Vec<KeptSecret>,
    variables: BTreeMap<String, String>,
    /// What is read, of whichever kind, and whether anybody set it.
    named: Vec<NamedValue>,
    messages_not_known: Option<String>,
}

struct KeptSecret {
    name: String,
    environment: Option<String>,
    set_at: Timestamp,
    rotate_by: Option<Timestamp>,
}

/// A variable: its name, its value where it is kept, and who names it.
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
    pub(crate) used_at: Option<String>,
}

/// What is to be kept.
#[derive(Clone, Copy)]
pub(crate) enum Given<'v> {
    /// A secret, and the day when it shall be another.
    Secret(&'v Secret, Option<&'v str>),
    /// A variable.
    Variable(&'v str),
}

/// One secret, in one environment or in all.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) environment: Option<String>,
    /// `FILE:LINE` of workflows; the service or the message of the settings.
    pub(crate) used_at: Vec<String>,
    pub(crate) state: State,
}

/// Where a secret is.
pub(crate) enum State {
    /// Kept here.
    Set { at: Timestamp, rotate_by: Option<Timestamp> },
    /// Nowhere.
    Missing,
    /// Where the settings say. Whether it is there, where this machine can tell without asking.
    Elsewhere { reference: String, is_there: Option<bool> },
}

/// All of them, by environment and name.
#[derive(Default)]
pub(crate) struct Lines {
    lines: BTreeMap<(Option<String>, String), Line>,
    /// Why it is not known what messages read.
    pub(crate) messages_not_known: Option<String>,
}

impl Here {
    /// What is kept in the state folder for whoever stands in this one; or for a repository of a server.
    pub(crate) fn look(at: &AtServerArgs, state: Option<&Path>) -> Result<Here, Failure> {
        match Whose::of(at, state)? {
            Whose::Here(state) => Here::of_clone(state),
            Whose::Folder(data, name) => Here::of_server(&name, data),
            Whose::Server(client, owner) => {
                Ok(Here { keeper: Keeper::Server(client), owner, settings: None })
            }
        }
    }

    /// What the workflows and settings name that somebody stands among.
    fn of_clone(state: StateFolder) -> Result<Here, Failure> {
        let settings = load_if_there()?;
        let owner = kept::owner_here(settings.as_ref())?;
        let mut needed = Needed::default();
        let root = Repository::discover(Path::new(".")).ok().map(|it| it.root);
        let folder = root.map(|root| root.join(files::WORKFLOWS)).filter(|it| it.is_dir());
        if let Some(folder) = folder {
            for file in files::workflow_files(&folder)? {
                needed.names.look(&files::read(&file, &files::shown(&file))?);
            }
        }
        if let Some(found) = &settings {
            // What lies elsewhere is looked for there.
            needed.messages = telling::references(&found.settings);
            needed.messages.retain(|(_, it)| matches!(it, SecretReference::Local { .. }));
        }
        let keeper = Keeper::Folder { state, is_servers: false, needed: Box::new(needed) };
        Ok(Here { keeper, owner, settings })
    }

    /// What the default branch names of a repository that is connected.
    fn of_server(name: &str, data: DataFolder) -> Result<Here, Failure> {
        let connected = keeping::connected(&data, name)?;
        let needed = Box::new(keeping::needed(&connected)?);
        let keeper = Keeper::Folder { state: data.state, is_servers: true, needed };
        Ok(Here { keeper, owner: connected.name, settings: None })
    }

    /// The folder that has the vault, and whether that is a server's; else the server that keeps it.
    pub(super) fn keeper(&self) -> Result<(&StateFolder, bool), &Client> {
        match &self.keeper {
            Keeper::Folder { state, is_servers, .. } => Ok((state, *is_servers)),
            Keeper::Server(client) => Err(client),
        }
    }

    fn kept(&self) -> Result<Kept, Failure> {
        let (mut secrets, mut variables) = (Vec::new(), BTreeMap::new());
        let (named, messages_not_known);
        match &self.keeper {
            Keeper::Folder { state, needed, .. } => {
                let all = kept::vault(state).list(&self.owner).map_err(kept::failed)?;
                Named { values: named, messages_not_known } = needed.against(&all);
                for it in all {
                    let (set_at, rotate_by) = (it.set_at, it.rotate_by);
                    let (name, environment) = (it.name, it.scope.environment);
                    match it.variable {
                        None => {
                            secrets.push(KeptSecret { name, environment, set_at, rotate_by });
                        }
                        Some(value) => drop(variables.insert(name, value)),
                    }
                }
            }
            Keeper::Server(client) => {
                let there = client.kept(&self.owner)?;
                let kept = &there.kept;
                named = there.named.into_iter().filter_map(|it| it.read(kept)).collect();
                messages_not_known = there.messages_not_known;
                for it in there.kept {
                    let KeptLine { name, kind, environment, value, set_at_ms, rotate_by_ms } = it;
                    match (kind.as_str(), value) {
                        ("secret", _) => secrets.push(KeptSecret {
                            name,
                            environment,
                            set_at: set_at_ms,
                            rotate_by: rotate_by_ms,
                        }),
                        (_, value) => {
                            variables.insert(name, value.unwrap_or_default());
                        }
                    }
                }
            }
        }
        Ok(Kept { secrets, variables, named, messages_not_known })
    }

    /// Keeps a value; at a server with who did it. Back comes whether there was one.
    pub(crate) fn keep(
        &self,
        (environment, name): (Option<&str>, &str),
        value: Given<'_>,
        reason: &Reason,
    ) -> Result<bool, Failure> {
        // Who says why may have said what.
        let reason = match value {
            Given::Secret(value, _) => &reason.without(value.expose()),
            Given::Variable(_) => reason,
        };
        let (state, is_servers) = match &self.keeper {
            Keeper::Folder { state, is_servers, .. } => (state, *is_servers),
            Keeper::Server(client) => {
                return self.keep_at(client, (environment, name), (value, reason));
            }
        };
        let by = is_servers.then(|| person().name.to_string());
        let (action, value, rotate_by) = match value {
            Given::Secret(value, by) => ("secret.set", Value::Secret(value), by),
            Given::Variable(value) => ("variable.set", Value::Variable(value), None),
        };
        let rotate_by = rotate_by.map(super::day).transpose()?;
        let scope =
            Scope { repository: self.owner.clone(), environment: environment.map(str::to_owned) };
        // Written down first: nothing is kept that nobody hears of, whatever happens in between.
        self.record(state, action, (environment, name), reason)?;
        let was_there =
            kept::vault(state).set_by(&scope, name, value, (now(), rotate_by), by.as_deref());
        was_there.map_err(kept::failed)
    }

    /// What somebody else keeps in the same moment is not counted as having been there.
    fn keep_at(
        &self,
        client: &Client,
        (environment, name): (Option<&str>, &str),
        (value, reason): (Given<'_>, &Reason),
    ) -> Result<bool, Failure> {
        let kept = self.kept()?;
        let (kind, value, rotate_by, was_there) = match value {
            Given::Secret(value, rotate_by) => {
                let is_it =
                    |it: &KeptSecret| it.name == name && it.environment.as_deref() == environment;
                ("secrets", value.expose(), rotate_by, kept.secrets.iter().any(is_it))
            }
            Given::Variable(value) => ("variables", value, None, kept.variables.contains_key(name)),
        };
        let key = KeptKey { kind, name, environment };
        client.keep(&self.owner, key, value, (rotate_by, reason))?;
        Ok(was_there)
    }

    /// Forgets one. Back comes whether there was one.
    pub(crate) fn forget(
        &self,
        (environment, name): (Option<&str>, &str),
        is_secret: bool,
        reason: &Reason,
    ) -> Result<bool, Failure> {
        let state = match &self.keeper {
            Keeper::Folder { state, .. } => state,
            Keeper::Server(client) => {
                let kind = if is_secret { "secrets" } else { "variables" };
                client.forget(&self.owner, KeptKey { kind, name, environment }, reason)?;
                return Ok(true);
            }
        };
        let scope =
            Scope { repository: self.owner.clone(), environment: environment.map(str::to_owned) };
        let vault = kept::vault(state);
        let is_it = |it: &store::Kept| {
            it.scope == scope && it.name == name && it.variable.is_none() == is_secret
        };
        if vault.list(&self.owner).map_err(kept::failed)?.iter().any(is_it) {
            let action = if is_secret { "secret.remove" } else { "variable.remove" };
            self.record(state, action, (environment, name), reason)?;
        }
        vault.remove(&scope, name, is_secret).map_err(kept::failed)
    }

    /// Who set or forgot what, and never a value: in the audit trail of the server, or of this machine.
    fn record(
        &self,
        state: &StateFolder,
        action: &str,
        (environment, name): (Option<&str>, &str),
        reason: &Reason,
    ) -> Result<(), Failure> {
        let place = environment.map(|it| format!(" {it}")).unwrap_or_default();
        let object = format!("{}{place} {name}", self.owner);
        journal::record_because(state, (action, object), reason)
    }

    /// Variables that are kept or named, by their names.
    pub(crate) fn variables(&self) -> Result<Vec<Variable>, Failure> {
        let Kept { mut variables, named, .. } = self.kept()?;
        let used_at: BTreeMap<String, String> = named
            .into_iter()
            .filter(|it| it.kind == KeptKind::Variable)
            .map(|it| (it.name, it.used_at))
            .collect();
        let names: BTreeSet<String> = variables.keys().chain(used_at.keys()).cloned().collect();
        let one = |name: String| {
            let (value, used_at) = (variables.remove(&name), used_at.get(&name).cloned());
            Variable { name, value, used_at }
        };
        Ok(names.into_iter().map(one).collect())
    }

    /// An environment that the settings do not know is a slip; without settings every one may be.
    pub(crate) fn check_environment(&self, name: Option<&str>) -> Result<(), Failure> {
        let (Some(found), Some(name)) = (&self.settings, name) else { return Ok(()) };
        let known: Vec<&str> =
            found.settings.environments.iter().map(|it| &*it.name.value).collect();
        if known.iter().any(|it| it.eq_ignore_ascii_case(name)) {
            return Ok(());
        }
        Err(Failure::new(Exit::Usage, format!("there is no environment {name}"))
            .hint(format!("there are: {}", known.join(", "))))
    }

    pub(crate) fn secrets(&self) -> Result<Lines, Failure> {
        let mut lines = Lines::default();
        let kept = self.kept()?;
        lines.messages_not_known = kept.messages_not_known;
        for it in kept.secrets {
            let KeptSecret { name, environment, set_at, rotate_by } = it;
            let state = State::Set { at: set_at, rotate_by };
            lines.add(Line { name, environment, used_at: Vec::new(), state });
        }
        for it in kept.named.into_iter().filter(|it| it.kind == KeptKind::Secret) {
            lines.name(it);
        }
        if let Some(found) = &self.settings {
            of_settings(found)?.into_iter().for_each(|it| lines.add(it));
        }
        Ok(lines)
    }
}

impl Lines {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Line> {
        self.lines.values()
    }

    fn add(&mut self, line: Line) {
        let key = (line.environment.clone(), line.name.clone());
        match self.lines.get_mut(&key) {
            Some(known) => known.used_at.extend(line.used_at),
            None => drop(self.lines.insert(key, line)),
        }
    }

    /// Says where one is read: of the one that is kept, or that it is missing.
    fn name(&mut self, it: NamedValue) {
        let NamedValue { name, environment, used_at, is_missing, .. } = it;
        if is_missing {
            // What lies elsewhere is called by what refers to it, and cannot be set.
            let state = match name.contains(':') {
                true => State::Elsewhere { reference: name.clone(), is_there: Some(false) },
                false => State::Missing,
            };
            return self.add(Line { name, environment, used_at: vec![used_at], state });
        }
        let is_same =
            |of: &str| environment.as_deref().is_some_and(|it| it.eq_ignore_ascii_case(of));
        let mut kept: Vec<&mut Line> =
            self.lines.values_mut().filter(|line| line.name == name).collect();
        let own = kept.iter().position(|it| it.environment.as_deref().is_some_and(is_same));
        match own.or_else(|| kept.iter().position(|it| it.environment.is_none())) {
            Some(given) => kept[given].used_at.push(used_at),
            // Which environment a job is in an expression may say: whichever is kept may be it.
            None => kept.into_iter().for_each(|it| it.used_at.push(used_at.clone())),
        }
    }
}

/// What services refer to, environment by environment, and what messages need that is not kept here.
fn of_settings(found: &Found) -> Result<Vec<Line>, Failure> {
    let mut lines = Vec::new();
    for (rule, reference) in telling::references(&found.settings) {
        if !matches!(reference, SecretReference::Local { .. }) {
            let (name, state) = (reference.to_string(), elsewhere(found, &reference));
            lines.push(Line { name, environment: None, used_at: vec![rule], state });
        }
    }
    for environment in &found.settings.environments {
        for service in &found.settings.order {
            let name = &*environment.name.value;
            let resolved = found.settings.resolve(name, &service.value);
            let resolved = resolved.map_err(|error| Failure::new(Exit::Usage, error))?;
            for it in &resolved.service.secrets {
                let (name, state) = match &it.value.value {
                    SecretReference::Local { name } => (name.clone(), State::Missing),
                    other => (it.name.value.to_string(), elsewhere(found, other)),
                };
                lines.push(Line {
                    name,
                    environment: Some(environment.name.value.to_string()),
                    used_at: vec![format!("service {}", service.value)],
                    state,
                });
            }
        }
    }
    Ok(lines)
}

fn elsewhere(found: &Found, reference: &SecretReference) -> State {
    let is_there = match reference {
        SecretReference::File { path } => Some(found.root.join(path).is_file()),
        _ => None,
    };
    State::Elsewhere { reference: reference.to_string(), is_there }
}
