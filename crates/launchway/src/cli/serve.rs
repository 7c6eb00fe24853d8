//! `launchway serve`, and what looks after a server.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use scheduler::TrustedLabel;
use server::Network;

use super::limits::LimitArgs;
use super::sign_in::SignInArgs;
use super::values::{address, from_one, host, label, number, whole};
use super::{Format, ReasonArgs, examples};
use crate::serving::arriving::following::{EVERY_MAX, EVERY_MIN};
use crate::serving::repositories::{Forks, SubjectForm};

/// Where a server keeps everything.
#[derive(Clone, Debug, Args)]
pub(crate) struct DataArgs {
    /// The server's folder [default: server in the state folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

/// Whose: the folder of a server on this machine, or a server wherever it is.
#[derive(Clone, Debug, Args)]
pub(crate) struct AtServerOrData {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// At this server, by a token that may admin
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    pub(crate) server: Option<String>,
}

/// The same, of what needs no administrator.
#[derive(Clone, Debug, Args)]
pub(crate) struct HeldAt {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// At this server, by a token that may operate to let something in
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    pub(crate) server: Option<String>,
}

/// Which database has a server's journal, where that is not in its folder.
#[derive(Clone, Debug, Args)]
pub(crate) struct DatabaseArgs {
    /// Keep the journal in this database of PostgreSQL, which the folder remembers:
    /// postgres://USER@HOST/DATABASE. Its password is read from LAUNCHWAY_DATABASE_URL, PGPASSWORD or
    /// ~/.pgpass, never from here
    #[arg(
        id = "database",
        long = "database",
        value_name = "URL",
        conflicts_with = "database_file"
    )]
    pub(crate) url: Option<String>,
    /// As --database, read from a file, which may hold the password
    #[arg(id = "database_file", long = "database-file", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// `launchway serve`
#[derive(Clone, Debug, Args)]
#[command(after_help = examples::SERVE, args_conflicts_with_subcommands = true)]
pub(crate) struct ServeArgs {
    #[command(subcommand)]
    pub(crate) command: Option<ServeCommand>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,
    /// Where it listens
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:7878", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// How people reach it, where that is not where it listens: https://ci.example.com
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// A proxy in front of it whose X-Forwarded-For says who asks, for the audit trail: its address, or its
    /// network as 10.0.0.0/8; may be given several times
    #[arg(long = "trusted-proxy", value_name = "ADDRESS")]
    pub(crate) trusted_proxies: Vec<Network>,
    /// Jobs at a time [default: the number of processors]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// A label or group of runs-on that this machine has, with the image of the container that its jobs
    /// run in, where they name none themselves; may be given several times
    #[arg(long = "label", value_name = "LABEL[=IMAGE]", value_parser = label)]
    pub(crate) labels: Vec<String>,
    /// How long a runner that nobody hears of is waited for, before its jobs are lost
    #[arg(long, value_name = "SECONDS", default_value_t = protocol::AWAY_SECONDS_MAX, value_parser = from_one)]
    pub(crate) runner_away: u64,
    /// On Ctrl-C: how long jobs that run are waited for; they go on without it afterwards
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = whole::<u64>)]
    pub(crate) grace: u64,
    /// Where the keys of its tokens are published, where that is not the server itself: what
    /// `launchway issuer publish` writes is served there [default: the server]
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,
    #[command(flatten)]
    pub(crate) sign_in: SignInArgs,
    /// A host that messages may be sent to although its address is not public, or nothing encrypts
    /// what goes there; may be given several times
    #[arg(long = "private-receiver", value_name = "HOST", value_parser = host)]
    pub(crate) private_receivers: Vec<String>,
    /// A label whose jobs run as the server itself, without walls, and which jobs may have it: those of the default
    /// branch and those that people agreed to, of OWNER/NAME or of every repository; or WHICH of OWNER/NAME:
    /// environment:NAME, branch:PATTERN, tag:PATTERN, everything; LABEL=everything gives it to all. Never code from
    /// outside; may be given several times
    #[arg(long = "trusted-label", value_name = "LABEL[=OWNER/NAME[:WHICH]]")]
    pub(crate) trusted_labels: Vec<TrustedLabel>,
    /// What jobs behind walls may read besides the machine's programs; may be given several times
    #[arg(long = "sandbox-read", value_name = "PATH")]
    pub(crate) sandbox_read: Vec<PathBuf>,
    /// What jobs behind walls may change besides what is theirs, but for code from outside, which may read
    /// it; may be given several times
    #[arg(long = "sandbox-write", value_name = "PATH")]
    pub(crate) sandbox_write: Vec<PathBuf>,
    /// Whose the processes of jobs behind walls are, where this server is root's or has the rights for it: a
    /// user of this machine, or UID:GID
    #[arg(long, value_name = "USER")]
    pub(crate) job_user: Option<String>,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// This folder was made of a copy, and its original serves no more: act in its place
    #[arg(long, conflicts_with = "unit")]
    pub(crate) take_over: bool,
    /// Print a systemd unit that serves like this, as USER [default: who asks], and end
    #[arg(long, value_name = "USER", num_args = 0..=1, default_missing_value = "")]
    pub(crate) unit: Option<String>,
    /// Listen on an address that others reach although nothing encrypts what goes over it
    #[arg(long)]
    pub(crate) unencrypted: bool,
    /// How its lines on standard error are written
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

