//! How people sign in to a server by a provider of OpenID Connect, and `launchway people`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::serve::AtServerOrData;
use super::{Format, ReasonArgs, examples};

/// By which provider people sign in, and who may what.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SignInArgs {
    /// Let people sign in by this provider of OpenID Connect, too: https://login.example.com
    #[arg(
        id = "sign_in_issuer",
        long = "sign-in-issuer",
        value_name = "URL",
        requires = "sign_in_client"
    )]
    pub(crate) issuer: Option<String>,
    /// As which client the provider knows this server
    #[arg(
        id = "sign_in_client",
        long = "sign-in-client",
        value_name = "ID",
        requires = "sign_in_issuer"
    )]
    pub(crate) client: Option<String>,
    /// What proves that, in a file; a public client has none
    #[arg(long = "sign-in-secret-file", value_name = "FILE", requires = "sign_in_issuer")]
    pub(crate) sign_in_secret_file: Option<PathBuf>,
    /// What the provider is asked to say of people, besides profile and email: often groups; may be given
    /// several times
    #[arg(long = "sign-in-ask", value_name = "WORD", requires = "sign_in_issuer")]
    pub(crate) sign_in_ask: Vec<String>,
    /// Which claim is the login by which groups of launchway.yml name people: one that nobody chooses
    /// for themselves [default: none, and nobody who signed in so agrees to anything]
    #[arg(long = "sign-in-person", value_name = "CLAIM", requires = "sign_in_issuer")]
    pub(crate) sign_in_person: Option<String>,
    /// Who may what: groups=backend:operate, groups=backend:operate/octo/app for that repository alone,
    /// groups=leads:approve@production; may be given several times.
    /// Whom none is about is not let in [default: everybody may read]
    #[arg(
        long = "sign-in-allow",
        value_name = "CLAIM=VALUE:SCOPE[/OWNER/NAME][@ENVIRONMENT]",
        requires = "sign_in_issuer"
    )]
    pub(crate) sign_in_allow: Vec<String>,
}

/// `launchway people`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum PeopleCommand {
    /// List who signed in by the provider, and their sessions
    #[command(after_help = examples::PEOPLE_LIST)]
    List {
        /// How they are written
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
        #[command(flatten)]
        at: AtServerOrData,
    },
    /// End somebody's sessions, at once
    #[command(after_help = examples::PEOPLE_REVOKE)]
    Revoke {
        /// What they are called
        name: String,
        #[command(flatten)]
        at: AtServerOrData,
        #[command(flatten)]
        reason: ReasonArgs,
    },
    /// End somebody's sessions, and let whoever comes next under the name have it
    #[command(after_help = examples::PEOPLE_FORGET)]
    Forget {
        /// What they are called
        name: String,
        #[command(flatten)]
        at: AtServerOrData,
        #[command(flatten)]
        reason: ReasonArgs,
    },
}
