//! The command line of the audit trail.

use clap::{Args, Subcommand, ValueEnum};

use super::{DataArgs, examples};

/// `launchway audit`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Prove that nobody altered the journal, or took anything out of it
    #[command(after_help = examples::AUDIT_VERIFY)]
    Verify {
        /// It must go on from here: what an earlier `verify` printed, and you kept elsewhere
        #[arg(long, value_name = "HEAD")]
        expect: Option<String>,
        /// Refused, with what to do instead: the proof needs the journal itself
        #[arg(long, value_name = "URL", hide = true)]
        server: Option<String>,
        #[command(flatten)]
        of: AuditArgs,
    },
    /// Print every decision, oldest first
    #[command(after_help = examples::AUDIT_EXPORT)]
    Export {
        /// How they are written
        #[arg(long, value_enum, default_value_t = AuditFormat::Json)]
        format: AuditFormat,
        /// As a server tells them
        #[arg(long, value_name = "URL", conflicts_with = "data")]
        server: Option<String>,
        #[command(flatten)]
        of: AuditArgs,
    },
}

/// Of which journal.
#[derive(Clone, Debug, Args)]
pub(crate) struct AuditArgs {
    /// A server's [default: this machine's own]
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

/// How decisions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuditFormat {
    /// One JSON object a line
    Json,
    /// For spreadsheets
    Csv,
}
