//! `launchway notify`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::values::{number, whole};
use super::{AtServerArgs, Format, ReasonArgs, examples};

/// `launchway notify`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum NotifyCommand {
    /// List what others were sent or are owed, newest first
    #[command(after_help = examples::NOTIFY_LIST)]
    List(NotifyListArgs),
    /// Send a test message by a rule of launchway.yml, now
    #[command(after_help = examples::NOTIFY_TEST)]
    Test {
        /// The rule: its name, or its kind and place, such as slack-1
        rule: String,
        /// The settings [default: launchway.yml of this repository]
        #[arg(long, visible_alias = "file", value_name = "FILE", conflicts_with = "repository")]
        settings: Option<PathBuf>,
        #[command(flatten)]
        at: AtServerArgs,
    },
    /// Send what is due of this repository's deployments, now
    #[command(after_help = examples::NOTIFY_SEND)]
    Send {
        /// The settings [default: launchway.yml of this repository]
        #[arg(long, visible_alias = "file", value_name = "FILE")]
        settings: Option<PathBuf>,
    },
    /// Try one again that waits or was given up
    #[command(after_help = examples::NOTIFY_RETRY)]
    Retry {
        /// Its number
        #[arg(value_parser = whole::<u64>)]
        number: u64,
        /// One of a server's, by a token that may admin
        #[arg(long, value_name = "URL")]
        server: Option<String>,
        #[command(flatten)]
        reason: ReasonArgs,
    },
}

/// `launchway notify list`
#[derive(Clone, Debug, Args)]
pub(crate) struct NotifyListArgs {
    /// Only what is not delivered: owed still, or given up
    #[arg(long)]
    pub(crate) undelivered: bool,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = number(1..=1000_u16))]
    pub(crate) limit: u16,
    /// Those of a server
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// How they are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}
