//! The command line of `launchway init`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Format, examples};

/// `launchway init`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::INIT)]
pub(crate) struct InitArgs {
    /// The repository [default: this one]
    #[arg(value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,
    /// Where services run, where no workflow says so [default: this machine]
    #[arg(long, value_enum, value_name = "KIND")]
    pub(crate) target: Option<InitTarget>,
    /// Write workflows that test and ship, though there are some already
    #[arg(long)]
    pub(crate) workflows: bool,
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

/// What `--target` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum InitTarget {
    /// Processes on this machine
    Host,
    /// Amazon ECS
    Ecs,
}
