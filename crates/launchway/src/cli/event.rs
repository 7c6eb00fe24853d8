//! What takes an event: `launchway run` does what it triggers, `launchway plan` shows it.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Format;
use super::limits::LimitArgs;

/// Which event, of what, with what.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct EventArgs {
    /// push, pull_request, workflow_dispatch, schedule, tag, or any event with --event-path
    #[arg(value_name = "EVENT", default_value = "push")]
    pub(crate) event: String,
    /// A workflow file, or a folder of them [default: .github/workflows]
    #[arg(short = 'W', long = "workflows", value_name = "FILE|FOLDER")]
    pub(crate) workflows: Option<PathBuf>,
    /// Only this job (its id), with the jobs it needs; may be given several times
    #[arg(short = 'j', long = "job", value_name = "ID")]
    pub(crate) jobs: Vec<String>,
    /// The event's payload, a JSON file
    #[arg(long, value_name = "FILE")]
    pub(crate) event_path: Option<PathBuf>,
    /// The branch a pull request is against [default: the default branch]
    #[arg(long, value_name = "BRANCH")]
    pub(crate) base: Option<String>,
    /// The tag that is pushed
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Option<String>,
    /// An input of workflow_dispatch
    #[arg(long = "input", value_name = "KEY=VALUE")]
    pub(crate) inputs: Vec<String>,
    /// A variable (vars.KEY)
    #[arg(long = "var", value_name = "KEY=VALUE")]
    pub(crate) vars: Vec<String>,
    /// Only legs with this value; may be given several times
    #[arg(long = "matrix", value_name = "KEY:VALUE")]
    pub(crate) matrix: Vec<String>,
    /// What is committed, rather than the work tree as it is; schedule and its like: the default branch
    #[arg(long)]
    pub(crate) committed: bool,
    /// The repository [default: the one this folder lies in]; with --server OWNER/NAME
    #[arg(short = 'C', long = "repository", value_name = "DIR")]
    pub(crate) repository: Option<PathBuf>,
}

const RUN_EXAMPLES: &str = "\
Examples:
  launchway run                                  push of this branch, uncommitted changes included
  launchway run push --committed                 push of what is committed
  launchway run tag --tag v1.2.0
  launchway run workflow_dispatch -W .github/workflows/deploy.yml --input confirm=DEPLOY
  launchway run pull_request -j test --matrix python:3.11
  launchway run --secret TOKEN --secret-file .secrets
  launchway run --job-memory 4GiB --job-cpus 2   what a job may take; docs/runners.md says where this can be
  launchway run workflow_dispatch -W deploy.yml --input confirm=DEPLOY --server https://ci.example.com
  launchway run --format json | jq -r 'select(.type==\"job_completed\") | .conclusion'

Exit codes: 0 all jobs ended well, 1 a job failed, 3 a workflow was refused,
4 a rule forbids it, 5 something needed is missing, 130 cancelled.";

/// `launchway run`
#[derive(Clone, Debug, Args)]
#[command(after_help = RUN_EXAMPLES)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) event: EventArgs,
    /// A secret; without a value it is taken from the environment, or asked for
    #[arg(long = "secret", value_name = "KEY[=VALUE]")]
    pub(crate) secrets: Vec<String>,
    /// A file of secrets, KEY=VALUE a line
    #[arg(long = "secret-file", value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// Agree to run jobs of this environment
    #[arg(long = "environment", value_name = "NAME")]
    pub(crate) environments: Vec<String>,
    /// Where jobs run
    #[arg(long, value_enum, default_value_t = Executor::Auto)]
    pub(crate) executor: Executor,
    /// What a label of runs-on means here, as LABEL=host or LABEL=IMAGE
    #[arg(long = "label", value_name = "LABEL=PLACE")]
    pub(crate) labels: Vec<String>,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// Jobs at a time [default: the number of processors]
    #[arg(long, value_name = "N")]
    pub(crate) width: Option<NonZeroUsize>,
    /// Use only actions that were fetched before
    #[arg(long)]
    pub(crate) offline: bool,
    /// Run the real actions where native versions exist
    #[arg(long)]
    pub(crate) no_native: bool,
    /// Fetch actions from elsewhere: prefix of owner/repo, and an address or folder
    #[arg(long = "mirror", value_name = "PREFIX=WHERE")]
    pub(crate) mirrors: Vec<String>,
    /// Show debug lines
    #[arg(long)]
    pub(crate) debug: bool,
    /// On a server, workflow_dispatch alone
    #[arg(long, value_name = "URL", conflicts_with_all = ["jobs", "event_path", "base", "tag",
        "vars", "matrix", "committed", "secrets", "secret_file", "environments", "executor",
        "labels", "job_memory", "job_cpus", "job_processes", "width", "offline", "no_native", "mirrors",
        "debug"])]
    pub(crate) server: Option<String>,
    /// With --server: the branch or tag that is run [default: the default branch]
    #[arg(long = "ref", value_name = "BRANCH|TAG", requires = "server")]
    pub(crate) git_ref: Option<String>,
    /// How results are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Where jobs run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Executor {
    /// On this machine; jobs that need containers are refused
    Auto,
    /// On this machine, even where Docker answers
    Host,
    /// On this machine, kept in: jobs reach its programs and what is theirs, no more (docs/sandbox.md)
    Sandbox,
    /// In containers
    Docker,
    /// In pods
    Kubernetes,
}

/// How a plan is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// For people
    Human,
    /// One JSON object a line
    Json,
    /// Graphviz
    Dot,
}

const PLAN_EXAMPLES: &str = "\
Examples:
  launchway plan                                 what a push of this branch would run
  launchway plan pull_request --base main
  launchway plan push -j deploy                  one job, with the jobs it needs
  launchway plan --format dot | dot -Tsvg > plan.svg
  launchway plan --format json | jq -r 'select(.type==\"job\" and .decision==\"runs\") | .name'

Nothing is run. Called workflows of other repositories are fetched, and said.
Exit codes: 0 something runs or rightly nothing does, 3 a workflow has mistakes.";

/// `launchway plan`
#[derive(Clone, Debug, Args)]
#[command(after_help = PLAN_EXAMPLES)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) event: EventArgs,
    /// A secret that there will be; only its name is looked at
    #[arg(long = "secret", value_name = "KEY[=VALUE]")]
    pub(crate) secrets: Vec<String>,
    /// A file of secrets, KEY=VALUE a line; only their names are looked at
    #[arg(long = "secret-file", value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// Agree to jobs of this environment, as for a run
    #[arg(long = "environment", value_name = "NAME")]
    pub(crate) environments: Vec<String>,
    /// What a label of runs-on means here, as LABEL=host or LABEL=IMAGE
    #[arg(long = "label", value_name = "LABEL=PLACE")]
    pub(crate) labels: Vec<String>,
    /// Use only called workflows that were fetched before
    #[arg(long)]
    pub(crate) offline: bool,
    /// Fetch called workflows from elsewhere: prefix of owner/repo, and an address or folder
    #[arg(long = "mirror", value_name = "PREFIX=WHERE")]
    pub(crate) mirrors: Vec<String>,
    /// How the plan is written
    #[arg(long, value_enum, default_value_t = PlanFormat::Human)]
    pub(crate) format: PlanFormat,
}
