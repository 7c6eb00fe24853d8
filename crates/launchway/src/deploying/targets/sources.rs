//! Where a service's values lie that stand in no plan: files named in the settings, read when they
//! are needed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use event::{Cause, CauseCode};
use mask::{MaskedText, Secret};
use settings::SecretReference;

use crate::exit::{Exit, Failure};
use crate::kept;
use crate::settings_file::{Found, read_env};
use crate::state::StateFolder;

/// Those of one service.
#[derive(Clone, Default)]
pub(super) struct Sources {
    pub(super) root: PathBuf,
    files: Vec<PathBuf>,
    pub(super) secrets: Vec<(String, SecretReference)>,
    /// What is kept on this machine for the environment.
    pub(super) kept: BTreeMap<String, Secret>,
}

/// Those of every service.
pub(super) fn of(
    found: &Found,
    environment: &str,
    state: &StateFolder,
) -> Result<BTreeMap<Arc<str>, Sources>, Failure> {
    let mut all = BTreeMap::new();
    let mut kept = None;
    for name in &found.settings.order {
        let resolved = found.settings.resolve(environment, &name.value);
        let service = resolved.map_err(|error| Failure::new(Exit::Usage, error))?.service;
        let is_local = |it: &SecretReference| matches!(it, SecretReference::Local { .. });
        if kept.is_none() && service.secrets.iter().any(|it| is_local(&it.value.value)) {
            let vault = kept::vault(state);
            let own = vault.secrets(&kept::owner(found), Some(environment));
            kept = Some(own.map_err(kept::failed)?);
        }
        let files = service.settings.iter().map(|path| found.root.join(&*path.value)).collect();
        let secrets = service.secrets.iter();
        let secrets =
            secrets.map(|it| (it.name.value.to_string(), it.value.value.clone())).collect();
        let root = found.root.clone();
        let sources = Sources { root, files, secrets, kept: BTreeMap::new() };
        all.insert(Arc::clone(&name.value), sources);
    }
    let kept = kept.unwrap_or_default();
    all.values_mut().for_each(|it| it.kept.clone_from(&kept));
    Ok(all)
}

pub(super) fn missing(what: String) -> Cause {
    Cause::new(CauseCode::Unavailable, MaskedText::without_secrets(what))
}

impl Sources {
    /// What the files say; the later wins over the earlier.
    pub(super) fn of_files(&self) -> Result<BTreeMap<String, Secret>, Cause> {
        let mut values = BTreeMap::new();
        for path in &self.files {
            let file = read_env(path).map_err(|failure| missing(failure.error.to_string()))?;
            let (file, _) =
                file.ok_or_else(|| missing(format!("{} is not here", path.display())))?;
            for variable in file.variables {
                values.insert(
                    variable.name.value.to_string(),
                    Secret::new(Arc::clone(variable.value.expose())),
                );
            }
        }
        Ok(values)
    }
}
