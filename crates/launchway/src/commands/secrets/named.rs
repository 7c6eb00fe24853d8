//! The secrets and variables that workflows and settings name, beside those that are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use event::Timestamp;
use repository::Repository;
use settings::SecretReference;
use store::Vault;

use crate::exit::{Exit, Failure};
use crate::names::{Wanted, WantedNames};
use crate::settings_file::{Found, load_if_there};
use crate::{files, kept};

/// Where somebody stands.
pub(crate) struct Here {
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
    pub(crate) fn look() -> Result<Here, Failure> {
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
        Ok(Here { owner, wanted, settings })
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

    pub(crate) fn secrets(&self, vault: &Vault) -> Result<Lines, Failure> {
        let mut lines: BTreeMap<(Option<String>, String), Line> = BTreeMap::new();
        let mut add = |line: Line| {
            let key = (line.environment.clone(), line.name.clone());
            match lines.get_mut(&key) {
                Some(known) => known.used_at.extend(line.used_at),
                None => drop(lines.insert(key, line)),
            }
        };
        let list = vault.list(&self.owner).map_err(kept::failed)?;
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
