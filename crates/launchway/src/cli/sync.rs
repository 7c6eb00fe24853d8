//! `launchway secrets sync`: values that are kept here, put where others keep theirs.

use clap::{Args, Subcommand, ValueEnum};

use super::secrets::AtServerArgs;
use super::{Format, ReasonArgs, examples};

/// Where to.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SyncCommand {
    /// Put secrets and variables into those of a repository at GitHub, and of its environments
    #[command(after_help = examples::SECRETS_SYNC)]
    Github(Box<SyncArgs>),
}

/// `launchway secrets sync github`
#[derive(Clone, Debug, Args)]
pub(crate) struct SyncArgs {
    /// These names alone [default: all that is kept]
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// What is kept for this environment alone; may be given several times [default: what is kept for all of
    /// the repository, and for every environment]
    #[arg(long = "environment", value_name = "NAME")]
    pub(crate) environments: Vec<String>,
    /// Secrets alone, or variables alone
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) only: Option<SyncKind>,
    #[command(flatten)]
    pub(crate) at: AtServerArgs,
    /// Into this repository at GitHub [default: the one that the clone comes from, or that the server's is a
    /// mirror of]
    #[arg(long, value_name = "OWNER/NAME", conflicts_with = "server")]
    pub(crate) to: Option<String>,
    /// At this GitHub, as yourself [default: https://github.com; of a server's repository, the GitHub that
    /// the server is connected to, as the server]
    #[arg(long, value_name = "URL", conflicts_with = "server")]
    pub(crate) url: Option<String>,
    /// Where its API is [default: api.github.com, else /api/v3 of --url]
    #[arg(long, value_name = "URL", requires = "url")]
    pub(crate) api: Option<String>,
    /// Put also what seems to be up to date
    #[arg(long)]
    pub(crate) all: bool,
    /// Make environments that GitHub does not have; they have no rules there
    #[arg(long)]
    pub(crate) make_environments: bool,
    /// Show what would be done, and do nothing
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// Do it without being asked
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) reason: ReasonArgs,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Which values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SyncKind {
    /// Those that nobody is shown
    Secrets,
    /// Those that everybody is
    Variables,
}
