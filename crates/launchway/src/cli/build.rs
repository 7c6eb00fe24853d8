//! The command line of releases: building them, and bringing them up.

use std::path::PathBuf;

use clap::Args;

use super::{SettingsArgs, examples};

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
    /// Where to; its settings say from where
    #[arg(value_name = "ENVIRONMENT")]
    pub(crate) environment: String,
    /// Only this service; may be given several times
    #[arg(short = 's', long = "service", value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// A release that ran well below, by its version, commit or digest [default: what runs there]
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<String>,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub(crate) plan: bool,
    /// Deploy what runs already once more; and deploy though there would be no way back
    #[arg(long)]
    pub(crate) force: bool,
    /// Leave the migrations out
    #[arg(long)]
    pub(crate) skip_migrations: bool,
    /// An urgent repair: it passes wait timers, windows and freezes, and is marked
    #[arg(long, requires = "reason")]
    pub(crate) hotfix: bool,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Agree to the plan without being asked, where the settings ask for no word
    #[arg(long)]
    pub(crate) yes: bool,
    /// Where people have to agree: your SSH key, private or public [default: the one git signs with,
    /// else ~/.ssh/id_*]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}
