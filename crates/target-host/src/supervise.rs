//! The supervisor: makes processes what the wanted files say, and says what they are.
//!
//! One loop over everything that can happen: a file was replaced, a process ended, a probe has an
//! answer, a time came. Nothing it knows is needed: killed at any instant, the next one reads what
//! is wanted, finds what runs, and goes on. Instances are never its to keep alive by living: they
//! write to files, not to pipes, and are process groups of their own.

mod container;
mod instance;
mod keeper;
mod logs;
pub(crate) mod output;
mod probe;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::inotify;

use crate::folder::{self, Folder, try_lock, wait_for_lock};
use crate::processes::{self, Handle};
use crate::wanted::{InstanceName, InstanceState, State, Wanted};
use container::{Ears, News};
use docker::Engine;
use instance::Instance;
use keeper::Keeper;
use probe::Answer;

/// Without anything to look after, a supervisor stays a moment: whoever started it is about to
/// write what it wants.
const IDLE_TIME_MAX: Duration = Duration::from_secs(30);
/// Between two looks at the sizes of logs. A service that writes 100 MB a second fills a GB by then.
pub(crate) const LOG_INTERVAL: Duration = Duration::from_secs(10);
/// Ports of instances: below those that the kernel gives to connections by itself (32768 and above,
/// unless it was told otherwise), so that none of them stands in the way of a restart.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// Why there is no supervisor.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// Another one has the folder.
    #[error("another supervisor looks after {}", .0.display())]
    Taken(PathBuf),
    /// The disk, the system.
    #[error("cannot {action}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

fn system(action: &'static str) -> impl FnOnce(io::Error) -> SuperviseError {
    move |source| SuperviseError::System { action, source }
}

/// An instance of a service.
type Key = (String, InstanceName);

/// What a thread has to tell.
#[derive(Debug)]
enum Heard {
    /// A probe's.
    Answer(Answer),
    /// Of a container.
    Container(News),
    /// Containers of the folder that somebody left, with their ports.
    Found(Vec<(Key, u16, Engine)>),
}

/// What a supervisor does where another one looks after the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfTaken {
    /// It ends: a deployment that started it needs one, not two.
    Leave,
    /// It waits until that one is gone: a service manager wants its own there.
    Wait,
}

/// Looks after the services of a folder until nothing is left to look after. `program` is what
/// starts the proxy: it gets the words `proxy --folder FOLDER`.
///
/// # Errors
/// When another one does, or the folder cannot be used.
pub fn supervise(
    folder: &Folder,
    program: &[OsString],
    if_taken: IfTaken,
) -> Result<(), SuperviseError> {
    processes::leave_session();
    folder.make().map_err(system("make the folder"))?;
    let lock = folder.supervisor_lock();
    let taken = match if_taken {
        IfTaken::Leave => try_lock(&lock),
        IfTaken::Wait => wait_for_lock(&lock).map(Some),
    };
    let Some(_lock) = taken.map_err(system("take the lock"))? else {
        return Err(SuperviseError::Taken(folder.path().to_owned()));
    };
    let watch = watch(folder).map_err(system("watch the folder"))?;
    let (wake, woken) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map(|(read, write)| (Arc::new(write), read))
        .map_err(|error| system("make a pipe")(error.into()))?;
    for end in [wake.as_fd(), woken.as_fd()] {
        rustix::io::ioctl_fionbio(end, true)
            .map_err(|error| system("make a pipe")(error.into()))?;
    }
    let (heard, hears) = channel();
    let mut supervisor = Supervisor {
        folder: folder.clone(),
        boot: processes::boot(),
        wanted: BTreeMap::new(),
        instances: BTreeMap::new(),
        saved: None,
        ears: Ears { heard, wake },
        hears,
        keeper: Keeper::new(folder.clone(), program.to_vec()),
    };
    supervisor.read_wanted();
    supervisor.adopt();
    supervisor.work(&watch, &woken)
}

fn watch(folder: &Folder) -> io::Result<OwnedFd> {
    let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
    let watch = inotify::init(flags)?;
    let changes = inotify::WatchFlags::MOVED_TO | inotify::WatchFlags::DELETE;
    for of in [folder.wanted(), folder.path().join("routes")] {
        inotify::add_watch(&watch, of, changes)?;
    }
    Ok(watch)
}

