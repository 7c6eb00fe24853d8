//! The secrets and variables that workflows and settings name, beside those that are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use event::Timestamp;
use repository::Repository;
use settings::SecretReference;
use store::{Scope, Value};
use syntax::Source;

use crate::cli::AtServerArgs;
use crate::deploying::person;
use crate::exit::{Exit, Failure};
use crate::names::{Wanted, WantedNames};
use crate::serving::data::DataFolder;
use crate::serving::keeping;
use crate::settings_file::{Found, load_if_there};
use crate::state::StateFolder;
use crate::terminal::time::now;
use crate::{files, journal, kept};

/// Where somebody stands.
pub(crate) struct Here {
    /// The folder whose vault has them.
    pub(crate) state: StateFolder,
    /// The server's, where they are of a repository that is connected to one.
    pub(crate) server: Option<DataFolder>,
    /// Under which name values are kept.
    pub(crate) owner: String,
    /// What workflow files name.
    pub(crate) wanted: WantedNames,
    settings: Option<Found>,
}

/// One secret, in one environment or in all.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) environment: Option<String>,
    /// `FILE:LINE` of workflows; the service of the settings.
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
pub(crate) struct Lines(pub(crate) Vec<Line>);

impl Here {
    /// What is kept in the state folder for whoever stands in this one; or for a repository of a server.
    pub(crate) fn look(at: &AtServerArgs, state: Option<&Path>) -> Result<Here, Failure> {
        if let Some(name) = &at.repository {
            return Here::of_server(name, servers_folder(at.data.as_deref(), state)?);
        }
        let state = StateFolder::locate(state)?;
        refuse_servers(&state)?;
        let settings = load_if_there()?;
        let owner = kept::owner_here(settings.as_ref())?;
        let mut wanted = WantedNames::default();
        let root = Repository::discover(Path::new(".")).ok().map(|it| it.root);
        let folder = root.map(|root| root.join(files::WORKFLOWS)).filter(|it| it.is_dir());
        if let Some(folder) = folder {
            for file in files::workflow_files(&folder)? {
                wanted.look(&files::read(&file, &files::shown(&file))?);
            }
        }
        Ok(Here { state, server: None, owner, wanted, settings })
    }

    /// What the default branch names of a repository that is connected.
    fn of_server(name: &str, data: DataFolder) -> Result<Here, Failure> {
        let connected = keeping::connected(&data, name)?;
        let mut wanted = WantedNames::default();
        if let Some(tip) = connected.tip()? {
            let at = connected.at(&tip, Default::default())?;
            let files = at.files_in(files::WORKFLOWS)?;
            for file in files.iter().filter(|it| !it.is_link && files::is_yaml(it.path.as_ref())) {
                wanted.look(&Source::new(file.path.as_str(), &*file.text));
            }
        }
        let (owner, state) = (connected.name, data.state.clone());
        Ok(Here { state, server: Some(data), owner, wanted, settings: None })
    }

    /// For whom a value is.
    pub(crate) fn scope(&self, environment: Option<&str>) -> Scope {
        Scope { repository: self.owner.clone(), environment: environment.map(str::to_owned) }
    }

    /// Keeps a value; at a server with who did it. Back comes whether there was one.
    pub(crate) fn keep(
        &self,
        (environment, name): (Option<&str>, &str),
        value: Value<'_>,
        rotate_by: Option<Timestamp>,
    ) -> Result<bool, Failure> {
        let by = self.server.as_ref().map(|_| person().name.to_string());
        let is_secret = matches!(value, Value::Secret(_));
        let (scope, when) = (self.scope(environment), (now(), rotate_by));
        let was_there = kept::vault(&self.state).set_by(&scope, name, value, when, by.as_deref());
        let was_there = was_there.map_err(kept::failed)?;
        self.record(if is_secret { "secret.set" } else { "variable.set" }, (environment, name))?;
        Ok(was_there)
    }

