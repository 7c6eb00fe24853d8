//! The data folder of a server: a state folder, and beside what every state folder has
//!
//! ```text
//! server.lock          held by the server, so that there is one
//! server.json          how it is reached, for hooks that name a run's page, and what messages it may send where
//! database.json        the database that has the journal and the webhooks, where they are not here
//! restored.json        it was made of a copy, and nobody said yet that the original is gone
//! copies.json          where copies of it were put, which jobs are kept from
//!
//! repositories.json    whose pushes are run; repositories.lock is held by whoever changes that
//! mirrors/             repositories of GitHub and elsewhere, as they are there
//! environments/        what ran last in each environment, as far as jobs tell
//! releases/            what there is at GitHub of each version of a repository
//! locks/               the actions' lock files of commits that ran
//!
//! taken/               what branches and tags led to that are pushed to here, when they were last taken
//! followed/            the same of repositories elsewhere that are looked at every so often
//! looked/              the same of those on GitHub
//! clock.json           the last minute that was looked at for schedules
//! deliveries.db        webhooks that were taken (crate `store`)
//!
//! inbox/               pushes and re-runs that were not taken yet
//! pushes/              what became of the newest pushes
//! held/                runs of code from outside that nobody let in yet
//! answers/             what was made for an idempotency key
//!
//! runners.json         which runners there are, and which are drained
//! incoming/            what runners bring, until it is whole
//! issuer/, job-tokens/ keys of the tokens for jobs; tokens of GitHub's that are still to be ended
//!
//! tokens/, sessions/   who may look and act (crate `server`)
//! people/              whose a name is, of those who sign in by a provider (crate `server`)
//! github.json          how GitHub is reached (what lets us in is in the vault)
//! told.json            how much of the journal GitHub was told
//! pagerduty.json       which of PagerDuty's services is whose (what proves it is in the vault)
//! ```

pub(crate) mod backup;
pub(crate) mod database;
pub(super) mod ready;
pub(crate) mod standing_by;

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{FlockOperation, flock};
use serde::Serialize;
use serde::de::DeserializeOwned;
use server::Reason;

use crate::exit::{Exit, Failure};
use crate::running::files::write_beside;
use crate::state::StateFolder;
use crate::state::acting;

/// A file of ours is small, but for the requests of a push with many workflows.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// How long what a killed server was just starting may hold its lock.
const DYING: Duration = Duration::from_secs(10);
/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(10);

/// Whether the process that wrote itself into the lock lives. One that has not yet does.
fn holder_lives(file: &File) -> bool {
    let mut text = [0; 16];
    let read = file.read_at(&mut text, 0).unwrap_or(0);
    let text = String::from_utf8_lossy(&text[..read]);
    text.trim().parse::<u32>().map_or(true, |pid| Path::new("/proc").join(pid.to_string()).exists())
}

/// Writes down what is about to be done to the thing of this name, before it is; where that fails, nothing is done.
pub(crate) type Record<'r> = &'r dyn Fn(&str) -> Result<(), Failure>;

/// A data folder.
#[derive(Clone, Debug)]
pub(crate) struct DataFolder {
    pub(crate) state: StateFolder,
}

impl DataFolder {
    /// For a command that looks after a server: `--data`, else the folder `server` in the state folder. From here on
    /// root acts as its owner.
    pub(crate) fn locate(flag: Option<&Path>, state: Option<&Path>) -> Result<DataFolder, Failure> {
        let data = DataFolder::of(flag, state)?;
        acting::as_owner(data.state.root())?;
        Ok(data)
    }

    /// The same folder, for whoever stays who they are.
    pub(crate) fn of(flag: Option<&Path>, state: Option<&Path>) -> Result<DataFolder, Failure> {
        if let Some(flag) = flag {
            return Ok(DataFolder { state: StateFolder::locate(Some(flag))? });
        }
        let state = StateFolder::locate(state)?;
        let data = state.root().join("server");
        Ok(DataFolder { state: StateFolder::locate(Some(&data))? })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.state.root().join(name)
    }

    pub(crate) fn inbox(&self) -> PathBuf {
        self.path("inbox")
    }

    /// What is to be made, by its name in the inbox.
    pub(crate) fn order(&self, id: &str) -> PathBuf {
        self.inbox().join(format!("{id}.order"))
    }

    pub(crate) fn pushes(&self) -> PathBuf {
        self.path("pushes")
    }

    /// What became of something, by its name in the inbox.
    pub(crate) fn told(&self, id: &str) -> PathBuf {
        self.pushes().join(format!("{id}.json"))
    }

    pub(crate) fn held(&self) -> PathBuf {
        self.path("held")
    }

    /// What is known of a repository elsewhere, by its name here.
    pub(crate) fn followed(&self, name: &str) -> PathBuf {
        self.path("followed").join(format!("{name}.json"))
    }

    /// What was seen of a repository on GitHub, by its name.
    pub(crate) fn looked(&self, name: &str) -> PathBuf {
        self.path("looked").join(format!("{name}.json"))
    }

    /// What there is at GitHub of a repository's versions, by its name.
    pub(crate) fn releases(&self, name: &str) -> PathBuf {
        self.path("releases").join(format!("{name}.json"))
    }

    /// What was taken of a repository that is pushed to here, by its name.
    pub(crate) fn taken(&self, name: &str) -> PathBuf {
        self.path("taken").join(format!("{name}.json"))
    }

    pub(crate) fn mirrors(&self) -> PathBuf {
        self.path("mirrors")
    }

