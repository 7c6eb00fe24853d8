//! The command line: plain verbs for daily work, plural nouns for looking after things.

mod examples;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  launchway run                     what a push of this branch would run
  launchway run pull_request        what a pull request against the default branch would run
  launchway run -j test             one job, with the jobs it needs
  launchway plan                    what would run, without running it
  launchway check                   every mistake in .github/workflows, before the push
  launchway runs show               how the last run ended, and why
  launchway demo                    see it all on a small repository made for it";

/// Takes code from a push to production and tells the truth about it afterwards.
#[derive(Debug, Parser)]
#[command(name = "launchway", version, about, long_about = None, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Understood by every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// Keep the journal, logs and caches in this folder [default: ~/.local/state/launchway]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the workflows that an event triggers
    Run(Box<RunArgs>),
    /// Find mistakes in workflow files before they are pushed
    Check(CheckArgs),
    /// Show what an event would run, and why the rest would not
    Plan(Box<PlanArgs>),
    /// Evaluate one expression and print its value as JSON
    Eval(EvalArgs),
    /// Look at runs, and do something about them
    #[command(subcommand)]
    Runs(RunsCommand),
    /// Switch workflows off and on
    #[command(subcommand)]
    Workflows(WorkflowsCommand),
    /// Make a small repository, run its pipeline, watch it fail, mend it
    Demo(DemoArgs),
    /// Delete what is past, and what nothing needs any more
    Prune(PruneArgs),
    /// Write manual pages, one for each command
    #[command(after_help = examples::MAN)]
    Man {
        /// Where to; the folder is made
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    /// Print a completion script for a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Runs one job; started by the command itself
    #[command(hide = true)]
    Worker,
    /// Runs one native action; started by a worker
    #[command(hide = true)]
    Native {
        /// The action
        name: String,
        /// pre, main or post
        stage: String,
    },
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Human,
    /// One JSON object a line
    Json,
    /// Workflow commands, for use inside GitHub Actions
    Github,
}

/// Which event, of what, with what.
#[derive(Clone, Debug, Args)]
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
    /// The repository [default: the one this folder lies in]
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
    /// What a label of runs-on means here, as LABEL=host
    #[arg(long = "label", value_name = "LABEL=host")]
    pub(crate) labels: Vec<String>,
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
    /// In containers
    Docker,
    /// In pods
    Kubernetes,
}

/// `launchway check`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::CHECK)]
pub(crate) struct CheckArgs {
    /// Files, folders of workflow files, or repositories [default: this repository]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Exit with 3 on these findings too
    #[arg(long, value_name = "warnings")]
    pub(crate) deny: Option<Denied>,
    /// Show notes too: advice that is not about a mistake
    #[arg(long)]
    pub(crate) notes: bool,
    /// How findings are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// What `check --deny` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Denied {
    /// Warnings count as errors
    Warnings,
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
    /// What a label of runs-on means here, as LABEL=host
    #[arg(long = "label", value_name = "LABEL=host")]
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

const EVAL_EXAMPLES: &str = "\
Examples:
  launchway eval \"contains('launchway', 'way')\"
  launchway eval --context contexts.json \"github.ref == 'refs/heads/main'\"
  launchway eval -- \"-1 < 2\"";

/// `launchway eval`
#[derive(Clone, Debug, Args)]
#[command(after_help = EVAL_EXAMPLES)]
pub(crate) struct EvalArgs {
    /// A JSON object: context names to values
    #[arg(long, value_name = "FILE")]
    pub(crate) context: Option<PathBuf>,
    /// The expression, with or without ${{ }}
    pub(crate) expression: String,
}

/// `launchway runs`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// List runs, newest first
    #[command(after_help = examples::RUNS_LIST)]
    List {
        /// How many
        #[arg(long, short = 'n', default_value_t = 20, value_name = "N")]
        limit: usize,
        /// Of every repository, not only this one
        #[arg(long)]
        all: bool,
        /// How they are written
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
    },
    /// Show one run: jobs, steps, annotations, summaries
    #[command(after_help = examples::RUNS_SHOW)]
    Show {
        #[command(flatten)]
        run: RunRef,
        /// How it is written
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
    },
    /// Follow a run until it ends
    #[command(after_help = examples::RUNS_WATCH)]
    Watch {
        #[command(flatten)]
        run: RunRef,
    },
    /// Print a run's logs
    Logs(LogsArgs),
    /// Unpack a run's artifacts into a folder
    #[command(after_help = examples::RUNS_DOWNLOAD)]
    Download {
        #[command(flatten)]
        run: RunRef,
        /// Only this artifact, straight into the folder; several of them into folders of their names
        #[arg(short = 'n', long = "name", value_name = "NAME")]
        names: Vec<String>,
        /// Where to; what is there already is not touched
        #[arg(short = 'D', long = "dir", value_name = "DIR", default_value = ".")]
        folder: PathBuf,
    },
    /// Say what differs between two runs
    Diff(DiffArgs),
    /// Stop a run
    #[command(after_help = examples::RUNS_CANCEL)]
    Cancel {
        #[command(flatten)]
        run: RunRef,
    },
    /// Go on with a run whose command was killed
    #[command(after_help = examples::RUNS_RESUME)]
    Resume {
        #[command(flatten)]
        run: RunRef,
        /// Start jobs again that were lost and may have had effects, without asking
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        again: AgainArgs,
    },
    /// Run it once more, as a new attempt
    #[command(after_help = examples::RUNS_RERUN)]
    Rerun {
        #[command(flatten)]
        run: RunRef,
        /// Only jobs that failed, with the jobs that need them
        #[arg(long)]
        failed: bool,
        #[command(flatten)]
        again: AgainArgs,
    },
}

