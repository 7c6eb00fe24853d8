//! Runs the git command line, without hooks, prompts or pagers.

use std::io::{self, BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal};

/// The most that is read of one answer: a file list of a million paths fits.
const ANSWER_BYTES_MAX: usize = 256 << 20;
/// The most that is kept of what one says on standard error.
const WORDS_BYTES_MAX: usize = 1 << 20;
/// The most that is read of a list of names, however few are wanted.
const NAMES_BYTES_MAX: u64 = 32 << 20;

/// How long one may take that nobody watches: a large repository comes over a slow line in that time.
pub(crate) const UNATTENDED_WITHIN: Duration = Duration::from_secs(15 * 60);
/// How long the names of files may take. A few trees that hold each other many times have more paths than
/// anybody can list, and whoever pushes makes them.
const NAMES_WITHIN: Duration = Duration::from_secs(60);
/// How much memory that may take: git keeps all that differs before it says the first.
const NAMES_MEMORY_BYTES: u64 = 2 << 30;

/// Why a git command gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// It could not be started.
    #[error("git could not be started")]
    Start(#[source] std::io::Error),
    /// It said no.
    #[error("git {command} failed: {message}")]
    Failed {
        /// The sub-command with its arguments.
        command: String,
        /// Its own words.
        message: String,
    },
    /// It said too much.
    #[error("git {command} answered with more than {limit} bytes")]
    TooLong {
        /// The sub-command with its arguments.
        command: String,
        /// How much is read.
        limit: usize,
    },
    /// It came to no end.
    #[error("git {command} did not end within {seconds} s, and was ended")]
    Late {
        /// The sub-command with its arguments.
        command: String,
        /// How long it was waited for.
        seconds: u64,
    },
}

impl GitError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<&str> {
        match self {
            GitError::Start(_) => Some("install git (Debian: apt-get install git)"),
            GitError::Failed { message, .. } if message.contains("dubious ownership") => Some(
                "the folder belongs to somebody else: git config --global --add safe.directory PATH",
            ),
            GitError::Failed { message, .. }
                if message.contains("does not have a commit checked out") =>
            {
                Some(
                    "that folder is a repository of its own without a commit: commit there, name it in .gitignore, or leave out what is not committed: --committed",
                )
            }
            GitError::Failed { command, message }
                if command.starts_with("add ") && message.contains("Permission denied") =>
            {
                Some(
                    "make it readable for this user, name it in .gitignore, or leave out what is not committed: --committed",
                )
            }
            GitError::Failed { .. } | GitError::TooLong { .. } | GitError::Late { .. } => None,
        }
    }
}

/// What a git command said.
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) printed: String,
    command: String,
    words: String,
}

impl Answer {
    /// What it printed, where it ended well.
    pub(crate) fn done(self) -> Result<String, GitError> {
        if self.code == Some(0) { Ok(self.printed) } else { Err(self.failed()) }
    }

    /// What it said on standard error.
    pub(crate) fn words(&self) -> &str {
        &self.words
    }

    /// The failure that it is.
    pub(crate) fn failed(self) -> GitError {
        GitError::Failed { command: self.command, message: self.words.trim().to_owned() }
    }
}

/// Runs `git ARGS` in `folder` with these variables too, and gives what it said.
pub(crate) fn git_with(
    folder: &Path,
    args: &[&str],
    variables: &[(&str, &Path)],
) -> Result<Answer, GitError> {
    let mut command = Command::new("git");
    command.envs(variables.iter().copied());
    run(command, folder, args)
}

fn run(mut command: Command, folder: &Path, args: &[&str]) -> Result<Answer, GitError> {
    answer(prepared(&mut command, folder, args), args, Limits::default())
}

/// Objects that stand for others are not looked at: whoever may push a ref could put them in the place of
/// what the rules are read from, and GitHub knows none.
fn prepared<'c>(command: &'c mut Command, folder: &Path, args: &[&str]) -> &'c mut Command {
    command
        .args([
            "-c",
            "core.hooksPath=/dev/null",
            "-c",
            "core.quotePath=false",
            "--no-optional-locks",
        ])
        .args(args)
        .current_dir(folder)
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
}