impl ServeArgs {
    /// The files that it was given by name. Whatever a flag names as FILE is kept from jobs behind walls: it
    /// lets somebody in, or may.
    pub(crate) fn secret_files(&self) -> Vec<PathBuf> {
        let files = [&self.database.file, &self.sign_in.sign_in_secret_file];
        files.into_iter().flatten().cloned().collect()
    }
}

/// How a server's own lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line, without secrets: the first start's token is not among them
    Json,
}

/// What is done with a server's folder.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ServeCommand {
    /// Copy a server's folder as it is at one moment, while the server goes on
    #[command(after_help = examples::SERVE_BACKUP)]
    Backup {
        /// Where to: a folder that is not there yet, or is empty
        #[arg(value_name = "FOLDER")]
        to: PathBuf,
        #[command(flatten)]
        data: DataArgs,
    },
    /// Make a server's folder from a copy
    #[command(after_help = examples::SERVE_RESTORE)]
    Restore {
        /// The copy
        #[arg(value_name = "FOLDER")]
        from: PathBuf,
        /// The original serves no more: act in its place, and do not stand by
        #[arg(long)]
        take_over: bool,
        #[command(flatten)]
        data: DataArgs,
        #[command(flatten)]
        database: DatabaseArgs,
    },
}

/// `launchway tokens`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TokensCommand {
    /// Make a token, and print it once
    #[command(after_help = examples::TOKENS_CREATE)]
    Create {
        /// What it is for; runs that are cancelled or started with it say whose it is, or machine:NAME
        name: String,
        /// What it may do
        #[arg(long, value_enum, default_value_t = TokenScope::Read)]
        scope: TokenScope,
        /// Whose it is: the login by which groups of launchway.yml name them; only people agree
        #[arg(long, value_name = "LOGIN")]
        person: Option<String>,
        /// It is no person's, but a program's: what it starts is machine:NAME's, and anybody of a group may agree
        #[arg(long, conflicts_with = "person")]
        machine: bool,
        /// Only this repository, and nothing of the server or of others; a runner takes its jobs alone; may be
        /// given several times
        #[arg(long = "repository", value_name = "OWNER/NAME")]
        repositories: Vec<String>,
        /// Deploys to this environment alone, or agrees in it alone (--scope deploy, approve); may be given
        /// several times
        #[arg(long = "environment", value_name = "NAME")]
        environments: Vec<String>,
        /// For how many days; --server makes none that lasts longer than the one that it is made with
        #[arg(long, value_name = "N", default_value_t = 90, value_parser = number(1..=3650_u32))]
        days: u32,
        #[command(flatten)]
        at: AtServerOrData,
        #[command(flatten)]
        reason: ReasonArgs,
    },
    /// List tokens, oldest first
    #[command(after_help = examples::TOKENS_LIST)]
    List {
        /// How they are written
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
        #[command(flatten)]
        at: AtServerOrData,
    },
    /// End a token, and the sessions begun with it, at once
    #[command(after_help = examples::TOKENS_REVOKE)]
    Revoke {
        /// Its id
        id: String,
        #[command(flatten)]
        at: AtServerOrData,
        #[command(flatten)]
        reason: ReasonArgs,
    },
}

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TokenScope {
    /// Look at everything
    Read,
    /// Also agree at the gates of environments, as --person
    Approve,
    /// Also run by hand, cancel and re-run
    Operate,
    /// Also run by hand what names an environment
    Deploy,
    /// Everything that people do
    Admin,
    /// Take jobs, as the machine that the token is named after: launchway runner
    Runner,
}

