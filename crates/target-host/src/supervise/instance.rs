//! One instance: started, asked, started again, ended.

use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};
use std::{fs, io};

use rustix::process::Signal;

use super::Key;
use super::probe::{Answer, Prober};
use crate::bundle;
use crate::folder::Folder;
use crate::now_ms;
use crate::processes::{self, Handle, TRACKING};
use crate::wanted::{Ended, InstanceState, Set};

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
        let handle = state.process.filter(|_| same_boot).and_then(Handle::find);
        let mut instance = Instance { state, handle, ..Instance::new(set, mark, 0) };
        if instance.handle.is_some() {
            instance.start_at = None;
            return instance;
        }
        let ran = instance.state.process.take().is_some();
        if ran && same_boot {
            instance.ended(None, None);
        } else if !same_boot {
            // The machine went down under it, which is nothing that it did.
            instance.state.ended = None;
            instance.state.restarts = 0;
        } else if instance.state.ended.is_some() && !instance.state.was_ready {
            instance.start_at = None;
        }
        instance
    }

    /// One that nobody wants, and that runs.
    pub(super) fn unwanted(mark: String, state: InstanceState, handle: Handle) -> Instance {
        Instance {
            state,
            set: None,
            mark,
            handle: Some(handle),
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
    pub(super) fn begin_end(&mut self) {
        if self.state.is_ending && self.kill_at.is_some() {
            return;
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
        self.state.is_ending && self.handle.is_none()
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

    /// Starts it where its time has come; whether it did.
    pub(super) fn start_if_due(&mut self, folder: &Folder, key: &Key) -> bool {
        let is_due = self.start_at.is_some_and(|at| at <= Instant::now());
        let Some(set) = self.set.clone().filter(|_| is_due && self.handle.is_none()) else {
            return false;
        };
        self.start_at = None;
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

    /// Begins to ask whether it is healthy.
    pub(super) fn probe(&mut self, key: &Key, answer: &Sender<Answer>, wake: &Arc<OwnedFd>) {
        let (Some(handle), Some(set)) = (&self.handle, &self.set) else { return };
        let (port, id) = (self.state.port, handle.id);
        self.prober =
            Some(Prober::start(key.clone(), id, port, &set.config, answer.clone(), wake.clone()));
    }

    /// A probe has an answer.
    pub(super) fn answered(&mut self, answer: Answer) {
        // One about the process before this one says nothing about it.
        if self.state.process != Some(answer.process) || self.state.is_ending {
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
        self.ended(code, signal);
    }

    fn ended(&mut self, code: Option<i32>, signal: Option<i32>) {
        let now = now_ms();
        self.state.ended = Some(Ended { code, signal, at_ms: now });
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
