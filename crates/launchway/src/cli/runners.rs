//! `launchway runners`

use clap::{Args, Subcommand};

use super::{Format, examples};

/// Whose runners.
#[derive(Clone, Debug, Args)]
pub(crate) struct OfServer {
    /// The server; LAUNCHWAY_TOKEN holds a token of it
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
    },
    /// Have one that was drained take jobs again
    #[command(after_help = examples::RUNNERS_RESUME)]
    Resume {
        /// Its name
        name: String,
        #[command(flatten)]
        of: OfServer,
    },
}