/// `launchway repositories`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum RepositoriesCommand {
    /// Connect a bare repository, one of GitHub's, or one elsewhere: what is pushed to it is run
    #[command(after_help = examples::REPOSITORIES_ADD)]
    Add(Box<AddRepositoryArgs>),
    /// List pull requests from forks whose code waits to be let in
    #[command(after_help = examples::REPOSITORIES_HELD)]
    Held {
        /// How they are written
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
        #[command(flatten)]
        at: HeldAt,
    },
    /// Let the code of a fork run that you have looked at, this commit alone
    #[command(after_help = examples::REPOSITORIES_LET_IN)]
    LetIn {
        /// Its id, as `repositories held` lists it
        id: String,
        #[command(flatten)]
        at: HeldAt,
        #[command(flatten)]
        reason: ReasonArgs,
    },
    /// List what is connected
    #[command(after_help = examples::REPOSITORIES_LIST)]
    List {
        /// How they are written
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
        #[command(flatten)]
        at: AtServerOrData,
    },
    /// Keep rules of environments on the server, which no push changes; the stricter of both holds
    #[command(after_help = examples::REPOSITORIES_PROTECT)]
    Protect {
        /// Its name, or where it lies
        which: String,
        /// A file in the words of launchway.yml: groups, and environments with `protect`
        #[arg(long, value_name = "FILE", required_unless_present = "no_rules")]
        rules: Option<PathBuf>,
        /// Keep none any more
        #[arg(long, conflicts_with = "rules")]
        no_rules: bool,
        #[command(flatten)]
        data: DataArgs,
        #[command(flatten)]
        reason: ReasonArgs,
    },
    /// Take a repository away, with its hooks; its runs stay
    #[command(after_help = examples::REPOSITORIES_REMOVE)]
    Remove {
        /// Its name, or where it lies
        which: String,
        #[command(flatten)]
        data: DataArgs,
        #[command(flatten)]
        reason: ReasonArgs,
    },
}

/// `launchway repositories add`
#[derive(Clone, Debug, Args)]
pub(crate) struct AddRepositoryArgs {
    /// The bare repository, github:OWNER/NAME, or an address that git fetches from
    pub(crate) path: PathBuf,
    /// What it is called [default: as before, else from its remote, else local/FOLDER]
    #[arg(long, value_name = "OWNER/NAME")]
    pub(crate) name: Option<String>,
    /// The branch that rules, settings and schedules of a bare repository are read from [default: as
    /// before, else where its HEAD points, else main, else the only one]
    #[arg(long, value_name = "NAME")]
    pub(crate) default_branch: Option<String>,
    #[command(flatten)]
    pub(crate) agreed: GrantsArgs,
    /// Whether pull requests from forks of a repository on GitHub run
    #[arg(long, value_enum)]
    pub(crate) forks: Option<Forks>,
    /// How tokens of a repository on GitHub name it in `sub` [default: as before, else names]
    #[arg(long, value_enum)]
    pub(crate) subject: Option<SubjectForm>,
    /// Issues with this label are incidents in this environment of the project
    #[arg(long, value_name = "LABEL=ENVIRONMENT")]
    pub(crate) incidents: Option<String>,
    /// Its issues are no incidents any more; those that are open stay open
    #[arg(long, conflicts_with = "incidents")]
    pub(crate) no_incidents: bool,
    /// How often one elsewhere is looked at [default: 1m]; one on GitHub, for what it did not tell [default: 3m]
    #[arg(long, value_name = "DURATION", value_parser = every)]
    pub(crate) every: Option<Duration>,
    /// Sign in to one elsewhere by this name, and a password or token from standard input
    #[arg(long, value_name = "USER")]
    pub(crate) sign_in: Option<String>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
}

/// How often somebody elsewhere is asked.
fn every(text: &str) -> Result<Duration, String> {
    let length = settings::duration(text).filter(|it| (EVERY_MIN..=EVERY_MAX).contains(it));
    length.ok_or_else(|| "a length of time like 30s or 5m, up to a day".to_owned())
}

