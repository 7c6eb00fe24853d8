//! `launchway runner`, and what looks after runners.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::limits::LimitArgs;
use super::values::label;
use super::{Format, ReasonArgs, examples};

/// Whose runners.
#[derive(Clone, Debug, Args)]
pub(crate) struct OfServer {
    /// The server
    #[arg(long, value_name = "URL")]
    pub(crate) server: String,
}

/// `launchway runners`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum RunnersCommand {
    /// List the machines that take jobs of a server, and the jobs that wait for one, each with the reason
    #[command(after_help = examples::RUNNERS_LIST)]
    List {
        /// How they are written
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
        #[command(flatten)]
        of: OfServer,
    },
    /// Have one take no job any more; what runs there goes on
    #[command(after_help = examples::RUNNERS_DRAIN)]
    Drain {
        /// Its name
        name: String,
        #[command(flatten)]
        of: OfServer,
        #[command(flatten)]
        reason: ReasonArgs,
    },
    /// Have one that was drained take jobs again
    #[command(after_help = examples::RUNNERS_RESUME)]
    Resume {
        /// Its name
        name: String,
        #[command(flatten)]
        of: OfServer,
        #[command(flatten)]
        reason: ReasonArgs,
    },
}

/// `launchway runner`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::RUNNER)]
pub(crate) struct RunnerArgs {
    #[command(flatten)]
    pub(crate) of: OfServer,
    /// A label or group of runs-on that this machine has, with the image of the container that its jobs
    /// run in, where they name none themselves; may be given several times
    #[arg(long = "label", value_name = "LABEL[=IMAGE]", value_parser = label)]
    pub(crate) labels: Vec<String>,
    /// Jobs at a time [default: the number of processors]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// What jobs behind walls may read besides the machine's programs; may be given several times
    #[arg(long = "sandbox-read", value_name = "PATH")]
    pub(crate) sandbox_read: Vec<PathBuf>,
    /// What jobs behind walls may change besides what is theirs, but for code from outside, which may read
    /// it; may be given several times
    #[arg(long = "sandbox-write", value_name = "PATH")]
    pub(crate) sandbox_write: Vec<PathBuf>,
    /// Whose the processes of jobs behind walls are, where this runner is root's or has the rights for it: a
    /// user of this machine, or UID:GID
    #[arg(long, value_name = "USER")]
    pub(crate) job_user: Option<String>,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// Its folder [default: runner in the state folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}
