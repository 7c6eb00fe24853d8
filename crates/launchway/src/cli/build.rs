//! The command line of releases: building them, and bringing them up.

use clap::Args;

use super::{HowArgs, ServicesArgs, SettingsArgs, examples};

/// `launchway build`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::BUILD)]
pub(crate) struct BuildArgs {
    /// Only this service; may be given several times
    #[arg(short = 's', long = "service", value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// Push it to the repository of this environment, and write the release down
    #[arg(long, value_name = "ENVIRONMENT")]
    pub(crate) push: Option<String>,
    /// Build it though the registry has an image of this commit
    #[arg(long, requires = "push")]
    pub(crate) again: bool,
    /// Make the repository in ECR where there is none
    #[arg(long, requires = "push")]
    pub(crate) create_repository: bool,
    /// Build what is not committed, too; it cannot be pushed
    #[arg(long, conflicts_with = "push")]
    pub(crate) dirty: bool,
    /// Show what would be built and how it would be called, and do nothing
    #[arg(long)]
    pub(crate) plan: bool,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// `launchway promote`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::PROMOTE)]
pub(crate) struct PromoteArgs {
    #[command(flatten)]
    pub(crate) of: ServicesArgs,
    /// A release that ran well below, by its version, commit or digest [default: what runs there]
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<String>,
    #[command(flatten)]
    pub(crate) how: HowArgs,
}
