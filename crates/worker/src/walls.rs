//! What the processes of a job reach, where it is kept in (`protocol::Walls`).
//!
//! Steps reach the machine's programs, the job's folders, and what jobs share. Native versions of actions are
//! ours, and work on what the job wrote (paths that it names, git with a workspace's settings), so they are kept in,
//! too: as steps are, with the repository to read besides; only their own few deeds with blobs and caches are done
//! by a thread that reaches those (`actions`: `native/trusted.rs`). Neither reaches what the worker keeps in the job's
//! folder: its reports, its socket.
//!
//! The worker is free, and reads what steps left, under names that they may turn into links: it has that done within
//! the steps' walls ([`Walls::hands`]).
//!
//! Where the worker has the rights for it, what every process of a machine may write to is the job's own (`own.rs`).

mod own;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use protocol::{JobSpec, JobUser};
use sandbox::{Hands, Namespace, Reach, Sandbox, SandboxError, User};
use serde_json::json;

use crate::native;
use crate::process::{CommandLine, Process};
pub(crate) use crate::walls::own::FOLDER as PRIVATE;
use crate::walls::own::Own;

/// Variables of the machine that name folders of toolchains.
pub(crate) const TOOLCHAINS: [&str; 3] = ["JAVA_HOME", "PYENV_ROOT", "RUSTUP_HOME"];
/// Scripts of the machine's owner around every job, kept in as the job is.
const HOOKS: [&str; 2] = ["ACTIONS_RUNNER_HOOK_JOB_STARTED", "ACTIONS_RUNNER_HOOK_JOB_COMPLETED"];
/// What is the job's own in its folder; the rest is the worker's.
pub(crate) const JOB_FOLDERS: [&str; 4] = ["home", "packages", "temp", "work"];
/// What the code of native versions reaches, in the job's folder.
const NATIVES_FILE: &str = "natives.json";

/// Who a process is, to its walls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Code of the workflow, or of an action.
    Step,
    /// A native version.
    Native,
    /// Ours, for a step in a container: it speaks to the engine, and reads nothing of the job's.
    StandIn,
}

/// The walls of a job.
#[derive(Debug)]
pub(crate) struct Walls {
    steps: Sandbox,
    natives: Sandbox,
    /// Within the steps' walls.
    pub(crate) hands: Hands,
    /// What is not enforced.
    pub(crate) notes: Vec<String>,
}

/// Where a native version finds what its code reaches.
pub(crate) fn natives_file(spec: &JobSpec) -> PathBuf {
    Path::new(&*spec.paths.job).join(NATIVES_FILE)
}

impl Walls {
    /// Around a job whose folders are there. The error is what its log says.
    pub(crate) fn around(
        spec: &JobSpec,
        host: &BTreeMap<String, String>,
        wanted: &protocol::Walls,
    ) -> Result<Walls, SandboxError> {
        let mut steps = of_steps(spec, host, wanted);
        let mut code = steps.clone().and_given(&*spec.paths.repository);
        let own = own::places(spec, wanted, &steps, &of_natives(spec, code.clone()));
        let namespace = Namespace::new(&own.places, &own.kept)?.map(Arc::new);
        // Where there are none, the server said so when it started.
        let own = if namespace.is_some() { own } else { Own::default() };
        for place in &own.places {
            steps = steps.and_laid(&place.at);
            code = code.and_laid(&place.at);
        }
        let file = natives_file(spec);
        let user = wanted.user.as_ref().map(user).transpose()?;
        let text = said(&code, user).to_string();
        write_private(&file, &text)
            .map_err(|source| SandboxError::Path { path: file.clone(), source })?;
        let around = |reach: &Reach| match &namespace {
            Some(namespace) => Sandbox::in_namespace(reach, namespace),
            None => Sandbox::new(reach),
        };
        let (mut steps, mut natives) = (around(&steps)?, around(&of_natives(spec, code))?);
        if let Some(user) = user {
            // What is ours of a native version is we, and its code becomes him.
            (steps, natives) = (steps.of(user), natives.of_who_may_change());
        }
        let hands = steps.hands()?;
        Ok(Walls { steps, natives, hands, notes: own.notes })
    }

    /// Starts a process behind them.
    pub(crate) fn start(&self, who: Who, line: &CommandLine) -> io::Result<Process> {
        let sandbox = match who {
            Who::Step => &self.steps,
            Who::Native => &self.natives,
            Who::StandIn => return stand_in(line),
        };
        sandbox.inside(|| Process::start(line)).map_err(io::Error::other)?
    }
}

/// Starts what stands for a step in a container: it reaches the engine as we do, and runs nothing here.
pub(crate) fn stand_in(line: &CommandLine) -> io::Result<Process> {
    sandbox::with_rights(|| Process::start(line))?
}

