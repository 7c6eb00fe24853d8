//! A program of PostgreSQL at work: fed and read through pipes, ended when its time is over.
//!
//! It stands in a process group of its own, so that Ctrl-C is ours to decide about. Whoever is killed
//! leaves nothing running: the program's pipes break.

use std::io::{Read, Write};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal};

use super::address::{Address, SERVICE};

/// What a question may take that the server answers from memory.
const SHORT: Duration = Duration::from_secs(30);
/// How soon a program ends that is not wanted any more.
const LOOK: Duration = Duration::from_millis(200);
/// The end of what a program complained about that is kept.
const COMPLAINT_BYTES_MAX: usize = 4096;
/// Lines of it that a cause shows.
const COMPLAINT_LINES_MAX: usize = 5;
/// The longest answer that is taken whole.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// How long something may go on, and whether anybody still wants it.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) until: Instant,
    pub(crate) is_stopped: Arc<AtomicBool>,
}

/// Why a program did not do what it should. Nothing of an address is in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Spoiled {
    /// It could not be started.
    #[error("{program} cannot be started: {why}")]
    Unstarted { program: String, why: String },
    /// It failed, and said why.
    #[error("{program} {how}{}", if said.is_empty() { String::new() } else { format!(": {said}") })]
    Failed { program: String, how: String, said: String },
    /// Its time was over, or nobody wanted it any more.
    #[error("{program} was ended: its time was over")]
    TimeOver { program: String },
}

impl Limits {
    pub(crate) fn short() -> Limits {
        let until = Instant::now() + SHORT;
        Limits { until, is_stopped: Arc::new(AtomicBool::new(false)) }
    }

    pub(crate) fn are_over(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed) || Instant::now() >= self.until
    }
}

/// A program at work.
pub(crate) struct Running {
    program: String,
    child: Child,
    input: Option<ChildStdin>,
    output: Option<ChildStdout>,
    complaint: Option<JoinHandle<Vec<u8>>>,
    watch: Watch,
}

impl Running {
    /// With its output to be read. The address, where it needs one, is its input.
    pub(crate) fn start(
        mut command: Command,
        address: Option<&Address>,
        limits: &Limits,
    ) -> Result<Running, Spoiled> {
        command.stdout(Stdio::piped());
        match address {
            None => command.stdin(Stdio::piped()),
            Some(address) => {
                let service = address.service().map_err(|it| unstarted(&command, &it))?;
                // Its own input, opened anew from the beginning.
                command.env("PGSERVICEFILE", "/proc/self/fd/0").env("PGSERVICE", SERVICE);
                command.stdin(service)
            }
        };
        Running::spawn(command, limits)
    }

    /// With its input to be fed. The address is where its output would go: for programs that write
    /// nothing there.
    pub(crate) fn fed(
        mut command: Command,
        address: &Address,
        limits: &Limits,
    ) -> Result<Running, Spoiled> {
        let service = address.service().map_err(|it| unstarted(&command, &it))?;
        command.env("PGSERVICEFILE", "/proc/self/fd/1").env("PGSERVICE", SERVICE);
        command.stdin(Stdio::piped()).stdout(service);
        Running::spawn(command, limits)
    }

    fn spawn(mut command: Command, limits: &Limits) -> Result<Running, Spoiled> {
        let child = command.stderr(Stdio::piped()).process_group(0).spawn();
        let mut child = child.map_err(|it| unstarted(&command, &it))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let errors = child.stderr.take().expect("it was asked for");
        let complaint = Some(std::thread::spawn(move || last_bytes(errors)));
        let watch = Watch::over(&child, limits);
        Ok(Running { program: name(&command), child, input, output, complaint, watch })
    }

    /// Its output.
    pub(crate) fn output(&mut self) -> ChildStdout {
        self.output.take().expect("its output is read once")
    }

    /// Its whole output, where that is short.
    pub(crate) fn all_output(&mut self) -> Result<String, Spoiled> {
        let mut said = String::new();
        let mut output = self.output().take(ANSWER_BYTES_MAX);
        output.read_to_string(&mut said).map_err(|error| self.failed(error.to_string()))?;
        Ok(said)
    }

    /// Gives it more; false where it wants no more.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> bool {
        let is_taken = self.input.as_mut().is_some_and(|it| it.write_all(bytes).is_ok());
        if !is_taken {
            self.input = None;
        }
        is_taken
    }

    /// Waits for its end, and says how that was.
    pub(crate) fn end(mut self, address: Option<&Address>) -> Result<(), Spoiled> {
        self.input = None;
        let status = self.child.wait().map_err(|error| self.failed(error.to_string()))?;
        let complaint = self.complaint.take().and_then(|it| it.join().ok()).unwrap_or_default();
        if self.watch.has_ended_it() {
            return Err(Spoiled::TimeOver { program: self.program.clone() });
        }
        if status.success() {
            return Ok(());
        }
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("ended with {code}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended".to_owned(),
        };
        let said = String::from_utf8_lossy(&complaint);
        let lines: Vec<&str> =
            said.lines().map(str::trim_end).filter(|it| !it.is_empty()).collect();
        let said = lines[lines.len().saturating_sub(COMPLAINT_LINES_MAX)..].join("\n");
        let said = address.map_or_else(|| said.clone(), |it| it.cover(&said));
        Err(Spoiled::Failed { program: self.program.clone(), how, said })
    }

    fn failed(&self, said: String) -> Spoiled {
        Spoiled::Failed { program: self.program.clone(), how: "failed".to_owned(), said }
    }
}

impl Drop for Running {
    /// Whoever gives up leaves nothing running.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn name(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    program.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn unstarted(command: &Command, error: &std::io::Error) -> Spoiled {
    Spoiled::Unstarted { program: name(command), why: error.to_string() }
}

/// The last bytes of what is complained about, to its end.
fn last_bytes(mut from: impl Read) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut piece = [0; COMPLAINT_BYTES_MAX];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        kept.extend_from_slice(&piece[..count]);
        let too_many = kept.len().saturating_sub(COMPLAINT_BYTES_MAX);
        kept.drain(..too_many);
    }
    kept
}

/// Ends a program whose time is over. It knows it by a descriptor: a number could be another's by then.
struct Watch {
    /// Dropped when nobody needs it any more.
    _over: Option<Sender<()>>,
    has_ended_it: Arc<AtomicBool>,
}

impl Watch {
    fn over(child: &Child, limits: &Limits) -> Watch {
        let has_ended_it = Arc::new(AtomicBool::new(false));
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let handle = pid.and_then(|it| rustix::process::pidfd_open(it, PidfdFlags::empty()).ok());
        let Some(handle) = handle else { return Watch { _over: None, has_ended_it } };
        let (sender, receiver) = channel::<()>();
        let (limits, fired) = (limits.clone(), Arc::clone(&has_ended_it));
        std::thread::spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = receiver.recv_timeout(LOOK) {
                if limits.are_over() {
                    fired.store(true, Ordering::Relaxed);
                    let _ = rustix::process::pidfd_send_signal(&handle, Signal::KILL);
                    return;
                }
            }
        });
        Watch { _over: Some(sender), has_ended_it }
    }

    fn has_ended_it(&self) -> bool {
        self.has_ended_it.load(Ordering::Relaxed)
    }
}
