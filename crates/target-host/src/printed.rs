//! What instances printed, read while they print: the last lines of their logs, then whatever comes,
//! masked with the values that their releases were given.
//!
//! A log and the one before it are one text: what is moved out of the one (`supervise/logs.rs`) is
//! the other. Whoever reads holds the log's lock together with others, whoever moves holds it alone,
//! so that no line is read twice or left out.

mod reader;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::SystemTime;

use mask::Masker;
use rustix::fs::inotify;

use crate::folder::{self, Folder};
use crate::processes;
use crate::wanted::{InstanceName, State, Wanted};
use reader::Reader;

/// A line that an instance printed. Secrets are out of it; what steers a terminal is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrintedLine {
    /// Its service.
    pub service: String,
    /// The instance, `7.0`.
    pub instance: String,
    /// What it printed, without the end of the line.
    pub text: String,
}

/// Why logs cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// Neither a number nor the name of an instance.
    #[error("`{0}` names no instance: it is a number, or a name like 7.0")]
    NoName(String),
    /// Nothing that was asked for ever ran here.
    #[error("no instance of {0} has printed anything here")]
    Nothing(String),
    /// Its release is forgotten, and with it the values that must not be shown.
    #[error("the release of instance {instance} is gone, and with it what its log must hide")]
    Past {
        /// Its name.
        instance: String,
        /// Where its log lies.
        log: PathBuf,
    },
    /// The disk, the system.
    #[error("the log of {of} cannot be read")]
    System {
        /// Of whom.
        of: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Of which instances.
#[derive(Clone, Debug)]
enum Which {
    All,
    Numbered(u32),
    Named(InstanceName),
}

impl Which {
    fn of(text: Option<&str>) -> Result<Which, LogsError> {
        let Some(text) = text else { return Ok(Which::All) };
        let number = text.parse().map(Which::Numbered);
        number
            .or_else(|_| text.parse().map(Which::Named))
            .map_err(|_| LogsError::NoName(text.to_owned()))
    }

    fn takes(&self, name: &InstanceName) -> bool {
        match self {
            Which::All => true,
            Which::Numbered(index) => name.index == *index,
            Which::Named(named) => named == name,
        }
    }
}

/// The logs of services.
#[derive(Debug)]
pub struct Logs {
    folder: Folder,
    services: Vec<String>,
    which: Which,
    masker: Masker,
    readers: BTreeMap<(String, InstanceName), Reader>,
    watch: OwnedFd,
}

impl Logs {
    /// Those of these services; of one instance where it is named (`7.0`) or numbered (`0`).
    ///
    /// # Errors
    /// When nothing of it ever ran here, or may be shown.
    pub(crate) fn open(
        folder: Folder,
        masker: Masker,
        services: &[String],
        instance: Option<&str>,
    ) -> Result<Logs, LogsError> {
        let of = services.join(", ");
        let system = |source| LogsError::System { of: of.clone(), source };
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let watch = inotify::init(flags).map_err(|error| system(error.into()))?;
        let changes = inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE;
        for service in services {
            match inotify::add_watch(&watch, folder.logs_of(service), changes) {
                // Nothing of it ever ran.
                Ok(_) | Err(rustix::io::Errno::NOENT) => {}
                Err(error) => return Err(system(error.into())),
            }
        }
        let which = Which::of(instance)?;
        let (services, readers) = (services.to_vec(), BTreeMap::new());
        let mut logs = Logs { folder, services, which, masker, readers, watch };
        logs.find().map_err(&system)?;
        if logs.readers.is_empty() {
            return Err(logs.nothing(of));
        }
        Ok(logs)
    }

    fn nothing(&self, of: String) -> LogsError {
        if let Which::Named(name) = &self.which {
            let instance = name.to_string();
            let logs = self.services.iter().map(|it| self.folder.log(it, &instance));
            if let Some(log) = logs.into_iter().find(|log| log.exists()) {
                return LogsError::Past { instance, log };
            }
        }
        LogsError::Nothing(of)
    }

    /// Takes in the logs that are there and were not.
    fn find(&mut self) -> io::Result<()> {
        for service in &self.services {
            let Some(wanted) = folder::read::<Wanted>(&self.folder.wanted_of(service))? else {
                continue;
            };
            let entries = match std::fs::read_dir(self.folder.logs_of(service)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries?,
            };
            for entry in entries {
                let name = entry?.file_name();
                let name = name.to_str().and_then(|it| it.strip_suffix(".log"));
                let name = name.and_then(|it| it.parse::<InstanceName>().ok());
                let Some(name) = name.filter(|it| self.which.takes(it)) else { continue };
                let key = (service.clone(), name);
                let Some(set) = wanted.sets.get(&key.1.set) else { continue };
                if self.readers.contains_key(&key) {
                    continue;
                }
                let private = self.folder.private(service, &key.1.set);
                let values = processes::private_values(&private)?;
                // What is not known cannot be hidden.
                if set.config.private.iter().any(|it| !values.contains_key(it)) {
                    continue;
                }
                let mut masker = self.masker.clone();
                for value in values.values() {
                    masker.add(value);
                }
                let path = self.folder.log(service, &key.1.to_string());
                self.readers.insert(key, Reader::new(path, masker));
            }
        }
        Ok(())
    }

    /// The last lines of each instance that runs; where none of a service does, of those that ran
    /// last. What comes later is for [`Logs::more`].
    ///
    /// # Errors
    /// When a log cannot be read.
    pub fn last(&mut self, lines: usize, is_followed: bool) -> Result<Vec<PrintedLine>, LogsError> {
        let state: io::Result<Option<State>> = folder::read(&self.folder.state());
        let of = self.services.join(", ");
        let state = state.map_err(|source| LogsError::System { of, source })?.unwrap_or_default();
        let mut shown = BTreeSet::new();
        for service in &self.services {
            let all = || self.readers.keys().filter(|(of, _)| of == service);
            let runs = |key: &&(String, InstanceName)| state.instance(service, &key.1).is_some();
            let living: Vec<_> = all().filter(runs).collect();
            let newest = || {
                let age = |key: &&(String, InstanceName)| self.readers[*key].written();
                let newest: Option<&(String, InstanceName)> =
                    all().max_by_key(|key| age(key).unwrap_or(SystemTime::UNIX_EPOCH));
                newest.map(|(_, name)| name.set.clone())
            };
            match living.is_empty() {
                false => shown.extend(living.into_iter().cloned()),
                true => {
                    let set = newest();
                    shown.extend(all().filter(|it| Some(&it.1.set) == set.as_ref()).cloned());
                }
            }
        }
        let mut printed = Vec::new();
        for (key, reader) in &mut self.readers {
            let wanted = if shown.contains(key) { lines } else { 0 };
            let mut out = Vec::new();
            reader.last(wanted, &mut out).map_err(|source| unread(key, source))?;
            if !is_followed {
                reader.finish(&mut out);
            }
            printed.extend(out.into_iter().map(|text| line(key, text)));
        }
        Ok(printed)
    }

    /// Readable when there may be more.
    pub fn changes(&self) -> BorrowedFd<'_> {
        self.watch.as_fd()
    }

    /// What was printed since, by instances that started since, too.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub fn more(&mut self) -> Result<Vec<PrintedLine>, LogsError> {
        let mut space = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.watch, &mut space);
        while events.next().is_ok() {}
        let of = self.services.join(", ");
        self.find().map_err(|source| LogsError::System { of, source })?;
        let (mut printed, mut gone) = (Vec::new(), Vec::new());
        for (key, reader) in &mut self.readers {
            let mut out = Vec::new();
            match reader.more(&mut out) {
                // Its release is not needed any more, and nothing of it is kept.
                Err(error) if error.kind() == io::ErrorKind::NotFound => gone.push(key.clone()),
                read => read.map_err(|source| unread(key, source))?,
            }
            printed.extend(out.into_iter().map(|text| line(key, text)));
        }
        gone.iter().for_each(|key| drop(self.readers.remove(key)));
        Ok(printed)
    }
}

fn unread((service, name): &(String, InstanceName), source: io::Error) -> LogsError {
    LogsError::System { of: format!("{service} {name}"), source }
}

fn line((service, name): &(String, InstanceName), text: String) -> PrintedLine {
    PrintedLine { service: service.clone(), instance: name.to_string(), text }
}
