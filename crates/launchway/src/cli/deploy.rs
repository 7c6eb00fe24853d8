//! The command line of deployments: daily verbs, and what looks after them.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::values::{number, whole};
use super::{Format, IamArgs, examples};
use crate::deploying::wish::Agreement;

/// Which settings, and how results are written.
#[derive(Clone, Debug, Args)]
pub(crate) struct SettingsArgs {
    /// The settings [default: launchway.yml of this repository]
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// How results are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// Of a server, instead of the journal that the settings name.
#[derive(Clone, Debug, Args)]
pub(crate) struct AtServer {
    /// As a server knows it
    #[arg(long, value_name = "URL", conflicts_with = "file")]
    pub(crate) server: Option<String>,
    /// Only of this project of the server
    #[arg(long, value_name = "NAME", requires = "server")]
    pub(crate) project: Option<String>,
}

/// Services of an environment.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServicesArgs {
    /// Where
    #[arg(value_name = "ENVIRONMENT")]
    pub(crate) environment: String,
    /// Only this service; may be given several times
    #[arg(short = 's', long = "service", value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// That a person wants it.
#[derive(Clone, Debug, Args)]
pub(crate) struct AgreedArgs {
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Agree to the plan without being asked, where the settings ask for no word
    #[arg(long)]
    pub(crate) yes: bool,
    /// The word that the settings ask for, where somebody typed it beforehand: into the form of a
    /// workflow, say
    #[arg(long, value_name = "WORD")]
    pub(crate) confirm: Option<String>,
    /// Where people have to agree: your SSH key, private or public [default: the one git signs with,
    /// else ~/.ssh/id_*]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
}

impl AgreedArgs {
    pub(crate) fn agreement(&self) -> Agreement<'_> {
        Agreement {
            reason: self.reason.as_deref(),
            yes: self.yes,
            word: self.confirm.as_deref(),
            terminal: std::io::stdin().is_terminal(),
            key: self.key.as_deref(),
        }
    }
}

/// How a release is brought.
#[derive(Clone, Debug, Args)]
pub(crate) struct HowArgs {
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
    #[command(flatten)]
    pub(crate) agreed: AgreedArgs,
}

impl HowArgs {
    /// Who only looks at the plan is asked nothing.
    pub(crate) fn agreement(&self) -> Agreement<'_> {
        let agreed = self.agreed.agreement();
        if !self.plan {
            return agreed;
        }
        Agreement { yes: true, terminal: true, ..agreed }
    }
}

/// `launchway deploy`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::DEPLOY)]
pub(crate) struct DeployArgs {
    #[command(flatten)]
    pub(crate) of: ServicesArgs,
    /// What it is called [default: the tag of the commit, else its first digits]
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<String>,
    /// Ship the files of this folder, instead of those that the settings name
    #[arg(long, value_name = "DIR")]
    pub(crate) from: Option<PathBuf>,
    /// Ship this image, by its digest: [SERVICE=]REPOSITORY@sha256:...; may be given several times
    #[arg(long = "image", value_name = "IMAGE", conflicts_with = "from")]
    pub(crate) images: Vec<String>,
    #[command(flatten)]
    pub(crate) how: HowArgs,
}

