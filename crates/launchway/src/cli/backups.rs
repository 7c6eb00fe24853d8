//! The command line of backups.

use clap::{Args, Subcommand};

use super::deploy::{AgreedArgs, EnvironmentArgs, SettingsArgs};
use super::examples;

/// `launchway backups`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum BackupsCommand {
    /// List what deployments put aside, newest first, and whether it is still there
    #[command(after_help = examples::BACKUPS_LIST)]
    List(BackupsListArgs),
    /// Make a new database of a backup, beside the one that runs
    #[command(after_help = examples::BACKUPS_RESTORE)]
    Restore(BackupsRestoreArgs),
}

/// `launchway backups list`
#[derive(Clone, Debug, Args)]
pub(crate) struct BackupsListArgs {
    #[command(flatten)]
    pub(crate) of: EnvironmentArgs,
    /// How many
    #[arg(long, short = 'n', default_value_t = 20, value_name = "N")]
    pub(crate) limit: usize,
}

/// `launchway backups restore`
#[derive(Clone, Debug, Args)]
#[command(mut_arg("reason", |it| it.required(true)))]
pub(crate) struct BackupsRestoreArgs {
    /// Which backup, as the list names it
    #[arg(value_name = "BACKUP")]
    pub(crate) id: String,
    /// What the new database is called [default: the old one's name and the deployment's number]
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) new: Option<String>,
    #[command(flatten)]
    pub(crate) agreed: AgreedArgs,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}
