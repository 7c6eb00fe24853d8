//! The thread of one worker: its reports, its end, and what it left.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::thread;

use mask::MaskedText;
use ports::Lease;
use protocol::{ERRORS_FILE, FromWorker, MESSAGE_BYTES_MAX, REPORTS_FILE};
use rustix::event::{PollFd, PollFlags};
use rustix::process::Signal;

use super::{living, signal, workers_alive};
use crate::inputs::Input;
use crate::processes::{end_containers, end_tree, orphans};

/// What is kept of a worker's standard error for the message of its crash.
const STDERR_BYTES_MAX: u64 = 16 << 10;

/// The process of a worker.
#[derive(Debug)]
pub(super) enum Process {
    /// Ours.
    Child(Child),
    /// An earlier driver's: to wait for, by its number and what stays true of it.
    Found(u32, OwnedFd),
    /// It ended before we came.
    Ended,
}

impl Process {
    fn kill(&self) {
        match self {
            Process::Child(child) => signal(child.id(), Signal::KILL),
            Process::Found(_, held) => {
                // It may be gone already, which is as good.
                let _ = rustix::process::pidfd_send_signal(held, Signal::KILL);
            }
            Process::Ended => {}
        }
    }

    /// Waits for its end; only of a child is known how that was.
    pub(super) fn wait(&mut self) -> Option<ExitStatus> {
        match self {
            Process::Child(child) => {
                let status = child.wait();
                living().remove(&child.id());
                status.ok()
            }
            Process::Found(_, held) => {
                let mut fds = [PollFd::new(held, PollFlags::IN)];
                while rustix::event::poll(&mut fds, None) == Err(rustix::io::Errno::INTR) {}
                None
            }
            Process::Ended => None,
        }
    }
}

/// What one worker's thread needs.
pub(super) struct Reader {
    pub(super) lease: Lease,
    pub(super) tracking: Arc<str>,
    pub(super) folder: PathBuf,
    pub(super) inputs: Sender<Input>,
    /// Whether the job has containers; unknown of a worker that was found.
    pub(super) has_containers: bool,
    /// Numbered reports that are remembered, or were handed in.
    pub(super) heard: u64,
    /// Says when the journal has it that the lease is over; none where the worker ends with its driver,
    /// and the folder with it.
    pub(super) closed: Option<Receiver<()>>,
}

impl Reader {
    /// Reads reports until the socket ends, waits for the process, ends what it left, cleans up.
    pub(super) fn run(mut self, mut process: Process, socket: Option<UnixStream>) {
        let stderr = match &mut process {
            Process::Child(child) => child.stderr.take(),
            _ => None,
        };
        let errors = stderr.and_then(|stderr| thread::Builder::new().spawn(|| tail(stderr)).ok());
        let mut said = match socket {
            Some(socket) => self.read(BufReader::new(socket)),
            None => Ok(()),
        };
        // A worker that ends does not answer who knocks just then: what it kept says how it ended.
        if self.closed.is_some() {
            said = said.or_else(|error| match error.kind() {
                io::ErrorKind::ConnectionReset => Ok(()),
                _ => Err(error),
            });
        }
        if said.is_err() {
            process.kill();
        }
        let status = process.wait();
        // Before anybody hears of the end: nothing of a lost job may still run. A worker that ended
        // well has swept already; one look at our children tells.
        let swept = status.is_some_and(|status| status.success());
        let left = if swept && orphans(&workers_alive).is_empty() {
            // The engine may not have let go of them when the worker asked.
            if self.has_containers {
                end_containers(&self.tracking);
            }
            0
        } else {
            end_tree(&self.tracking, &workers_alive)
        };
        let mut errors = errors.and_then(|thread| thread.join().ok()).unwrap_or_default();
        if self.closed.is_some() {
            errors = File::open(self.folder.join(ERRORS_FILE)).map(tail).unwrap_or_default();
            // What it kept while nobody listened.
            said = said.and_then(|()| self.read_kept());
        }
        let reason = reason(status, said.err(), &errors, left);
        let reason = MaskedText::without_secrets(reason);
        let gone = Input::WorkerGone { lease: self.lease.clone(), reason };
        match &self.closed {
            None => {
                self.remove();
                let _ = self.inputs.send(gone);
            }
            Some(closed) => {
                let _ = self.inputs.send(gone);
                // Only what the journal knows of may go: until then the next driver needs it.
                if closed.recv().is_ok() {
                    self.remove();
                }
            }
        }
    }

    /// What cannot be removed (files of another user, made in a container) is left for `prune`.
    fn remove(&self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }

