//! Secrets and variables of connected repositories, in the vault of the server's folder: the same that
//! `launchway secrets` keeps there.

use mask::Secret;
use server::{KeepWish, KeptKind, KeptName};
use store::{Scope, Value};

use super::data::DataFolder;
use super::repositories;
use crate::exit::{Exit, Failure};
use crate::terminal::time::now;
use crate::{given, kept};

/// Under which name values of a repository are kept.
fn identity(data: &DataFolder, repository: &str) -> Result<String, Failure> {
    let known = repositories::all(data)?;
    let unknown = || Failure::new(Exit::Usage, format!("no repository {repository} is connected"));
    let connected = known.into_iter().find(|it| it.name == repository).ok_or_else(unknown)?;
    repository::bare_identity(&connected.path)?.ok_or_else(unknown)
}

/// Everything that is kept of a repository.
pub(super) fn list(data: &DataFolder, repository: &str) -> Result<Vec<KeptName>, Failure> {
    let identity = identity(data, repository)?;
    let all = kept::vault(&data.state).list(&identity).map_err(kept::failed)?;
    let line = |it: store::Kept| KeptName {
        name: it.name,
        environment: it.scope.environment,
        variable: it.variable,
        set_at: it.set_at,
        set_by: it.set_by,
        rotate_by: it.rotate_by,
    };
    Ok(all.into_iter().map(line).collect())
}

/// Keeps one, or forgets it.
pub(super) fn change(data: &DataFolder, wish: &KeepWish) -> Result<(), Failure> {
    let refused = |message: &str| Failure::new(Exit::Refused, message);
    let is_secret = wish.kind == KeptKind::Secret;
    let kind = if is_secret { "secret" } else { "variable" };
    // Whoever asks over HTTP used no wrong flag: what they gave is refused.
    let checked = |failure: Failure| Failure { exit: Exit::Refused, ..failure };
    let name = given::checked_name(kind, &wish.name).map_err(checked)?;
    if !is_secret && wish.environment.is_some() {
        return Err(refused(
            "variables are kept for all jobs of a repository, not for one environment",
        ));
    }
    let environment = wish.environment.clone();
    if environment.as_ref().is_some_and(|it| it.len() > 255 || it.contains(char::is_control)) {
        return Err(refused("that is no name of an environment"));
    }
    let scope = Scope { repository: identity(data, &wish.repository)?, environment };
    let vault = kept::vault(&data.state);
    let Some(value) = &wish.value else {
        let was_there = vault.remove(&scope, &name, is_secret).map_err(kept::failed)?;
        let missing = || Failure::new(Exit::Usage, format!("no {kind} {name} is kept there"));
        return if was_there { Ok(()) } else { Err(missing()) };
    };
    if value.is_empty() {
        return Err(refused("the value is empty; to forget one, forget it"));
    }
    let value = given::checked_value(kind, &name, value).map_err(checked)?;
    let rotate_by =
        wish.rotate_by.as_deref().map(crate::commands::day).transpose().map_err(checked)?;
    let secret = Secret::new(value.clone());
    let value = if is_secret { Value::Secret(&secret) } else { Value::Variable(&value) };
    let kept = vault.set_by(&scope, &name, value, (now(), rotate_by), Some(&wish.by));
    kept.map(drop).map_err(kept::failed)
}