/// `launchway runs logs`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::RUNS_LOGS)]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    pub(crate) run: RunRef,
    /// Only this job (its key or name)
    #[arg(short = 'j', long, value_name = "JOB")]
    pub(crate) job: Option<String>,
    /// Only the failed steps
    #[arg(long)]
    pub(crate) failed: bool,
    /// Every byte as it is kept, colours and all
    #[arg(long)]
    pub(crate) raw: bool,
}

const DIFF_EXAMPLES: &str = "\
Examples:
  launchway runs diff            the newest run, and the one of the same workflow before it
  launchway runs diff 12 15      two runs
  launchway runs diff 12.1 12.2  two attempts of one";

/// `launchway runs diff`
#[derive(Clone, Debug, Args)]
#[command(after_help = DIFF_EXAMPLES)]
pub(crate) struct DiffArgs {
    /// The first, as RUN or RUN.ATTEMPT
    #[arg(value_name = "FIRST", requires = "second")]
    pub(crate) first: Option<String>,
    /// The second
    #[arg(value_name = "SECOND")]
    pub(crate) second: Option<String>,
    /// How differences are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// What a run needs that the journal does not keep.
#[derive(Clone, Debug, Args)]
pub(crate) struct AgainArgs {
    /// A secret; without a value it is taken from the environment, or asked for
    #[arg(long = "secret", value_name = "KEY[=VALUE]")]
    pub(crate) secrets: Vec<String>,
    /// A file of secrets, KEY=VALUE a line
    #[arg(long = "secret-file", value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// Agree to run jobs of this environment, besides those agreed to before
    #[arg(long = "environment", value_name = "NAME")]
    pub(crate) environments: Vec<String>,
    /// What a label of runs-on means here, as LABEL=host, besides those named before
    #[arg(long = "label", value_name = "LABEL=host")]
    pub(crate) labels: Vec<String>,
    /// Use only actions that were fetched before
    #[arg(long)]
    pub(crate) offline: bool,
    /// How results are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Which run.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunRef {
    /// Its number [default: the newest of this repository]
    #[arg(value_name = "RUN")]
    pub(crate) id: Option<u64>,
    /// Its attempt [default: the newest]
    #[arg(long, value_name = "N")]
    pub(crate) attempt: Option<u64>,
}

/// `launchway workflows`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum WorkflowsCommand {
    /// List this repository's workflows, with what triggers them
    #[command(after_help = examples::WORKFLOWS_LIST)]
    List,
    /// Let a workflow run again
    #[command(after_help = examples::WORKFLOWS_ENABLE)]
    Enable {
        /// Its file name
        workflow: String,
    },
    /// Keep a workflow from running, without touching its file
    #[command(after_help = examples::WORKFLOWS_DISABLE)]
    Disable {
        /// Its file name
        workflow: String,
    },
}

const DEMO_EXAMPLES: &str = "\
Examples:
  launchway demo                    needs sh and git, nothing else: no network, no account, no Docker
  launchway demo --format json      what happens, one JSON object a line; demo_completed is the last

It lies in the folder demo of the state folder, where the next demo replaces it.
It ends with 0 when everything came as it was to come, the failure in the middle included.";

/// `launchway demo`
#[derive(Clone, Debug, Args)]
#[command(after_help = DEMO_EXAMPLES)]
pub(crate) struct DemoArgs {
    /// Open no page when it is done; there are no pages yet, so none is opened without it either
    #[arg(long)]
    pub(crate) no_open: bool,
    /// How results are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

const PRUNE_EXAMPLES: &str = "\
Examples:
  launchway prune --dry-run         what would go, and how much that is
  launchway prune                   runs of more than 90 days, and what nothing needs any more
  launchway prune --days 7
  launchway prune --tools           the tools that set-up actions installed, too

Runs that are not finished stay, whatever their age. Caches go by GitHub's rules: after 7 days
without use, or the least used first beyond 10 GB of a repository. What
package managers downloaded goes when no job used it for --days, and no run is under way. docs/state-folder.md says more.";

/// `launchway prune`
#[derive(Clone, Debug, Args)]
#[command(after_help = PRUNE_EXAMPLES)]
pub(crate) struct PruneArgs {
    /// Delete runs that ended more than this many days ago, with their logs and artifacts
    #[arg(long, default_value_t = 90, value_name = "N")]
    pub(crate) days: u64,
    /// Delete the tool cache too: set-up actions install anew what jobs ask for
    #[arg(long)]
    pub(crate) tools: bool,
    /// Only say what would be deleted
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}
