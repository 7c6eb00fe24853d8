//! Workers of an earlier driver: found by their lease and their socket, and taken over.
//!
//! ```text
//!   a lease without an end ──▶ reports.jsonl? ── no ──▶ nothing of it ever began: it may start now
//!                                   │ yes
//!                                   ├─ somebody answers ──▶ told how much is known; the rest comes
//!                                   └─ nobody does      ──▶ the rest is read from the file; it is gone
//! ```

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ports::Lease;
use protocol::{ATTACH_SOCKET, FromWorker, MESSAGE_BYTES_MAX, REPORTS_FILE, Report, ToWorker};
use rustix::process::{PidfdFlags, pidfd_open};

use super::reader::{Process, has_reports};
use super::{WRITE_PATIENCE, Watched, Workers, workers_alive};
use crate::processes::end_tree;

/// What was found of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Its worker goes on, and reports here from now on.
    Living,
    /// Its worker ended; what it kept is handed in, and then that it is gone.
    Ended,
    /// No step of it ever began, and nothing of it lives.
    Nothing,
}

/// Whether a worker answers in this folder of a job.
pub fn is_living(folder: &Path) -> bool {
    has_reports(folder) && knock(folder).is_ok()
}

/// Whether a job goes on in this folder: its worker answers, and has not kept how the job ended. One that has waits
/// for whoever hears it, and needs nothing else.
pub fn is_at_work(folder: &Path) -> bool {
    is_living(folder) && !has_completed(folder).unwrap_or(false)
}

fn has_completed(folder: &Path) -> io::Result<bool> {
    let mut lines = BufReader::new(File::open(folder.join(REPORTS_FILE))?);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = lines.by_ref().take(MESSAGE_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
        // What is no whole report yet is none.
        let message = serde_json::from_slice::<FromWorker>(&line);
        if message.is_ok_and(|it| matches!(it.report, Report::Completed { .. })) {
            return Ok(true);
        }
        if read == 0 {
            return Ok(false);
        }
    }
}

impl Workers {
    /// Looks for the worker that an earlier driver gave a lease, in the job's folder. `heard` of its
    /// reports are in the journal.
    pub fn take_over(
        &mut self,
        lease: &Lease,
        tracking: &Arc<str>,
        folder: &Path,
        heard: u64,
    ) -> Found {
        if !has_reports(folder) {
            end_tree(tracking, &workers_alive);
            // What was made for it is made anew.
            let _ = std::fs::remove_dir_all(folder);
            return Found::Nothing;
        }
        let attach = ToWorker::Attach { fence: lease.fence, heard };
        let found = knock(folder).and_then(|socket| {
            socket.set_write_timeout(Some(WRITE_PATIENCE))?;
            say(&socket, &attach)?;
            let process = peer(&socket)?;
            Ok((socket, process))
        });
        let folder = folder.to_owned();
        let watched = Watched { tracking, folder, heard, has_containers: false };
        match found {
            Ok((socket, process)) => {
                self.watch(lease, watched, process, Some(socket));
                Found::Living
            }
            // Nobody answers: whatever it is, it is not to go on.
            Err(_) => {
                self.watch(lease, watched, Process::Ended, None);
                Found::Ended
            }
        }
    }

    /// A job's folder whose lease is over: whoever still works in it is told so, and it goes.
    pub fn dismiss(&mut self, folder: PathBuf) {
        let told = knock(&folder).and_then(|socket| {
            socket.set_write_timeout(Some(WRITE_PATIENCE))?;
            say(&socket, &ToWorker::Over)?;
            peer(&socket)
        });
        let thread = std::thread::Builder::new().spawn(move || {
            told.unwrap_or(Process::Ended).wait();
            // What cannot be removed is left for `prune`.
            let _ = std::fs::remove_dir_all(&folder);
        });
        // Without a thread it is done by the next driver.
        drop(thread);
    }
}

/// Connects to the worker of a job's folder.
fn knock(folder: &Path) -> io::Result<UnixStream> {
    // A socket's address is short; a path through an open folder always is.
    let held = File::open(folder)?;
    let names = std::fs::read_dir(folder)?.flatten().map(|entry| entry.file_name());
    let mut names = names.filter_map(|name| name.into_string().ok());
    let name = names.find(|name| name.starts_with(ATTACH_SOCKET)).ok_or(io::ErrorKind::NotFound)?;
    UnixStream::connect(format!("/proc/self/fd/{}/{name}", held.as_fd().as_raw_fd()))
}

pub(super) fn say(mut socket: &UnixStream, message: &ToWorker) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    socket.write_all(&line)
}

/// The process at the other end.
fn peer(socket: &UnixStream) -> io::Result<Process> {
    let pid = rustix::net::sockopt::socket_peercred(socket)?.pid;
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(held) => Ok(Process::Found(pid.as_raw_nonzero().get().unsigned_abs(), held)),
        Err(rustix::io::Errno::SRCH) => Ok(Process::Ended),
        Err(errno) => Err(errno.into()),
    }
}
