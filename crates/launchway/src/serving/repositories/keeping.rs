//! Secrets and variables of connected repositories, in the vault of the server's folder: the same that
//! `launchway secrets --repository` keeps there.
//!
//! They are kept under the name that a repository is connected under, never under where it was cloned from:
//! two may come from one place, and be two teams'.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use mask::Secret;
use server::{KeepWish, KeptKind, KeptName, Named};
use store::{Kept, Scope, Value, Vault};
use syntax::Source;

use crate::exit::{Exit, Failure};
use crate::running::names::Needed;
use crate::running::{files, given};
use crate::serving::data::{DataFolder, Record};
use crate::serving::repositories::{self, Connected};
use crate::state::StateFolder;
use crate::terminal::style::talk;
use crate::terminal::time::now;
use crate::{kept, telling};

/// What the server keeps for itself stands under names that begin so.
const OWN: &str = "launchway:";

/// Under which name values of the bare repository at `path` are kept, in the folder of a server: the one
/// that it is connected under. None where it is not connected.
pub(crate) fn owner(state: &StateFolder, path: &Path) -> Result<Option<String>, Failure> {
    let known = repositories::all(&DataFolder { state: state.clone() })?;
    let whole = std::fs::canonicalize(path).ok();
    let is_it = |it: &Connected| {
        it.path == path || (whole.is_some() && std::fs::canonicalize(&it.path).ok() == whole)
    };
    Ok(known.into_iter().find(is_it).map(|it| it.name))
}

/// The name of a connected repository.
pub(crate) fn connected(data: &DataFolder, repository: &str) -> Result<Connected, Failure> {
    let known = repositories::all(data)?;
    known.into_iter().find(|it| it.name == repository).ok_or_else(|| {
        let message = format!("no repository {repository} is connected");
        Failure::new(Exit::Usage, message).hint(format!(
            "launchway repositories list --data {} shows what is",
            data.state.pasted()
        ))
    })
}

