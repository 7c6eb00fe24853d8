//! The exit codes: one table, documented in `docs/exit-codes.md`, the same for every command.

use std::fmt::Display;
use std::process::ExitCode;

use syntax::{Diagnostic, RuleId};

use crate::running::prepare::called::{LOCKED, UNREACHABLE};

/// How a command ended, for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; also `check` with warnings only.
    Done = 0,
    /// It ran and failed; a deployment was superseded.
    Failed = 1,
    /// Wrong usage. clap exits with the same code by itself.
    Usage = 2,
    /// The input was refused: a workflow, settings, an expression.
    Refused = 3,
    /// A rule forbids it: protection, role, a clean work tree, drift since the plan.
    Forbidden = 4,
    /// Something needed is missing or unreachable: a tool, the network, Docker.
    Missing = 5,
    /// A deployment failed, and what ran before runs again.
    RolledBack = 6,
    /// A deployment failed, and so did going back: a person is needed.
    RollbackStuck = 7,
    /// A fault of ours.
    Fault = 70,
    /// Stopped on request.
    Cancelled = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command could not do what it was asked: what, why, and what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// What went wrong, with its chain of reasons.
    pub(crate) error: anyhow::Error,
    /// What to do about it, a line each.
    pub(crate) hints: Vec<String>,
}

impl Failure {
    /// A failure in our own words.
    pub(crate) fn new(exit: Exit, message: impl Display) -> Failure {
        Failure { exit, error: anyhow::anyhow!("{message}"), hints: Vec::new() }
    }

    /// A failure that another error caused.
    pub(crate) fn caused(exit: Exit, error: impl Into<anyhow::Error>) -> Failure {
        let error = error.into();
        // What the state folder's own error advises holds wherever it came up.
        let hint = error.chain().find_map(|reason| reason.downcast_ref::<store::StoreError>());
        let hint = hint.and_then(store::StoreError::hint).map(str::to_owned);
        let shared = error.chain().find_map(|reason| reason.downcast_ref::<bucket::BucketError>());
        let hints = hint.into_iter().chain(shared.map(bucket::BucketError::hint)).collect();
        Failure { exit, error, hints }
    }

    /// Adds what to do about it.
    pub(crate) fn hint(mut self, hint: impl Display) -> Failure {
        self.hints.push(hint.to_string());
        self
    }
}

/// A result that carries its exit code.
pub(crate) type Outcome = Result<Exit, Failure>;

impl From<repository::RepositoryError> for Failure {
    fn from(error: repository::RepositoryError) -> Failure {
        let exit = match &error {
            repository::RepositoryError::Event { .. }
            | repository::RepositoryError::Conflicts { .. } => Exit::Refused,
            repository::RepositoryError::NoFolder { .. } => Exit::Usage,
            repository::RepositoryError::File { source, .. }
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                Exit::Usage
            }
            _ => Exit::Missing,
        };
        let hint = error.hint().map(str::to_owned);
        let failure = Failure::caused(exit, error);
        hint.into_iter().fold(failure, Failure::hint)
    }
}

/// What is missing here, or forbidden, exits differently from what GitHub would refuse too.
pub(crate) fn exit_of_findings<'f>(findings: impl Iterator<Item = &'f Diagnostic> + Clone) -> Exit {
    let all = |rules: &[RuleId]| findings.clone().all(|finding| rules.contains(&finding.rule));
    if all(&["needs-docker", "unknown-label", "snapshot", "port-taken", UNREACHABLE]) {
        Exit::Missing
    } else if all(&[LOCKED]) {
        Exit::Forbidden
    } else {
        Exit::Refused
    }
}
