//! Keeps the proxy alive, and copies of its listeners: while no proxy lives, callers wait in the
//! kernel's queue of a listener that somebody still holds, and the next proxy answers them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal};

use crate::folder::Folder;
use crate::processes::{self, Handle};

/// A proxy that lived shorter than this is not started again at once.
const SHORT_LIFE: Duration = Duration::from_secs(1);
/// But after this.
const PAUSE: Duration = Duration::from_millis(250);
/// Between two attempts at copies of listeners that the proxy does not have yet.
const COPY_INTERVAL: Duration = Duration::from_millis(10);
/// The same while it cannot have them: somebody else has an address.
const COPY_INTERVAL_MAX: Duration = Duration::from_secs(2);

pub(super) struct Keeper {
    folder: Folder,
    program: Vec<OsString>,
    proxy: Option<Handle>,
    started: Option<Instant>,
    start_at: Option<Instant>,
    copies: BTreeMap<SocketAddr, OwnedFd>,
    copy_at: Option<Instant>,
    copy_pause: Duration,
    fronts: BTreeSet<SocketAddr>,
}

impl Keeper {
    pub(super) fn new(folder: Folder, program: Vec<OsString>) -> Keeper {
        let mut keeper = Keeper {
            folder,
            program,
            proxy: None,
            started: None,
            start_at: None,
            copies: BTreeMap::new(),
            copy_at: None,
            copy_pause: COPY_INTERVAL,
            fronts: BTreeSet::new(),
        };
        keeper.routes_changed();
        keeper
    }

    /// Readable when the proxy ends.
    pub(super) fn end(&self) -> Option<BorrowedFd<'_>> {
        self.proxy.as_ref().map(|proxy| proxy.pidfd.as_fd())
    }

    /// When there is something to do next. Where nothing is routed no proxy is started, however long it is due:
    /// whoever waited for that would not wait at all.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let start_at = self.start_at.filter(|_| !self.fronts.is_empty());
        [start_at, self.copy_at].into_iter().flatten().min()
    }

    /// Listeners that are ours too.
    pub(super) fn held(&self) -> BTreeSet<SocketAddr> {
        self.copies.keys().copied().collect()
    }

    /// Nothing is routed, and no proxy lives.
    pub(super) fn is_idle(&self) -> bool {
        self.fronts.is_empty() && self.proxy.is_none()
    }

    /// A route file was replaced.
    pub(super) fn routes_changed(&mut self) {
        let mut fronts = BTreeSet::new();
        for entry in fs::read_dir(self.folder.path().join("routes")).into_iter().flatten().flatten()
        {
            let name = entry.file_name();
            let service = name.to_str().and_then(|name| name.strip_suffix(".json"));
            let Some(service) = service.filter(|name| !name.starts_with('.')) else { continue };
            if let Ok(Some(route)) = proxy::read(self.folder.path(), service) {
                fronts.extend(route.fronts.iter().map(|front| front.listen));
            }
        }
        if fronts != self.fronts {
            // A copy of a listener that is not wanted would keep callers waiting for nobody.
            self.copies.retain(|listen, _| fronts.contains(listen));
            self.copy_at = Some(Instant::now());
            self.copy_pause = COPY_INTERVAL;
            self.fronts = fronts;
        }
    }

    /// Makes things as they should be.
    pub(super) fn keep(&mut self) {
        if self.proxy.as_ref().is_some_and(has_ended) {
            if let Some(child) = self.proxy.take().and_then(|proxy| proxy.child) {
                reap(child);
            }
            let lived = self.started.map_or(SHORT_LIFE, |started| started.elapsed());
            let pause = if lived < SHORT_LIFE { PAUSE } else { Duration::ZERO };
            self.start_at = Some(Instant::now() + pause);
            self.copy_at = Some(Instant::now() + pause + COPY_INTERVAL);
        }
        let is_due = self.start_at.is_none_or(|at| at <= Instant::now());
        match &self.proxy {
            Some(proxy) if self.fronts.is_empty() => proxy.signal_group(Signal::TERM),
            None if !self.fronts.is_empty() && is_due => {
                self.start_at = None;
                self.proxy = self.find().or_else(|| self.start().ok());
                if self.proxy.is_none() {
                    self.start_at = Some(Instant::now() + PAUSE);
                }
                self.started = Some(Instant::now());
            }
            _ => {}
        }
        if self.copy_at.is_some_and(|at| at <= Instant::now()) {
            self.copy();
        }
    }

    fn copy(&mut self) {
        self.copy_at = None;
        if self.proxy.is_some()
            && let Ok(listeners) = proxy::listeners(self.folder.path())
        {
            let known = listeners.into_iter().filter(|(listen, _)| self.fronts.contains(listen));
            self.copies.extend(known);
        }
        if self.fronts.iter().any(|listen| !self.copies.contains_key(listen)) {
            self.copy_at = Some(Instant::now() + self.copy_pause);
            self.copy_pause = (self.copy_pause * 2).min(COPY_INTERVAL_MAX);
        }
    }

    /// A proxy that outlived the supervisor before.
    fn find(&self) -> Option<Handle> {
        if !proxy::is_alive(self.folder.path()) {
            return None;
        }
        let pid = proxy::ask(self.folder.path()).ok()?.pid;
        let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
        let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok()?;
        // It answered under this number, and does so still: the handle is of the same process.
        let again = proxy::ask(self.folder.path()).ok()?.pid;
        let id = crate::wanted::ProcessId { pid: pid.as_raw_nonzero().get(), start: 0 };
        (i32::try_from(again) == Ok(id.pid)).then_some(Handle { id, pidfd, child: None })
    }

    fn start(&self) -> io::Result<Handle> {
        let (first, rest) = self.program.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let (out, errors) = processes::output(&self.folder.path().join("logs/proxy.log"))?;
        let (ours, theirs) = UnixStream::pair()?;
        let copies: Vec<(SocketAddr, OwnedFd)> = self
            .copies
            .iter()
            .filter_map(|(listen, copy)| Some((*listen, copy.try_clone().ok()?)))
            .collect();
        let child = {
            use std::os::unix::process::CommandExt as _;
            Command::new(first)
                .args(rest)
                .args(["proxy".as_ref(), "--folder".as_ref(), self.folder.path().as_os_str()])
                .stdin(Stdio::from(OwnedFd::from(theirs)))
                .stdout(out)
                .stderr(errors)
                .process_group(0)
                .spawn()?
        };
        // Its end of the socket closes with ours: then it has them all.
        proxy::give(ours.as_fd(), &copies)?;
        Handle::of_child(child)
    }
}

fn has_ended(handle: &Handle) -> bool {
    let mut fds = [rustix::event::PollFd::new(&handle.pidfd, rustix::event::PollFlags::IN)];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    matches!(rustix::event::poll(&mut fds, Some(&now)), Ok(1..))
}

/// It has ended: taking its status does not wait.
fn reap(mut child: std::process::Child) {
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_that_ended_when_nothing_was_routed_is_waited_for_no_more() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut keeper = Keeper::new(Folder::new(folder.path()), vec!["true".into()]);
        let child = Command::new("true").spawn().expect("it starts");
        keeper.proxy = Some(Handle::of_child(child).expect("it is ours"));
        let end = keeper.end().expect("it has one");
        let mut fds = [rustix::event::PollFd::from_borrowed_fd(end, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut fds, None).expect("it ends");
        keeper.keep();
        keeper.copy_at = Some(Instant::now());
        keeper.keep();
        assert!(keeper.is_idle());
        assert_eq!(keeper.deadline(), None);
    }
}
