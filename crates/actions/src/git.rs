//! Runs the git command line: no prompt, no hooks, no variables of a surrounding git command.
//!
//! The user's configuration stays (proxies, credential helpers, certificates are there for a
//! reason), what could run code or change what arrives does not.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// How addresses may be reached. `ext::` would run a command that somebody wrote in an address.
const PROTOCOLS_ALLOWED: &str = "file:git:http:https:ssh";

/// A transfer slower than this for [`STALLED_SECONDS`] is given up: git itself would wait forever.
const SLOWEST_BYTES_A_SECOND: &str = "http.lowSpeedLimit=1000";
const STALLED_SECONDS: &str = "http.lowSpeedTime=30";

/// What an outer git (a hook, an alias) sets and what would send our commands to its repository.
const FOREIGN_VARIABLES: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_ATTR_SOURCE",
    "GIT_CEILING_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DIR",
    "GIT_EXTERNAL_DIFF",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_LITERAL_PATHSPECS",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_SHALLOW_FILE",
    "GIT_TEMPLATE_DIR",
    "GIT_WORK_TREE",
];

/// Why a git command gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// It could not be started.
    #[error("git could not be started")]
    Start(#[source] std::io::Error),
    /// It said no.
    #[error("git {command} failed: {message}")]
    Failed {
        /// The sub-command.
        command: String,
        /// Its own last words.
        message: String,
    },
}

/// What went wrong, as far as git's words tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The host was not reached, or went away: trying again may help.
    Network,
    /// The host wants to know who asks, or hides the repository.
    Denied,
    /// The host answered that the thing is not there.
    Missing,
    /// The repository is there, the commit or ref is not.
    NoCommit,
    /// Anything else.
    Other,
}

impl GitError {
    /// Sorts it by what can be done about it.
    pub(crate) fn trouble(&self) -> Trouble {
        let GitError::Failed { message, .. } = self else { return Trouble::Other };
        let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
        if says(&["Authentication failed", "could not read Username", "Permission denied", "403"]) {
            Trouble::Denied
        } else if says(&["not our ref", "couldn't find remote ref", "bad object"]) {
            Trouble::NoCommit
        } else if says(&["Repository not found", "does not exist", "does not appear to be a git"])
            || (says(&["not found"]) && !says(&["command not found"]))
        {
            Trouble::Missing
        } else if says(&[
            "Could not resolve",
            "Failed to connect",
            "Couldn't connect",
            "Connection",
            "timed out",
            "Timeout",
            "early EOF",
            "RPC failed",
            "The requested URL returned error: 5",
            "unable to access",
            "hung up",
            "Operation too slow",
        ]) {
            Trouble::Network
        } else {
            Trouble::Other
        }
    }
}

/// One git command.
pub(crate) struct Git {
    command: Command,
    name: String,
    input: Option<Vec<u8>>,
}

impl Git {
    /// `git NAME` in `folder`.
    pub(crate) fn new(folder: &Path, name: &str) -> Git {
        Git::configured(folder, name, &[])
    }

    /// `git -c .. NAME` in `folder`.
    pub(crate) fn configured(folder: &Path, name: &str, settings: &[String]) -> Git {
        let mut command = Command::new("git");
        for fixed in [
            "core.hooksPath=/dev/null",
            "core.fsmonitor=false",
            "core.quotePath=false",
            "advice.detachedHead=false",
            "advice.addEmbeddedRepo=false",
            "gc.auto=0",
            "maintenance.auto=false",
            "fetch.recurseSubmodules=false",
            "protocol.version=2",
            SLOWEST_BYTES_A_SECOND,
            STALLED_SECONDS,
        ] {
            command.arg("-c").arg(fixed);
        }
        for setting in settings {
            command.arg("-c").arg(setting);
        }
        command.arg(name).current_dir(folder).stdin(Stdio::null());
        for variable in FOREIGN_VARIABLES {
            command.env_remove(variable);
        }
        command
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ALLOW_PROTOCOL", PROTOCOLS_ALLOWED)
            .env("GIT_PAGER", "cat")
            .env("LC_ALL", "C.UTF-8");
        Git { command, name: name.to_owned(), input: None }
    }

