//! The command line around clouds: how deployments sign in there, and what they may do.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Format, SettingsArgs, examples};

/// `launchway issuer`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum IssuerCommand {
    /// List the keys that are published, and which of them signs
    #[command(after_help = examples::ISSUER_KEYS)]
    Keys {
        /// How results are written
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
    },
    /// Add a key, which signs in a day; old ones go when no token of theirs can be around
    #[command(after_help = examples::ISSUER_ROTATE)]
    Rotate {
        /// Withdraw every key that is there now: one is known to somebody. The new one signs at once; who trusts
        /// these tokens refuses them until it has fetched the keys anew
        #[arg(long)]
        at_once: bool,
    },
    /// Write the files by which a cloud knows the tokens, to be served at the issuer's URL
    #[command(after_help = examples::ISSUER_PUBLISH)]
    Publish {
        /// The issuer's URL, as in launchway.yml
        #[arg(long, value_name = "URL")]
        url: String,
        /// Where to; the folder is made
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
}

/// `launchway doctor`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::DOCTOR)]
pub(crate) struct DoctorArgs {
    /// What is deployed to; without it only this machine is looked at
    #[arg(value_name = "ENVIRONMENT")]
    pub(crate) environment: Option<String>,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// `launchway environments iam`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::ENVIRONMENTS_IAM)]
pub(crate) struct IamArgs {
    /// Whose role
    #[arg(value_name = "ENVIRONMENT")]
    pub(crate) environment: String,
    /// As what it is written
    #[arg(long = "as", value_enum, default_value_t = IamForm::Documents, value_name = "FORM")]
    pub(crate) form: IamForm,
    /// Look at what runs, so that roles, log groups and secrets are named one by one
    #[arg(long)]
    pub(crate) exact: bool,
    /// Look for mistakes in a role's trust policy instead
    #[arg(long, value_name = "FILE")]
    pub(crate) check_trust: Option<PathBuf>,
    /// Look for mistakes in what a role may do instead
    #[arg(long, value_name = "FILE")]
    pub(crate) check_policy: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

/// As what a role is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum IamForm {
    /// Both policies as JSON
    Documents,
    /// Commands of AWS's own tool
    Commands,
    /// Terraform
    Terraform,
}
