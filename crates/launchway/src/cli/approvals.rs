//! The command line of approvals: what waits, signing it, handing it in, saying no.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::deploy::{DeploymentRef, NewestArgs};
use super::examples;

/// `launchway approvals`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ApprovalsCommand {
    /// List what waits for people to agree: deployments; with --server the jobs and deployments of a server
    #[command(after_help = examples::APPROVALS_LIST)]
    List {
        #[command(flatten)]
        history: NewestArgs,
        /// What waits on a server: jobs at the gate of an environment, and deployments
        #[arg(long, value_name = "URL", conflicts_with = "file")]
        server: Option<String>,
    },
    /// Show a plan that waits, or a job of a server; with --output, a file that can be signed elsewhere
    #[command(after_help = examples::APPROVALS_SHOW)]
    Show {
        #[command(flatten)]
        deployment: DeploymentRef,
        #[command(flatten)]
        at: JobAtServer,
        /// Write what is to be signed to this file, for another machine
        #[arg(long, value_name = "FILE", conflicts_with = "job")]
        output: Option<PathBuf>,
    },
    /// Sign a plan with your SSH key, without handing it in
    #[command(after_help = examples::APPROVALS_SIGN)]
    Sign {
        #[command(flatten)]
        deployment: DeploymentRef,
        #[command(flatten)]
        signing: SigningArgs,
        /// What approvals show --output wrote elsewhere
        #[arg(long, value_name = "FILE", conflicts_with = "id")]
        request: Option<PathBuf>,
        /// Say no, because of this
        #[arg(long, value_name = "REASON")]
        reject: Option<String>,
        /// Where to [default: standard output]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Agree: sign and hand in, or hand in what was signed elsewhere; on a server as your token's person
    #[command(after_help = examples::APPROVALS_APPROVE)]
    Approve {
        #[command(flatten)]
        deployment: DeploymentRef,
        #[command(flatten)]
        at: JobAtServer,
        #[command(flatten)]
        signing: SigningArgs,
        /// What approvals sign wrote; - for standard input
        #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "group", "job"])]
        signature: Option<PathBuf>,
        /// Why; it is signed with the rest, and stands in the audit trail
        #[arg(long, value_name = "TEXT", conflicts_with = "signature")]
        reason: Option<String>,
        /// The word that whoever started a job is asked for
        #[arg(long, value_name = "WORD", requires = "server", conflicts_with_all = ["group", "deployment"])]
        confirm: Option<String>,
    },
    /// Say no, which ends the deployment, or the job
    #[command(after_help = examples::APPROVALS_REJECT)]
    Reject {
        #[command(flatten)]
        deployment: DeploymentRef,
        #[command(flatten)]
        at: JobAtServer,
        #[command(flatten)]
        signing: SigningArgs,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// A job of a server, where that is what is meant.
#[derive(Clone, Debug, Args)]
pub(crate) struct JobAtServer {
    /// A job of a server instead: DEPLOYMENT is the number of its run
    #[arg(long, value_name = "URL", conflicts_with = "file")]
    pub(crate) server: Option<String>,
    /// Which job of the run [default: the one that waits, where it is one]
    #[arg(long, value_name = "JOB", requires = "server")]
    pub(crate) job: Option<String>,
    /// A deployment of the server, and none of its jobs: DEPLOYMENT is its own number
    #[arg(long, requires = "server", conflicts_with = "job")]
    pub(crate) deployment: bool,
}

/// With what, for whom, and how long it counts.
#[derive(Clone, Debug, Args)]
pub(crate) struct SigningArgs {
    /// Your SSH key, private or public [default: the one git signs with, else ~/.ssh/id_*]
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// For which group [default: the one that still waits, where it is one]
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Option<String>,
    /// How long it counts, at most 7d: nothing may begin later [default: 24h]
    #[arg(long = "for", value_name = "TIME", value_parser = span)]
    pub(crate) valid_s: Option<u64>,
}

/// `30m`, `24h`, `7d`, in seconds.
fn span(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no time: 30m, 24h, 7d");
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let seconds = number.checked_mul(unit).ok_or_else(wrong)?;
    if (60..=7 * 86_400).contains(&seconds) { Ok(seconds) } else { Err("from 1m to 7d".to_owned()) }
}
