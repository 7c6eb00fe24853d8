//! Waits that end early: whoever waits for an engine may be told to stop meanwhile.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// What came of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// There is something to read.
    Ready,
    /// The time went by.
    Silent,
    /// Whoever waits is to stop.
    Stopped,
}

/// Waits until something can be read there, for so long at most, or until whoever waits is to stop.
pub type Wait<'w> = dyn FnMut(BorrowedFd<'_>, Duration) -> Waited + 'w;

/// A connection whose reader heeds.
pub(crate) struct Heeding<'a, 'w> {
    pub(crate) stream: UnixStream,
    /// How long nothing may come.
    pub(crate) silence: Duration,
    pub(crate) wait: &'a mut Wait<'w>,
}

impl Read for Heeding<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match (self.wait)(self.stream.as_fd(), self.silence) {
            Waited::Ready => self.stream.read(buffer),
            Waited::Silent => Err(io::ErrorKind::TimedOut.into()),
            Waited::Stopped => Err(stopped()),
        }
    }
}

impl Write for Heeding<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// No socket of this machine ends so by itself.
const STOPPED: io::ErrorKind = io::ErrorKind::ConnectionAborted;

fn stopped() -> io::Error {
    io::Error::new(STOPPED, "told to stop")
}

/// Whether that is what a reader says that was stopped.
pub(crate) fn is_stopped(kind: io::ErrorKind) -> bool {
    kind == STOPPED
}
