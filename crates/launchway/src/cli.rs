//! The command line: plain verbs for daily work, plural nouns for looking after things.

mod approvals;
mod audit;
mod backups;
mod beside;
mod build;
mod cloud;
mod deploy;
mod event;
mod examples;
mod incidents;
mod init;
mod limits;
mod metrics;
mod notify;
pub(crate) mod pasted;
mod reason;
mod runners;
mod runs;
mod secrets;
mod serve;
mod sign_in;
mod sync;
mod values;

use std::any::TypeId;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

pub(crate) use approvals::{ApprovalsCommand, JobAtServer, SigningArgs};
pub(crate) use audit::{AuditCommand, AuditFormat};
pub(crate) use backups::{BackupsCommand, BackupsListArgs, BackupsRestoreArgs};
pub(crate) use beside::{DifferenceArgs, MigrateArgs, TaskCommand, TaskRunArgs, VerifyArgs};
pub(crate) use build::{BuildArgs, PromoteArgs};
pub(crate) use cloud::{DoctorArgs, IamArgs, IamForm, IssuerCommand};
pub(crate) use deploy::{
    AgreedArgs, AtServer, DeployArgs, DeploymentRef, DeploymentsCommand, EnvironmentArgs,
    EnvironmentsArgs, EnvironmentsCommand, HistoryArgs, HowArgs, NewestArgs, ReleasesArgs,
    RollbackArgs, ScaleArgs, ServiceLogsArgs, ServicesArgs, SettingsArgs, StatusArgs, UnitArgs,
};
pub(crate) use event::{EventArgs, Executor, PlanArgs, PlanFormat, RunArgs};
pub(crate) use incidents::{IncidentsAt, IncidentsCommand, WhenArg};
pub(crate) use init::{InitArgs, InitTarget};
pub(crate) use limits::{Limit, LimitArgs};
pub(crate) use metrics::{Figure, MetricsArgs};
pub(crate) use notify::{NotifyCommand, NotifyListArgs};
pub(crate) use reason::ReasonArgs;
pub(crate) use runners::{RunnerArgs, RunnersCommand};
pub(crate) use runs::{AgainArgs, DiffArgs, LogsArgs, RunRef, RunsCommand};
pub(crate) use secrets::{AtServerArgs, GroupArgs, SecretGroup, SecretsCommand, VarsCommand};
pub(crate) use serve::{
    AddRepositoryArgs, AtServerOrData, DataArgs, DatabaseArgs, GithubCommand, GrantsArgs, HookArgs,
    HookName, LogFormat, PagerdutyCommand, RepositoriesCommand, ServeArgs, ServeCommand,
    TokenScope, TokensCommand,
};
pub(crate) use sign_in::{PeopleCommand, SignInArgs};
pub(crate) use sync::{SyncArgs, SyncCommand, SyncKind};

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

/// Said of every `--server`. An argument would stand in the process list.
const TOKEN: &str = "the variable LAUNCHWAY_TOKEN holds a token of it, no flag does";

