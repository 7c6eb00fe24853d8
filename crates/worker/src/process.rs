//! One process of a step: started in its own process group, with an exact environment and no
//! standard input, and ended in the order of conformance 138.
//!
//! Nothing is done between fork and exec, so the standard library takes its `posix_spawn` path:
//! a step costs as little as it does in a shell loop.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal};

use crate::orphans;

/// How long a process may take to end itself after SIGINT (conformance 138).
const INTERRUPT_GRACE: Duration = Duration::from_millis(7_500);

/// How long it may take after SIGTERM (conformance 138).
const TERMINATE_GRACE: Duration = Duration::from_millis(2_500);

/// How long its streams may stay open behind it: a daemon may hold them (conformance 136).
const DRAIN_GRACE: Duration = Duration::from_secs(5);

/// What the kernel keeps between a process and us. The default of 64 KiB costs a switch of context
/// for every 64 KiB; much more than this no longer stays in the processor's cache.
const PIPE_BYTES: usize = 256 << 10;

/// Step processes go first when memory is short (conformance 139).
const OOM_SCORE_ADJUSTMENT: &str = "500";

/// What to start.
#[derive(Debug)]
pub(crate) struct CommandLine {
    /// The program, as an absolute path.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
    /// The whole environment; nothing else is passed on.
    pub(crate) env: BTreeMap<String, String>,
    /// Where it runs.
    pub(crate) directory: PathBuf,
    /// What it reads; nothing, but for what is ours (conformance 135).
    pub(crate) input: Option<Vec<u8>>,
}

/// Which of the two streams of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How far an end on request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Nobody asked.
    No,
    /// SIGINT was sent.
    Interrupted { next: Instant },
    /// SIGINT was sent, and nothing milder than SIGKILL comes after it.
    Dismissed { next: Instant },
    /// SIGTERM was sent.
    Terminated { next: Instant },
    /// SIGKILL was sent; there is nothing stronger.
    Killed,
}

/// A process, its streams, and what is left of its group.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    group: Pid,
    exit: OwnedFd,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    status: Option<ExitStatus>,
    drain_until: Option<Instant>,
    ending: Ending,
    /// Members of the group that outlived its leader while it was being ended.
    survivors: Vec<OwnedFd>,
}

