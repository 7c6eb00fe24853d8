//! Repositories whose pushes are run, and the hooks in them.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use repository::Repository;
use serde::{Deserialize, Serialize};
use settings::Settings;
use syntax::Source;

use super::data::{self, DataFolder, cannot};
use super::{keeping, unheard};
use crate::exit::{Exit, Failure};

/// A repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Connected {
    /// `owner/name`
    pub(crate) name: String,
    /// The bare repository.
    pub(crate) path: PathBuf,
    /// The branch that its rules come from, as it was pinned; none where `HEAD` says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) default_branch: Option<String>,
    /// Whether somebody named that branch, so that a push may make it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_branch_named: bool,
    /// Rules of environments that the server keeps itself, as `launchway.yml` would have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rules: Option<String>,
    /// Environments that its jobs may run in, as whoever connected it agreed.
    #[serde(default)]
    pub(crate) environments: Vec<String>,
    /// Labels of `runs-on` that mean the server's machine.
    #[serde(default)]
    pub(crate) labels: Vec<String>,
    /// That it is a mirror of one on GitHub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) github: Option<OnGitHub>,
    /// That it is a mirror of one elsewhere, of which nobody tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) followed: Option<Followed>,
    /// Which of its issues are incidents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) incidents: Option<IncidentLabel>,
}

/// A repository elsewhere that is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Followed {
    /// Where git fetches it.
    pub(crate) url: String,
    /// From one look to the next.
    pub(crate) every_seconds: u64,
}

/// The label that makes an issue an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IncidentLabel {
    /// The label.
    pub(crate) label: String,
    /// The environment that such incidents are in.
    pub(crate) environment: String,
}

/// A repository on GitHub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OnGitHub {
    /// Whose code runs that may not write there.
    pub(crate) forks: Forks,
}

/// What becomes of pull requests from forks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Forks {
    /// They never run
    Never,
    /// Each of their pushes waits until somebody lets it in
    #[default]
    Ask,
    /// Those of people wait of whom nothing was merged yet
    First,
}

impl Connected {
    /// Whether it is a mirror: nobody pushes to it.
    pub(crate) fn is_mirror(&self) -> bool {
        self.github.is_some() || self.followed.is_some()
    }

    /// The repository at one of its commits, in the name of whoever is behind what happens.
    pub(crate) fn at(&self, commit: &str, who: (String, String)) -> Result<Repository, Failure> {
        let mut repository = Repository::bare(&self.path, commit, who)?;
        let (owner, name) = self.name.split_once('/').unwrap_or(("local", &self.name));
        (repository.owner, repository.name) = (owner.to_owned(), name.to_owned());
        repository.identity.clone_from(&self.name);
        if let Some(branch) = &self.default_branch {
            repository.default_branch.clone_from(branch);
        }
        Ok(repository)
    }
}

/// The hooks, by name.
const HOOKS: [&str; 2] = ["pre-receive", "post-receive"];
/// The line by which a hook of ours is known.
const MARK: &str =
    "# Written by launchway repositories add; taken away by launchway repositories remove.";

pub(crate) fn all(data: &DataFolder) -> Result<Vec<Connected>, Failure> {
    Ok(data::read(&data.path("repositories.json"))?.unwrap_or_default())
}

/// The settings at the tip of its default branch; none where there is no such file.
pub(crate) fn settings_at_tip(connected: &Connected) -> Result<Option<Settings>, Failure> {
    let Some(tip) = connected.tip()? else { return Ok(None) };
    let repository = connected.at(&tip, Default::default())?;
    let Some(text) = repository.committed_file(settings::FILE)? else { return Ok(None) };
    let read = settings::read(&Source::new(settings::FILE, text)).0;
    let mistaken = || {
        let message = format!("{} of {} has mistakes", settings::FILE, connected.name);
        Failure::new(Exit::Missing, message).hint("launchway check shows them")
    };
    read.ok_or_else(mistaken).map(Some)
}

/// The one that is called so, or lies there.
pub(crate) fn find(data: &DataFolder, which: &str) -> Result<Option<Connected>, Failure> {
    let path = fs::canonicalize(which).ok();
    let is_it = |it: &Connected| it.name == which || path.as_ref() == Some(&it.path);
    Ok(all(data)?.into_iter().find(is_it))
}

/// The one that GitHub calls so.
pub(crate) fn on_github(
    data: &DataFolder,
    name: &str,
) -> Result<Option<(Connected, OnGitHub)>, Failure> {
    let found = all(data)?.into_iter().find(|it| it.name.eq_ignore_ascii_case(name));
    Ok(found.and_then(|it| it.github.map(|on| (it, on))))
}

/// `owner/name`, as GitHub has them.
pub(crate) fn checked_name(name: &str) -> Result<String, Failure> {
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it))
    };
    match name.split_once('/') {
        Some((owner, name)) if is_part(owner) && is_part(name) => Ok(format!("{owner}/{name}")),
        _ => Err(Failure::new(Exit::Usage, format!("`{name}` is no name of a repository"))
            .hint("OWNER/NAME, of letters, digits, dashes, dots and underscores")),
    }
}