/// What a command may take.
#[derive(Clone, Copy)]
struct Limits {
    /// Of its answer.
    bytes: usize,
    /// None: until it ends, and Ctrl-C on the terminal ends it.
    within: Option<Duration>,
    /// Of its own.
    memory_bytes: Option<u64>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { bytes: ANSWER_BYTES_MAX, within: None, memory_bytes: None }
    }
}

/// How a command ended.
struct Ended {
    status: ExitStatus,
    words: Vec<u8>,
    is_late: bool,
}

/// Starts a command, has `read` take its answer, and waits for its end. Where `read` says that it has enough,
/// or the time is up, the command is ended: with all that it had started, where it has a time.
fn observed<T>(
    command: &mut Command,
    limits: Limits,
    read: impl FnOnce(ChildStdout) -> io::Result<(T, bool)>,
) -> io::Result<(T, Ended)> {
    if limits.within.is_some() {
        command.process_group(0);
    }
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let id = Pid::from_child(&child);
    if let Some(bytes) = limits.memory_bytes {
        let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
        // Who is gone meanwhile needs none.
        let _ = rustix::process::prlimit(Some(id), Resource::Data, limit);
    }
    let end = move || match limits.within {
        // Who is gone meanwhile needs no end.
        Some(_) => drop(rustix::process::kill_process_group(id, Signal::KILL)),
        None => drop(rustix::process::kill_process(id, Signal::KILL)),
    };
    let (done, ended) = channel::<()>();
    std::thread::scope(|scope| {
        let watch = limits.within.map(|within| {
            scope.spawn(move || {
                let is_late = ended.recv_timeout(within) == Err(RecvTimeoutError::Timeout);
                if is_late {
                    end();
                }
                is_late
            })
        });
        let words = child.stderr.take().map(|pipe| scope.spawn(|| up_to(pipe, WORDS_BYTES_MAX)));
        let found = answer_of(&mut child, read);
        if !matches!(found, Ok((_, false))) {
            end();
        }
        let words = words.map(crate::discover::joined).transpose()?.unwrap_or_default();
        let status = child.wait()?;
        drop(done);
        let is_late = watch.is_some_and(crate::discover::joined);
        Ok((found?.0, Ended { status, words, is_late }))
    })
}

fn answer_of<T>(
    child: &mut Child,
    read: impl FnOnce(ChildStdout) -> io::Result<(T, bool)>,
) -> io::Result<(T, bool)> {
    read(child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?)
}

/// All of a pipe; what is behind `max` bytes is read and forgotten.
fn up_to(mut pipe: impl Read, max: usize) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    pipe.by_ref().take(max as u64).read_to_end(&mut kept)?;
    io::copy(&mut pipe, &mut io::sink())?;
    Ok(kept)
}

fn answer(command: &mut Command, args: &[&str], limits: Limits) -> Result<Answer, GitError> {
    let read = |pipe: ChildStdout| {
        let mut printed = Vec::new();
        pipe.take(limits.bytes as u64 + 1).read_to_end(&mut printed)?;
        let is_enough = printed.len() > limits.bytes;
        Ok((printed, is_enough))
    };
    let (printed, ended) = observed(command, limits, read).map_err(GitError::Start)?;
    let command = shown(args);
    if printed.len() > limits.bytes {
        return Err(GitError::TooLong { command, limit: limits.bytes });
    }
    if ended.is_late {
        let seconds = limits.within.unwrap_or_default().as_secs();
        return Err(GitError::Late { command, seconds });
    }
    Ok(Answer {
        code: ended.status.code(),
        printed: String::from_utf8_lossy(&printed).into_owned(),
        command,
        words: String::from_utf8_lossy(&ended.words).into_owned(),
    })
}

