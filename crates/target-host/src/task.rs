//! Commands that are run once: migrations, and what a person wants to run beside a service.
//!
//! The command belongs to a small process of its own, so that it outlives whoever asked for it and
//! somebody is there to hear how it ended:
//!
//! ```text
//!   task.json ──▶ runner takes the lock ──▶ began.json ──▶ the command ──▶ ended.json
//! ```
//!
//! In a release that is an image the command is a container, and its engine lives on: there a second
//! runner asks the engine what became of it.
//!
//! Whoever asks looks at the files. An end: that is the answer. The lock is held: it runs. Begun, no
//! end and no lock: the runner died with it, and nobody knows what the command did; it is never run
//! a second time. Not begun: a runner is started, and if two are, the lock lets one of them work.

mod container;

use std::fs;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::containers::Image;
use crate::folder::{is_locked, read, replace, try_lock};
use crate::now_ms;
use crate::processes::{self, Handle, TRACKING};
use crate::wanted::{Ended, Set};
use container::Begun;

/// Between asking a command to end and making it.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);

/// What is run, and with what.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    /// The target's.
    #[serde(default)]
    pub(crate) folder: PathBuf,
    /// Nobody else's in this folder.
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) set: Set,
    pub(crate) run: Vec<String>,
    pub(crate) release: PathBuf,
    pub(crate) private: PathBuf,
    pub(crate) mark: String,
    pub(crate) service: String,
    pub(crate) until_ms: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Began {
    at_ms: u64,
}

/// How a task ended.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct TaskEnd {
    /// Why the command could not be started.
    #[serde(default)]
    pub(crate) problem: Option<String>,
    /// How it ended.
    #[serde(default)]
    pub(crate) ended: Option<Ended>,
    /// It was made to end, because its time was over.
    #[serde(default)]
    pub(crate) timed_out: bool,
    /// Nobody can say how it ended.
    #[serde(default)]
    pub(crate) is_lost: bool,
}

impl TaskEnd {
    fn not_started(problem: String) -> TaskEnd {
        TaskEnd { problem: Some(problem), ..TaskEnd::default() }
    }

    fn lost() -> TaskEnd {
        TaskEnd { is_lost: true, ..TaskEnd::default() }
    }
}

/// How far a task is.
#[derive(Debug)]
pub(crate) enum Standing {
    /// Nobody began it.
    Fresh,
    /// It runs.
    Runs,
    /// It began, and nobody can say how it ended.
    Unknown,
    /// It ended.
    Over(TaskEnd),
}

pub(crate) fn log(task: &Path) -> PathBuf {
    task.join("output.log")
}

/// Looks how far a task is.
pub(crate) fn standing(task: &Path) -> io::Result<Standing> {
    // In this order: a runner that ends between two looks has written its end before it lets go.
    let is_run = is_locked(&task.join("lock"));
    if let Some(end) = read::<TaskEnd>(&task.join("ended.json"))? {
        return Ok(if end.is_lost { Standing::Unknown } else { Standing::Over(end) });
    }
    if is_run {
        return Ok(Standing::Runs);
    }
    let began: Option<Began> = read(&task.join("began.json"))?;
    if began.is_none() {
        return Ok(Standing::Fresh);
    }
    let wanted: Option<Task> = read(&task.join("task.json"))?;
    // Of a container its engine knows more: the next runner asks it.
    let is_container = wanted.is_some_and(|it| it.set.location().is_some());
    Ok(if is_container { Standing::Fresh } else { Standing::Unknown })
}

/// Runs the task in a folder, if nobody did: the body of the hidden command.
///
/// # Errors
/// When its files cannot be read or written.
pub fn run(task: &Path) -> io::Result<()> {
    processes::leave_session();
    let Some(_lock) = try_lock(&task.join("lock"))? else { return Ok(()) };
    let begun = read::<Began>(&task.join("began.json"))?.is_some();
    let wanted: Task = read(&task.join("task.json"))?.ok_or(io::ErrorKind::NotFound)?;
    let image = Image::of(&wanted.set).map_err(io::Error::other)?;
    if begun && (image.is_none() || task.join("ended.json").exists()) {
        return Ok(());
    }
    if !begun {
        // From here on it is never run again.
        replace(&task.join("began.json"), &Began { at_ms: now_ms() })?;
    }
    let end = match &image {
        Some(image) => {
            let begun = if begun { Begun::Before } else { Begun::Not };
            container::run(task, &wanted, image, begun)?
        }
        None => match start(task, &wanted) {
            Err(error) => TaskEnd::not_started(error.to_string()),
            Ok(handle) => finish(handle, &wanted)?,
        },
    };
    replace(&task.join("ended.json"), &end)?;
    if let Some(image) = &image {
        container::clear(&wanted, image);
    }
    Ok(())
}

fn start(task: &Path, wanted: &Task) -> io::Result<Handle> {
    let private = processes::private_values(&wanted.private)?;
    let mut command = processes::command(&wanted.set, &wanted.run, &wanted.release, &private)?;
    let (out, errors) = processes::output(&log(task))?;
    let child = command
        .env("LAUNCHWAY_SERVICE", &wanted.service)
        .env(TRACKING, &wanted.mark)
        .stdout(out)
        .stderr(errors)
        .process_group(0)
        .spawn()?;
    Handle::of_child(child)
}

/// Waits for its end, and sees to it that there is one.
fn finish(mut handle: Handle, wanted: &Task) -> io::Result<TaskEnd> {
    let mut timed_out = false;
    if !ends_within(&handle, wanted.until_ms.saturating_sub(now_ms()))? {
        timed_out = true;
        handle.signal_group(Signal::TERM);
        let grace = u64::try_from(STOP_TIME_MAX.as_millis()).unwrap_or(u64::MAX);
        if !ends_within(&handle, grace)? {
            handle.signal_group(Signal::KILL);
        }
    }
    let mut child = handle.child.take().expect("a task's command is our child");
    let status = child.wait()?;
    // What it put into the background had its time too.
    processes::sweep(&wanted.mark);
    let (code, signal) = (status.code(), status.signal());
    let ended = Ended { code, signal, at_ms: now_ms(), out_of_memory: false };
    Ok(TaskEnd { ended: Some(ended), timed_out, ..TaskEnd::default() })
}

fn ends_within(handle: &Handle, milliseconds: u64) -> io::Result<bool> {
    let deadline = now_ms().saturating_add(milliseconds);
    loop {
        let left = deadline.saturating_sub(now_ms());
        let timeout = Timespec {
            tv_sec: i64::try_from(left / 1000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(left % 1000).unwrap_or(0) * 1_000_000,
        };
        let mut fds = [PollFd::new(&handle.pidfd, PollFlags::IN)];
        match rustix::event::poll(&mut fds, Some(&timeout)) {
            Ok(0) if now_ms() >= deadline => return Ok(false),
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The folder of a task, made ready for a runner.
pub(crate) fn prepare(folder: &Path, task: &Task) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    if folder.join("task.json").exists() {
        return Ok(());
    }
    replace(&folder.join("task.json"), task)
}
