//! The one place where the worker waits: for the driver, for processes, for the clock.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::control::Control;
use crate::process::{Process, Stream};

/// What is there now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    /// The driver said something, or is gone.
    pub(crate) control: bool,
    /// What there is of each process, in their order.
    pub(crate) processes: Vec<ProcessReady>,
}

/// What is there of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProcessReady {
    /// There is output.
    pub(crate) stdout: bool,
    /// There is output.
    pub(crate) stderr: bool,
    /// The process ended, or one that outlived it did.
    pub(crate) exit: bool,
}

/// Waits until something is there, or until `deadline`.
pub(crate) fn wait<'p>(
    control: &Control,
    processes: impl Iterator<Item = &'p Process> + Clone,
    deadline: Option<Instant>,
) -> io::Result<Ready> {
    let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(4);
    control.readable().for_each(|fd| add(&mut fds, Some(fd)));
    for process in processes.clone() {
        add(&mut fds, process.stream(Stream::Stdout));
        add(&mut fds, process.stream(Stream::Stderr));
        add(&mut fds, process.exit_signal());
        process.survivors().for_each(|fd| add(&mut fds, Some(fd)));
    }
    let timeout = deadline.map(until);
    match rustix::event::poll(&mut fds, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    // In the order in which they were added.
    let mut answers = fds.iter().map(|fd| !fd.revents().is_empty());
    let mut next = |is_there: bool| is_there && answers.next().unwrap_or(false);
    let control = control.readable().fold(false, |is_ready, _| is_ready | next(true));
    let processes = processes.map(|process| {
        let stdout = next(process.stream(Stream::Stdout).is_some());
        let stderr = next(process.stream(Stream::Stderr).is_some());
        let mut exit = next(process.exit_signal().is_some());
        process.survivors().for_each(|_| exit |= next(true));
        ProcessReady { stdout, stderr, exit }
    });
    Ok(Ready { control, processes: processes.collect() })
}

/// Waits for one thing alone, beside the driver: whether that can be read. One that fails can: it says how.
pub(crate) fn is_readable(
    control: &Control,
    fd: BorrowedFd<'_>,
    deadline: Option<Instant>,
) -> bool {
    let mut fds = vec![PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    control.readable().for_each(|fd| add(&mut fds, Some(fd)));
    let polled = rustix::event::poll(&mut fds, deadline.map(until).as_ref());
    polled.is_err_and(|error| error != rustix::io::Errno::INTR) || !fds[0].revents().is_empty()
}

/// The time from now.
fn until(deadline: Instant) -> Timespec {
    let left = deadline.saturating_duration_since(Instant::now());
    Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(left.subsec_nanos()),
    }
}

/// Adds it where it is open.
fn add<'a>(fds: &mut Vec<PollFd<'a>>, fd: Option<BorrowedFd<'a>>) {
    fds.extend(fd.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
}