fn of_steps(spec: &JobSpec, host: &BTreeMap<String, String>, wanted: &protocol::Walls) -> Reach {
    let paths = &spec.paths;
    let job = Path::new(&*paths.job);
    // A user of a service may be at home in `/`.
    let own_home = std::env::home_dir().filter(|it| it.parent().is_some());
    let named = |paths: &[Arc<str>]| -> Vec<PathBuf> {
        paths.iter().map(|it| PathBuf::from(&**it)).collect()
    };
    let mut hidden = named(&wanted.hidden);
    hidden.extend(own_home);
    let mut reach = Reach::of_machine(&hidden, &named(&wanted.secret));
    for folder in JOB_FOLDERS {
        reach = reach.and_own(job.join(folder));
    }
    reach = reach.and_own(&*paths.downloads).and_given(&*paths.actions);
    for shared in wanted.changeable.iter().chain(Some(&paths.tools)) {
        reach = match wanted.outside {
            true => reach.and_given(&**shared),
            false => reach.and_own(&**shared),
        };
    }
    let machine = |names: &'static [&'static str]| {
        names.iter().filter_map(std::env::var_os).map(PathBuf::from)
    };
    let given = machine(&TOOLCHAINS).chain(machine(&HOOKS));
    let given = given.chain(host.get("RUSTUP_HOME").map(Into::into));
    // Checkout borrows its objects, and later steps fetch from it.
    let repository = git_folder(Path::new(&*paths.repository));
    let given =
        given.chain(Some(repository)).chain(spec.options.objects.iter().map(|it| (**it).into()));
    let given = given.chain(wanted.readable.iter().map(|it| Path::new(&**it).to_owned()));
    for path in given {
        reach = reach.and_given(path);
    }
    reach.and_programs(host.get("PATH").map_or("", String::as_str))
}

fn of_natives(spec: &JobSpec, code: Reach) -> Reach {
    let paths = &spec.paths;
    let run_artifacts = Path::new(&*paths.job).join(protocol::RUN_ARTIFACTS_FILE);
    let reach = code.and_given(run_artifacts).and_given(natives_file(spec));
    reach.and_given(native::program()).and_own(&*paths.blobs).and_own(&*paths.caches)
}

/// The user as the kernel's calls take him.
fn user(user: &JobUser) -> Result<User, SandboxError> {
    User::new(user.id, user.group).ok_or_else(|| {
        SandboxError::Refused(io::Error::other(format!("jobs cannot be {}'s", user.name)))
    })
}

/// For its owner alone.
fn write_private(file: &Path, text: &str) -> io::Result<()> {
    let mut options = File::options();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(file)?;
    file.write_all(text.as_bytes())
}

/// For the other process. A name that is no text is out of its reach.
fn said(reach: &Reach, user: Option<User>) -> serde_json::Value {
    let read: Vec<&str> = reach.read().filter_map(Path::to_str).collect();
    let change: Vec<&str> = reach.change().filter_map(Path::to_str).collect();
    json!({ "read": read, "change": change, "user": user.map(|it| [it.id(), it.group()]) })
}

/// What git keeps of a repository, without its work tree, where files lie that were never committed.
pub(crate) fn git_folder(repository: &Path) -> PathBuf {
    // A bare one, as on a server, is what git keeps: it need not be asked. A work tree may have files of these
    // names, too.
    let is_there = |name: &str| repository.join(name).exists();
    if is_there("HEAD") && is_there("objects") && !is_there(".git") {
        return repository.to_owned();
    }
    let mut git = Command::new("git");
    git.args(["rev-parse", "--path-format=absolute", "--git-common-dir"]).current_dir(repository);
    let said = git.stdin(Stdio::null()).output().ok().filter(|it| it.status.success());
    let folder = said.and_then(|said| String::from_utf8(said.stdout).ok());
    // What git does not know, nobody borrows from.
    folder.map_or_else(|| repository.join(".git"), |folder| PathBuf::from(folder.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_keeps_of_a_repository_is_not_its_work_tree() {
        let place = tempfile::tempdir().unwrap();
        let git = |args: &[&str]| {
            let git = Command::new("git").args(args).current_dir(place.path()).output().unwrap();
            assert!(git.status.success(), "git {args:?}");
        };
        git(&["init", "--quiet", "--bare", "app.git"]);
        let bare = place.path().join("app.git");
        assert_eq!(git_folder(&bare), bare);
        // Names that anybody can commit do not make a work tree a bare repository.
        git(&["init", "--quiet", "app"]);
        let app = place.path().join("app");
        std::fs::create_dir(app.join("objects")).unwrap();
        std::fs::write(app.join("HEAD"), "").unwrap();
        assert_eq!(git_folder(&app), app.canonicalize().unwrap().join(".git"));
    }
}
