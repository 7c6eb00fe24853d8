//! Real workers: child processes with a socket, a reader thread for each.
//!
//! A worker is this program again, started as `worker`, its end of the socket as standard input. It
//! leads its own process group, and soon its own session, so a Ctrl-C on the terminal reaches the driver alone.
//!
//! Those of a command end with it. Those of a server outlive it: they are found again by the next one
//! (`found.rs`), and their folders stay until the journal says that their leases are over.

mod found;
mod reader;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use event::StreamId;
use mask::MaskedText;
use ports::{Jobs, Lease};
use protocol::{ERRORS_FILE, JobPaths, JobSpec, ToWorker};
use rustix::process::{Signal, kill_process, set_child_subreaper};

use self::found::say;
use self::reader::{Process, Reader};
use crate::inputs::Input;
use crate::processes::WORKER_VARIABLE;

pub use self::found::{Found, is_at_work, is_living};

/// How long a worker may take to read its job. It reads at once; one that hangs is ended.
const WRITE_PATIENCE: Duration = Duration::from_secs(20);

/// What a runner shows its server; none of its jobs' processes has it.
const RUNNER_TOKEN_VARIABLE: &str = "LAUNCHWAY_TOKEN";

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
    lives: Lives,
    open: BTreeMap<Lease, Open>,
}

/// How long workers live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lives {
    /// They end with this process.
    WithUs,
    /// They wait for the next one.
    Onward,
}

/// Process ids of the workers that this process started and that live. One list for the whole
/// process, as there is one kernel's list of our children: what is a child and not in here is an
/// orphan.
static LIVING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

fn living() -> MutexGuard<'static, BTreeSet<u32>> {
    LIVING.lock().expect("nobody panics while holding the list")
}

#[derive(Debug)]
struct Open {
    /// None where the worker had ended when we came.
    socket: Option<UnixStream>,
    pid: Option<u32>,
    reader: thread::JoinHandle<()>,
    /// Lets the job's folder go.
    closed: Option<Sender<()>>,
}

/// What is known of a worker whose thread begins.
struct Watched<'a> {
    tracking: &'a Arc<str>,
    folder: PathBuf,
    /// Reports that are in the journal.
    heard: u64,
    /// Unknown, and not needed, where it is not our child: then they are looked for.
    has_containers: bool,
}

impl Workers {
    /// Workers of `program` (this very program), whose reports go to `inputs`. They end with this
    /// process.
    pub fn new(program: PathBuf, inputs: Sender<Input>) -> Workers {
        Workers { program, inputs, lives: Lives::WithUs, open: BTreeMap::new() }
    }

    /// The same, but for that they outlive this process and wait for the next.
    pub fn outliving(program: PathBuf, inputs: Sender<Input>) -> Workers {
        Workers { program, inputs, lives: Lives::Onward, open: BTreeMap::new() }
    }

    fn spawn(&mut self, mut spec: JobSpec, lease: &Lease) -> io::Result<()> {
        make_folders(&spec.paths)?;
        let folder = PathBuf::from(&*spec.paths.job);
        let errors = match self.lives {
            Lives::WithUs => Stdio::piped(),
            // A pipe would end with us.
            Lives::Onward => Stdio::from(File::create(folder.join(ERRORS_FILE))?),
        };
        spec.options.outlives = self.lives == Lives::Onward;
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_write_timeout(Some(WRITE_PATIENCE))?;
        // The list is held over the start: whoever looks for orphans must not find a worker that
        // is not in it yet.
        let mut living = living();
        let mut command = Command::new(&self.program);
        command
            .arg("worker")
            .env(WORKER_VARIABLE, &*spec.tracking_id)
            .env_remove(RUNNER_TOKEN_VARIABLE)
            .current_dir(&folder)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(errors)
            .process_group(0);
        // Nobody else whom we start has what it takes to have jobs be another user's.
        let child = sandbox::with_rights(|| command.spawn())??;
        // It holds the worker's end, too: a worker that ends would not be heard.
        drop(command);
        living.insert(child.id());
        drop(living);
        let socket = ours.try_clone()?;
        let tracking = Arc::clone(&spec.tracking_id);
        let pid = child.id();
        let watched = Watched {
            tracking: &tracking,
            folder,
            heard: 0,
            has_containers: has_containers(&spec),
        };
        self.watch(lease, watched, Process::Child(child), Some(ours));
        if say(&socket, &ToWorker::Start(Box::new(spec))).is_err() {
            // It died or hangs; its reader tells the end.
            signal(pid, Signal::KILL);
        }
        Ok(())
    }

