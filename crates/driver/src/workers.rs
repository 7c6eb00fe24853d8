//! Real workers: child processes with a socket, a reader thread for each.
//!
//! A worker is this program again, started as `worker`, its end of the socket as standard input. It
//! leads its own process group, so a Ctrl-C on the terminal reaches the driver alone.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use event::StreamId;
use mask::MaskedText;
use ports::{Jobs, Lease};
use protocol::{FromWorker, JobPaths, JobSpec, MESSAGE_BYTES_MAX, ToWorker};
use rustix::process::{Signal, kill_process, set_child_subreaper};

use crate::inputs::Input;
use crate::processes::{WORKER_VARIABLE, end_tree, orphans};

/// How long a worker may take to read its job. It reads at once; one that hangs is ended.
const WRITE_PATIENCE: Duration = Duration::from_secs(20);
/// What is kept of a worker's standard error for the message of its crash.
const STDERR_BYTES_MAX: u64 = 16 << 10;

/// Why workers cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum WorkersError {
    /// The kernel refused.
    #[error("cannot become a child subreaper")]
    Subreaper(#[source] io::Error),
}

/// The workers of this process that live now.
pub(crate) fn workers_alive() -> BTreeSet<u32> {
    living().clone()
}

/// Orphans of dead workers come to this process from now on. Needed once, before the first worker.
///
/// # Errors
/// When the kernel refuses.
pub fn become_subreaper() -> Result<(), WorkersError> {
    let refused = |errno: rustix::io::Errno| WorkersError::Subreaper(errno.into());
    set_child_subreaper(Some(rustix::process::getpid())).map_err(refused)
}

/// The workers of this process.
#[derive(Debug)]
pub struct Workers {
    program: PathBuf,
    inputs: Sender<Input>,
    open: BTreeMap<Lease, Open>,
    readers: Vec<thread::JoinHandle<()>>,
}

/// Process ids of the workers of this process that live. One list for the whole process, as there is
/// one kernel's list of our children: what is a child and not in here is an orphan.
static LIVING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

fn living() -> MutexGuard<'static, BTreeSet<u32>> {
    LIVING.lock().expect("nobody panics while holding the list")
}

#[derive(Debug)]
struct Open {
    socket: UnixStream,
    pid: u32,
}

impl Workers {
    /// Workers of `program` (this very program), whose reports go to `inputs`.
    pub fn new(program: PathBuf, inputs: Sender<Input>) -> Workers {
        Workers { program, inputs, open: BTreeMap::new(), readers: Vec::new() }
    }

    fn spawn(&mut self, spec: JobSpec, lease: &Lease) -> io::Result<()> {
        make_folders(&spec.paths)?;
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_write_timeout(Some(WRITE_PATIENCE))?;
        // The list is held over the start: whoever looks for orphans must not find a worker that
        // is not in it yet.
        let mut living = living();
        let mut child = Command::new(&self.program)
            .arg("worker")
            .env(WORKER_VARIABLE, &*spec.tracking_id)
            .current_dir(&*spec.paths.job)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let pid = child.id();
        living.insert(pid);
        drop(living);
        let stderr = child.stderr.take();
        let reader = Reader {
            lease: lease.clone(),
            tracking: Arc::clone(&spec.tracking_id),
            folder: PathBuf::from(&*spec.paths.job),
            inputs: self.inputs.clone(),
        };
        let name = format!("worker {pid}");
        // Without a thread the child is dropped unread: it sees the end of its socket and goes.
        let socket = ours.try_clone()?;
        let reader =
            thread::Builder::new().name(name).spawn(move || reader.run(child, stderr, socket))?;
        self.readers.push(reader);
        let mut line = serde_json::to_vec(&ToWorker::Start(Box::new(spec)))?;
        line.push(b'\n');
        let sent = (&ours).write_all(&line);
        self.open.insert(lease.clone(), Open { socket: ours, pid });
        if sent.is_err() {
            // It died or hangs; its reader tells the end.
            signal(pid, Signal::KILL);
        }
        Ok(())
    }

    /// Drops what belongs to leases that are over.
    fn forget_dead(&mut self) {
        let living = workers_alive();
        self.open.retain(|_, open| living.contains(&open.pid));
        self.readers.retain(|reader| !reader.is_finished());
    }
}

