//! One instance: started, asked, started again, ended.

use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::time::{Duration, Instant};
use std::{fs, io};

use rustix::process::Signal;

use super::Key;
use super::container::{Ears, Kept, News, Wanted, What};
use super::probe::Prober;
use crate::bundle;
use crate::containers::{self, Image};
use crate::folder::Folder;
use crate::now_ms;
use crate::processes::{self, Handle, TRACKING};
use crate::wanted::{ContainerState, Ended, InstanceState, ProcessId, Set};
use docker::{Engine, Over};

/// Between SIGTERM and SIGKILL. The proxy has drained it by then: it has nothing left to do.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);
/// The first pause before an instance that was healthy is started again; it doubles each time.
const BACK_OFF_MIN: Duration = Duration::from_millis(100);
/// The longest one.
const BACK_OFF_MAX: Duration = Duration::from_secs(30);
/// What ran for so long ran well: the pauses begin anew.
const GOOD_TIME_MS: u64 = 60_000;

/// An instance, as the supervisor has it.
pub(super) struct Instance {
    pub(super) state: InstanceState,
    set: Option<Set>,
    mark: String,
    handle: Option<Handle>,
    /// Where it is a container.
    kept: Option<Kept>,
    /// How many threads looked after it.
    runs: u64,
    prober: Option<Prober>,
    start_at: Option<Instant>,
    kill_at: Option<Instant>,
}

impl Instance {
    /// One that is to be started.
    pub(super) fn new(set: Set, mark: String, port: u16) -> Instance {
        Instance {
            state: InstanceState { port, ..InstanceState::default() },
            set: Some(set),
            mark,
            handle: None,
            kept: None,
            runs: 0,
            prober: None,
            start_at: Some(Instant::now()),
            kill_at: None,
        }
    }

    /// One that a supervisor before this one knew.
    pub(super) fn from_state(
        set: Set,
        mark: String,
        state: InstanceState,
        same_boot: bool,
    ) -> Instance {
        if set.location().is_some() {
            return Instance::from_state_of_container(set, mark, state, same_boot);
        }
        let handle = state.process.filter(|_| same_boot).and_then(Handle::find);
        let mut instance = Instance { state, handle, ..Instance::new(set, mark, 0) };
        if instance.handle.is_some() {
            instance.start_at = None;
            return instance;
        }
        let ran = instance.state.process.take().is_some();
        if ran && same_boot {
            instance.ended(End::default());
        } else if !same_boot {
            // The machine went down under it, which is nothing that it did.
            instance.state.ended = None;
            instance.state.restarts = 0;
        } else if instance.state.ended.is_some() && !instance.state.was_ready {
            instance.start_at = None;
        }
        instance
    }

    /// The same of a container: its engine knows what became of it.
    fn from_state_of_container(
        set: Set,
        mark: String,
        state: InstanceState,
        same_boot: bool,
    ) -> Instance {
        let mut instance = Instance { state, ..Instance::new(set, mark, 0) };
        instance.state.waits = None;
        if !same_boot {
            // The machine went down under it, which is nothing that it did.
            instance.state.ended = None;
            instance.state.restarts = 0;
            instance.state.healthy_since_ms = None;
            if let Some(container) = &mut instance.state.container {
                // What is found of it is over, and is made anew.
                container.runs = false;
            }
        } else if (instance.state.ended.is_some() || instance.state.problem.is_some())
            && !instance.state.was_ready
        {
            instance.start_at = None;
        }
        instance
    }

    /// One that nobody wants, and that runs.
    pub(super) fn unwanted(mark: String, state: InstanceState, handle: Handle) -> Instance {
        Instance { state, handle: Some(handle), ..Instance::nobodys(mark) }
    }

    /// A container that nobody wants.
    pub(super) fn unwanted_container(
        folder: &Folder,
        key: &Key,
        mark: String,
        state: InstanceState,
        engine: Engine,
    ) -> Instance {
        let mut instance = Instance { state, ..Instance::nobodys(mark) };
        instance.kept = Some(kept(folder, key, 0, engine));
        instance
    }

    fn nobodys(mark: String) -> Instance {
        Instance {
            state: InstanceState::default(),
            set: None,
            mark,
            handle: None,
            kept: None,
            runs: 0,
            prober: None,
            start_at: None,
            kill_at: None,
        }
    }

    /// It runs already, it was found.
    pub(super) fn found(&mut self, handle: Handle) {
        self.state.process = Some(handle.id);
        if self.state.started_ms == 0 {
            self.state.started_ms = now_ms();
        }
        self.state.ended = None;
        self.handle = Some(handle);
        self.start_at = None;
    }

    pub(super) fn runs(&self) -> bool {
        self.handle.is_some()
    }