impl Process {
    /// Starts it.
    pub(crate) fn start(line: &CommandLine) -> io::Result<Process> {
        let (stdout, stdout_end) = pipe()?;
        let (stderr, stderr_end) = pipe()?;
        let mut child = Command::new(&line.program)
            .args(&line.arguments)
            .env_clear()
            .envs(&line.env)
            .current_dir(&line.directory)
            .stdin(line.input.as_deref().map_or(Ok(Stdio::null()), input)?)
            .stdout(stdout_end)
            .stderr(stderr_end)
            .process_group(0)
            .spawn()?;
        let pid = Pid::from_child(&child);
        let exit = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(exit) => exit,
            Err(error) => {
                // Without it nobody would hear of its end.
                let _ = child.kill();
                let _ = child.wait();
                return Err(error.into());
            }
        };
        Ok(Process {
            child,
            group: pid,
            exit,
            stdout: Some(stdout),
            stderr: Some(stderr),
            status: None,
            drain_until: None,
            ending: Ending::No,
            survivors: Vec::new(),
        })
    }

    /// Has it go first when memory is short.
    pub(crate) fn goes_first(&self) {
        // It may have ended already, and a container may forbid it: neither is a fault.
        let _ = std::fs::write(format!("/proc/{}/oom_score_adj", self.id()), OOM_SCORE_ADJUSTMENT);
    }

    /// Its number, for people.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The end of `stream` that we read; none once it is closed.
    pub(crate) fn stream(&self, stream: Stream) -> Option<BorrowedFd<'_>> {
        match stream {
            Stream::Stdout => self.stdout.as_ref().map(AsFd::as_fd),
            Stream::Stderr => self.stderr.as_ref().map(AsFd::as_fd),
        }
    }

    /// Reads what is there without waiting. Zero bytes: the stream is at its end and closed now.
    pub(crate) fn read(&mut self, stream: Stream, buffer: &mut [u8]) -> io::Result<usize> {
        let end = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let Some(open) = end else { return Ok(0) };
        match rustix::io::read(open.as_fd(), buffer) {
            Ok(0) => {
                *end = None;
                Ok(0)
            }
            Ok(read) => Ok(read),
            Err(error) => Err(error.into()),
        }
    }

    /// Readable when it has ended; none once its status was taken.
    pub(crate) fn exit_signal(&self) -> Option<BorrowedFd<'_>> {
        self.status.is_none().then(|| self.exit.as_fd())
    }

    /// Readable one by one as the rest of its group goes.
    pub(crate) fn survivors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.survivors.iter().map(AsFd::as_fd)
    }

    /// Takes its status if it has ended, and from then on gives its streams a while to drain.
    pub(crate) fn collect(&mut self, now: Instant) -> io::Result<()> {
        if self.status.is_none()
            && let Some(status) = self.child.try_wait()?
        {
            self.status = Some(status);
            self.drain_until.get_or_insert(now + DRAIN_GRACE);
        }
        if self.status.is_some() && self.ending != Ending::No {
            self.survivors = orphans::members(self.group);
            if self.survivors.is_empty() {
                self.ending = Ending::Killed;
            } else if let Ending::Interrupted { .. } | Ending::Dismissed { .. } = self.ending {
                // Whoever it left behind cannot hear SIGINT: a shell makes the processes that it
                // puts in the background ignore it.
                self.terminate(now);
            }
        }
        Ok(())
    }

    /// Whether nothing more is to be expected: it ended, its streams are closed or were given
    /// their time, and nobody of a group that was to end is left.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        let drained = self.stdout.is_none() && self.stderr.is_none()
            || self.drain_until.is_some_and(|until| until <= now);
        self.is_gone() && drained
    }

    /// Whether it ended and nobody of a group that was to end is left; its streams may be open.
    pub(crate) fn is_gone(&self) -> bool {
        self.status.is_some() && self.survivors.is_empty()
    }

    /// Whether it itself, whatever it started, has not ended by now.
    pub(crate) fn runs(&mut self, now: Instant) -> bool {
        // What cannot be asked for is taken for running: it will be ended.
        let _ = self.collect(now);
        self.status.is_none()
    }

    /// How it ended.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        // A shell reports a death by signal as 128 and its number; .NET's runner does the same.
        self.status.map(|status| status.code().unwrap_or(128 + status.signal().unwrap_or(0)))
    }

    /// Begins to end it: SIGINT to the whole group. A second time has no effect.
    pub(crate) fn end(&mut self, now: Instant) {
        if self.ending == Ending::No {
            self.signal(Signal::INT);
            self.ending = Ending::Interrupted { next: now + INTERRUPT_GRACE };
        }
    }

    /// Begins to end a background step that `cancel` named: SIGINT, then SIGKILL (conformance 141). A
    /// second time has no effect.
    pub(crate) fn dismiss(&mut self, now: Instant) {
        if self.ending == Ending::No {
            self.signal(Signal::INT);
            self.ending = Ending::Dismissed { next: now + INTERRUPT_GRACE };
        }
    }

    /// Ends it at once, and waits for nobody who may still hold its streams.
    pub(crate) fn kill(&mut self, now: Instant) {
        self.signal(Signal::KILL);
        self.ending = Ending::Killed;
        self.drain_until = Some(now);
    }

    /// Whether somebody asked for its end.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending != Ending::No
    }

    /// When it next needs a look although nothing happens.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let ending = match self.ending {
            Ending::Interrupted { next }
            | Ending::Dismissed { next }
            | Ending::Terminated { next } => Some(next),
            Ending::No | Ending::Killed => None,
        };
        let drain = self.drain_until.filter(|_| self.status.is_some());
        [ending, drain].into_iter().flatten().min()
    }

    /// Goes on with the order of conformance 138 where its time has come.
    pub(crate) fn tick(&mut self, now: Instant) {
        match self.ending {
            Ending::Interrupted { next } if next <= now => self.terminate(now),
            Ending::Dismissed { next } | Ending::Terminated { next } if next <= now => {
                self.kill(now);
            }
            _ => {}
        }
    }

    fn terminate(&mut self, now: Instant) {
        self.signal(Signal::TERM);
        self.ending = Ending::Terminated { next: now + TERMINATE_GRACE };
    }

    /// GitHub signals the process alone, and bash does not pass it on; we signal the group.
    fn signal(&self, signal: Signal) {
        // The group is gone when nobody is left in it, which is what was wanted.
        let _ = rustix::process::kill_process_group(self.group, signal);
    }
}

/// A file in memory that is read from its beginning, however long it is. It is on no disk.
fn input(text: &[u8]) -> io::Result<Stdio> {
    let file = rustix::fs::memfd_create("input", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = File::from(file);
    file.write_all(text)?;
    file.rewind()?;
    Ok(Stdio::from(file))
}

/// A pipe of which neither end survives an exec, the reading one non-blocking.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&read, true)?;
    // Refused where the user's pipes hold too much already; then the default does.
    let _ = rustix::pipe::fcntl_setpipe_size(&write, PIPE_BYTES);
    Ok((read, write))
}

/// The program that `name` means: a path as it is, a plain name looked up on `path`
/// (conformance 134).
pub(crate) fn find_program(name: &str, path: &str, directory: &Path) -> Option<PathBuf> {
    if name.contains('/') {
        let program = directory.join(name);
        return is_executable(&program).then_some(program);
    }
    path.split(':')
        .filter(|folder| !folder.is_empty())
        .map(|folder| directory.join(folder).join(name))
        .find(|program| is_executable(program))
}

/// Whether it is a file that may be run.
pub(crate) fn is_executable(program: &Path) -> bool {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    // As whoever asks touches files, which may be another one than he is.
    accessat(CWD, program, Access::EXEC_OK, AtFlags::EACCESS).is_ok() && program.is_file()
}
