//! The command line of approvals: what waits, signing it, handing it in, saying no.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::deploy::{DeploymentRef, HistoryArgs};
use super::examples;

/// `launchway approvals`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ApprovalsCommand {
    /// List deployments that wait for people to agree
    #[command(after_help = examples::APPROVALS_LIST)]
    List(HistoryArgs),
    /// Show a plan that waits; with --output, a file that can be signed elsewhere
    #[command(after_help = examples::APPROVALS_SHOW)]
    Show {
        #[command(flatten)]
        deployment: DeploymentRef,
        /// Write what is to be signed to this file, for another machine
        #[arg(long, value_name = "FILE")]
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
    /// Agree: sign and hand in, or hand in what was signed elsewhere
    #[command(after_help = examples::APPROVALS_APPROVE)]
    Approve {
        #[command(flatten)]
        deployment: DeploymentRef,
        #[command(flatten)]
        signing: SigningArgs,
        /// What approvals sign wrote; - for standard input
        #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "group"])]
        signature: Option<PathBuf>,
    },
    /// Say no, which ends the deployment
    #[command(after_help = examples::APPROVALS_REJECT)]
    Reject {
        #[command(flatten)]
        deployment: DeploymentRef,
        #[command(flatten)]
        signing: SigningArgs,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
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
    /// How long it counts, at most 7d: nothing may begin later
    #[arg(long = "for", value_name = "TIME", default_value = "24h", value_parser = span)]
    pub(crate) valid_s: u64,
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