    /// Leaves the configuration of user and machine out: for what must come out the same everywhere.
    pub(crate) fn unconfigured(mut self) -> Git {
        self.command
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_ATTR_NOSYSTEM", "1");
        self
    }

    /// Adds an argument.
    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Git {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    pub(crate) fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Git {
        self.command.args(arguments);
        self
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Git {
        self.command.env(name, value.into());
        self
    }

    /// What it reads from its standard input.
    pub(crate) fn input(mut self, bytes: impl Into<Vec<u8>>) -> Git {
        self.input = Some(bytes.into());
        self
    }

    /// The command itself, for callers that read its output as it comes.
    pub(crate) fn into_command(self) -> Command {
        self.command
    }

    /// Runs it and gives the bytes it printed.
    pub(crate) fn bytes(self) -> Result<Vec<u8>, GitError> {
        let Git { mut command, name, input } = self;
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if input.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn().map_err(GitError::Start)?;
        // A thread writes, so that a command which answers while it reads cannot block both.
        let writer = input.map(|bytes| {
            let mut pipe = child.stdin.take().expect("stdin was asked for as a pipe");
            // A child that ends early closes the pipe: its exit status says what happened.
            std::thread::spawn(move || drop(pipe.write_all(&bytes)))
        });
        let output = child.wait_with_output().map_err(GitError::Start)?;
        if let Some(writer) = writer {
            writer.join().expect("writing to a pipe does not panic");
        }
        if output.status.success() {
            return Ok(output.stdout);
        }
        let words = String::from_utf8_lossy(&output.stderr);
        let message = last_words(&words, output.status.code());
        Err(GitError::Failed { command: name, message })
    }

    /// Runs it and gives what it printed, without the last newline.
    pub(crate) fn text(self) -> Result<String, GitError> {
        let bytes = self.bytes()?;
        Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned())
    }

    /// Runs it for its effect.
    pub(crate) fn run(self) -> Result<(), GitError> {
        self.bytes().map(drop)
    }

    /// Runs it as a question: "no" is an answer.
    pub(crate) fn ask(self) -> Result<Option<String>, GitError> {
        match self.text() {
            Ok(text) => Ok(Some(text)),
            Err(GitError::Failed { .. }) => Ok(None),
            Err(start) => Err(start),
        }
    }
}

/// The lines of a failure that say something: progress and blank lines do not.
fn last_words(words: &str, code: Option<i32>) -> String {
    const LINES_MAX: usize = 6;
    let lines = words
        .lines()
        .map(|line| line.rsplit('\r').next().unwrap_or(line).trim())
        .filter(|line| !line.is_empty() && !line.contains("% ("))
        .collect::<Vec<_>>();
    let kept = &lines[lines.len().saturating_sub(LINES_MAX)..];
    if kept.is_empty() {
        return match code {
            Some(code) => format!("exit code {code} without a word"),
            None => "ended by a signal".to_owned(),
        };
    }
    without_credentials(&kept.join("; "))
}

/// Takes `user:password@` out of addresses: git repeats the address it could not reach.
fn without_credentials(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        clean.push_str(head);
        let end = tail.find(['/', ' ', '\'', '"']).unwrap_or(tail.len());
        let host = tail[..end].rfind('@').map_or(0, |at| at + 1);
        rest = &tail[host..];
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_sorted_by_what_can_be_done() {
        let trouble = |message: &str| {
            GitError::Failed { command: "fetch".to_owned(), message: message.to_owned() }.trouble()
        };
        for (message, expected) in [
            ("fatal: unable to access 'https://h/': Could not resolve host: h", Trouble::Network),
            ("error: RPC failed; HTTP 502", Trouble::Network),
            ("fatal: repository 'https://h/o/r/' not found", Trouble::Missing),
            ("fatal: could not read Username for 'https://h': terminal prompts", Trouble::Denied),
            ("fatal: remote error: upload-pack: not our ref 12", Trouble::NoCommit),
            ("fatal: index file corrupt", Trouble::Other),
        ] {
            assert_eq!(trouble(message), expected, "{message}");
        }
    }

    #[test]
    fn an_address_loses_its_credentials() {
        assert_eq!(
            without_credentials("fatal: 'https://user:secret@host/o/r' and ssh://git@host:22/x"),
            "fatal: 'https://host/o/r' and ssh://host:22/x"
        );
    }
}
