//! The socket to the driver: orders in, reports out, a JSON object a line.
//!
//! A worker that outlives its driver keeps its reports ([`Spool`]) and answers whoever attaches next;
//! any other is at its end when the socket is.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use event::{Fence, Timestamp};
use protocol::{FromWorker, MESSAGE_BYTES_MAX, Report, ToWorker};
use rustix::event::{PollFd, PollFlags, Timespec};

use crate::spool::{Spool, UNSEEN_LOG_BYTES_MAX};

/// One look takes at most this much. Nearly every look finds nothing, so it must cost nothing: it
/// lies on the stack, and a usual job comes in one.
const READ_BYTES: usize = 16 << 10;

/// Whoever attaches says who he is at once; one that does not must not hold the job up.
const ATTACH_PATIENCE: Duration = Duration::from_secs(2);
/// What says so is short.
const ATTACH_BYTES_MAX: u64 = 256;
/// Between two tries to keep a report on a disk that is full.
const DISK_LOOK: Duration = Duration::from_secs(1);

/// What one look at the socket gives.
#[derive(Debug)]
pub(crate) enum Order {
    /// A message.
    Message(ToWorker),
    /// Somebody new drives the job: nothing is known to him of what no report says.
    Attached,
    /// Nothing more for now.
    Nothing,
    /// The other side is gone for good, or speaks something else.
    Closed,
}

/// The worker's end of the socket.
#[derive(Debug)]
pub(crate) struct Control {
    socket: Option<UnixStream>,
    unread: Vec<u8>,
    /// Of `unread`: no message ends in it.
    looked_at: usize,
    /// Orders that came while something else was waited for.
    kept: VecDeque<Order>,
    fence: Fence,
    spool: Option<Spool>,
    /// Nobody will ever hear what is said.
    is_closed: bool,
    /// Lengths of the logs, as they were last told to somebody; and how much more there is since.
    seen: BTreeMap<Option<u32>, u64>,
}

impl Control {
    /// Wraps the socket. Until the job is known reports carry no lease.
    pub(crate) fn new(socket: UnixStream) -> Control {
        Control {
            socket: Some(socket),
            unread: Vec::new(),
            looked_at: 0,
            kept: VecDeque::new(),
            fence: Fence::default(),
            spool: None,
            is_closed: false,
            seen: BTreeMap::new(),
        }
    }

    /// From now on reports are about this lease.
    pub(crate) fn set_fence(&mut self, fence: Fence) {
        self.fence = fence;
    }

    /// From now on the end of the socket is not the end.
    pub(crate) fn outlive(&mut self, spool: Spool) {
        self.spool = Some(spool);
    }

    /// To wait for; none once it is closed.
    pub(crate) fn readable(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let socket = self.socket.as_ref().map(AsFd::as_fd);
        let spool = self.spool.as_ref().map(|spool| spool.listener().as_fd());
        [socket, spool].into_iter().flatten().filter(|_| !self.is_closed)
    }

    /// Whether the other side is gone for good. It may be a report that finds out: then nothing is
    /// left to wait for.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Waits for a message.
    pub(crate) fn wait(&mut self) -> Order {
        loop {
            match self.next() {
                Order::Nothing => self.sleep(None),
                order => return order,
            }
        }
    }

    /// Waits until there is something to read, or so long.
    fn sleep(&self, patience: Option<Duration>) {
        let mut fds: Vec<PollFd<'_>> =
            self.readable().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        let patience = patience.map(|it| Timespec { tv_sec: it.as_secs() as i64, tv_nsec: 0 });
        // Interrupted or not: the next look tells.
        let _ = rustix::event::poll(&mut fds, patience.as_ref());
    }

    /// The next message that is there already.
    pub(crate) fn next(&mut self) -> Order {
        match self.kept.pop_front() {
            Some(order) => order,
            None => self.look(),
        }
    }

    fn look(&mut self) -> Order {
        loop {
            if self.is_closed {
                return Order::Closed;
            }
            if let Some(end) = memchr::memchr(b'\n', &self.unread[self.looked_at..]) {
                let line: Vec<u8> = self.unread.drain(..=self.looked_at + end).collect();
                self.looked_at = 0;
                match serde_json::from_slice(&line) {
                    Ok(ToWorker::Heard { reports }) => {
                        self.spool.iter_mut().for_each(|spool| spool.heard(reports));
                        continue;
                    }
                    Ok(ToWorker::Over) => return self.close(),
                    // It was said at the door.
                    Ok(ToWorker::Attach { .. }) => continue,
                    Ok(message) => return Order::Message(message),
                    // A driver of another version: there is no way to go on with it.
                    Err(_) => return self.lose(),
                }
            }
            self.looked_at = self.unread.len();
            if self.unread.len() > MESSAGE_BYTES_MAX {
                return self.lose();
            }
            if self.attach() {
                return Order::Attached;
            }
            if self.is_closed {
                return Order::Closed;
            }
            let Some(socket) = &self.socket else { return Order::Nothing };
            let mut chunk = [0; READ_BYTES];
            let flags = rustix::net::RecvFlags::DONTWAIT;
            match rustix::net::recv(socket, chunk.as_mut_slice(), flags) {
                Ok((0, _)) => return self.lose(),
                Ok((read, _)) => self.unread.extend_from_slice(&chunk[..read]),
                Err(rustix::io::Errno::AGAIN) => return Order::Nothing,
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return self.lose(),
            }
        }
    }

