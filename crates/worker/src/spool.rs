//! What a worker keeps for whoever drives it next: its numbered reports, and a socket to be found at.
//!
//! The file holds every report since the lease began, so a driver that was killed, or a worker that
//! ends while nobody is there, loses none. What nobody has taken yet is bounded: then the worker
//! waits, and its steps with it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use protocol::{ATTACH_SOCKET, REPORTS_FILE};

/// Reports that nobody has taken. A job of ten thousand annotated steps has a twentieth of it.
pub(crate) const UNHEARD_BYTES_MAX: u64 = 64 << 20;

/// Log that nobody has seen grow. A disk is not filled while a server is away for a weekend.
pub(crate) const UNSEEN_LOG_BYTES_MAX: u64 = 1 << 30;

/// The spool of one job.
#[derive(Debug)]
pub(crate) struct Spool {
    listener: UnixListener,
    file: File,
    /// Where each report begins.
    begins: Vec<u64>,
    length: u64,
    /// Reports that are remembered elsewhere.
    heard: u64,
}

impl Spool {
    /// Begins one in a job's folder. The socket comes first: where the file is, somebody answers or
    /// has ended.
    pub(crate) fn create(folder: &Path) -> io::Result<Spool> {
        // A socket's address is short; a path through an open folder always is.
        let held = File::open(folder)?;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let name = format!("{ATTACH_SOCKET}{:016x}", u64::from_be_bytes(random));
        let at = format!("/proc/self/fd/{}/{name}", held.as_fd().as_raw_fd());
        let listener = UnixListener::bind(at)?;
        listener.set_nonblocking(true)?;
        let mut options = File::options();
        let file = options.read(true).write(true).create_new(true).open(folder.join(REPORTS_FILE));
        Ok(Spool { listener, file: file?, begins: Vec::new(), length: 0, heard: 0 })
    }

    /// To wait for.
    pub(crate) fn listener(&self) -> &UnixListener {
        &self.listener
    }

    /// Somebody who knocked.
    pub(crate) fn accept(&self) -> Option<UnixStream> {
        let (socket, _) = self.listener.accept().ok()?;
        socket.set_nonblocking(false).ok()?;
        Some(socket)
    }

    /// The number of the next report.
    pub(crate) fn next(&self) -> u64 {
        self.begins.len() as u64
    }

    /// Keeps a report.
    pub(crate) fn keep(&mut self, line: &[u8]) -> io::Result<()> {
        // At its place: what a full disk took half of is written over.
        self.file.write_all_at(line, self.length)?;
        self.begins.push(self.length);
        self.length += line.len() as u64;
        Ok(())
    }

    /// So many are remembered elsewhere.
    pub(crate) fn heard(&mut self, reports: u64) {
        self.heard = self.heard.max(reports.min(self.next()));
    }

    /// Whether every report is remembered elsewhere.
    pub(crate) fn is_heard(&self) -> bool {
        self.heard == self.next()
    }

    /// Whether there is no room until somebody takes some.
    pub(crate) fn is_full(&self) -> bool {
        let begin = self.begins.get(self.heard as usize).copied().unwrap_or(self.length);
        self.length - begin > UNHEARD_BYTES_MAX
    }

    /// Sends what is behind the first `heard` reports.
    pub(crate) fn replay(&self, heard: u64, socket: &UnixStream) -> io::Result<()> {
        let mut at = self.begins.get(heard as usize).copied().unwrap_or(self.length);
        let mut chunk = vec![0; 64 << 10];
        while at < self.length {
            let most = chunk.len().min((self.length - at) as usize);
            let read = self.file.read_at(&mut chunk[..most], at)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            io::Write::write_all(&mut &*socket, &chunk[..read])?;
            at += read as u64;
        }
        Ok(())
    }

    /// Has what is kept survive the machine's end, too.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}