    fn read_kept(&mut self) -> io::Result<()> {
        match File::open(self.folder.join(REPORTS_FILE)) {
            Ok(file) => self.read(BufReader::new(file)),
            // It never began.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Hands in what was not handed in before.
    fn read(&mut self, mut lines: impl BufRead) -> io::Result<()> {
        let mut line = Vec::new();
        loop {
            line.clear();
            let most = MESSAGE_BYTES_MAX as u64 + 1;
            let read = lines.by_ref().take(most).read_until(b'\n', &mut line)?;
            // A worker that was killed may have kept half a report: nobody heard it.
            if read == 0 || line.last() != Some(&b'\n') && (read as u64) < most {
                return Ok(());
            }
            if read as u64 == most {
                return Err(io::Error::other("it sent a message that is too long"));
            }
            let message: FromWorker = serde_json::from_slice(&line)
                .map_err(|_| io::Error::other("it sent what is no report"))?;
            if let Some(number) = message.number {
                if number < self.heard {
                    continue;
                }
                self.heard = number + 1;
            }
            let lease = Lease { fence: message.fence, ..self.lease.clone() };
            let input = Input::Report { lease, number: message.number, report: message.report };
            if self.inputs.send(input).is_err() {
                // The loop has ended; dropping the socket tells the worker.
                return Ok(());
            }
        }
    }
}

/// Whether a job's folder has reports of a worker that outlives its driver.
pub(super) fn has_reports(folder: &Path) -> bool {
    folder.join(REPORTS_FILE).exists()
}

/// The last of what it wrote. The worker masks what steps write; its own words hold no secrets.
fn tail(mut stderr: impl io::Read + Kept) -> String {
    stderr.skip_to_the_last();
    let mut kept: Vec<u8> = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = stderr.read(&mut chunk) {
        kept.extend_from_slice(&chunk[..read]);
        let surplus = (kept.len() as u64).saturating_sub(STDERR_BYTES_MAX);
        kept.drain(..surplus as usize);
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
}

/// A file can be read from near its end, a pipe cannot.
trait Kept {
    fn skip_to_the_last(&mut self) {}
}

impl Kept for std::process::ChildStderr {}

impl Kept for File {
    fn skip_to_the_last(&mut self) {
        let length = self.metadata().map_or(0, |it| it.len());
        let _ = self.seek(SeekFrom::Start(length.saturating_sub(STDERR_BYTES_MAX)));
    }
}

fn reason(
    status: Option<ExitStatus>,
    unreadable: Option<io::Error>,
    errors: &str,
    left: usize,
) -> String {
    let mut reason = match status {
        Some(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("its worker ended with code {code}"),
            (None, Some(signal)) => format!("its worker was ended by signal {signal}"),
            (None, None) => "its worker ended".to_owned(),
        },
        None => "its worker is gone".to_owned(),
    };
    if let Some(error) = unreadable {
        reason.push_str(&format!("; {error}"));
    }
    if left > 0 {
        reason.push_str(&format!("; {left} of its processes could not be ended"));
    }
    if !errors.is_empty() {
        reason.push_str(&format!(": {errors}"));
    }
    reason
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::mpsc::channel;

    use event::{Attempt, Fence, JobKey, RunId, StreamId, Timestamp};
    use protocol::Report;

    use super::*;

    /// Somebody knocks while it ends: their words were never read, so the kernel says "reset".
    #[test]
    fn a_worker_that_ends_while_somebody_knocks_is_heard_to_its_end() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let kept = FromWorker {
            fence: Fence(1),
            number: Some(3),
            report: Report::Started { pid: 7, at: Timestamp(1) },
        };
        let line = serde_json::to_string(&kept).expect("plain data") + "\n";
        std::fs::write(folder.path().join(REPORTS_FILE), line).expect("written");
        let (ours, theirs) = UnixStream::pair().expect("sockets");
        (&ours).write_all(b"never read").expect("it takes it");
        drop(theirs);
        let (inputs, told) = channel();
        let (close, closed) = channel();
        drop(close);
        let stream = StreamId::Run(RunId(1), Attempt(1));
        let lease = Lease { stream, job: JobKey::new("job"), fence: Fence(1) };
        let folder = folder.path().to_owned();
        let (tracking, heard) = ("nobody".into(), 3);
        let (has_containers, closed) = (false, Some(closed));
        let reader = Reader { lease, tracking, folder, inputs, has_containers, heard, closed };
        reader.run(Process::Ended, Some(ours));
        assert!(matches!(told.recv(), Ok(Input::Report { number: Some(3), .. })));
        let Ok(Input::WorkerGone { reason, .. }) = told.recv() else { panic!("it is gone") };
        assert_eq!(reason.as_str(), "its worker is gone");
    }
}
