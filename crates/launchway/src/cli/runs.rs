//! `launchway runs`: looking at runs, and doing something about them.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use views::{RunFilter, RunState};

use super::limits::LimitArgs;
use super::values::whole;
use super::{Format, ReasonArgs, examples};

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
        #[command(flatten)]
        which: WhichRuns,
        /// How they are written
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
        #[command(flatten)]
        at: ServerArg,
    },
    /// Show one run: jobs, steps, annotations, summaries
    #[command(after_help = examples::RUNS_SHOW)]
    Show {
        #[command(flatten)]
        run: RunRef,
        /// How it is written
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
        #[command(flatten)]
        at: ServerArg,
    },
    /// Follow a run until it ends
    #[command(after_help = examples::RUNS_WATCH)]
    Watch {
        #[command(flatten)]
        run: RunRef,
        #[command(flatten)]
        at: ServerArg,
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
        #[command(flatten)]
        at: ServerArg,
    },
    /// Say what differs between two runs
    Diff(DiffArgs),
    /// Stop a run
    #[command(after_help = examples::RUNS_CANCEL)]
    Cancel {
        #[command(flatten)]
        run: RunRef,
        #[command(flatten)]
        at: ServerArg,
        #[command(flatten)]
        reason: ReasonArgs,
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
        /// On a server, which goes on with its runs itself but for jobs that were lost: with --yes they
        /// start again
        #[arg(long, value_name = "URL", requires = "yes", conflicts_with_all = ["secrets", "secret_file", "environments", "labels", "job_memory", "job_cpus", "job_processes", "offline"])]
        server: Option<String>,
        #[command(flatten)]
        reason: ReasonArgs,
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
        /// On a server, which has what the run needs
        #[arg(long, value_name = "URL", conflicts_with_all = ["secrets", "secret_file", "environments", "labels", "job_memory", "job_cpus", "job_processes", "offline"])]
        server: Option<String>,
        #[command(flatten)]
        reason: ReasonArgs,
    },
}

/// Which runs of a list.
#[derive(Clone, Debug, Args)]
pub(crate) struct WhichRuns {
    /// Only those of a repository, wherever one stands
    #[arg(long, value_name = "OWNER/NAME")]
    repository: Option<String>,
    /// Only those of a workflow file
    #[arg(long, value_name = "FILE")]
    workflow: Option<String>,
    /// Only those of a branch or tag
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// Only those that are so far, or ended so
    #[arg(long, value_name = "STATE", value_parser = states())]
    status: Option<RunState>,
    /// Only those that somebody set off
    #[arg(long, value_name = "LOGIN")]
    actor: Option<String>,
    /// Only those of an event
    #[arg(long, value_name = "EVENT")]
    event: Option<String>,
}

fn states() -> impl TypedValueParser<Value = RunState> {
    let words = RunState::ALL.map(RunState::as_str);
    PossibleValuesParser::new(words).map(|it| RunState::of(&it).expect("it is one of them"))
}

impl WhichRuns {
    /// As lists take it.
    pub(crate) fn filter(&self) -> RunFilter {
        let WhichRuns { repository, workflow, branch, status, actor, event } = self.clone();
        RunFilter { repository, workflow, branch, state: status, actor, event }
    }
}

/// Where the runs are.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServerArg {
    /// Those of a server
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
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
    /// Only the lines that have this text, each with its number
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["failed", "raw"])]
    pub(crate) search: Option<String>,
    /// TEXT is a regular expression
    #[arg(long, requires = "search")]
    pub(crate) regex: bool,
    #[command(flatten)]
    pub(crate) at: ServerArg,
}

const DIFF_EXAMPLES: &str = "\
Examples:
  launchway runs diff            the newest run, and the one of the same workflow before it;
                                 where it failed, the last one that passed
  launchway runs diff 12 15      two runs
  launchway runs diff 12.1 12.2  two attempts of one
  launchway runs diff 12 15 --server https://ci.example.com";

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
    #[command(flatten)]
    pub(crate) at: ServerArg,
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
    /// What a label of runs-on means here, as LABEL=host or LABEL=IMAGE, besides those named before
    #[arg(long = "label", value_name = "LABEL=PLACE")]
    pub(crate) labels: Vec<String>,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
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
    #[arg(value_name = "RUN", value_parser = whole::<u64>)]
    pub(crate) id: Option<u64>,
    /// Its attempt [default: the newest]
    #[arg(long, value_name = "N", value_parser = whole::<u64>)]
    pub(crate) attempt: Option<u64>,
}