/// `launchway rollback`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::ROLLBACK)]
pub(crate) struct RollbackArgs {
    /// Where
    #[arg(value_name = "ENVIRONMENT")]
    pub(crate) environment: String,
    /// To what: previous, a version, the beginning of a commit or digest, or the number of the
    /// deployment that shipped it; without it, releases are listed
    #[arg(long, value_name = "RELEASE", requires = "reason")]
    pub(crate) to: Option<String>,
    /// Only this service; may be given several times
    #[arg(short = 's', long = "service", value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    #[command(flatten)]
    pub(crate) agreed: AgreedArgs,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// `launchway scale`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::SCALE)]
pub(crate) struct ScaleArgs {
    /// Where
    #[arg(value_name = "ENVIRONMENT")]
    pub(crate) environment: String,
    /// Only this service; may be given several times
    #[arg(short = 's', long = "service", value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// How many instances; 0 leaves none
    #[arg(long, value_name = "N", value_parser = number(0..=64_u32))]
    pub(crate) to: u32,
    /// Though Application Auto Scaling has a service of ECS, and would take the number back
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) agreed: AgreedArgs,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// One environment, or all of them.
#[derive(Clone, Debug, Args)]
pub(crate) struct EnvironmentArgs {
    /// Only this environment
    #[arg(value_name = "ENVIRONMENT")]
    pub(crate) environment: Option<String>,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// `launchway status`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::STATUS)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) of: EnvironmentArgs,
    #[command(flatten)]
    pub(crate) at: AtServer,
}

/// `launchway logs`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::LOGS)]
pub(crate) struct ServiceLogsArgs {
    /// Where
    #[arg(value_name = "ENVIRONMENT")]
    pub(crate) environment: String,
    /// Only this service; may be given several times
    #[arg(short = 's', long = "service", value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// Only this instance: its number, or its name, which has its deployment in front (7.0)
    #[arg(short = 'i', long, value_name = "INSTANCE")]
    pub(crate) instance: Option<String>,
    /// Go on until Ctrl-C, with the instances of later releases too
    #[arg(short = 'f', long)]
    pub(crate) follow: bool,
    /// How many of the last lines, of each instance
    #[arg(short = 'n', long, default_value_t = 100, value_name = "N")]
    pub(crate) lines: usize,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// `launchway releases`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::RELEASES)]
pub(crate) struct ReleasesArgs {
    #[command(flatten)]
    pub(crate) of: EnvironmentArgs,
    #[command(flatten)]
    pub(crate) at: AtServer,
}

/// `launchway environments`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::ENVIRONMENTS, args_conflicts_with_subcommands = true)]
pub(crate) struct EnvironmentsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<EnvironmentsCommand>,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    #[command(flatten)]
    pub(crate) at: AtServer,
}

/// `launchway environments ...`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum EnvironmentsCommand {
    /// Write the AWS role of an environment: who may take it, and exactly what it must be allowed
    Iam(IamArgs),
    /// Print a systemd unit that brings the services of an environment back with this machine
    Unit(UnitArgs),
}

/// `launchway environments unit`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::ENVIRONMENTS_UNIT)]
pub(crate) struct UnitArgs {
    /// The environment
    #[arg(value_name = "ENVIRONMENT")]
    pub(crate) environment: String,
    /// The user whose services they are [default: who asks]
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// The settings [default: launchway.yml of this repository]
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// The newest in one environment, or in all of them.
#[derive(Clone, Debug, Args)]
pub(crate) struct NewestArgs {
    #[command(flatten)]
    pub(crate) of: EnvironmentArgs,
    /// How many
    #[arg(long, short = 'n', default_value_t = 20, value_name = "N")]
    pub(crate) limit: usize,
}

/// `launchway history`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::HISTORY)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) newest: NewestArgs,
    #[command(flatten)]
    pub(crate) at: AtServer,
}

/// A deployment by its number.
#[derive(Clone, Debug, Args)]
pub(crate) struct DeploymentRef {
    /// The deployment [default: the newest]
    #[arg(value_name = "DEPLOYMENT", value_parser = whole::<u64>)]
    pub(crate) id: Option<u64>,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// `launchway deployments`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum DeploymentsCommand {
    /// List deployments, newest first
    #[command(after_help = examples::DEPLOYMENTS_LIST)]
    List(HistoryArgs),
    /// Show one deployment: its plan, every step, the verdict and its causes
    #[command(after_help = examples::DEPLOYMENTS_SHOW)]
    Show {
        #[command(flatten)]
        deployment: DeploymentRef,
        #[command(flatten)]
        at: AtServer,
    },
    /// Follow a deployment that another process drives
    #[command(after_help = examples::DEPLOYMENTS_WATCH)]
    Watch {
        #[command(flatten)]
        deployment: DeploymentRef,
        #[command(flatten)]
        at: AtServer,
    },
    /// Stop a deployment: before its first change it ends, after it goes back, or as settings say
    #[command(after_help = examples::DEPLOYMENTS_CANCEL)]
    Cancel {
        #[command(flatten)]
        deployment: DeploymentRef,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        at: AtServer,
    },
    /// Go on with a deployment whose command was killed or left
    #[command(after_help = examples::DEPLOYMENTS_RESUME)]
    Resume {
        #[command(flatten)]
        deployment: DeploymentRef,
        #[command(flatten)]
        at: AtServer,
    },
}
