//! Runs the git command line, without hooks, prompts or pagers.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// The most that is read of one answer: a file list of a million paths fits.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// How long one may take that nobody watches: a large repository comes over a slow line in that time.
pub(crate) const UNATTENDED_WITHIN: Duration = Duration::from_secs(15 * 60);

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
    #[error("git {command} answered with more than {ANSWER_BYTES_MAX} bytes")]
    TooLong {
        /// The sub-command with its arguments.
        command: String,
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
    let output = prepared(&mut command, folder, args).output().map_err(GitError::Start)?;
    answer(output, args)
}

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
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
}

/// What a program printed that ended in this time; none where it did not, and was ended with all that it
/// had started.
fn output_within(command: &mut Command, within: Duration) -> std::io::Result<Option<Output>> {
    use std::os::unix::process::CommandExt as _;
    let child = command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let group = rustix::process::Pid::from_child(&child);
    let (done, ended) = channel::<()>();
    let watch = std::thread::spawn(move || {
        let is_late = ended.recv_timeout(within) == Err(RecvTimeoutError::Timeout);
        if is_late {
            // Who is gone meanwhile needs no end.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        is_late
    });
    let output = child.wait_with_output();
    drop(done);
    let is_late = watch.join().unwrap_or(false);
    output.map(|output| (!is_late).then_some(output))
}

fn answer(output: Output, args: &[&str]) -> Result<Answer, GitError> {
    let command = shown(args);
    if output.stdout.len() > ANSWER_BYTES_MAX {
        return Err(GitError::TooLong { command });
    }
    Ok(Answer {
        code: output.status.code(),
        printed: String::from_utf8_lossy(&output.stdout).into_owned(),
        command,
        words: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs `git ARGS` in `folder` as the folder alone says: no variable has it look elsewhere, and no
/// object stands for another. `config` goes as variables, which no process list shows.
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
    let output = output_within(prepared(&mut command, folder, args), UNATTENDED_WITHIN);
    let late = || GitError::Late { command: shown(args), seconds: UNATTENDED_WITHIN.as_secs() };
    answer(output.map_err(GitError::Start)?.ok_or_else(late)?, args)
}

fn clean(config: &[(String, String)]) -> Command {
    let mut command = Command::new("git");
    for name in crate::tip::MISLEADING {
        command.env_remove(name);
    }
    command.env("GIT_NO_REPLACE_OBJECTS", "1");
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
