//! The socket to the driver: orders in, reports out, a JSON object a line.

use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{SystemTime, UNIX_EPOCH};

use event::{Fence, Timestamp};
use protocol::{FromWorker, MESSAGE_BYTES_MAX, Report, ToWorker};

/// One look takes at most this much. Nearly every look finds nothing, so it must cost nothing: it
/// lies on the stack, and a usual job comes in one.
const READ_BYTES: usize = 16 << 10;

/// What one look at the socket gives.
#[derive(Debug)]
pub(crate) enum Order {
    /// A message.
    Message(ToWorker),
    /// Nothing more for now.
    Nothing,
    /// The other side is gone, or speaks something else.
    Closed,
}

/// The worker's end of the socket.
#[derive(Debug)]
pub(crate) struct Control {
    socket: UnixStream,
    unread: Vec<u8>,
    /// Of `unread`: no message ends in it.
    looked_at: usize,
    fence: Fence,
    is_closed: bool,
}

impl Control {
    /// Wraps the socket. Until the job is known reports carry no lease.
    pub(crate) fn new(socket: UnixStream) -> Control {
        Control {
            socket,
            unread: Vec::new(),
            looked_at: 0,
            fence: Fence::default(),
            is_closed: false,
        }
    }

    /// From now on reports are about this lease.
    pub(crate) fn set_fence(&mut self, fence: Fence) {
        self.fence = fence;
    }

    /// To wait for; none once it is closed.
    pub(crate) fn readable(&self) -> Option<BorrowedFd<'_>> {
        (!self.is_closed).then(|| self.socket.as_fd())
    }

    /// Whether the other side is gone. It may be a report that finds out: then nothing is left to
    /// wait for.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Waits for a message.
    pub(crate) fn wait(&mut self) -> Order {
        loop {
            match self.next() {
                Order::Nothing => {
                    let mut fds =
                        [rustix::event::PollFd::new(&self.socket, rustix::event::PollFlags::IN)];
                    // Interrupted or not: the next look tells.
                    let _ = rustix::event::poll(&mut fds, None);
                }
                order => return order,
            }
        }
    }

    /// The next message that is there already.
    pub(crate) fn next(&mut self) -> Order {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.unread[self.looked_at..]) {
                let line: Vec<u8> = self.unread.drain(..=self.looked_at + end).collect();
                self.looked_at = 0;
                return match serde_json::from_slice(&line) {
                    Ok(message) => Order::Message(message),
                    // A driver of another version: there is no way to go on with it.
                    Err(_) => self.close(),
                };
            }
            self.looked_at = self.unread.len();
            if self.is_closed || self.unread.len() > MESSAGE_BYTES_MAX {
                return self.close();
            }
            let mut chunk = [0; READ_BYTES];
            let flags = rustix::net::RecvFlags::DONTWAIT;
            match rustix::net::recv(&self.socket, chunk.as_mut_slice(), flags) {
                Ok((0, _)) => return self.close(),
                Ok((read, _)) => self.unread.extend_from_slice(&chunk[..read]),
                Err(rustix::io::Errno::AGAIN) => return Order::Nothing,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return self.close(),
            }
        }
    }

    /// Reports. A driver that is gone is noticed when the socket is read.
    pub(crate) fn report(&mut self, report: Report) {
        let message = FromWorker { fence: self.fence, report };
        let mut line = serde_json::to_vec(&message).expect("reports have text keys only");
        line.push(b'\n');
        if self.write(&line).is_err() {
            self.is_closed = true;
        }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        self.socket.write_all(line)
    }

    fn close(&mut self) -> Order {
        self.is_closed = true;
        Order::Closed
    }
}

/// The time of day, for reports.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