impl Jobs for Workers {
    fn start(&mut self, spec: JobSpec) {
        let stream = StreamId::Run(spec.run, spec.attempt);
        let lease = Lease { stream, job: spec.job.clone(), fence: spec.fence };
        if self.open.contains_key(&lease) {
            return;
        }
        self.forget_dead();
        if let Err(error) = self.spawn(spec, &lease) {
            let program = self.program.display();
            let reason = format!("its worker could not be started ({program}): {error}");
            let reason = MaskedText::without_secrets(reason);
            // Nobody listens only while everything ends.
            let _ = self.inputs.send(Input::WorkerGone { lease, reason });
        }
    }

    fn cancel(&mut self, lease: &Lease) {
        let Some(open) = self.open.get(lease) else { return };
        let mut line = serde_json::to_vec(&ToWorker::Cancel).expect("a message has text keys only");
        line.push(b'\n');
        if (&open.socket).write_all(&line).is_err() {
            signal(open.pid, Signal::KILL);
        }
    }

    fn kill(&mut self, lease: &Lease) {
        if let Some(open) = self.open.get(lease) {
            signal(open.pid, Signal::KILL);
        }
    }
}

impl Drop for Workers {
    /// The end of its socket tells each worker to end its job. Their ends are waited for: the last
    /// job's folder would be left half removed by a process that ends with its run.
    fn drop(&mut self) {
        for open in self.open.values() {
            let _ = open.socket.shutdown(std::net::Shutdown::Both);
        }
        for reader in std::mem::take(&mut self.readers) {
            // Its panic was shown when it happened.
            let _ = reader.join();
        }
    }
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        // It may be gone already, which is as good.
        let _ = kill_process(pid, signal);
    }
}

/// The folders that a job finds (`protocol::JobPaths`).
fn make_folders(paths: &JobPaths) -> io::Result<()> {
    let job = Path::new(&*paths.job);
    for folder in ["work", "temp", "home", "actions"] {
        std::fs::create_dir_all(job.join(folder))?;
    }
    match Path::new(&*paths.log).parent() {
        Some(folder) => std::fs::create_dir_all(folder),
        None => Ok(()),
    }
}

/// What one worker's thread needs.
struct Reader {
    lease: Lease,
    tracking: Arc<str>,
    folder: PathBuf,
    inputs: Sender<Input>,
}

impl Reader {
    /// Reads reports until the socket ends, waits for the process, ends what it left, cleans up.
    fn run(self, mut child: Child, stderr: Option<ChildStderr>, socket: UnixStream) {
        let errors = stderr.and_then(|stderr| thread::Builder::new().spawn(|| tail(stderr)).ok());
        let said = self.read(&socket);
        if said.is_err() {
            signal(child.id(), Signal::KILL);
        }
        let pid = child.id();
        let status = child.wait();
        living().remove(&pid);
        // Before anybody hears of the end: nothing of a lost job may still run. A worker that ended
        // well has swept already; one look at our children tells.
        let swept = matches!(&status, Ok(status) if status.success());
        let left = if swept && orphans(&workers_alive).is_empty() {
            0
        } else {
            end_tree(&self.tracking, &workers_alive)
        };
        let errors = errors.and_then(|thread| thread.join().ok()).unwrap_or_default();
        let reason = reason(status.ok(), said.err(), &errors, left);
        let reason = MaskedText::without_secrets(reason);
        // What cannot be removed (files of another user, made in a container) is left for `prune`.
        let _ = std::fs::remove_dir_all(&self.folder);
        let _ = self.inputs.send(Input::WorkerGone { lease: self.lease, reason });
    }

    fn read(&self, socket: &UnixStream) -> io::Result<()> {
        let mut lines = BufReader::new(socket);
        let mut line = Vec::new();
        loop {
            line.clear();
            let most = MESSAGE_BYTES_MAX as u64 + 1;
            let read = lines.by_ref().take(most).read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok(());
            }
            if read as u64 == most {
                return Err(io::Error::other("it sent a message that is too long"));
            }
            let message: FromWorker = serde_json::from_slice(&line)
                .map_err(|_| io::Error::other("it sent what is no report"))?;
            let lease = Lease { fence: message.fence, ..self.lease.clone() };
            let input = Input::Report { lease, report: message.report };
            if self.inputs.send(input).is_err() {
                // The loop has ended; dropping the socket tells the worker.
                return Ok(());
            }
        }
    }
}

/// The last of what it wrote. The worker masks what steps write; its own words hold no secrets.
fn tail(mut stderr: ChildStderr) -> String {
    let mut kept: Vec<u8> = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = stderr.read(&mut chunk) {
        kept.extend_from_slice(&chunk[..read]);
        let surplus = (kept.len() as u64).saturating_sub(STDERR_BYTES_MAX);
        kept.drain(..surplus as usize);
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
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