/// Takes all that was told of files; whether there was anything.
fn take_changes(watch: &OwnedFd) -> bool {
    let mut space = [MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(watch, &mut space);
    let mut changed = false;
    while events.next().is_ok() {
        changed = true;
    }
    changed
}

struct Supervisor {
    folder: Folder,
    boot: String,
    wanted: BTreeMap<String, Wanted>,
    instances: BTreeMap<Key, Instance>,
    saved: Option<State>,
    ears: Ears,
    hears: Receiver<Heard>,
    keeper: Keeper,
}

impl Supervisor {
    fn work(mut self, watch: &OwnedFd, woken: &OwnedFd) -> Result<(), SuperviseError> {
        let mut look_at_logs = Instant::now() + LOG_INTERVAL;
        let mut idle_since = None;
        loop {
            self.plan();
            // The port stands in the file before a process has it: whoever comes after us finds it.
            self.save().map_err(system("write what runs"))?;
            self.start();
            self.keeper.keep();
            self.save().map_err(system("write what runs"))?;
            let now = Instant::now();
            if now >= look_at_logs {
                self.instances.keys().for_each(|(service, name)| {
                    logs::limit(&self.folder.log(service, &name.to_string()));
                });
                look_at_logs = now + LOG_INTERVAL;
            }
            let is_idle = self.instances.is_empty() && self.keeper.is_idle();
            idle_since = is_idle.then(|| idle_since.unwrap_or(now));
            if idle_since.is_some_and(|since: Instant| since + IDLE_TIME_MAX <= now) {
                return Ok(());
            }
            let idle = idle_since.map(|since| since + IDLE_TIME_MAX);
            let due = self.instances.values().filter_map(Instance::deadline);
            let until =
                due.chain(idle).chain(self.keeper.deadline()).fold(look_at_logs, Instant::min);
            if self.wait(watch, woken, until).map_err(system("wait"))? {
                self.read_wanted();
                self.keeper.routes_changed();
            }
            self.hear();
        }
    }

    /// Waits until something happens; whether files changed.
    fn wait(&self, watch: &OwnedFd, woken: &OwnedFd, until: Instant) -> io::Result<bool> {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        let mut fds = vec![PollFd::new(watch, PollFlags::IN), PollFd::new(woken, PollFlags::IN)];
        let ends = self.instances.values().filter_map(Instance::end).chain(self.keeper.end());
        fds.extend(ends.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        match rustix::event::poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        drop(fds);
        // What is taken counts, not what was waited for: a file may be replaced between the two.
        let changed = take_changes(watch);
        let mut bytes = [0; 64];
        while rustix::io::read(woken, &mut bytes[..]).is_ok_and(|read| read > 0) {}
        Ok(changed)
    }

    /// What shall run now. A file that cannot be read leaves what was wanted before.
    fn read_wanted(&mut self) {
        let mut found = BTreeSet::new();
        for entry in std::fs::read_dir(self.folder.wanted()).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let service = name.to_str().and_then(|name| name.strip_suffix(".json"));
            let Some(service) = service.filter(|name| !name.starts_with('.')) else { continue };
            found.insert(service.to_owned());
            if let Ok(Some(wanted)) = folder::read::<Wanted>(&entry.path()) {
                self.wanted.insert(service.to_owned(), wanted);
            }
        }
        self.wanted.retain(|service, _| found.contains(service));
    }

    /// Finds what a supervisor before this one left running.
    fn adopt(&mut self) {
        let state: State = folder::read(&self.folder.state()).ok().flatten().unwrap_or_default();
        let same_boot = state.boot == self.boot;
        for (service, instances) in state.services {
            for (name, state) in instances {
                let key = (service.clone(), name);
                let Some(set) = self.set(&key) else {
                    // Not wanted any more, and still to be ended.
                    if let Some(container) = &state.container
                        && let Ok(engine) = Engine::of(Some(&container.socket))
                    {
                        let mark = self.mark(&key, state.port);
                        let orphan =
                            Instance::unwanted_container(&self.folder, &key, mark, state, engine);
                        self.instances.insert(key, orphan);
                        continue;
                    }
                    if let Some(id) = state.process.filter(|_| same_boot)
                        && let Some(handle) = Handle::find(id)
                    {
                        let orphan = Instance::unwanted(self.mark(&key, state.port), state, handle);
                        self.instances.insert(key, orphan);
                    }
                    continue;
                };
                let mark = self.mark(&key, state.port);
                let instance = Instance::from_state(set, mark, state, same_boot);
                self.instances.insert(key, instance);
            }
        }
        // Started, and nobody lived to write down which process it is.
        for (id, leads, rest) in processes::marked(&processes::mark(self.folder.path(), "")) {
            let Some((key, port)) = parse_mark(&rest) else { continue };
            let Some(handle) = Handle::find(id).filter(|_| leads) else { continue };
            let set = self.set(&key);
            match (self.instances.get_mut(&key), set) {
                (Some(instance), _) if instance.runs() => {}
                (Some(instance), Some(_)) if instance.state.port == port => instance.found(handle),
                (None, Some(set)) => {
                    let mark = self.mark(&key, port);
                    let mut instance = Instance::new(set, mark, port);
                    instance.found(handle);
                    self.instances.insert(key, instance);
                }
                _ => handle.signal_group(rustix::process::Signal::TERM),
            }
        }
        for (key, instance) in &mut self.instances {
            instance.probe(key, &self.ears);
        }
        let sets = self.wanted.values().flat_map(|it| it.sets.values());
        let mut engines: Vec<Engine> = sets
            .filter(|it| it.location().is_some())
            .filter_map(|it| Engine::of(it.config.container().socket.as_deref()).ok())
            .chain(Engine::of(None))
            .collect();
        engines.sort_by(|one, other| one.socket().cmp(other.socket()));
        engines.dedup();
        for engine in engines {
            container::find(engine, self.folder.path().to_owned(), self.ears.clone());
        }
    }

    /// Containers that were left: those that are not wanted end.
    fn found(&mut self, all: Vec<(Key, u16, Engine)>) {
        for (key, port, engine) in all {
            if self.instances.contains_key(&key) || self.set(&key).is_some() {
                // Whoever looks after it finds it by its name.
                continue;
            }
            let mark = self.mark(&key, port);
            let state = InstanceState { port, ..InstanceState::default() };
            let orphan = Instance::unwanted_container(&self.folder, &key, mark, state, engine);
            self.instances.insert(key, orphan);
        }
    }

    fn set(&self, (service, name): &Key) -> Option<crate::wanted::Set> {
        let wanted = self.wanted.get(service)?;
        if !wanted.instances.contains(name) {
            return None;
        }
        wanted.sets.get(&name.set).cloned()
    }

    fn mark(&self, (service, name): &Key, port: u16) -> String {
        processes::mark(self.folder.path(), &format!("{service}/{name}@{port}"))
    }

    /// What is not wanted ends; what is wanted and not known gets its place.
    fn plan(&mut self) {
        let wanted: Vec<Key> = self
            .wanted
            .iter()
            .flat_map(|(service, wanted)| {
                wanted.instances.iter().map(|name| (service.clone(), name.clone()))
            })
            .collect();
        for (key, instance) in &mut self.instances {
            if !wanted.contains(key) {
                instance.begin_end(&self.folder, key, &self.ears);
            }
        }
        self.instances.retain(|_, instance| !instance.is_over());
        for key in wanted {
            if self.instances.contains_key(&key) {
                continue;
            }
            let Some(set) = self.set(&key) else { continue };
            // Without a free port it is looked for one again when something else happens.
            let Some(port) = self.free_port() else { continue };
            let mark = self.mark(&key, port);
            self.instances.insert(key, Instance::new(set, mark, port));
        }
    }

    fn free_port(&self) -> Option<u16> {
        let used: BTreeSet<u16> = self.instances.values().map(|it| it.state.port).collect();
        let count = PORTS.end - PORTS.start;
        // Supervisors of other folders look too: they should not all begin at the same place.
        let seed = crate::now_ms() ^ u64::from(std::process::id()) << 7;
        let first = u16::try_from(seed % u64::from(count)).unwrap_or(0);
        (0..count)
            .map(|step| PORTS.start + (first + step) % count)
            .filter(|port| !used.contains(port))
            .find(|port| instance::is_free(*port))
    }

    fn start(&mut self) {
        for (key, instance) in &mut self.instances {
            instance.tick();
            if instance.start_if_due(&self.folder, key, &self.ears) {
                instance.probe(key, &self.ears);
            }
        }
    }

    /// Takes in what happened.
    fn hear(&mut self) {
        while let Ok(heard) = self.hears.try_recv() {
            match heard {
                Heard::Answer(answer) => {
                    if let Some(instance) = self.instances.get_mut(&answer.key) {
                        instance.answered(answer);
                    }
                }
                Heard::Container(news) => {
                    if let Some(instance) = self.instances.get_mut(&news.key) {
                        instance.heard(news, &self.ears);
                    }
                }
                Heard::Found(all) => self.found(all),
            }
        }
        self.instances.values_mut().for_each(Instance::collect);
    }

    fn save(&mut self) -> io::Result<()> {
        let mut state =
            State { boot: self.boot.clone(), held: self.keeper.held(), ..State::default() };
        for ((service, name), instance) in &self.instances {
            let of_service = state.services.entry(service.clone()).or_default();
            of_service.insert(name.clone(), instance.state.clone());
        }
        if self.saved.as_ref() == Some(&state) {
            return Ok(());
        }
        folder::replace(&self.folder.state(), &state)?;
        self.saved = Some(state);
        Ok(())
    }
}

/// `api/7.0@20123` as it stands behind a folder in a mark.
fn parse_mark(rest: &str) -> Option<(Key, u16)> {
    let (service, rest) = rest.split_once('/')?;
    let (name, port) = rest.split_once('@')?;
    Some(((service.to_owned(), name.parse().ok()?), port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thread woke the loop, and a route was replaced before the loop looked what else there is.
    #[test]
    fn a_file_that_is_replaced_after_the_wait_was_over_is_not_lost() {
        let scratch = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(scratch.path().to_owned());
        folder.make().expect("a folder");
        let watch = watch(&folder).expect("a watch");
        assert!(!take_changes(&watch));
        folder::replace(&folder.wanted().join("api.json"), &State::default()).expect("a file");
        assert!(take_changes(&watch));
        assert!(!take_changes(&watch));
    }
}
