//! The typed workflow. GitHub's words throughout; every part knows its place in the file.
//!
//! Where GitHub allows an expression the field is a [`Template`]: what it evaluates to is checked
//! when it is evaluated, a literal when it is read.

use std::sync::Arc;

use expr::Expr;
use syntax::{Node, Source, Span};

use crate::template::Template;
use crate::trigger::Triggers;
use crate::uses::Uses;

/// A piece of literal text and where it stands.
#[derive(Clone, Debug)]
pub struct Text {
    /// The text.
    pub value: Arc<str>,
    /// Where it stands.
    pub span: Span,
}

/// One workflow file.
#[derive(Clone, Debug)]
pub struct Workflow {
    /// The file.
    pub source: Arc<Source>,
    /// `name`; the path serves where it is absent.
    pub name: Option<Text>,
    /// `run-name`
    pub run_name: Option<Template>,
    /// `on`
    pub on: Triggers,
    /// `permissions`
    pub permissions: Option<Permissions>,
    /// `env`
    pub env: Option<Template>,
    /// `defaults.run`: a mapping with `shell` and `working-directory`.
    pub defaults: Option<Template>,
    /// `concurrency`
    pub concurrency: Option<Concurrency>,
    /// `jobs`, in the order written.
    pub jobs: Vec<Job>,
}

/// One job, as written: the matrix is not expanded yet.
#[derive(Clone, Debug)]
pub struct Job {
    /// The key under `jobs`.
    pub id: Text,
    /// `name`
    pub name: Option<Template>,
    /// `needs`
    pub needs: Vec<Text>,
    /// `if`
    pub condition: Option<Condition>,
    /// `permissions`
    pub permissions: Option<Permissions>,
    /// `concurrency`
    pub concurrency: Option<Concurrency>,
    /// `strategy`
    pub strategy: Option<Strategy>,
    /// Steps, or a call of another workflow.
    pub body: JobBody,
    /// The job's own YAML, for handing it to a worker as it is written.
    pub node: Node,
}

/// The two kinds of job.
#[derive(Clone, Debug)]
pub enum JobBody {
    /// A job with steps of its own.
    Steps(Box<StepsJob>),
    /// A job that calls a reusable workflow.
    Call(Box<CallJob>),
}

/// What only a job with steps has.
#[derive(Clone, Debug)]
pub struct StepsJob {
    /// `runs-on`: a string, a list, or `{group, labels}`.
    pub runs_on: Template,
    /// `environment`
    pub environment: Option<Environment>,
    /// `outputs`
    pub outputs: Vec<(Text, Template)>,
    /// `env`
    pub env: Option<Template>,
    /// `defaults.run`: a mapping with `shell` and `working-directory`, or an expression that gives one.
    pub defaults: Option<Template>,
    /// `steps`
    pub steps: Vec<Step>,
    /// `timeout-minutes`
    pub timeout_minutes: Option<Template>,
    /// `cancel-timeout-minutes`
    pub cancel_timeout_minutes: Option<Template>,
    /// `continue-on-error`
    pub continue_on_error: Option<Template>,
    /// `container`
    pub container: Option<Template>,
    /// `services`
    pub services: Option<Template>,
    /// `snapshot`, which is refused (conformance 113).
    pub snapshot: Option<Span>,
}

/// What only a job that calls a reusable workflow has.
#[derive(Clone, Debug)]
pub struct CallJob {
    /// Which workflow.
    pub uses: Uses,
    /// `with`
    pub with: Option<Template>,
    /// `secrets`
    pub secrets: Option<CallSecrets>,
}

/// `secrets` of a calling job.
#[derive(Clone, Debug)]
pub enum CallSecrets {
    /// `inherit`
    Inherit,
    /// A mapping.
    Map(Template),
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// The whole step.
    pub span: Span,
    /// `id`, where it was written.
    pub id: Option<Text>,
    /// The id it runs under: the written one, or a generated one (conformance 13).
    pub key: Arc<str>,
    /// `name`
    pub name: Option<Template>,
    /// `if`
    pub condition: Option<Condition>,
    /// `env`
    pub env: Option<Template>,
    /// `continue-on-error`
    pub continue_on_error: Option<Template>,
    /// `timeout-minutes`
    pub timeout_minutes: Option<Template>,
    /// `background`
    pub background: bool,
    /// What it does.
    pub body: StepBody,
}

/// The forms of a step (conformance 12).
#[derive(Clone, Debug)]
pub enum StepBody {
    /// `run`
    Run {
        /// The script.
        script: Template,
        /// `shell`
        shell: Option<Template>,
        /// `working-directory`
        working_directory: Option<Template>,
    },
    /// `uses`
    Uses {
        /// Which action.
        uses: Uses,
        /// `with`
        with: Option<Template>,
    },
    /// `wait`: ids of background steps.
    Wait(Vec<Text>),
    /// `wait-all`
    WaitAll,
    /// `cancel`: the id of a background step.
    Cancel(Text),
    /// `parallel`: steps that run together.
    Parallel(Vec<Step>),
}

/// An `if` (conformance 18, 88).
#[derive(Clone, Debug)]
pub struct Condition {
    /// Parsed; where no status function occurs it is wrapped in `success() && (..)` already.
    pub expr: Expr,
    /// As written.
    pub text: Text,
}

/// `environment`
#[derive(Clone, Debug)]
pub struct Environment {
    /// `name`
    pub name: Template,
    /// `url`
    pub url: Option<Template>,
    /// `deployment`; true unless switched off.
    pub deployment: Option<Template>,
    /// Where it stands.
    pub span: Span,
}

/// `concurrency`
#[derive(Clone, Debug)]
pub struct Concurrency {
    /// `group`
    pub group: Template,
    /// `cancel-in-progress`
    pub cancel_in_progress: Option<Template>,
    /// `queue: max`
    pub queue_max: bool,
    /// Where it stands.
    pub span: Span,
}

/// `strategy`
#[derive(Clone, Debug)]
pub enum Strategy {
    /// Written out.
    Written {
        /// `matrix`: a mapping or one expression.
        matrix: Option<Template>,
        /// `fail-fast`
        fail_fast: Option<Template>,
        /// `max-parallel`
        max_parallel: Option<Template>,
        /// Where it stands.
        span: Span,
    },
    /// The whole of it is one expression.
    Expression(Template),
}

/// `permissions`
#[derive(Clone, Debug)]
pub struct Permissions {
    /// Where it stands.
    pub span: Span,
    /// What it grants.
    pub grants: Grants,
}

/// The three ways to write permissions (conformance 110).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grants {
    /// `read-all`
    ReadAll,
    /// `write-all`
    WriteAll,
    /// Scope by scope; what is not listed is none.
    Scopes(Vec<(Arc<str>, Access)>),
}

/// What a token may do in one scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Nothing.
    None,
    /// Read.
    Read,
    /// Read and write.
    Write,
}
