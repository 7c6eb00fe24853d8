//! Secrets and variables that are kept on this machine, for the repository that somebody stands in.

pub(crate) mod syncing;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use mask::Secret;
use repository::Repository;
use store::{Vault, VaultError};

use crate::exit::{Exit, Failure};
use crate::settings_file::Found;
use crate::state::StateFolder;

/// The vault of the state folder.
pub(crate) fn vault(state: &StateFolder) -> Vault {
    Vault::in_folder(&state.vault())
}

/// What a vault cannot do, for people.
pub(crate) fn failed(error: VaultError) -> Failure {
    let hint = error.hint();
    let failure = Failure::caused(Exit::Missing, error);
    hint.into_iter().fold(failure, Failure::hint)
}

/// Under which name values of the settings' project are kept: the repository's, else the project's.
/// Two repositories of one name are two.
pub(crate) fn owner(found: &Found) -> String {
    let repository = Repository::discover(&found.root);
    repository.map_or_else(|_| found.settings.project.value.to_string(), |it| it.identity)
}

/// Under which name values are kept for whoever stands in this folder.
pub(crate) fn owner_here(settings: Option<&Found>) -> Result<String, Failure> {
    match (Repository::discover(Path::new(".")), settings) {
        (Ok(repository), _) => Ok(repository.identity),
        (Err(_), Some(found)) => Ok(found.settings.project.value.to_string()),
        (Err(error), None) => Err(match repository::bare_identity(Path::new("."))? {
            // It has no work tree, so it is a server's, which knows it by the name that it was given.
            Some(_) => Failure::new(Exit::Usage, "this is a bare repository: a server's").hint(
                "say which: --repository OWNER/NAME --data DIR, as launchway repositories list has it",
            ),
            None => error.into(),
        }),
    }
}

/// The secrets of a run: those that were given come before those that are kept.
pub(crate) fn add_secrets(
    state: &StateFolder,
    repository: &str,
    given: &mut BTreeMap<String, Secret>,
) -> Result<(), Failure> {
    for (name, value) in vault(state).secrets(repository, None).map_err(failed)? {
        given.entry(name).or_insert(value);
    }
    Ok(())
}

/// The names of all secrets that are kept for a repository, those of its environments too.
pub(crate) fn secret_names(
    state: &StateFolder,
    repository: &str,
) -> Result<BTreeSet<String>, Failure> {
    let kept = vault(state).list(repository).map_err(failed)?;
    Ok(kept.into_iter().filter(|it| it.variable.is_none()).map(|it| it.name).collect())
}

/// The variables of a run: those that were given come before those that are kept.
pub(crate) fn add_variables(
    state: &StateFolder,
    repository: &str,
    given: &mut BTreeMap<String, String>,
) -> Result<(), Failure> {
    for (name, value) in vault(state).variables(repository, None).map_err(failed)? {
        given.entry(name).or_insert(value);
    }
    Ok(())
}
