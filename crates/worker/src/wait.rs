//! The one place where the worker waits: for the driver, for a process, for the clock.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::control::Control;
use crate::process::{Process, Stream};

/// What is there now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    /// The driver said something, or is gone.
    pub(crate) control: bool,
    /// There is output.
    pub(crate) stdout: bool,
    /// There is output.
    pub(crate) stderr: bool,
    /// The process ended, or one that outlived it did.
    pub(crate) exit: bool,
}

/// Waits until something is there, or until `deadline`.
pub(crate) fn wait(
    control: &Control,
    process: &Process,
    deadline: Option<Instant>,
) -> io::Result<Ready> {
    let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(4);
    let control = add(&mut fds, control.readable());
    let stdout = add(&mut fds, process.stream(Stream::Stdout));
    let stderr = add(&mut fds, process.stream(Stream::Stderr));
    let own_exit = add(&mut fds, process.exit_signal());
    let exits: Vec<Option<usize>> =
        process.survivors().map(|fd| add(&mut fds, Some(fd))).chain([own_exit]).collect();
    let timeout = deadline.map(|deadline| {
        let left = deadline.saturating_duration_since(Instant::now());
        Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        }
    });
    match rustix::event::poll(&mut fds, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let is_ready = |index: Option<usize>| index.is_some_and(|it| !fds[it].revents().is_empty());
    Ok(Ready {
        control: is_ready(control),
        stdout: is_ready(stdout),
        stderr: is_ready(stderr),
        exit: exits.into_iter().any(is_ready),
    })
}

/// Adds it where it is open, and says where it stands.
fn add<'a>(fds: &mut Vec<PollFd<'a>>, fd: Option<BorrowedFd<'a>>) -> Option<usize> {
    fds.push(PollFd::from_borrowed_fd(fd?, PollFlags::IN));
    Some(fds.len() - 1)
}
