//! What an expression may name, place by place (conformance 45-65).

use crate::tree::Function;

/// The contexts and special functions of one place. The general functions (`contains`, `format`,
/// `case`, ...) are allowed everywhere and are not listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Names of contexts, in lower case.
    pub contexts: &'static [&'static str],
    /// Special functions: `always`, `cancelled`, `success`, `failure`, `hashFiles`. A range of
    /// argument counts may follow as in GitHub's schema, `success(0,MAX)`; without one, `hashFiles`
    /// takes 1 to 255 and the others none.
    pub functions: &'static [&'static str],
}

const STATUS: &[&str] = &["always", "cancelled", "success", "failure"];
const JOB_STATUS: &[&str] = &["always", "cancelled", "success(0,MAX)", "failure(0,MAX)"];
const STATUS_AND_FILES: &[&str] = &["always", "cancelled", "success", "failure", "hashFiles"];
const ALL_FUNCTIONS: &[&str] =
    &["always", "cancelled", "success(0,MAX)", "failure(0,MAX)", "hashFiles"];
const FILES: &[&str] = &["hashFiles"];
const STATIC: &[&str] = &["github", "inputs", "vars", "needs", "strategy", "matrix"];

impl Scope {
    /// Literals and general functions only: a step's `shell` (conformance 58).
    pub const NOTHING: Self = Self::new(&[], &[]);
    /// `run-name`, the workflow's `concurrency`, defaults of `workflow_call` inputs (45, 60).
    pub const RUN: Self = Self::new(&["github", "inputs", "vars"], &[]);
    /// The workflow's `env` (46).
    pub const WORKFLOW_ENV: Self = Self::new(&["github", "inputs", "vars", "secrets"], &[]);
    /// A job's `if` (47).
    pub const JOB_IF: Self = Self::new(&["github", "inputs", "vars", "needs"], JOB_STATUS);
    /// `strategy` (48).
    pub const STRATEGY: Self = Self::new(&["github", "inputs", "vars", "needs"], &[]);
    /// A job's name, `runs-on`, `environment`, `container`, timeouts and the like (49), and `with`
    /// of a job that calls a workflow (59).
    pub const JOB: Self = Self::new(STATIC, &[]);
    /// A job's `env` (50), and `secrets` of a job that calls a workflow (59).
    pub const JOB_ENV: Self =
        Self::new(&["github", "inputs", "vars", "needs", "strategy", "matrix", "secrets"], &[]);
    /// A job's `defaults.run` (51).
    pub const JOB_DEFAULTS: Self =
        Self::new(&["github", "inputs", "vars", "needs", "strategy", "matrix", "env"], &[]);
    /// `credentials` of a container or service (52).
    pub const CREDENTIALS: Self = Self::new(
        &["github", "inputs", "vars", "needs", "strategy", "matrix", "secrets", "env"],
        &[],
    );
    /// `env` of a container or service (53) and job outputs (55).
    pub const JOB_OUTPUTS: Self = Self::new(
        &[
            "github", "inputs", "vars", "needs", "strategy", "matrix", "secrets", "steps", "job",
            "runner", "env",
        ],
        &[],
    );
    /// `environment.url` (54).
    pub const ENVIRONMENT_URL: Self = Self::new(
        &[
            "github", "inputs", "vars", "needs", "strategy", "matrix", "steps", "job", "runner",
            "env",
        ],
        &[],
    );
    /// A step's `if` (56): no secrets.
    pub const STEP_IF: Self = Self::new(Self::ENVIRONMENT_URL.contexts, STATUS_AND_FILES);
    /// Everything else of a step (57).
    pub const STEP: Self = Self::new(Self::JOB_OUTPUTS.contexts, FILES);
    /// The value of a `workflow_call` output (61).
    pub const CALL_OUTPUT: Self = Self::new(&["github", "inputs", "vars", "jobs"], &[]);
    /// A composite action's step, but for its `if` (62).
    pub const COMPOSITE_STEP: Self = Self::new(Self::COMPOSITE_OUTPUT.contexts, FILES);
    /// The `if` of a composite action's step (62).
    pub const COMPOSITE_IF: Self = Self::new(Self::COMPOSITE_OUTPUT.contexts, STATUS_AND_FILES);
    /// A composite action's outputs (63).
    pub const COMPOSITE_OUTPUT: Self = Self::new(
        &["github", "inputs", "strategy", "matrix", "steps", "job", "runner", "env"],
        &[],
    );
    /// The default of an action's input (64).
    pub const ACTION_INPUT: Self =
        Self::new(&["github", "strategy", "matrix", "job", "runner"], FILES);
    /// `args` and `env` of a Docker action (65).
    pub const DOCKER_ARGS: Self = Self::new(&["inputs"], &[]);
    /// `pre-if` and `post-if` of an action.
    pub const ACTION_IF: Self = Self::new(Self::COMPOSITE_OUTPUT.contexts, STATUS);

    /// A scope of these contexts and special functions.
    #[must_use]
    pub const fn new(
        contexts: &'static [&'static str],
        functions: &'static [&'static str],
    ) -> Self {
        Self { contexts, functions }
    }

    /// Every context and function there is: for `launchway eval`.
    #[must_use]
    pub const fn everything() -> Self {
        Self::new(
            &[
                "github", "inputs", "vars", "needs", "strategy", "matrix", "secrets", "steps",
                "job", "jobs", "runner", "env",
            ],
            ALL_FUNCTIONS,
        )
    }

    /// Whether `name` is a context here; case does not matter (conformance 79).
    pub(crate) fn has_context(&self, name: &str) -> bool {
        self.contexts.iter().any(|it| it.eq_ignore_ascii_case(name))
    }

    /// The counts of arguments that `function` takes here, if it is here at all.
    pub(crate) fn arity(&self, function: Function) -> Option<(usize, usize)> {
        if let Some(arity) = function.general_arity() {
            return Some(arity);
        }
        self.functions.iter().find_map(|entry| {
            let (name, range) = entry.split_once('(').unwrap_or((entry, ""));
            name.eq_ignore_ascii_case(function.name()).then(|| read_range(function, range))
        })
    }
}

/// More arguments than any expression has room for.
const UNLIMITED: usize = usize::MAX;

fn read_range(function: Function, range: &str) -> (usize, usize) {
    let count = |text: &str| text.trim().parse().unwrap_or(UNLIMITED);
    match range.trim_end_matches(')').split_once(',') {
        Some((min, max)) => (count(min), count(max)),
        None if function == Function::HashFiles => (1, 255),
        None => (0, 0),
    }
}
