//! Repositories whose pushes are run, and the hooks in them.

pub(super) mod at_tips;
pub(crate) mod connections;
pub(crate) mod default_branch;
pub(crate) mod keeping;
pub(crate) mod switches;
pub(crate) mod tagged;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use event::Timestamp;
use repository::Repository;
use serde::{Deserialize, Serialize};
use settings::Settings;
use syntax::{Severity, Source};

use super::arriving::hook::Pushed;
use super::arriving::unheard;
use super::data::{self, DataFolder, Record, cannot};
use super::intake::orders::{Order, Orders};
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
    /// When it was connected: what was known of the same address before is not known of this one.
    #[serde(default)]
    pub(crate) since: Timestamp,
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
    /// How tokens of its jobs name it.
    #[serde(default)]
    pub(crate) subject: SubjectForm,
    /// Its numbers there; none where it was connected by a version that did not ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) numbers: Option<Numbers>,
    /// From one look for what GitHub did not tell to the next; none where nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) every_seconds: Option<u64>,
}

/// What GitHub knows a repository by, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Numbers {
    /// Of whoever has it.
    pub(crate) owner: u64,
    /// Its own.
    pub(crate) repository: u64,
}

/// The form of `sub` in tokens of a repository's jobs. A role's trust compares with one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SubjectForm {
    /// repo:OWNER/NAME:..., which most policies have
    #[default]
    Names,
    /// repo:OWNER@ID/NAME@ID:..., as on GitHub for repositories made since 2026-07-15
    Numbers,
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
    settings_at(connected, &tip)
}