/// Connects a repository, or changes what is kept of it, and writes its hooks.
pub(crate) fn add(data: &DataFolder, wanted: Connected, program: &Path) -> Result<(), Failure> {
    let mut known = all(data)?;
    if let Some(other) = known.iter().find(|it| it.name == wanted.name && it.path != wanted.path) {
        let message = format!("{} is {} already", wanted.name, other.path.display());
        return Err(Failure::new(Exit::Usage, message)
            .hint("give this one a name of its own: --name OWNER/NAME"));
    }
    // Nobody pushes to a mirror.
    let hooks = if wanted.is_mirror() { &[][..] } else { &HOOKS[..] };
    for hook in hooks {
        refuse_others(&wanted.path, hook)?;
    }
    if !known.iter().any(|it| it.path == wanted.path) {
        keeping::tell_found(data, &wanted.name)?;
    }
    known.retain(|it| it.path != wanted.path);
    known.push(wanted.clone());
    known.sort_by(|one, other| one.name.cmp(&other.name));
    // Known first: a push through the hook finds it.
    data::write(&data.path("repositories.json"), &known)?;
    for hook in hooks {
        install(data, &wanted.path, hook, program)?;
    }
    unheard::begin(data, &wanted)
}

/// Code of forks that nobody let in yet.
pub(crate) fn held(data: &DataFolder) -> Result<Vec<server::HeldPush>, Failure> {
    let mut held = Vec::new();
    for id in data::list(&data.held(), ".order")? {
        let told: Option<super::hook::Answer> =
            data::read(&data.pushes().join(format!("{id}.json")))?;
        // One that is let in at this moment is gone.
        let order: Option<super::Order> = data::read(&data.held().join(format!("{id}.order")))?;
        let runs = order.map(|it| it.runs).unwrap_or_default();
        let Some(request) = runs.first().map(|it| &it.request) else { continue };
        held.push(server::HeldPush {
            repository: request.repository.to_string(),
            git_ref: request.event.git_ref.to_string(),
            commit: request.change.commit.to_string(),
            by: told.map(|it| it.push.pusher.0).unwrap_or_default(),
            workflows: runs.iter().map(|it| it.request.workflow.path.to_string()).collect(),
            id,
        });
    }
    Ok(held)
}

/// Lets in what waits under an id. Gives how many runs that are.
pub(crate) fn let_in(data: &DataFolder, id: &str, by: &str) -> Result<usize, Failure> {
    let held = data.held().join(format!("{id}.order"));
    let Some(mut order) = data::read::<super::Order>(&held)? else { return Ok(0) };
    for it in &mut order.runs {
        it.request.terms.let_in_by = Some(by.to_owned());
    }
    // Whoever is killed in between has let it in, and may do so again: a run is made once.
    data::write(&data.inbox().join(format!("{id}.order")), &order)?;
    let told = data.pushes().join(format!("{id}.json"));
    if let Some(mut answer) = data::read::<super::hook::Answer>(&told)? {
        answer.is_held = false;
        answer.said.push(format!("let in by {by}"));
        data::write(&told, &answer)?;
    }
    data::remove(&held)?;
    Ok(order.runs.len())
}

/// Keeps these rules of a repository, or none any more.
pub(crate) fn protect(
    data: &DataFolder,
    which: &Connected,
    rules: Option<String>,
) -> Result<(), Failure> {
    let mut known = all(data)?;
    if let Some(it) = known.iter_mut().find(|it| it.path == which.path) {
        it.rules = rules;
    }
    data::write(&data.path("repositories.json"), &known)
}

/// Takes it away, with its hooks. What ran stays.
pub(crate) fn remove(data: &DataFolder, which: &Connected) -> Result<(), Failure> {
    for hook in HOOKS {
        let path = which.path.join("hooks").join(hook);
        if is_ours(&path) {
            data::remove(&path)?;
        }
    }
    let mut known = all(data)?;
    known.retain(|it| it.path != which.path);
    data::write(&data.path("repositories.json"), &known)?;
    unheard::end(data, &which.name)?;
    keeping::tell_left(data, &which.name)
}

fn is_ours(path: &Path) -> bool {
    fs::read_to_string(path).is_ok_and(|text| text.contains(MARK))
}

fn refuse_others(repository: &Path, hook: &str) -> Result<(), Failure> {
    let path = repository.join("hooks").join(hook);
    if !path.exists() || is_ours(&path) {
        return Ok(());
    }
    let message = format!("there is a hook of somebody else: {}", path.display());
    Err(Failure::new(Exit::Usage, message).hint(format!(
        "let it call `launchway hook {hook}` too, or move it away; nothing was changed"
    )))
}

fn install(
    data: &DataFolder,
    repository: &Path,
    hook: &str,
    program: &Path,
) -> Result<(), Failure> {
    let folder = repository.join("hooks");
    fs::create_dir_all(&folder).map_err(|error| cannot("make", &folder, error))?;
    let text = format!(
        "#!/bin/sh\n{MARK}\nexec {} hook {hook} --data {} --repository {}\n",
        quoted(program),
        quoted(data.state.root()),
        quoted(repository),
    );
    let path = folder.join(hook);
    let failed = |error: std::io::Error| cannot("write", &path, error);
    let mut beside = tempfile::NamedTempFile::new_in(&folder).map_err(failed)?;
    beside.write_all(text.as_bytes()).map_err(failed)?;
    let runnable = fs::Permissions::from_mode(0o755);
    beside.as_file().set_permissions(runnable).map_err(failed)?;
    beside.persist(&path).map(drop).map_err(|error| failed(error.error))
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_one_word_of_the_shell() {
        assert_eq!(quoted(Path::new("/srv/it's here")), "'/srv/it'\\''s here'");
    }
}