    /// Readable when it ends.
    pub(super) fn end(&self) -> Option<BorrowedFd<'_>> {
        self.handle.as_ref().map(|handle| handle.pidfd.as_fd())
    }

    /// When it needs a look though nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.start_at, self.kill_at].into_iter().flatten().min()
    }

    /// Nobody wants it any more.
    pub(super) fn begin_end(&mut self, folder: &Folder, key: &Key, ears: &Ears) {
        if self.state.is_ending && self.kill_at.is_some() {
            return;
        }
        if self.kept.is_none()
            && let Some(container) = &self.state.container
            && let Ok(engine) = Engine::of(Some(&container.socket))
        {
            // Over, and not taken away yet.
            self.kept = Some(kept(folder, key, self.runs, engine));
        }
        if let Some(kept) = &mut self.kept {
            kept.end(ears);
        }
        self.state.is_ending = true;
        self.start_at = None;
        self.prober = None;
        if let Some(handle) = &self.handle {
            handle.signal_group(Signal::TERM);
            self.kill_at = Some(Instant::now() + STOP_TIME_MAX);
        }
    }

    /// Nobody wants it, and nothing is left of it.
    pub(super) fn is_over(&self) -> bool {
        self.state.is_ending && self.handle.is_none() && self.kept.is_none()
    }

    pub(super) fn tick(&mut self) {
        if self.kill_at.is_some_and(|at| at <= Instant::now())
            && let Some(handle) = &self.handle
        {
            handle.signal_group(Signal::KILL);
            // Who is in an uninterruptible sleep ends when that does.
            self.kill_at = Some(Instant::now() + STOP_TIME_MAX);
        }
    }

    /// Starts it where its time has come; whether it did. Of a container that comes as news.
    pub(super) fn start_if_due(&mut self, folder: &Folder, key: &Key, ears: &Ears) -> bool {
        let is_due = self.start_at.is_some_and(|at| at <= Instant::now());
        let Some(set) = self.set.clone().filter(|_| is_due && self.handle.is_none()) else {
            return false;
        };
        self.start_at = None;
        match Image::of(&set) {
            Ok(None) => {}
            Ok(Some(image)) => {
                self.keep((&set, &image), folder, key, ears);
                return false;
            }
            Err(problem) => {
                self.state.problem = Some(problem);
                return false;
            }
        }
        if !is_free(self.state.port) {
            self.state.problem = Some(format!("port {} is taken", self.state.port));
            self.again();
            return false;
        }
        self.state.started_ms = now_ms();
        match start(&set, folder, key, &self.mark, self.state.port) {
            Ok(handle) => {
                self.state.process = Some(handle.id);
                self.state.problem = None;
                self.state.ended = None;
                self.handle = Some(handle);
                true
            }
            Err(error) => {
                self.state.problem = Some(error.to_string());
                if self.state.was_ready {
                    self.again();
                }
                false
            }
        }
    }

    /// Has its container looked after.
    fn keep(&mut self, (set, image): (&Set, &Image), folder: &Folder, key: &Key, ears: &Ears) {
        let private = match processes::private_values(&folder.private(&key.0, &key.1.set)) {
            Ok(private) => private,
            Err(error) => {
                self.state.problem = Some(error.to_string());
                return;
            }
        };
        let known = self.state.container.as_ref();
        // Of the one that ended, the end is known; one that ran must be found.
        let over = known.filter(|it| !it.runs).map(|it| it.id.clone());
        let makes = known.is_none_or(|it| !it.runs);
        let (port, of) = (self.state.port, (key.0.as_str(), &key.1));
        let made = containers::instance(folder.path(), of, (set, image), &private, port);
        self.runs += 1;
        let kept = kept(folder, key, self.runs, image.engine.clone());
        kept.keep(Wanted { made, over, makes, port }, ears);
        if makes {
            self.state.started_ms = now_ms();
            self.state.ended = None;
        }
        self.state.problem = None;
        self.kept = Some(kept);
    }

    /// Something became of its container.
    pub(super) fn heard(&mut self, news: News, ears: &Ears) {
        let Some(kept) = self.kept.as_ref().filter(|kept| kept.run == news.run) else { return };
        let socket = kept.engine().socket().to_owned();
        self.state.waits = None;
        match news.what {
            What::Waits(why) => self.state.waits = Some(why),
            What::Failed(problem) => {
                self.state.problem = Some(problem);
                if self.state.was_ready && !self.state.is_ending {
                    self.again();
                }
            }
            What::Runs { container, port } => {
                let (id, pid) = (container.id, container.pid);
                if self.state.container.as_ref().is_none_or(|it| it.id != id || !it.runs) {
                    // What it may take begins when it does, however long its engine needed.
                    self.state.started_ms = now_ms();
                }
                self.state.container = Some(ContainerState { socket, id, pid, runs: true });
                self.state.port = port.unwrap_or(self.state.port);
                self.state.ended = None;
                if !self.state.is_ending {
                    self.probe(&news.key, ears);
                }
            }
            What::Over { id, over: Over { code, out_of_memory, error } } => {
                self.state.container = Some(ContainerState { socket, id, pid: 0, runs: false });
                self.state.problem = error.filter(|_| !self.state.was_ready);
                self.ended(End { code: Some(code), signal: None, out_of_memory });
            }
            What::Lost => {
                self.state.container = None;
                self.ended(End::default());
            }
            What::Gone => {
                self.kept = None;
                self.state.container = None;
            }
        }
    }

    /// What is asked now: a process, or the run of a container.
    fn asked(&self) -> Option<ProcessId> {
        let runs = self.state.container.as_ref().is_some_and(|it| it.runs);
        let of_container = || self.kept.as_ref().map(|it| ProcessId { pid: 0, start: it.run });
        self.state.process.or_else(|| of_container().filter(|_| runs))
    }

    /// Begins to ask whether it is healthy.
    pub(super) fn probe(&mut self, key: &Key, ears: &Ears) {
        let (Some(id), Some(set)) = (self.asked(), &self.set) else { return };
        self.prober = Some(Prober::start(key.clone(), id, self.state.port, set, ears.clone()));
    }

    /// A probe has an answer.
    pub(super) fn answered(&mut self, answer: super::probe::Answer) {
        // One about the process before this one says nothing about it.
        if self.asked() != Some(answer.process) || self.state.is_ending {
            return;
        }
        match answer.outcome {
            Ok(()) => {
                let since = *self.state.healthy_since_ms.get_or_insert(answer.asked_ms);
                self.state.probe = None;
                let settle = self.set.as_ref().map(|set| set.config.settle()).unwrap_or_default();
                let settle = u64::try_from(settle.as_millis()).unwrap_or(u64::MAX);
                if now_ms().saturating_sub(since) >= settle {
                    self.state.was_ready = true;
                }
            }
            Err(seen) => {
                self.state.healthy_since_ms = None;
                self.state.probe = Some(seen);
            }
        }
    }

    /// Takes its end, where it came.
    pub(super) fn collect(&mut self) {
        let Some(handle) = &mut self.handle else { return };
        let mut fds = [rustix::event::PollFd::new(&handle.pidfd, rustix::event::PollFlags::IN)];
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        if !matches!(rustix::event::poll(&mut fds, Some(&now)), Ok(1..)) {
            return;
        }
        let status = handle.child.as_mut().and_then(|child| child.wait().ok());
        let (code, signal) = status.map_or((None, None), |it| (it.code(), it.signal()));
        self.handle = None;
        self.prober = None;
        self.kill_at = None;
        self.state.process = None;
        self.state.healthy_since_ms = None;
        // What it put beside itself holds its port.
        processes::sweep(&self.mark);
        self.ended(End { code, signal, out_of_memory: false });
    }

    fn ended(&mut self, end: End) {
        let now = now_ms();
        let End { code, signal, out_of_memory } = end;
        self.state.ended = Some(Ended { code, signal, at_ms: now, out_of_memory });
        self.state.healthy_since_ms = None;
        // Whether a probe came before the end is chance, and why it ended is told by the end.
        self.state.probe = None;
        self.prober = None;
        self.start_at = None;
        // One that never was healthy is the deployment's to judge, and gets no second chance here.
        if self.state.is_ending || !self.state.was_ready {
            return;
        }
        if now.saturating_sub(self.state.started_ms) >= GOOD_TIME_MS {
            self.state.restarts = 0;
        }
        self.again();
        self.state.restarts += 1;
    }

    fn again(&mut self) {
        let pause = BACK_OFF_MIN.saturating_mul(1 << self.state.restarts.min(10)).min(BACK_OFF_MAX);
        self.start_at = Some(Instant::now() + pause);
    }
}

