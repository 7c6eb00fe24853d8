//! The state folder: where the journal, logs, caches and fetched actions of this person live.

pub(crate) mod acting;

use std::fs::DirBuilder;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use event::{Digest, StreamId};

use crate::cli::pasted;
use crate::exit::{Exit, Failure};
use crate::random;
use crate::running::files;
use crate::terminal::style::talk;

/// The folders, made on first use.
#[derive(Clone, Debug)]
pub(crate) struct StateFolder {
    root: PathBuf,
    /// What belongs to the numbers of one journal: the folder itself, or that of a shared journal.
    own: PathBuf,
    /// By a flag of this command.
    is_named: bool,
}

/// Hex digits of a name that is made of what it is the name of.
const NAME_DIGITS: usize = 16;

/// What only its owner may do.
const PRIVATE: u32 = 0o700;

/// The mode of a folder that is open to nobody else. A group that is not ours may pass: it was let in.
fn private(mode: u32, is_our_group: bool) -> u32 {
    let kept = if is_our_group { 0o7700 } else { 0o7710 };
    mode & kept | PRIVATE
}

/// Takes what lies in a folder of ours from everybody who is not let in by its group: were the folder opened, so that
/// somebody may pass, that would not open all of it. Not below that: whoever cannot pass cannot go on. What is
/// another user's is that user's.
fn close_below(folder: &Path) -> std::io::Result<()> {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // Processes that are deployed here may have users of their own.
        if entry.file_name() == "host" {
            continue;
        }
        // Not where a link leads. What goes away meanwhile is closed.
        let Ok(found) = entry.metadata() else { continue };
        let mode = found.mode() & 0o7777;
        let closed = mode & if found.gid() == group { 0o7700 } else { 0o7770 };
        if found.is_symlink() || found.uid() != user || closed == mode {
            continue;
        }
        match std::fs::set_permissions(entry.path(), std::fs::Permissions::from_mode(closed)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

impl StateFolder {
    /// `--state`, else `LAUNCHWAY_STATE`, else `launchway` under `XDG_STATE_HOME`, else under
    /// `~/.local/state`. A relative path is made absolute: processes with other folders get it.
    pub(crate) fn locate(flag: Option<&Path>) -> Result<StateFolder, Failure> {
        let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let chosen = flag
            .map(Path::to_path_buf)
            .or_else(|| from("LAUNCHWAY_STATE").map(PathBuf::from))
            .or_else(|| from("XDG_STATE_HOME").map(|home| PathBuf::from(home).join("launchway")))
            .or_else(|| {
                from("HOME").map(|home| PathBuf::from(home).join(".local/state/launchway"))
            });
        let Some(root) = chosen else {
            return Err(Failure::new(
                Exit::Usage,
                "there is no place for the journal: HOME is not set",
            )
            .hint("name one: --state DIR, or LAUNCHWAY_STATE=DIR"));
        };
        let root = std::path::absolute(&root).unwrap_or(root);
        Ok(StateFolder { own: root.clone(), root, is_named: flag.is_some() })
    }

    /// The same folder, for deployments of a journal that several machines share: their numbers are
    /// others than those of this machine's own.
    pub(crate) fn of_shared(&self, journal: &str) -> StateFolder {
        let name = Digest::of(journal.as_bytes()).to_string();
        let own = self.root.join("shared").join(&name[..NAME_DIGITS]);
        StateFolder { own, ..self.clone() }
    }

    /// Where the journal of deployments is.
    pub(crate) fn own(&self) -> &Path {
        &self.own
    }

    /// Makes the folder of a server or a runner, for its owner alone: what jobs were given lies below it. One that
    /// others may enter is closed, and that is said.
    pub(crate) fn make_private(&self) -> Result<(), Failure> {
        let path = &self.root;
        let make = || -> std::io::Result<u32> {
            DirBuilder::new().recursive(true).mode(PRIVATE).create(path)?;
            let found = std::fs::metadata(path)?;
            let mode = found.mode() & 0o7777;
            let private = private(mode, found.gid() == rustix::process::getegid().as_raw());
            if private == mode {
                return Ok(0);
            }
            if found.uid() == rustix::process::geteuid().as_raw() {
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(private))?;
            }
            Ok(mode)
        };
        let open = make().map_err(|error| cannot("make", path, error))?;
        close_below(path).map_err(|error| cannot("close what lies in", path, error))?;
        if open != 0 {
            let shown = path.display();
            talk(&match std::fs::metadata(path).is_ok_and(|it| it.mode() & 0o7777 != open) {
                true => format!(
                    "{shown} was open to other users of this machine (mode {open:o}); it is its owner's alone from now on"
                ),
                false => format!(
                    "warning: {shown} is open to other users of this machine (mode {open:o}), and somebody else's: chmod 700 {shown}"
                ),
            });
        }
        Ok(())
    }

    /// What tells this machine, with this state folder, from every other one.
    pub(crate) fn machine(&self) -> Result<String, Failure> {
        let path = self.root.join("machine");
        let host = rustix::system::uname();
        let host = host.nodename().to_string_lossy().into_owned();
        let read = || std::fs::read_to_string(&path).ok().filter(|it| it.trim().len() == 32);
        if let Some(id) = read() {
            return Ok(format!("{}@{host}", id.trim()));
        }
        let id = random::hex::<16>()?;
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(&self.root)?;
            let mut file = tempfile::NamedTempFile::new_in(&self.root)?;
            file.write_all(format!("{id}\n").as_bytes())?;
            // Who was faster made it; theirs is as good.
            match file.persist_noclobber(&path) {
                Err(error) if error.error.kind() != ErrorKind::AlreadyExists => Err(error.error),
                _ => Ok(()),
            }
        };
        write().map_err(|error| cannot("write", &path, error))?;
        Ok(format!("{}@{host}", read().as_deref().unwrap_or(&id).trim()))
    }

    /// Where the journal is.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The same in a command that people paste, as one word of a shell.
    pub(crate) fn pasted(&self) -> String {
        pasted::word(&self.root.to_string_lossy())
    }

    /// Whether a flag of this command says where it is: a slip there leads to where nothing is. In the usual place
    /// nothing is before the first run.
    pub(crate) fn is_named(&self) -> bool {
        self.is_named
    }

    /// Fetched actions by commit.
    pub(crate) fn actions(&self) -> PathBuf {
        self.root.join("actions")
    }

    /// Commits that only this machine has, by their stores.
    pub(crate) fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots")
    }

    /// Dependency caches.
    pub(crate) fn caches(&self) -> PathBuf {
        self.root.join("caches")
    }

    /// Tool cache.
    pub(crate) fn tools(&self) -> PathBuf {
        self.root.join("tools")
    }

    /// What jobs share whose processes are another user's, by his number (`protocol::shared_folders`).
    pub(crate) fn users(&self) -> PathBuf {
        self.root.join("users")
    }

    /// Bytes by their digest, as `store` keeps them.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// Growing logs, as `store` keeps them.
    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// Locks that say which process drives which run.
    pub(crate) fn owners(&self) -> PathBuf {
        self.root.join("owners")
    }

    /// Locks that say which process has which concurrency group.
    pub(crate) fn groups(&self) -> PathBuf {
        self.root.join("groups")
    }

    /// What an environment of a project is on this machine: its releases, processes and routes.
    pub(crate) fn host(&self, project: &str, environment: &str) -> PathBuf {
        self.root.join("host").join(project).join(environment)
    }

    /// The keys of tokens: their owner's alone.
    pub(crate) fn issuer(&self) -> PathBuf {
        self.root.join("issuer")
    }

    /// Tokens of GitHub's that jobs have and that are to be ended: no copy of the server ends them.
    pub(crate) fn job_tokens(&self) -> PathBuf {
        self.root.join("job-tokens")
    }

    /// What deployments run once: commands, each with a folder of its own.
    pub(crate) fn deployments(&self) -> PathBuf {
        self.own.join("deployments")
    }

    /// Secrets and variables that a person keeps here.
    pub(crate) fn vault(&self) -> PathBuf {
        self.root.join("vault")
    }

    /// Locks that say who deploys to which environment.
    pub(crate) fn places(&self) -> PathBuf {
        self.own.join("places")
    }

    /// The rules of projects as their remotes said them last.
    pub(crate) fn rules(&self) -> PathBuf {
        self.root.join("rules")
    }

    /// Approvals on their way to whoever drives a deployment.
    pub(crate) fn approvals(&self) -> PathBuf {
        self.own.join("approvals")
    }

    /// Workspaces of running jobs.
    pub(crate) fn jobs(&self) -> PathBuf {
        self.root.join("jobs")
    }

    /// The small repository of `launchway demo`, with a state folder of its own.
    pub(crate) fn demo(&self) -> PathBuf {
        self.root.join("demo")
    }

    /// Those of one attempt.
    pub(crate) fn attempt(&self, stream: StreamId) -> PathBuf {
        let (run, attempt) = stream.as_run().expect("the stream of a run");
        self.jobs().join(format!("{run}.{attempt}"))
    }

    /// Workflows of a repository that a person switched off, by path.
    pub(crate) fn disabled(&self, repository: &str) -> Result<Vec<String>, Failure> {
        for name in disabled_names(repository) {
            let path = self.root.join("disabled").join(name);
            match std::fs::read_to_string(&path) {
                Ok(text) => return Ok(text.lines().map(str::to_owned).collect()),
                // That the state folder is none is said by what opens it.
                Err(error)
                    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
                Err(error) => return Err(cannot("read", &path, error)),
            }
        }
        Ok(Vec::new())
    }

    /// Keeps which are switched off, also where none is: then nothing older says otherwise.
    pub(crate) fn set_disabled(&self, repository: &str, paths: &[String]) -> Result<(), Failure> {
        let [name, _] = disabled_names(repository);
        let path = self.root.join("disabled").join(name);
        let text: String = paths.iter().map(|path| format!("{path}\n")).collect();
        files::write_beside(&path, text.as_bytes()).map_err(|error| cannot("write", &path, error))
    }
}

