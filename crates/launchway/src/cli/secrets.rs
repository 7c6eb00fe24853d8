//! The command line of secrets and variables that are kept on this machine, or at a server.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::sync::SyncCommand;
use super::{Format, ReasonArgs, examples};

/// For whom a value is.
#[derive(Clone, Debug, Args)]
pub(crate) struct KeptFor {
    /// Only for jobs and deployments of this environment [default: all of the repository]
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
}

/// Of which repository of a server, where it is one's.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AtServerArgs {
    /// Of a repository that is connected to a server: this machine's, or --server [default: the one that
    /// you stand in]
    #[arg(long, value_name = "OWNER/NAME")]
    pub(crate) repository: Option<String>,
    /// At this server, by a token that may admin where something is changed
    #[arg(long, value_name = "URL", requires = "repository", conflicts_with = "data")]
    pub(crate) server: Option<String>,
    /// The folder of this machine's server [default: server in the state folder]
    #[arg(long, value_name = "DIR", requires = "repository")]
    pub(crate) data: Option<PathBuf>,
}

/// `launchway secrets list`, `launchway vars list`
#[derive(Clone, Debug, Args)]
pub(crate) struct KeptListArgs {
    #[command(flatten)]
    pub(crate) at: AtServerArgs,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

/// `launchway secrets`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SecretsCommand {
    /// List secrets that workflows and settings name, and whether each is set
    #[command(after_help = examples::SECRETS_LIST)]
    List(KeptListArgs),
    /// Keep a secret on this machine; its value is asked for, or read from standard input
    #[command(after_help = examples::SECRETS_SET)]
    Set {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        kept_for: KeptFor,
        #[command(flatten)]
        at: AtServerArgs,
        /// When it shall be another; `list` reminds of it
        #[arg(long, value_name = "YYYY-MM-DD")]
        rotate_by: Option<String>,
        #[command(flatten)]
        reason: ReasonArgs,
    },
    /// Forget a secret
    #[command(after_help = examples::SECRETS_REMOVE)]
    Remove {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        kept_for: KeptFor,
        #[command(flatten)]
        at: AtServerArgs,
        #[command(flatten)]
        reason: ReasonArgs,
    },
    /// Ask for every secret that is named and not set
    #[command(after_help = examples::SECRETS_SETUP)]
    Setup {
        #[command(flatten)]
        groups: GroupArgs,
        #[command(flatten)]
        kept_for: KeptFor,
        #[command(flatten)]
        at: AtServerArgs,
        #[command(flatten)]
        reason: ReasonArgs,
    },
    /// Put what is kept here where others keep theirs
    #[command(subcommand)]
    Sync(SyncCommand),
    /// Change the key that every secret of a folder is kept under, while a server goes on
    #[command(after_help = examples::SECRETS_REKEY)]
    Rekey {
        /// The folder of this machine's server [default: what you keep yourself, in the state folder]
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
}

/// Which secrets `secrets setup` asks for, besides those that are named.
#[derive(Clone, Debug, Args)]
#[group(multiple = true)]
pub(crate) struct GroupArgs {
    /// Those of every group, and every one that is named
    #[arg(long)]
    pub(crate) all: bool,
    /// AWS: access key, its secret, account
    #[arg(long)]
    pub(crate) aws: bool,
    /// The database: name, password, database
    #[arg(long)]
    pub(crate) database: bool,
    /// The application: what it signs with
    #[arg(long)]
    pub(crate) application: bool,
    /// Backups: the bucket
    #[arg(long)]
    pub(crate) backup: bool,
    /// Monitoring: Slack, Sentry
    #[arg(long)]
    pub(crate) monitoring: bool,
}

/// Secrets that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecretGroup {
    Aws,
    Database,
    Application,
    Backup,
    Monitoring,
}

impl SecretGroup {
    pub(crate) const ALL: [SecretGroup; 5] = [
        SecretGroup::Aws,
        SecretGroup::Database,
        SecretGroup::Application,
        SecretGroup::Backup,
        SecretGroup::Monitoring,
    ];
}

impl GroupArgs {
    /// Those that are wanted.
    pub(crate) fn wanted(&self) -> Vec<SecretGroup> {
        let GroupArgs { all, aws, database, application, backup, monitoring } = *self;
        let flags = [aws, database, application, backup, monitoring];
        let both = SecretGroup::ALL.into_iter().zip(flags);
        both.filter(|(_, is_wanted)| all || *is_wanted).map(|(group, _)| group).collect()
    }

    /// Whether those that workflows and settings name are asked for, too.
    pub(crate) fn has_named(&self) -> bool {
        self.all || self.wanted().is_empty()
    }
}

/// `launchway vars`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum VarsCommand {
    /// List variables that workflows name, and those that are kept
    #[command(after_help = examples::VARS_LIST)]
    List(KeptListArgs),
    /// Keep a variable on this machine
    #[command(after_help = examples::VARS_SET)]
    Set {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        /// Its value
        #[arg(value_name = "VALUE", allow_hyphen_values = true)]
        value: String,
        #[command(flatten)]
        at: AtServerArgs,
        #[command(flatten)]
        reason: ReasonArgs,
    },
    /// Forget a variable
    #[command(after_help = examples::VARS_REMOVE)]
    Remove {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        at: AtServerArgs,
        #[command(flatten)]
        reason: ReasonArgs,
    },
}

impl VarsCommand {
    /// Whose.
    pub(crate) fn at(&self) -> &AtServerArgs {
        match self {
            VarsCommand::List(args) => &args.at,
            VarsCommand::Set { at, .. } | VarsCommand::Remove { at, .. } => at,
        }
    }
}