    pub(crate) fn answers(&self) -> PathBuf {
        self.path("answers")
    }

    /// The right to be the server of this folder; none where another has it.
    pub(crate) fn claim(&self) -> Result<Option<File>, Failure> {
        let path = self.path("server.lock");
        let failed = |error: std::io::Error| cannot("open", &path, error);
        fs::create_dir_all(self.state.root()).map_err(failed)?;
        let mut options = File::options();
        let file = options.create(true).truncate(false).read(true).write(true).open(&path);
        let file = file.map_err(failed)?;
        let until = Instant::now() + DYING;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                // A worker that a server was about to start when it was killed has its files until
                // it is a program of its own.
                Err(rustix::io::Errno::WOULDBLOCK)
                    if !holder_lives(&file) && Instant::now() < until =>
                {
                    std::thread::sleep(LOOK);
                }
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(failed(error.into())),
            }
        }
        file.set_len(0).map_err(failed)?;
        file.write_all_at(format!("{}\n", std::process::id()).as_bytes(), 0).map_err(failed)?;
        Ok(Some(file))
    }

    /// Whether repositories are connected to it: it is a server's.
    pub(crate) fn is_servers(&self) -> bool {
        self.path("repositories.json").is_file()
    }

    /// Whether a server has it.
    pub(crate) fn is_served(&self) -> bool {
        let Ok(file) = File::open(self.path("server.lock")) else { return false };
        flock(&file, FlockOperation::NonBlockingLockShared) == Err(rustix::io::Errno::WOULDBLOCK)
    }
}

impl DataFolder {
    /// Writes down what was done by a command on the machine itself.
    pub(crate) fn record(&self, action: &str, object: String) -> Result<(), Failure> {
        self.record_because(action, object, &Reason::NONE)
    }

    /// The same, and why they did it.
    pub(crate) fn record_because(
        &self,
        action: &str,
        object: String,
        reason: &Reason,
    ) -> Result<(), Failure> {
        crate::journal::record_because(&self.state, (action, object), reason)
    }

    /// How the server is reached that has the folder; none where none has.
    pub(crate) fn served_at(&self) -> Result<Option<String>, Failure> {
        if !self.is_served() {
            return Ok(None);
        }
        Ok(self.reached()?.map(|it| it.url))
    }

    /// How the server was reached that had it last.
    pub(crate) fn reached(&self) -> Result<Option<super::arriving::hook::Reached>, Failure> {
        read(&self.path("server.json"))
    }
}

/// Reads a file of ours; none where there is none.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Failure> {
    use std::io::Read as _;
    let mut text = Vec::new();
    match File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut text)) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot("read", path, error)),
    }
    let parsed = serde_json::from_slice(&text);
    parsed.map(Some).map_err(|error| cannot("read", path, error.into()))
}

/// Whether a file could be read, and is none of ours.
pub(crate) fn is_damaged(failure: &Failure) -> bool {
    let error = failure.error.chain().find_map(|it| it.downcast_ref::<std::io::Error>());
    error.is_some_and(|it| matches!(it.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof))
}

/// Puts a file aside that is none of ours, so that nothing waits for it; where it is then. It stays for a person.
pub(crate) fn put_aside(path: &Path) -> Result<PathBuf, Failure> {
    let mut aside = path.as_os_str().to_owned();
    // Behind its whole name: of one thing there are several files.
    aside.push(".unreadable");
    fs::rename(path, &aside).map_err(|error| cannot("rename", path, error))?;
    Ok(aside.into())
}

/// What was made of a file of ours, made again where the file is a new one: a running server hears of
/// what a command changed.
pub(crate) struct Known<T>(Mutex<Option<(SystemTime, T)>>);

impl<T> Default for Known<T> {
    fn default() -> Known<T> {
        Known(Mutex::default())
    }
}

impl<T: Clone> Known<T> {
    /// What is made of the file; none where there is no such file.
    pub(crate) fn get<F: DeserializeOwned>(
        &self,
        path: &Path,
        make: impl FnOnce(F) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        let Ok(changed) = fs::metadata(path).and_then(|it| it.modified()) else {
            return Ok(None);
        };
        let mut known = self.0.lock().expect("nobody panics while holding it");
        if let Some((at, made)) = &*known
            && *at == changed
        {
            return Ok(Some(made.clone()));
        }
        let Some(file) = read(path)? else { return Ok(None) };
        let made = make(file)?;
        *known = Some((changed, made.clone()));
        Ok(Some(made))
    }
}

/// Writes a file of ours as a whole.
pub(crate) fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), Failure> {
    let text = serde_json::to_vec(value).expect("plain data with text keys");
    write_beside(path, &text).map_err(|error| cannot("write", path, error))
}

/// Removes a file; one that is gone is as good.
pub(crate) fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(cannot("remove", path, error)),
        _ => Ok(()),
    }
}

/// The files of a folder with this ending, by name; none where there is no folder.
pub(crate) fn list(folder: &Path, ending: &str) -> Result<Vec<String>, Failure> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot("list", folder, error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| cannot("list", folder, error))?;
        let name = entry.file_name();
        names.extend(name.to_str().and_then(|it| it.strip_suffix(ending)).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

pub(crate) fn cannot(action: &str, path: &Path, error: std::io::Error) -> Failure {
    let context = format!("cannot {action} {}", path.display());
    Failure::caused(Exit::Missing, anyhow::Error::from(error).context(context))
}
