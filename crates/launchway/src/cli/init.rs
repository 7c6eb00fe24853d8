//! The command line of `launchway init`.

use std::path::PathBuf;

use clap::Args;

use super::{Format, examples};

/// `launchway init`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::INIT)]
pub(crate) struct InitArgs {
    /// The repository [default: this one]
    #[arg(value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,
    /// Show every file as it would be, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Overwrite files without being asked
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) yes: bool,
    /// How it is told
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}