    /// Forgets one. Back comes whether there was one.
    pub(crate) fn forget(
        &self,
        (environment, name): (Option<&str>, &str),
        is_secret: bool,
    ) -> Result<bool, Failure> {
        let removed = kept::vault(&self.state).remove(&self.scope(environment), name, is_secret);
        let was_there = removed.map_err(kept::failed)?;
        if was_there {
            let action = if is_secret { "secret.remove" } else { "variable.remove" };
            self.record(action, (environment, name))?;
        }
        Ok(was_there)
    }

    /// Who set or forgot what, and never a value: in the audit trail of the server, or of this machine.
    fn record(
        &self,
        action: &str,
        (environment, name): (Option<&str>, &str),
    ) -> Result<(), Failure> {
        let place = environment.map(|it| format!(" {it}")).unwrap_or_default();
        journal::record(&self.state, action, format!("{}{place} {name}", self.owner))
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
        let mut lines: BTreeMap<(Option<String>, String), Line> = BTreeMap::new();
        let mut add = |line: Line| {
            let key = (line.environment.clone(), line.name.clone());
            match lines.get_mut(&key) {
                Some(known) => known.used_at.extend(line.used_at),
                None => drop(lines.insert(key, line)),
            }
        };
        let list = kept::vault(&self.state).list(&self.owner).map_err(kept::failed)?;
        for it in list.into_iter().filter(|it| it.variable.is_none()) {
            let state = State::Set { at: it.set_at, rotate_by: it.rotate_by };
            let environment = it.scope.environment;
            // Which jobs name the environment is not known here; who names the secret is.
            let named = environment.as_ref().and_then(|_| self.wanted.secrets.get(&it.name));
            add(Line {
                name: it.name,
                environment,
                used_at: named.map(at).into_iter().collect(),
                state,
            });
        }
        for (name, place) in &self.wanted.secrets {
            let used_at = vec![at(place)];
            add(Line { name: name.clone(), environment: None, used_at, state: State::Missing });
        }
        for line in self.settings.iter().map(of_settings).collect::<Result<Vec<_>, _>>()? {
            line.into_iter().for_each(&mut add);
        }
        // One that is kept for an environment alone is not missing for all.
        let own: BTreeSet<String> = lines
            .values()
            .filter(|it| it.environment.is_some() && matches!(it.state, State::Set { .. }))
            .map(|it| it.name.clone())
            .collect();
        let mut lines: Vec<Line> = lines.into_values().collect();
        lines.retain(|it| !(matches!(it.state, State::Missing) && own.contains(&it.name)));
        Ok(Lines(lines))
    }
}

/// The folder of the server of this machine: as every command takes it, or as the state folder.
fn servers_folder(flag: Option<&Path>, state: Option<&Path>) -> Result<DataFolder, Failure> {
    if flag.is_none() {
        let data = DataFolder { state: StateFolder::locate(state)? };
        if data.is_servers() {
            return Ok(data);
        }
    }
    DataFolder::locate(flag, state)
}

/// A clone is known by where it comes from, and a server's repository by its name: what was kept in a
/// server's folder for a clone would reach nobody.
fn refuse_servers(state: &StateFolder) -> Result<(), Failure> {
    let data = DataFolder { state: state.clone() };
    if !data.is_servers() {
        return Ok(());
    }
    let root = state.root().display();
    Err(Failure::new(Exit::Usage, format!("{root} is a server's: of which of its repositories?"))
        .hint(format!(
            "say which: --repository OWNER/NAME --data {root}; launchway repositories list --data {root} shows them"
        )))
}

/// The first place that names it.
pub(crate) fn at(place: &Wanted) -> String {
    format!("{}:{}", place.source.name(), place.source.place(place.span.start).line)
}

/// What services refer to, environment by environment.
fn of_settings(found: &Found) -> Result<Vec<Line>, Failure> {
    let mut lines = Vec::new();
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