/// What the file of a repository is called that says which of its workflows are switched off, and what an older
/// Launchway called it, which may have been another's too: it holds until something is switched off or on. No two
/// have the first.
fn disabled_names(repository: &str) -> [String; 2] {
    let own = repository.replace('%', "%25").replace('/', "%2F");
    [own, repository.replace('/', "__")]
}

fn cannot(action: &str, path: &Path, error: std::io::Error) -> Failure {
    let context = format!("cannot {action} {}", path.display());
    let is_refused = error.kind() == ErrorKind::PermissionDenied;
    let failure = Failure::caused(Exit::Missing, anyhow::Error::from(error).context(context));
    if is_refused { failure.hint("give a folder of your own with --state") } else { failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_switched_off_is_one_repositorys() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::locate(Some(folder.path())).unwrap();
        let check = |repository: &str, expect: &[&str]| {
            assert_eq!(state.disabled(repository).unwrap(), expect, "{repository}");
        };
        state.set_disabled("a__b/c", &["ci.yml".to_owned()]).unwrap();
        state.set_disabled("octo/app.new", &["x.yml".to_owned()]).unwrap();
        state.set_disabled("octo/app", &["y.yml".to_owned()]).unwrap();
        check("a__b/c", &["ci.yml"]);
        check("a/b__c", &[]);
        check("octo/app.new", &["x.yml"]);
        check("octo/app", &["y.yml"]);
        // What an older Launchway wrote holds, until somebody switches one off or on.
        std::fs::write(folder.path().join("disabled/octo__old"), "ci.yml\n").unwrap();
        check("octo/old", &["ci.yml"]);
        state.set_disabled("octo/old", &[]).unwrap();
        check("octo/old", &[]);
    }
}