/// The first names of `git ARGS`, which ends each with NUL: at most `max`. None where git says no, or takes
/// longer or more memory than names are worth.
///
/// # Errors
/// When git cannot be started.
pub(crate) fn names(
    folder: &Path,
    args: &[&str],
    max: usize,
) -> Result<Option<Vec<String>>, GitError> {
    let limits = Limits {
        within: Some(NAMES_WITHIN),
        memory_bytes: Some(NAMES_MEMORY_BYTES),
        ..Limits::default()
    };
    let read = |pipe: ChildStdout| {
        let mut pipe = BufReader::new(pipe.take(NAMES_BYTES_MAX));
        let (mut names, mut name) = (Vec::new(), Vec::new());
        while names.len() < max && pipe.read_until(0, &mut name)? > 0 {
            if name.pop() != Some(0) {
                // Cut in the middle of one.
                return Ok((None, true));
            }
            names.push(String::from_utf8_lossy(&name).into_owned());
            name.clear();
        }
        let is_enough = names.len() == max;
        Ok((Some(names), is_enough))
    };
    let mut command = Command::new("git");
    let command = prepared(&mut command, folder, args);
    let (names, ended) = observed(command, limits, read).map_err(GitError::Start)?;
    Ok(names.filter(|names| names.len() == max || (ended.status.success() && !ended.is_late)))
}

/// Like [`git`], for an answer of at most so many bytes.
pub(crate) fn git_up_to(
    folder: &Path,
    args: &[&str],
    variables: &[(&str, &Path)],
    bytes: usize,
) -> Result<String, GitError> {
    let mut command = Command::new("git");
    command.envs(variables.iter().copied());
    let limits = Limits { bytes, ..Limits::default() };
    answer(prepared(&mut command, folder, args), args, limits)?.done()
}

/// Runs `git ARGS` in `folder` as the folder alone says: no variable has it look elsewhere. `config` goes as variables, which no process list shows.
pub(crate) fn git_clean(
    folder: &Path,
    args: &[&str],
    config: &[(String, String)],
) -> Result<Answer, GitError> {
    run(clean(config), folder, args)
}

/// Like [`git_clean`], where nobody is there to be asked, or to press Ctrl-C: ssh would ask on the terminal
/// that a server was started from, and a host that went away would be waited for without end.
pub(crate) fn git_unattended(
    folder: &Path,
    args: &[&str],
    config: &[(String, String)],
) -> Result<Answer, GitError> {
    let mut command = clean(config);
    command.env("SSH_ASKPASS", "/bin/false").env("SSH_ASKPASS_REQUIRE", "force");
    let limits = Limits { within: Some(UNATTENDED_WITHIN), ..Limits::default() };
    answer(prepared(&mut command, folder, args), args, limits)
}

fn clean(config: &[(String, String)]) -> Command {
    let mut command = Command::new("git");
    for name in crate::tip::MISLEADING {
        command.env_remove(name);
    }
    if !config.is_empty() {
        command.env("GIT_CONFIG_COUNT", config.len().to_string());
    }
    for (at, (key, value)) in config.iter().enumerate() {
        command.env(format!("GIT_CONFIG_KEY_{at}"), key);
        command.env(format!("GIT_CONFIG_VALUE_{at}"), value);
    }
    command
}

/// The sub-command with its arguments; settings of ours before it say nothing to a person.
fn shown(args: &[&str]) -> String {
    let mut rest = args;
    while let ["-c", _, more @ ..] = rest {
        rest = more;
    }
    rest.join(" ")
}

/// Runs `git ARGS` in `folder` and gives what it printed.
pub(crate) fn git(folder: &Path, args: &[&str]) -> Result<String, GitError> {
    git_with(folder, args, &[])?.done()
}

/// Like [`git`], with "it said no" as nothing: for questions whose answer may be missing.
pub(crate) fn ask(folder: &Path, args: &[&str]) -> Result<Option<String>, GitError> {
    ask_with(folder, args, &[])
}

/// [`ask`] with these variables too.
pub(crate) fn ask_with(
    folder: &Path,
    args: &[&str],
    variables: &[(&str, &Path)],
) -> Result<Option<String>, GitError> {
    match git_with(folder, args, variables)?.done() {
        Ok(answer) => Ok(Some(answer.trim_end_matches('\n').to_owned())),
        Err(GitError::Failed { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}