    /// Begins the thread of a worker.
    fn watch(
        &mut self,
        lease: &Lease,
        watched: Watched<'_>,
        process: Process,
        socket: Option<UnixStream>,
    ) {
        let pid = match &process {
            Process::Child(child) => Some(child.id()),
            Process::Found(pid, _) => Some(*pid),
            Process::Ended => None,
        };
        let (closed, told) = channel();
        let is_onward = self.lives == Lives::Onward;
        let reader = Reader {
            lease: lease.clone(),
            tracking: Arc::clone(watched.tracking),
            folder: watched.folder,
            inputs: self.inputs.clone(),
            has_containers: watched.has_containers,
            heard: watched.heard,
            closed: is_onward.then_some(told),
        };
        let ours = socket.as_ref().and_then(|socket| socket.try_clone().ok());
        let reader = thread::Builder::new().spawn(move || reader.run(process, socket));
        // Without a thread the worker is dropped unread: it sees the end of its socket.
        if let Ok(reader) = reader {
            let closed = is_onward.then_some(closed);
            self.open.insert(lease.clone(), Open { socket: ours, pid, reader, closed });
        }
    }

    /// Drops what belongs to leases that are over.
    fn forget_dead(&mut self) {
        self.open.retain(|_, open| !open.reader.is_finished());
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
        let told = open.socket.as_ref().map(|socket| say(socket, &ToWorker::Cancel));
        if let (Some(Err(_)), Some(pid)) = (told, open.pid) {
            signal(pid, Signal::KILL);
        }
    }

    fn kill(&mut self, lease: &Lease) {
        if let Some(pid) = self.open.get(lease).and_then(|open| open.pid) {
            signal(pid, Signal::KILL);
        }
    }

    fn heard(&mut self, lease: &Lease, reports: u64) {
        if let Some(socket) = self.open.get(lease).and_then(|open| open.socket.as_ref()) {
            // One that is gone reads its file no more.
            let _ = say(socket, &ToWorker::Heard { reports });
        }
    }

    fn closed(&mut self, lease: &Lease) {
        let Some(open) = self.open.get_mut(lease) else { return };
        if let Some(closed) = open.closed.take() {
            let _ = open.socket.as_ref().map(|socket| say(socket, &ToWorker::Over));
            let _ = closed.send(());
        }
    }
}

impl Drop for Workers {
    /// Of workers that end with us: the end of its socket tells each to end its job, and their ends
    /// are waited for: the last job's folder would be left half removed by a process that ends with
    /// its run. Others see that nobody is there, and go on.
    fn drop(&mut self) {
        for open in self.open.values() {
            let _ = open.socket.as_ref().map(|socket| socket.shutdown(std::net::Shutdown::Both));
        }
        for open in std::mem::take(&mut self.open).into_values() {
            // A folder that may go is on its way.
            if self.lives == Lives::WithUs || open.closed.is_none() {
                // Its panic was shown when it happened.
                let _ = open.reader.join();
            }
        }
    }
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        // It may be gone already, which is as good.
        let _ = kill_process(pid, signal);
    }
}

/// Whether a job may have containers: its own, or that of its label; services are programs of the machine where the
/// job has none.
fn has_containers(spec: &JobSpec) -> bool {
    spec.options.image.is_some() || !spec.definition["container"].is_null()
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