/// What whoever connects a repository agrees to, on top of what they agreed to before.
#[derive(Clone, Debug, Args)]
pub(crate) struct GrantsArgs {
    /// Agree that its jobs run in this environment, too; may be given several times
    #[arg(long = "environment", value_name = "NAME")]
    pub(crate) environments: Vec<String>,
    /// Agree no more that its jobs run in this environment; may be given several times
    #[arg(long = "no-environment", value_name = "NAME")]
    pub(crate) no_environments: Vec<String>,
    /// What a label of runs-on means on the server's machine, as LABEL=host
    #[arg(long = "label", value_name = "LABEL=host", value_parser = label)]
    pub(crate) labels: Vec<String>,
    /// The label means the server's machine no more; may be given several times
    #[arg(long = "no-label", value_name = "LABEL")]
    pub(crate) no_labels: Vec<String>,
}

/// `launchway github`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum GithubCommand {
    /// Connect the server to GitHub, as an app or with a token
    #[command(after_help = examples::GITHUB_CONNECT)]
    Connect {
        /// The id of the app that you made for this server; its key is read from --key
        #[arg(long, value_name = "ID", requires = "key")]
        app: Option<String>,
        /// The app's private key, as GitHub gave it
        #[arg(long, value_name = "FILE", requires = "app")]
        key: Option<PathBuf>,
        /// A GitHub of your own
        #[arg(long, value_name = "URL", default_value = "https://github.com")]
        url: String,
        /// Where its API is [default: https://api.github.com, or URL/api/v3]
        #[arg(long, value_name = "URL")]
        api: Option<String>,
        /// Make another secret for webhooks; the one before proves nothing any more
        #[arg(long)]
        new_secret: bool,
        #[command(flatten)]
        data: DataArgs,
    },
    /// Show how GitHub is reached, and whether it lets us in
    #[command(after_help = examples::GITHUB_STATUS)]
    Status {
        /// How it is written
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
        #[command(flatten)]
        data: DataArgs,
    },
}

/// `launchway pagerduty`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum PagerdutyCommand {
    /// Say which of its services is whose, and what proves its webhooks
    #[command(after_help = examples::PAGERDUTY_CONNECT)]
    Connect {
        /// A service there, and where its incidents are here (of a repository whose jobs ship
        /// OWNER/NAME:ENVIRONMENT); may be given several times, and takes the place of all that were
        /// said before
        #[arg(long = "service", value_name = "ID=PROJECT/ENVIRONMENT[/SERVICE]", required = true)]
        services: Vec<String>,
        /// The secret that was given before stays
        #[arg(long)]
        keep_secret: bool,
        #[command(flatten)]
        data: DataArgs,
    },
    /// Show which of its services is whose
    #[command(after_help = examples::PAGERDUTY_STATUS)]
    Status {
        /// How it is written
        #[arg(long, value_enum, default_value_t = Format::Human)]
        format: Format,
        #[command(flatten)]
        data: DataArgs,
    },
    /// Take the connection away; incidents that are here stay
    #[command(after_help = examples::PAGERDUTY_DISCONNECT)]
    Disconnect {
        #[command(flatten)]
        data: DataArgs,
    },
}

/// `launchway hook`
#[derive(Clone, Debug, Args)]
pub(crate) struct HookArgs {
    /// Which
    #[arg(value_enum)]
    pub(crate) hook: HookName,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// The bare repository
    #[arg(long, value_name = "DIR")]
    pub(crate) repository: PathBuf,
}

/// The hooks that are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HookName {
    /// Before a push is taken
    PreReceive,
    /// After it
    PostReceive,
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, FromArgMatches as _};

    use super::*;

    /// A new flag that names a file is not forgotten.
    #[test]
    fn every_file_that_a_server_is_given_is_kept_from_jobs() {
        let command = || ServeArgs::augment_args(clap::Command::new("serve"));
        let named = |it: &clap::Arg| it.get_value_names().unwrap_or_default().join(" ");
        let flags: Vec<String> = command()
            .get_arguments()
            .filter(|it| named(it) == "FILE")
            .filter_map(|it| it.get_long().map(str::to_owned))
            .collect();
        assert!(flags.contains(&"database-file".to_owned()), "{flags:?}");
        for flag in flags {
            let words = ["serve".to_owned(), format!("--{flag}"), "/given".to_owned()];
            let matches = command().ignore_errors(true).get_matches_from(words);
            let args = ServeArgs::from_arg_matches(&matches).expect("it reads");
            let given = PathBuf::from("/given");
            assert!(args.secret_files().contains(&given), "--{flag} is not in `secret_files`");
        }
    }
}