/// The same at one of its commits.
pub(super) fn settings_at(
    connected: &Connected,
    commit: &str,
) -> Result<Option<Settings>, Failure> {
    let repository = connected.at(commit, Default::default())?;
    let Some(text) = repository.committed_file(settings::FILE)? else { return Ok(None) };
    let (read, found) = settings::read(&Source::new(settings::FILE, text));
    let mistaken = || {
        let first = found.iter().find(|it| it.severity == Severity::Error);
        let first = first.map(|it| match it.labels.first() {
            Some(at) => {
                let line = at.source.place(at.span.start).line;
                format!(": {}:{line}: {}", at.source.name(), it.message)
            }
            None => format!(": {}", it.message),
        });
        let first = first.unwrap_or_default();
        let message = format!("{} of {} has mistakes{first}", settings::FILE, connected.name);
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

/// Changes what is known of repositories, by what is known now, one after the other: who read it before, and fetched for
/// minutes since, takes nothing away that somebody else kept meanwhile.
pub(crate) fn change<T>(
    data: &DataFolder,
    deed: impl FnOnce(&mut Vec<Connected>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let path = data.path("repositories.lock");
    let failed = |error| cannot("lock", &path, error);
    fs::create_dir_all(data.state.root()).map_err(failed)?;
    let lock = fs::File::options().create(true).append(true).open(&path).map_err(failed)?;
    lock.lock().map_err(failed)?;
    let before = all(data)?;
    let mut known = before.clone();
    let given = deed(&mut known)?;
    known.sort_by(|one, other| one.name.cmp(&other.name));
    if known != before {
        data::write(&data.path("repositories.json"), &known)?;
    }
    Ok(given)
}

/// Connects the repository that lies at `path`, or changes what is kept of it, and writes its hooks: as `make` wants
/// it, of what is known of it now; once `record` has written that down.
pub(crate) fn add(
    data: &DataFolder,
    path: &Path,
    program: &Path,
    make: impl FnOnce(Option<&Connected>) -> Result<Connected, Failure>,
    record: impl FnOnce(&Connected) -> Result<(), Failure>,
) -> Result<Connected, Failure> {
    // Known first: a push through the hook finds it.
    let wanted = change(data, |known| {
        let before = known.iter().find(|it| it.path == path);
        let wanted = make(before)?;
        if let Some(other) = known.iter().find(|it| it.name == wanted.name && it.path != path) {
            let message = format!("{} is {} already", wanted.name, other.path.display());
            return Err(Failure::new(Exit::Usage, message)
                .hint("give this one a name of its own: --name OWNER/NAME"));
        }
        for hook in hooks_of(&wanted) {
            refuse_others(data, path, hook, program)?;
        }
        record(&wanted)?;
        if before.is_none() {
            keeping::tell_found(data, &wanted.name)?;
            // Whoever took away one of this name was killed before it was forgotten.
            unheard::end(data, &wanted.name)?;
        }
        known.retain(|it| it.path != path);
        known.push(wanted.clone());
        Ok(wanted)
    })?;
    for hook in hooks_of(&wanted) {
        install(data, path, hook, program)?;
    }
    unheard::begin(data, &wanted)?;
    Ok(wanted)
}

/// Nobody pushes to a mirror.
fn hooks_of(connected: &Connected) -> &'static [&'static str] {
    if connected.is_mirror() { &[] } else { &HOOKS }
}

/// In a folder that lay at `before` and is about to lie at `to`: what lies in it is found there. Where it lay is not
/// known of one that an older Launchway copied; where mirrors lie in a folder is.
pub(crate) fn relocate(data: &DataFolder, before: Option<&Path>, to: &Path) -> Result<(), Failure> {
    let moved = |it: &Connected| match before.and_then(|before| it.path.strip_prefix(before).ok()) {
        Some(rest) => to.join(rest),
        None if it.is_mirror() => to.join("mirrors").join(format!("{}.git", it.name)),
        None => it.path.clone(),
    };
    let places: BTreeMap<PathBuf, PathBuf> =
        all(data)?.iter().map(|it| (it.path.clone(), moved(it))).collect();
    change(data, |known| {
        known.iter_mut().for_each(|it| it.path.clone_from(&places[&it.path]));
        Ok(())
    })?;
    for id in data::list(&data.inbox(), ".push")? {
        let path = data.inbox().join(format!("{id}.push"));
        // What cannot be read is looked at when it is taken.
        if let Ok(Some(mut push)) = data::read::<Pushed>(&path)
            && let Some(now) = places.get(&push.repository)
        {
            push.repository.clone_from(now);
            data::write(&path, &push)?;
        }
    }
    Ok(())
}

/// Code of forks that nobody let in yet.
pub(crate) fn held(data: &DataFolder) -> Result<Vec<server::HeldPush>, Failure> {
    let mut held = Vec::new();
    for id in data::list(&data.held(), ".order")? {
        // One that is let in at this moment is gone.
        let Some(Order { runs, answer }) = Orders::held(data, &id)? else { continue };
        // What an earlier version ordered says it elsewhere, for some days.
        let told = || data::read::<super::arriving::hook::Answer>(&data.told(&id)).ok().flatten();
        let answer = answer.or_else(told);
        let Some(request) = runs.first().map(|it| &it.request) else { continue };
        held.push(server::HeldPush {
            repository: request.repository.to_string(),
            git_ref: request.event.git_ref.to_string(),
            commit: request.change.commit.to_string(),
            by: answer.map(|it| it.push.pusher.0).unwrap_or_default(),
            workflows: runs.iter().map(|it| it.request.workflow.path.to_string()).collect(),
            id,
        });
    }
    Ok(held)
}

/// Lets in what waits under an id; none where nothing does. A workflow that was switched off meanwhile does not run.
pub(crate) fn let_in(
    data: &DataFolder,
    id: &str,
    by: &str,
    record: Record<'_>,
) -> Result<Option<server::LetIn>, Failure> {
    let held = data.held().join(format!("{id}.order"));
    let Some(order) = Orders::held(data, id)? else { return Ok(None) };
    let (mut on, mut switched_off) = (Vec::new(), Vec::new());
    for mut it in order.runs {
        let path = it.request.workflow.path.to_string();
        if data.state.disabled(&it.request.repository)?.contains(&path) {
            switched_off.push(path);
            continue;
        }
        it.request.terms.let_in_by = Some(by.to_owned());
        on.push(it);
    }
    let mut answer = data::read::<super::arriving::hook::Answer>(&data.told(id))?.or(order.answer);
    if let Some(answer) = &mut answer {
        answer.is_held = false;
        answer.said.push(format!("let in by {by}"));
        let off = |path: &String| format!("{path} is switched off: it does not run");
        answer.said.extend(switched_off.iter().map(off));
    }
    record(id)?;
    let runs = on.len();
    if runs > 0 {
        // Whoever is killed in between has let it in, and may do so again: a run is made once.
        data::write(&data.order(id), &Order { runs: on, answer: answer.clone() })?;
    }
    if let Some(answer) = answer {
        data::write(&data.told(id), &answer)?;
    }
    data::remove(&held)?;
    Ok(Some(server::LetIn { runs, switched_off }))
}

/// Keeps these rules of a repository, or none any more, once `record` has written that down.
pub(crate) fn protect(
    data: &DataFolder,
    which: &Connected,
    rules: Option<String>,
    record: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    change(data, |known| {
        let found = known.iter_mut().find(|it| it.path == which.path);
        let found = found.ok_or_else(|| gone(which))?;
        record()?;
        found.rules = rules;
        Ok(())
    })
}

/// Takes it away, with its hooks. What ran stays.
pub(crate) fn remove(data: &DataFolder, which: &Connected) -> Result<(), Failure> {
    for hook in HOOKS {
        let path = which.path.join("hooks").join(hook);
        if is_ours(&path) {
            data::remove(&path)?;
        }
    }
    change(data, |known| {
        let at = known.iter().position(|it| it.path == which.path);
        known.remove(at.ok_or_else(|| gone(which))?);
        Ok(())
    })?;
    unheard::end(data, &which.name)?;
    keeping::tell_left(data, &which.name)
}

fn gone(which: &Connected) -> Failure {
    Failure::new(Exit::Usage, format!("{} is not connected any more", which.name))
}

/// What a hook says where the program lies elsewhere by now.
const MOVED: &str = r#"[ -x "$launchway" ] || { echo "launchway is not at $launchway any more: launchway repositories add, by the one that is there, writes this hook anew" >&2; exit 1; }"#;

fn is_ours(path: &Path) -> bool {
    fs::read_to_string(path).is_ok_and(|text| text.contains(MARK))
}

/// Whether a hook that somebody wrote hands pushes on itself.
fn calls_us(path: &Path, hook: &str, repository: &Path) -> bool {
    let called = [format!("hook {hook} "), format!("--repository {}", quoted(repository))];
    fs::read_to_string(path).is_ok_and(|text| called.iter().all(|it| text.contains(it)))
}

fn refuse_others(
    data: &DataFolder,
    repository: &Path,
    hook: &str,
    program: &Path,
) -> Result<(), Failure> {
    let path = repository.join("hooks").join(hook);
    if !path.exists() || is_ours(&path) || calls_us(&path, hook, repository) {
        return Ok(());
    }
    let message = format!("there is a hook of somebody else: {}", path.display());
    Err(Failure::new(Exit::Usage, message).hint(format!(
        "move it away, or let it end with: exec {} {}; nothing was changed",
        quoted(program),
        arguments(data, repository, hook)
    )))
}

/// What a hook calls the program with; it gets what git says on its standard input.
fn arguments(data: &DataFolder, repository: &Path, hook: &str) -> String {
    let (data, repository) = (quoted(data.state.root()), quoted(repository));
    format!("hook {hook} --data {data} --repository {repository}")
}

fn install(
    data: &DataFolder,
    repository: &Path,
    hook: &str,
    program: &Path,
) -> Result<(), Failure> {
    let folder = repository.join("hooks");
    let path = folder.join(hook);
    if path.exists() && !is_ours(&path) {
        // It was looked at: it hands on what is pushed.
        return Ok(());
    }
    fs::create_dir_all(&folder).map_err(|error| cannot("make", &folder, error))?;
    let text = format!(
        "#!/bin/sh\n{MARK}\nlaunchway={}\n{MOVED}\nexec \"$launchway\" {}\n",
        quoted(program),
        arguments(data, repository, hook),
    );
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

    /// A data folder in which this is connected.
    fn connected(all: &[Connected]) -> (tempfile::TempDir, DataFolder) {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataFolder::of(Some(folder.path()), None).expect("a place");
        data::write(&data.path("repositories.json"), &all).expect("a file");
        (folder, data)
    }

    fn called(name: &str, path: &str) -> Connected {
        Connected { name: name.to_owned(), path: path.into(), ..Connected::default() }
    }

    fn mirror(name: &str, path: &str) -> Connected {
        Connected {
            github: Some(OnGitHub {
                forks: Forks::Ask,
                subject: SubjectForm::Names,
                numbers: None,
                every_seconds: None,
            }),
            ..called(name, path)
        }
    }

    #[test]
    fn what_somebody_else_kept_meanwhile_stays() {
        let one = mirror("octo/app", "/srv/data/mirrors/octo/app.git");
        let (_folder, data) = connected(std::slice::from_ref(&one));
        let program = Path::new("/usr/bin/launchway");
        std::thread::scope(|scope| {
            let added = add(
                &data,
                &one.path,
                program,
                |known| {
                    // Whoever comes now waits for its turn, and reads what stands there then.
                    scope.spawn(|| protect(&data, &one, Some("rules".to_owned()), || Ok(())));
                    let environments = vec!["staging".to_owned()];
                    Ok(Connected { environments, ..known.cloned().expect("it is connected") })
                },
                |_| Ok(()),
            );
            assert_eq!(added.expect("it is changed").rules, None);
        });
        let known = all(&data).expect("it can be read").remove(0);
        assert_eq!((known.rules.as_deref(), known.environments.len()), (Some("rules"), 1));
        // And what is made of it is made of that.
        let again = add(
            &data,
            &one.path,
            program,
            |known| Ok(known.cloned().expect("it is known")),
            |_| Ok(()),
        );
        assert_eq!(again.expect("nothing changes").rules.as_deref(), Some("rules"));
        remove(&data, &one).expect("it goes");
        let gone = protect(&data, &one, None, || Ok(())).expect_err("it is gone");
        assert_eq!(gone.error.to_string(), "octo/app is not connected any more");
    }

    #[test]
    fn what_lies_in_the_folder_goes_with_it() {
        let check = |before: Option<&str>, one: Connected, expect: &str| {
            let (_folder, data) = connected(std::slice::from_ref(&one));
            let push = serde_json::json!({
                "repository": one.path, "old": "", "new": "", "git_ref": "refs/heads/main",
                "pusher": ["", ""], "at": 0,
            });
            let waits = data.inbox().join("1.push");
            data::write(&waits, &push).expect("a file");
            relocate(&data, before.map(Path::new), Path::new("/srv/new")).expect("ours");
            assert_eq!(all(&data).expect("ours")[0].path, Path::new(expect));
            let push: Pushed = data::read(&waits).expect("ours").expect("it waits");
            assert_eq!(push.repository, Path::new(expect));
        };
        let old = "/srv/old/mirrors/octo/app.git";
        check(Some("/srv/old"), mirror("octo/app", old), "/srv/new/mirrors/octo/app.git");
        check(None, mirror("octo/app", old), "/srv/new/mirrors/octo/app.git");
        check(Some("/srv/old"), called("octo/app", "/srv/old/app.git"), "/srv/new/app.git");
        check(Some("/srv/old"), called("octo/app", "/srv/git/app.git"), "/srv/git/app.git");
        check(None, called("octo/app", "/srv/old/app.git"), "/srv/old/app.git");
    }

    #[test]
    fn a_hook_that_hands_on_what_is_pushed_is_let_be() {
        let (_folder, data) = connected(&[]);
        let repository = tempfile::tempdir().expect("a folder");
        let (repository, program) = (repository.path(), Path::new("/nowhere/launchway"));
        let path = |hook: &str| repository.join("hooks").join(hook);
        fs::create_dir(repository.join("hooks")).expect("a folder");
        fs::write(path("pre-receive"), "#!/bin/sh\nexit 0\n").expect("a hook");
        let looked = || refuse_others(&data, repository, "pre-receive", program);
        let hint = looked().expect_err("it is somebody else's").hints.remove(0);
        let line = hint.split_once("end with: ").expect("a line").1;
        let line = line.strip_suffix("; nothing was changed").expect("its end");
        fs::write(path("pre-receive"), format!("#!/bin/sh\n{line}\n")).expect("a hook");
        looked().expect("it calls us");
        install(&data, repository, "pre-receive", program).expect("nothing to write");
        assert!(!is_ours(&path("pre-receive")), "it was written over");

        // Ours says where it looked for a program that is gone.
        install(&data, repository, "post-receive", program).expect("written");
        let ran = std::process::Command::new(path("post-receive")).output().expect("a shell");
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(!ran.status.success() && said.contains("not at /nowhere/launchway any"), "{said}");
    }

    #[test]
    fn paths_are_one_word_of_the_shell() {
        assert_eq!(quoted(Path::new("/srv/it's here")), "'/srv/it'\\''s here'");
    }
}