/// How an instance ended, as far as anybody knows.
#[derive(Default)]
struct End {
    code: Option<i32>,
    signal: Option<i32>,
    out_of_memory: bool,
}

fn kept(folder: &Folder, key: &Key, run: u64, engine: Engine) -> Kept {
    let name = containers::instance_name(folder.path(), &key.0, &key.1);
    let log = folder.log(&key.0, &key.1.to_string());
    Kept::new(key, run, engine, name, log)
}

fn start(
    set: &Set,
    folder: &Folder,
    (service, name): &Key,
    mark: &str,
    port: u16,
) -> io::Result<Handle> {
    let hex = bundle::hex(&set.release.digest).ok_or(io::ErrorKind::InvalidInput)?;
    let release = folder.releases().join(hex);
    if !fs::metadata(&release).is_ok_and(|it| it.is_dir()) {
        let what = format!("release {} is not unpacked here", set.release.version);
        return Err(io::Error::new(io::ErrorKind::NotFound, what));
    }
    let private = processes::private_values(&folder.private(service, &name.set))?;
    let (out, errors) = processes::output(&folder.log(service, &name.to_string()))?;
    let mut command = processes::command(set, &set.config.run, &release, &private)?;
    let child = command
        .env("PORT", port.to_string())
        .env("HOST", Ipv4Addr::LOCALHOST.to_string())
        .env("LAUNCHWAY_SERVICE", service)
        .env("LAUNCHWAY_INSTANCE", name.to_string())
        .env(TRACKING, mark)
        .stdout(out)
        .stderr(errors)
        .process_group(0)
        .spawn()?;
    Handle::of_child(child)
}

/// Whether an instance could listen on it.
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