impl Cli {
    /// What is typed; where that is none of ours, it is said and ends here.
    pub(crate) fn read() -> Cli {
        let command = command();
        let matches = command.clone().get_matches();
        pasted::remember(&command, &matches);
        Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

/// All that can be typed, with what each part means.
pub(crate) fn command() -> clap::Command {
    with_examples(with_plain_numbers(with_token(Cli::command())))
}

/// A number that is none is refused in our words, not in those of the language that this is written in. What takes a
/// range has a parser of its own (`values::number`).
fn with_plain_numbers(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| {
        let kind = arg.get_value_parser().type_id();
        if kind == TypeId::of::<usize>() {
            arg.value_parser(values::whole::<usize>)
        } else if kind == TypeId::of::<NonZeroUsize>() {
            arg.value_parser(values::whole::<NonZeroUsize>)
        } else {
            arg
        }
    });
    command.mut_subcommands(with_plain_numbers)
}

/// A command that stands for several shows one example of each.
fn with_examples(command: clap::Command) -> clap::Command {
    let command = command.mut_subcommands(with_examples);
    if command.get_after_help().is_some() {
        return command;
    }
    let first = |it: &clap::Command| {
        let help = it.get_after_help()?.to_string();
        help.lines().find(|line| line.trim_start().starts_with("launchway ")).map(str::to_owned)
    };
    let lines: Vec<String> = command.get_subcommands().filter_map(first).collect();
    if lines.is_empty() {
        return command;
    }
    command.after_help(format!("Examples:\n{}", lines.join("\n")))
}

fn with_token(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| {
        if arg.get_id() != "server" || arg.is_hide_set() {
            return arg;
        }
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        arg.help(format!("{help}; {TOKEN}"))
    });
    command.mut_subcommands(with_token)
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
    /// Find mistakes in workflow files and settings before they are pushed
    Check(CheckArgs),
    /// Show what an event would run, and why the rest would not
    Plan(Box<PlanArgs>),
    /// Evaluate one expression and print its value as JSON
    Eval(EvalArgs),
    /// Look at runs, and do something about them
    #[command(subcommand)]
    Runs(RunsCommand),
    /// Build images of this commit, and push them to where an environment takes them from
    Build(BuildArgs),
    /// Ship a release to an environment, and go back by itself where it fails
    Deploy(Box<DeployArgs>),
    /// Bring up what ran well in the environment below, the very same digest
    Promote(PromoteArgs),
    /// Go back to a release that ran well, or list those there are
    Rollback(RollbackArgs),
    /// Change how many instances of a service run; 0 takes it off
    Scale(ScaleArgs),
    /// Run the migrations of what runs, or list those that ran
    Migrate(MigrateArgs),
    /// Run commands beside a service
    #[command(subcommand)]
    Task(TaskCommand),
    /// Ask of what runs what a deployment would: health and smoke tests
    Verify(VerifyArgs),
    /// Show what a deployment would change, field by field
    Diff(DifferenceArgs),
    /// Show what runs where
    Status(StatusArgs),
    /// Show what the instances of a service print
    Logs(ServiceLogsArgs),
    /// List what was deployed, newest first
    History(HistoryArgs),
    /// Show how often is deployed, how long that takes, how often it fails, and how pipelines do
    Metrics(MetricsArgs),
    /// Look at deployments, and do something about them
    #[command(subcommand)]
    Deployments(DeploymentsCommand),
    /// Look at incidents, open and end them, say which deployment brought them
    #[command(subcommand)]
    Incidents(IncidentsCommand),
    /// Agree to deployments, or say no, by SSH signatures
    #[command(subcommand)]
    Approvals(ApprovalsCommand),
    /// List releases, with what is known of each
    Releases(ReleasesArgs),
    /// Look at version tags: notes, runs, artifacts, where they went
    #[command(subcommand)]
    Versions(VersionsCommand),
    /// Look at backups, and restore one beside what runs
    #[command(subcommand)]
    Backups(BackupsCommand),
    /// List environments, with what guards them
    Environments(EnvironmentsArgs),
    /// Look whether everything is there that a deployment needs
    Doctor(DoctorArgs),
    /// Look after the keys of tokens with which deployments sign in to a cloud
    #[command(subcommand)]
    Issuer(IssuerCommand),
    /// Switch workflows off and on
    #[command(subcommand)]
    Workflows(WorkflowsCommand),
    /// Keep secrets on this machine, and see which are needed
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// Keep variables of workflows on this machine
    #[command(subcommand)]
    Vars(VarsCommand),
    /// Look at what launchway.yml says
    #[command(subcommand)]
    Settings(SettingsCommand),
    /// Write launchway.yml for what is in a repository, and mend its workflows
    Init(InitArgs),
    /// Make a small repository, run its pipeline, watch it fail, mend it
    Demo(DemoArgs),
    /// Run what is pushed to bare repositories, and show it to a team
    Serve(Box<ServeArgs>),
    /// Say which repositories a server runs
    #[command(subcommand)]
    Repositories(RepositoriesCommand),
    /// Connect a server to GitHub
    #[command(subcommand)]
    Github(GithubCommand),
    /// Make incidents of PagerDuty's services incidents of a server
    #[command(subcommand)]
    Pagerduty(PagerdutyCommand),
    /// Say who may use a server
    #[command(subcommand)]
    Tokens(TokensCommand),
    /// Look after people who sign in to a server by a provider
    #[command(subcommand)]
    People(PeopleCommand),
    /// Look at messages: what others were sent, and what they are owed
    #[command(subcommand)]
    Notify(NotifyCommand),
    /// Prove the journal unaltered, and print every decision in it
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Take jobs of a server on this machine
    Runner(RunnerArgs),
    /// Look after the machines that take jobs of a server
    #[command(subcommand)]
    Runners(RunnersCommand),
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
    /// Answers git when somebody pushes; called by the hooks that `repositories add` writes
    #[command(hide = true)]
    Hook(HookArgs),
    /// Serves the current folder; what the demo ships
    #[command(hide = true)]
    Page,
    /// Looks after the services of a folder; started by a deployment
    #[command(hide = true)]
    Supervise {
        /// The target's folder
        #[arg(long, value_name = "DIR", required_unless_present = "task")]
        folder: Option<PathBuf>,
        /// Wait until whoever looks after them now is gone
        #[arg(long, requires = "folder")]
        wait: bool,
        /// Run one command instead, once
        #[arg(long, value_name = "DIR", conflicts_with = "folder")]
        task: Option<PathBuf>,
    },
    /// Holds the listeners of a folder; started by a supervisor
    #[command(hide = true)]
    Proxy {
        /// The target's folder
        #[arg(long, value_name = "DIR")]
        folder: PathBuf,
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

/// `launchway check`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::CHECK)]
pub(crate) struct CheckArgs {
    /// Workflows, launchway.yml, .env files, folders of workflows, or repositories [default: this one]
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

/// `launchway settings`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SettingsCommand {
    /// Print the JSON Schema of launchway.yml, for editors
    #[command(after_help = examples::SETTINGS_SCHEMA)]
    Schema,
    /// Show what is in force for each service in each environment, and where each value comes from
    Show(SettingsShowArgs),
}

/// `launchway settings show`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::SETTINGS_SHOW)]
pub(crate) struct SettingsShowArgs {
    /// Only this environment
    #[arg(value_name = "ENVIRONMENT")]
    pub(crate) environment: Option<String>,
    /// The settings [default: launchway.yml of this repository]
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// How they are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// `launchway workflows`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum WorkflowsCommand {
    /// List this repository's workflows, with what triggers them
    #[command(after_help = examples::WORKFLOWS_LIST)]
    List {
        #[command(flatten)]
        at: AtServerArgs,
        /// How they are written
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
    },
    /// Let a workflow run again
    #[command(after_help = examples::WORKFLOWS_ENABLE)]
    Enable {
        /// Its file name
        workflow: String,
        #[command(flatten)]
        at: AtServerArgs,
        #[command(flatten)]
        reason: ReasonArgs,
    },
    /// Keep a workflow from running, without touching its file
    #[command(after_help = examples::WORKFLOWS_DISABLE)]
    Disable {
        /// Its file name
        workflow: String,
        #[command(flatten)]
        at: AtServerArgs,
        #[command(flatten)]
        reason: ReasonArgs,
    },
}

impl WorkflowsCommand {
    /// Whose.
    pub(crate) fn at(&self) -> &AtServerArgs {
        match self {
            WorkflowsCommand::List { at, .. }
            | WorkflowsCommand::Enable { at, .. }
            | WorkflowsCommand::Disable { at, .. } => at,
        }
    }
}

/// `launchway versions`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum VersionsCommand {
    /// List the versions of a repository, the highest first
    #[command(after_help = examples::VERSIONS_LIST)]
    List {
        #[command(flatten)]
        at: AtServerArgs,
        /// How they are written
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
    },
    /// Show one version, with its notes, runs, artifacts and deployments
    #[command(after_help = examples::VERSIONS_SHOW)]
    Show {
        /// Its tag, as v1.2.3
        tag: String,
        #[command(flatten)]
        at: AtServerArgs,
        /// How it is written
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
    },
}

const DEMO_EXAMPLES: &str = "\
Examples:
  launchway demo                    needs sh and git, nothing else: no network, no account, no Docker
  launchway demo --no-open          the same without the server at its end
  launchway demo --format json      what happens, one JSON object a line; demo_completed is the last

On a terminal it ends as a server: it says where, and how to sign in; Ctrl-C ends it. Piped it ends by itself.
It lies in the folder demo of the state folder, where the next demo replaces it.
It ends with 0 when everything came as it was to come, the failure in the middle included.";

/// `launchway demo`
#[derive(Clone, Debug, Args)]
#[command(after_help = DEMO_EXAMPLES)]
pub(crate) struct DemoArgs {
    /// End when the story ends; on a terminal a server shows it on pages until Ctrl-C otherwise
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
    #[arg(long, default_value_t = 90, value_name = "N", value_parser = values::whole::<u64>)]
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
