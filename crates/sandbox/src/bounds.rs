//! How much processes take together: memory, processors, their number, counted and kept by the kernel (cgroup v2).
//!
//! ```text
//!   DELEGATED/            what a service manager lets this process divide (systemd: Delegate=yes)
//!     launchway/          this process and its workers: nobody counts them
//!     job-TRACKING/       the processes of one job, with its bounds
//! ```
//!
//! A cgroup that hands controllers on has no processes of its own, which is why this process moves down
//! ([`Delegated::claim`]). Nothing runs between fork and exec here, so whoever starts a process of a job is in the job's
//! cgroup for that moment ([`Bounded::within`]), and what is started stays there, with all that it starts. What
//! the worker itself takes is not counted: it lives to tell that the kernel ended the others, unless that falls into
//! the very moment in which it starts one.
//!
//! A job that goes on while its server is started again may have no process for a while: between two steps, or in a
//! container. Its worker locks the cgroup, so that whoever tidies knows that it is still needed.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Where this process and its workers are, beside the jobs.
pub const OWN: &str = "launchway";
/// What the name of a job's begins with.
const JOB: &str = "job-";
/// A period of the kernel's scheduler, of which a share is given.
const PERIOD_US: u64 = 100_000;
/// How long processes have to be gone that were killed.
const KILLED: Duration = Duration::from_secs(5);
/// How often they are looked at meanwhile.
const LOOK: Duration = Duration::from_millis(5);
/// A cgroup may be tidied away between its making and its locking, by each server that starts in that moment.
const MAKES_MAX: usize = 10;

/// How much. What is none is not bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Memory, with what the kernel keeps of files for them. Nothing is swapped out in its place.
    pub memory_bytes: Option<u64>,
    /// Thousandths of a processor.
    pub cpu_thousandths: Option<u64>,
    /// Processes and threads at a time.
    pub processes: Option<u64>,
}

impl Bounds {
    /// Whether nothing is bounded.
    pub fn is_empty(&self) -> bool {
        *self == Bounds::default()
    }

    /// What of the kernel keeps them.
    fn controllers(&self) -> Vec<&'static str> {
        let all = [
            ("memory", self.memory_bytes.is_some()),
            ("cpu", self.cpu_thousandths.is_some()),
            ("pids", self.processes.is_some()),
        ];
        all.into_iter().filter_map(|(name, is_needed)| is_needed.then_some(name)).collect()
    }

    /// Files of a cgroup, with what is written into each.
    fn files(&self) -> Vec<(&'static str, String)> {
        let mut files = Vec::new();
        if let Some(bytes) = self.memory_bytes {
            // All or none: a job whose compiler alone is killed goes on as if it had failed by itself.
            files.push(("memory.oom.group", "1".to_owned()));
            files.push(("memory.max", bytes.to_string()));
        }
        if let Some(thousandths) = self.cpu_thousandths {
            files.push(("cpu.max", format!("{} {PERIOD_US}", thousandths * PERIOD_US / 1000)));
        }
        if let Some(processes) = self.processes {
            files.push(("pids.max", processes.to_string()));
        }
        files
    }
}