    /// Answers whoever knocked, if he has the right lease: he is told what he does not know.
    fn attach(&mut self) -> bool {
        let Some(spool) = &mut self.spool else { return false };
        let Some(socket) = spool.accept() else { return false };
        let heard = match introduced(&socket) {
            Some(ToWorker::Attach { fence, heard }) if fence == self.fence => heard,
            Some(ToWorker::Over) => {
                self.is_closed = true;
                return false;
            }
            _ => return false,
        };
        spool.heard(heard);
        if spool.replay(heard, &socket).is_err() {
            return false;
        }
        // The newest is right: one that is still there does not know yet that he is not.
        self.socket = Some(socket);
        self.unread.clear();
        self.looked_at = 0;
        self.seen.clear();
        true
    }

    /// Reports. A driver that is gone is noticed when the socket is read, at the latest. Where nobody
    /// takes reports any more this waits rather than lose one.
    pub(crate) fn report(&mut self, report: Report) {
        if self.is_closed {
            return;
        }
        let is_kept = !matches!(report, Report::LogGrew { .. });
        let number = self.spool.as_ref().map(Spool::next).filter(|_| is_kept);
        let grown = if let Report::LogGrew { bytes, own, .. } = &report {
            Some((*own, *bytes))
        } else {
            None
        };
        let message = FromWorker { fence: self.fence, number, report };
        let mut line = serde_json::to_vec(&message).expect("a report has text keys only");
        line.push(b'\n');
        if number.is_some() {
            while let Some(Err(_)) = self.spool.as_mut().map(|spool| spool.keep(&line)) {
                self.sleep(Some(DISK_LOOK));
                self.take_in();
            }
        }
        if let Some(mut socket) = self.socket.as_ref()
            && socket.write_all(&line).is_err()
        {
            self.lose();
        }
        if let Some((own, bytes)) = grown {
            self.log_grew(own, bytes);
        }
        while self.spool.as_ref().is_some_and(Spool::is_full) && !self.is_closed {
            self.sleep(None);
            self.take_in();
        }
    }

    /// While nobody is there the log may grow so far and no further.
    fn log_grew(&mut self, own: Option<u32>, bytes: u64) {
        if self.spool.is_none() || self.socket.is_some() {
            self.seen.insert(own, bytes);
            return;
        }
        let seen = *self.seen.entry(own).or_insert(bytes);
        while bytes.saturating_sub(seen) > UNSEEN_LOG_BYTES_MAX
            && self.socket.is_none()
            && !self.is_closed
        {
            self.sleep(None);
            self.take_in();
        }
    }

    /// Takes in what is there, and keeps the orders among it for whoever asks next.
    fn take_in(&mut self) {
        loop {
            match self.look() {
                Order::Nothing => return,
                Order::Closed => {
                    self.kept.push_back(Order::Closed);
                    return;
                }
                order => self.kept.push_back(order),
            }
        }
    }

    /// The last report was said. Whoever is there is waited for until he remembers it; for whoever
    /// comes it lies in the spool.
    pub(crate) fn finish(&mut self) {
        // What a disk does not keep now it keeps in a moment: only a loss of power could tell.
        let _ = self.spool.as_ref().map(Spool::sync);
        while self.socket.is_some()
            && !self.is_closed
            && self.spool.as_ref().is_some_and(|spool| !spool.is_heard())
        {
            self.sleep(None);
            self.take_in();
        }
    }

    /// The other side is gone: that is the end of a worker that does not outlive it.
    fn lose(&mut self) -> Order {
        if self.spool.is_none() {
            return self.close();
        }
        self.socket = None;
        self.unread.clear();
        self.looked_at = 0;
        Order::Nothing
    }

    fn close(&mut self) -> Order {
        self.is_closed = true;
        Order::Closed
    }
}

/// The first message of somebody who attaches.
fn introduced(socket: &UnixStream) -> Option<ToWorker> {
    socket.set_read_timeout(Some(ATTACH_PATIENCE)).ok()?;
    let mut line = String::new();
    // Byte by byte, as it were: an order behind it stays in the socket. It is one short line.
    let mut reader = BufReader::with_capacity(1, socket).take(ATTACH_BYTES_MAX);
    reader.read_line(&mut line).ok()?;
    socket.set_read_timeout(None).ok()?;
    serde_json::from_str(&line).ok()
}

/// The time of day, for reports.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