/// Takes over what an older Launchway kept under where repositories come from, where one alone comes from
/// there. Where several do, nobody knows whose it was: nobody has it, and it is said how it is set anew.
pub(crate) fn take_over_old(data: &DataFolder) -> Result<(), Failure> {
    let vault = kept::vault(&data.state);
    let (mut by_origin, mut gone) = (BTreeMap::<String, Vec<String>>::new(), Vec::new());
    for it in repositories::all(data)? {
        match repository::bare_identity(&it.path) {
            Ok(Some(origin)) if is_origin(&origin) => {
                by_origin.entry(origin).or_default().push(it.name);
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => gone.push(it.name),
        }
    }
    for (origin, names) in by_origin {
        let old = vault.list(&origin).map_err(kept::failed)?;
        if old.is_empty() {
            continue;
        }
        match names.as_slice() {
            [name] if gone.is_empty() => {
                let taken = vault.take_over(&origin, name).map_err(kept::failed)?;
                talk(&format!("{name} has what was kept for {origin}: {}", listed(&taken)));
            }
            [_] => talk(&format!(
                "warning: what was kept for {origin} ({}) is not taken over while {} cannot be read, or is taken away: launchway repositories remove NAME",
                listed(&old),
                gone.join(", ")
            )),
            names => set_anew(data, &vault, (&origin, &old), names)?,
        }
    }
    Ok(())
}

/// Whether that is where something comes from, and no name of ours that somebody wrote into a repository's
/// settings.
fn is_origin(text: &str) -> bool {
    !text.starts_with(OWN) && repositories::checked_name(text).is_err()
}

/// Says what is to be set anew, until each is for one of them at least.
fn set_anew(
    data: &DataFolder,
    vault: &Vault,
    (origin, old): (&str, &[Kept]),
    names: &[String],
) -> Result<(), Failure> {
    let mut set = Vec::new();
    for name in names {
        set.extend(vault.list(name).map_err(kept::failed)?);
    }
    let is_same = |one: &Kept, other: &Kept| {
        (&one.name, &one.scope.environment) == (&other.name, &other.scope.environment)
            && one.variable.is_none() == other.variable.is_none()
    };
    let is_set = |it: &&Kept| set.iter().any(|other| is_same(it, other));
    let missing: Vec<Kept> = old.iter().filter(|it| !is_set(it)).cloned().collect();
    if missing.is_empty() {
        for it in old {
            vault.remove(&it.scope, &it.name, it.variable.is_none()).map_err(kept::failed)?;
        }
        talk(&format!("what was kept for {origin} was set anew; the old is forgotten"));
        return Ok(());
    }
    let root = data.state.pasted();
    talk(&format!(
        "warning: what was kept for {origin} is given to nobody: {} come from there, and whose it was is not known: {}; launchway secrets set NAME --repository OWNER/NAME --data {root} sets each anew, launchway vars set a variable",
        names.join(" and "),
        listed(&missing),
    ));
    Ok(())
}

/// `TOKEN, DB_URL (production)`
fn listed(kept: &[Kept]) -> String {
    let one = |it: &Kept| match &it.scope.environment {
        Some(environment) => format!("{} ({environment})", it.name),
        None => it.name.clone(),
    };
    kept.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Says what a repository finds under its name: what is kept stays when the one before it goes.
pub(crate) fn tell_found(data: &DataFolder, name: &str) -> Result<(), Failure> {
    let kept = kept::vault(&data.state).list(name).map_err(kept::failed)?;
    if !kept.is_empty() {
        talk(&format!("{name} has what was kept under that name before: {}", listed(&kept)));
    }
    Ok(())
}

/// Says what a repository leaves that goes.
pub(crate) fn tell_left(data: &DataFolder, name: &str) -> Result<(), Failure> {
    let kept = kept::vault(&data.state).list(name).map_err(kept::failed)?;
    if !kept.is_empty() {
        talk(&format!("still kept, for whoever is called {name} next: {}", listed(&kept)));
    }
    Ok(())
}

/// Everything that is kept of a repository.
pub(crate) fn list(data: &DataFolder, repository: &str) -> Result<Vec<KeptName>, Failure> {
    let name = connected(data, repository)?.name;
    let all = kept::vault(&data.state).list(&name).map_err(kept::failed)?;
    let line = |it: Kept| KeptName {
        name: it.name,
        environment: it.scope.environment,
        variable: it.variable,
        set_at: it.set_at,
        set_by: it.set_by,
        rotate_by: it.rotate_by,
    };
    Ok(all.into_iter().map(line).collect())
}

/// What is read at the tip of a repository's default branch; nothing where nothing was pushed yet.
pub(crate) fn needed(connected: &Connected) -> Result<Needed, Failure> {
    let mut needed = Needed::default();
    if let Some(tip) = connected.tip()? {
        let at = connected.at(&tip, Default::default())?;
        let files = at.files_in(files::WORKFLOWS)?;
        for file in files.iter().filter(|it| !it.is_link && files::is_yaml(it.path.as_ref())) {
            needed.names.look(&Source::new(file.path.as_str(), &*file.text));
        }
        match repositories::settings_at_tip(connected) {
            Ok(Some(settings)) => needed.messages = telling::references(&settings),
            Ok(None) => {}
            Err(failure) => needed.messages_not_known = Some(format!("{:#}", failure.error)),
        }
    }
    Ok(needed)
}

/// The same, for the API.
pub(crate) fn named_values(data: &DataFolder, repository: &str) -> Result<Named, Failure> {
    let connected = connected(data, repository)?;
    let kept = kept::vault(&data.state).list(&connected.name).map_err(kept::failed)?;
    Ok(needed(&connected)?.against(&kept))
}

/// Keeps one, or forgets it.
pub(crate) fn change(
    data: &DataFolder,
    wish: &KeepWish,
    record: Record<'_>,
) -> Result<(), Failure> {
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
    let scope = Scope { repository: connected(data, &wish.repository)?.name, environment };
    let vault = kept::vault(&data.state);
    let Some(value) = &wish.value else {
        let is_it =
            |it: &Kept| it.scope == scope && it.name == name && it.variable.is_none() == is_secret;
        let is_there = vault.list(&scope.repository).map_err(kept::failed)?.iter().any(is_it);
        if is_there {
            record(&name)?;
        }
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
    record(&name)?;
    let secret = Secret::new(value.clone());
    let value = if is_secret { Value::Secret(&secret) } else { Value::Variable(&value) };
    let kept = vault.set_by(&scope, &name, value, (now(), rotate_by), Some(&wish.by));
    kept.map(drop).map_err(kept::failed)
}