/// Why processes cannot be bounded.
#[derive(Debug, thiserror::Error)]
pub enum BoundsError {
    /// The machine has none that could.
    #[error("this machine has no cgroup v2 that keeps {}: it counts by cgroup v1", .0.join(", "))]
    Old(Vec<&'static str>),
    /// It has, and this process is not given them.
    #[error("the cgroup {} is not given what keeps {}", .0.display(), .1.join(", "))]
    Lacks(PathBuf, Vec<&'static str>),
    /// This process may not divide the one that it is in.
    #[error("this process may not divide the cgroup {}", .0.display())]
    NotOurs(PathBuf, #[source] io::Error),
    /// Others are in it, whom nobody may move.
    #[error("the cgroup {} has other processes than this one", .0.display())]
    NotAlone(PathBuf),
    /// The kernel refuses something.
    #[error("cannot write {}", .0.display())]
    Kernel(PathBuf, #[source] io::Error),
}

/// A cgroup that this process divides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegated(PathBuf);

impl Delegated {
    /// Finds the one that this process is in, moves this process down, and has the controllers of these bounds handed
    /// on. Cgroups of earlier jobs that no worker holds and nobody is in any more are taken away.
    ///
    /// # Errors
    /// Where the machine or its service manager does not let this be done; nothing is changed then.
    pub fn claim(bounds: &Bounds) -> Result<Delegated, BoundsError> {
        let wanted = bounds.controllers();
        let own = own().ok_or_else(|| BoundsError::Old(wanted.clone()))?;
        Delegated::claim_in(own, &wanted)
    }

    fn claim_in(own: PathBuf, wanted: &[&'static str]) -> Result<Delegated, BoundsError> {
        let is_down = own.file_name().is_some_and(|it| it == OWN);
        let folder = match own.parent() {
            Some(above) if is_down => above.to_owned(),
            _ => own,
        };
        let given = fs::read_to_string(folder.join("cgroup.controllers")).unwrap_or_default();
        let is_missing = |it: &&str| !given.split_whitespace().any(|given| given == *it);
        let missing: Vec<&str> = wanted.iter().copied().filter(is_missing).collect();
        if !missing.is_empty() {
            let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
            let old = are_of_v1(&groups);
            return Err(match missing.iter().any(|it| old.iter().any(|old| old == it)) {
                true => BoundsError::Old(missing),
                false => BoundsError::Lacks(folder, missing),
            });
        }
        let not_ours = |error| BoundsError::NotOurs(folder.clone(), error);
        let (down, home) = (folder.join(OWN), folder.join("cgroup.procs"));
        if !is_down {
            made(&down).map_err(not_ours)?;
            fs::write(down.join("cgroup.procs"), "0").map_err(not_ours)?;
        }
        let words: Vec<String> = wanted.iter().map(|it| format!("+{it}")).collect();
        let handed_on = fs::write(folder.join("cgroup.subtree_control"), words.join(" "));
        if let Err(error) = handed_on {
            if !is_down {
                // As it was: whoever is refused has changed nothing.
                let _ = fs::write(home, "0");
                let _ = fs::remove_dir(down);
            }
            return Err(match error.kind() {
                io::ErrorKind::ResourceBusy => BoundsError::NotAlone(folder),
                _ => BoundsError::NotOurs(folder, error),
            });
        }
        let delegated = Delegated(folder);
        delegated.tidy();
        Ok(delegated)
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// The kernel keeps those that somebody is in.
    fn tidy(&self) {
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(JOB) {
                let folder = entry.path();
                // Held until it is gone: whoever makes it in this moment sees that it has to be made anew.
                let held = File::open(&folder).ok().filter(|it| it.try_lock().is_ok());
                if held.is_some() {
                    let _ = removed_empty(&folder);
                }
            }
        }
    }
}

/// The cgroup of one job. Nobody tidies it away while this lives.
#[derive(Debug)]
pub struct Bounded {
    folder: PathBuf,
    home: PathBuf,
    /// Locked. The lock goes with this process, however it ends.
    _held: File,
}

/// How often processes wanted more than they may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exceeded {
    /// The kernel ended them for their memory.
    pub memory: u64,
    /// It refused to begin one more.
    pub processes: u64,
}

/// Whoever is in a job's cgroup starts all that begins meanwhile there, so there is one at a time.
static WITHIN: Mutex<()> = Mutex::new(());

impl Bounded {
    /// Makes the one of a job below the one that is divided.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn make(divided: &Path, job: &str, bounds: &Bounds) -> Result<Bounded, BoundsError> {
        let folder = divided.join(format!("{JOB}{job}"));
        let failed = |path: &Path, error| BoundsError::Kernel(path.to_owned(), error);
        let held = held(&folder).map_err(|error| failed(&folder, error))?;
        let bounded = Bounded { home: divided.join(OWN), folder, _held: held };
        for (name, text) in bounds.files() {
            let file = bounded.folder.join(name);
            fs::write(&file, text).map_err(|error| failed(&file, error))?;
        }
        let swap = bounded.folder.join("memory.swap.max");
        // A machine without swap may have no such file.
        if bounds.memory_bytes.is_some() && swap.exists() {
            fs::write(&swap, "0").map_err(|error| failed(&swap, error))?;
        }
        Ok(bounded)
    }

    /// Does something that starts processes: they are in it, and this process is not afterwards.
    ///
    /// # Errors
    /// When the kernel does not let this process in, or out again.
    pub fn within<T>(&self, deed: impl FnOnce() -> T) -> io::Result<T> {
        let one = WITHIN.lock().unwrap_or_else(PoisonError::into_inner);
        fs::write(self.folder.join("cgroup.procs"), "0")?;
        let done = deed();
        fs::write(self.home.join("cgroup.procs"), "0")?;
        drop(one);
        Ok(done)
    }

    /// What has been exceeded since it was made.
    pub fn exceeded(&self) -> Exceeded {
        let count = |file: &str, name: &str| {
            let text = fs::read_to_string(self.folder.join(file)).unwrap_or_default();
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
                .unwrap_or(0)
        };
        Exceeded {
            memory: count("memory.events", "oom_kill"),
            processes: count("pids.events", "max"),
        }
    }

    /// Takes it away with all who are in it.
    pub fn end(self) {
        end(&self.folder);
    }

    /// Takes it away if nobody is in it; who was left in it on purpose stays, and bounded.
    pub fn leave(self) {
        let _ = removed_empty(&self.folder);
    }
}

/// Takes away the cgroup of a job whose worker is gone, with all who are in it. Where this process divides none there
/// is nothing to do.
pub fn end_bounded(job: &str) {
    let divided = own().filter(|it| it.file_name().is_some_and(|it| it == OWN));
    if let Some(divided) = divided.as_deref().and_then(Path::parent) {
        end(&divided.join(format!("{JOB}{job}")));
    }
}

fn end(folder: &Path) {
    let until = Instant::now() + KILLED;
    while folder.exists() {
        // Whoever is in it, and whoever they are just starting.
        let _ = fs::write(folder.join("cgroup.kill"), "1");
        if removed(folder).is_ok() || Instant::now() >= until {
            return;
        }
        std::thread::sleep(LOOK);
    }
}

/// Takes one away if nobody is in it or below.
fn removed_empty(folder: &Path) -> io::Result<()> {
    let events = fs::read_to_string(folder.join("cgroup.events")).unwrap_or_default();
    match events.lines().any(|it| it == "populated 1") {
        true => Err(io::ErrorKind::ResourceBusy.into()),
        false => removed(folder),
    }
}

/// Takes one away with those that the job made in it, the innermost first: the kernel takes none that has others.
fn removed(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.file_type().is_ok_and(|it| it.is_dir()) {
            removed(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}

fn made(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Makes a folder and locks it; once more where it was tidied away before it was locked.
fn held(folder: &Path) -> io::Result<File> {
    for _ in 0..MAKES_MAX {
        made(folder)?;
        let held = match File::open(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened?,
        };
        held.lock_shared()?;
        let is_there = fs::metadata(folder).is_ok_and(|it| {
            held.metadata().is_ok_and(|held| (held.dev(), held.ino()) == (it.dev(), it.ino()))
        });
        if is_there {
            return Ok(held);
        }
    }
    Err(io::Error::other("it is taken away as soon as it is made"))
}

/// The folder of the cgroup that this process is in, where the machine has any of version 2.
fn own() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    place(&mounts, &groups)
}

/// By what the kernel says of mounts, and of the groups that a process is in.
fn place(mounts: &str, groups: &str) -> Option<PathBuf> {
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let is_new = kind.split(' ').next() == Some("cgroup2");
        // What is mounted may be a part of the whole, as in a container.
        let inside = Path::new(group).strip_prefix(root).ok()?;
        is_new.then(|| Path::new(point).components().chain(inside.components()).collect())
    })
}

/// The controllers that version 1 has.
fn are_of_v1(groups: &str) -> Vec<&str> {
    let named = |line| str::split(line, ':').nth(1);
    groups.lines().filter_map(named).flat_map(|it: &str| it.split(',')).collect()
}

#[cfg(test)]
mod tests;
