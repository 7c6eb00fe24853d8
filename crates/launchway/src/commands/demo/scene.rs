//! Where the demo plays: a repository, a place to push to, a state folder, nothing of the person's.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{FlockOperation, flock};

use super::program;
use crate::cli::Format;
use crate::exit::{Exit, Failure};
use crate::serving::data::DataFolder;
use crate::state::StateFolder;

/// The files of the small repository, with what they are for.
pub(super) const GREETER: [(&str, &str); 2] =
    [("greet.sh", "greets in English, German and French"), ("test.sh", "tests one language")];
const GREETER_TEXTS: [&str; 2] =
    [include_str!("../../../demo/greet.sh"), include_str!("../../../demo/test.sh")];

/// What its settings call it.
const PROJECT: &str = "greeter";

/// Its workflow, as it is to be.
pub(super) const WORKFLOW: &str = include_str!("../../../demo/workflows/ci.yml");
pub(super) const WORKFLOW_FILE: &str = ".github/workflows/ci.yml";

/// The workflow with a slip of the pen that GitHub would tell after the push.
pub(super) fn with_a_mistake() -> String {
    WORKFLOW.replacen("timeout-minutes", "timeout-minute", 1)
}

/// The folders, and what commands in them get.
pub(super) struct Scene {
    folder: PathBuf,
    format: Format,
    given: RefCell<Vec<(String, String)>>,
    // Held for its lock: two demos would take the floor from under each other.
    _lock: File,
}

impl Scene {
    /// Clears the stage of the demo before, and makes the folders.
    pub(super) fn set(folder: PathBuf, format: Format) -> Result<Scene, Failure> {
        let parent = folder.parent().expect("it lies in the state folder");
        std::fs::create_dir_all(parent).map_err(|error| cannot("make", parent, error))?;
        let lock = lock(&folder.with_extension("lock"))?;
        refuse_served(&folder.join("state"))?;
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(cannot("clear", &folder, error));
            }
            _ => {}
        }
        let scene = Scene { folder, format, given: RefCell::default(), _lock: lock };
        let workflows = scene.repository().join(".github/workflows");
        std::fs::create_dir_all(&workflows).map_err(|error| cannot("make", &workflows, error))?;
        let remote = scene.remote();
        let remote = remote.to_string_lossy();
        scene.git(&["init", "--quiet", "--bare", "--initial-branch=main", &remote])?;
        scene.git(&["init", "--quiet", "--initial-branch=main", "."])?;
        scene.git(&["remote", "add", "origin", &remote])?;
        for ((path, _), text) in GREETER.iter().zip(GREETER_TEXTS) {
            scene.write(path, text)?;
        }
        Ok(scene)
    }

    pub(super) fn repository(&self) -> PathBuf {
        self.folder.join("greeter")
    }

    /// Where it is pushed to.
    pub(super) fn remote(&self) -> PathBuf {
        self.folder.join("remote/demo/greeter.git")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    pub(super) fn write_workflow(&self, text: &str) -> Result<(), Failure> {
        self.write(WORKFLOW_FILE, text)
    }

    pub(super) fn make_folder(&self, path: &str) -> Result<(), Failure> {
        let path = self.repository().join(path);
        std::fs::create_dir_all(&path).map_err(|error| cannot("make", &path, error))
    }

    pub(super) fn remove(&self, path: &str) -> Result<(), Failure> {
        let path = self.repository().join(path);
        std::fs::remove_file(&path).map_err(|error| cannot("remove", &path, error))
    }

    pub(super) fn write(&self, path: &str, text: &str) -> Result<(), Failure> {
        let path = self.repository().join(path);
        std::fs::write(&path, text).map_err(|error| cannot("write", &path, error))
    }

    pub(super) fn commit(&self, message: &str) -> Result<(), Failure> {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--message", message])
    }

    pub(super) fn push(&self) -> Result<(), Failure> {
        self.git(&["push", "--quiet", "--set-upstream", "origin", "main"])
    }

    /// Git with an author of the demo's own, and without the person's settings: a signing key or a
    /// hook of theirs has no business here.
    fn git(&self, args: &[&str]) -> Result<(), Failure> {
        let output = Command::new("git")
            .args(["-c", "user.name=Launchway demo", "-c", "user.email=demo@example.com"])
            .args(args)
            .current_dir(self.repository())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env_remove("GIT_DIR")
            .env_remove("GIT_WORK_TREE")
            .env_remove("GIT_INDEX_FILE")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Failure::caused(Exit::Missing, error))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(Failure::new(Exit::Missing, format!("git {}: {}", args.join(" "), said.trim())))
    }

    /// From now on commands find this in their environment.
    pub(super) fn give(&self, name: &str, value: &str) {
        self.given.borrow_mut().push((name.to_owned(), value.to_owned()));
    }

    /// Runs this binary in the repository, on the demo's own journal; its exit code, or none where a
    /// signal ended it.
    pub(super) fn launchway(&self, args: &[&str], format: Format) -> Result<Option<i32>, Failure> {
        let mut command = Command::new(program()?);
        command.arg("--state").arg(self.state()).args(args);
        match format {
            Format::Human => {}
            Format::Json => drop(command.args(["--format", "json"])),
            Format::Github => drop(command.args(["--format", "github"])),
        }
        let status = command
            .current_dir(self.repository())
            .envs(self.given.borrow().iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .status()
            .map_err(|error| Failure::caused(Exit::Missing, error))?;
        Ok(status.code())
    }

    /// Ends what was shipped to this machine.
    pub(super) fn take_down(&self, environment: &str) -> Result<(), Failure> {
        let folder = StateFolder::locate(Some(&self.state()))?.host(PROJECT, environment);
        target_host::take_down(&target_host::Folder::new(folder))
            .map_err(|error| Failure::caused(Exit::Missing, error))
    }

    /// Looks through every file of the demo for a value that must be in none.
    pub(super) fn never_kept(&self, secret: &str) -> Result<(), Failure> {
        let finder = memchr::memmem::Finder::new(secret);
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            let entries = std::fs::read_dir(&folder);
            for entry in entries.map_err(|error| cannot("read", &folder, error))?.flatten() {
                let path = entry.path();
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() {
                    let bytes =
                        std::fs::read(&path).map_err(|error| cannot("read", &path, error))?;
                    if finder.find(&bytes).is_some() {
                        let message = format!("the secret's value stands in {}", path.display());
                        return Err(Failure::new(Exit::Fault, message));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Nobody takes the floor from under the server of the demo before.
fn refuse_served(state: &Path) -> Result<(), Failure> {
    let data = DataFolder { state: StateFolder::locate(Some(state))? };
    match data.served_at()? {
        None => Ok(()),
        Some(url) => {
            Err(Failure::new(Exit::Forbidden, format!("the last demo is still served at {url}"))
                .hint("end it with Ctrl-C, or give this one a folder of its own: --state DIR"))
        }
    }
}

fn lock(path: &Path) -> Result<File, Failure> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(|error| cannot("open", path, error))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        Failure::new(Exit::Forbidden, "another demo is running on this state folder")
            .hint("wait for its end, or give this one a folder of its own: --state DIR")
    })?;
    Ok(file)
}

fn cannot(action: &str, path: &Path, error: std::io::Error) -> Failure {
    let context = format!("cannot {action} {}", path.display());
    Failure::caused(Exit::Missing, anyhow::Error::from(error).context(context))
}
