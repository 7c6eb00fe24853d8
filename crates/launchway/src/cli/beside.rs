//! The command line of what is asked of services that run, and run beside them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{AgreedArgs, ServicesArgs, SettingsArgs, examples};

/// `launchway migrate`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::MIGRATE)]
pub(crate) struct MigrateArgs {
    #[command(flatten)]
    pub(crate) of: ServicesArgs,
    /// Run nothing: list which migrations ran, when, and how they ended
    #[arg(long, conflicts_with_all = ["reason", "yes"])]
    pub(crate) status: bool,
    #[command(flatten)]
    pub(crate) agreed: AgreedArgs,
}

/// `launchway task`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TaskCommand {
    /// Run a command once beside what runs: in its release, with its variables
    Run(TaskRunArgs),
}

/// `launchway task run`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::TASK_RUN)]
pub(crate) struct TaskRunArgs {
    /// Where
    #[arg(value_name = "ENVIRONMENT")]
    pub(crate) environment: String,
    /// Beside this service [default: the only one]
    #[arg(short = 's', long, value_name = "SERVICE")]
    pub(crate) service: Option<String>,
    /// How long it may take
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = within)]
    pub(crate) within: Duration,
    #[command(flatten)]
    pub(crate) agreed: AgreedArgs,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    /// The program and its arguments; they are kept in the journal, so no secrets here
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) run: Vec<String>,
}

/// Longer than a day nobody waits for a command.
const WITHIN_MAX: Duration = Duration::from_secs(24 * 3600);

fn within(text: &str) -> Result<Duration, String> {
    let length = settings::duration(text).filter(|it| !it.is_zero() && *it <= WITHIN_MAX);
    length.ok_or_else(|| "a length of time like 90s or 1h30m, up to a day".to_owned())
}

/// `launchway verify`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::VERIFY)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) of: ServicesArgs,
}

/// `launchway diff`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::DIFF)]
pub(crate) struct DifferenceArgs {
    #[command(flatten)]
    pub(crate) of: ServicesArgs,
    /// What the release is called [default: the tag of the commit, else its first digits]
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<String>,
    /// The files of this folder, instead of those that the settings name
    #[arg(long, value_name = "DIR")]
    pub(crate) from: Option<PathBuf>,
    /// This image, by its digest: [SERVICE=]REPOSITORY@sha256:...; may be given several times
    #[arg(long = "image", value_name = "IMAGE", conflicts_with = "from")]
    pub(crate) images: Vec<String>,
    /// The release that runs, with the settings as they are now
    #[arg(long, conflicts_with_all = ["version", "from", "images"])]
    pub(crate) running: bool,
    /// End with 1 where something differs
    #[arg(long)]
    pub(crate) exit_code: bool,
}
