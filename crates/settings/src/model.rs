//! What the settings say, typed: every leaf with its place.

mod environment;
mod goals;
mod service;
mod target;

use std::sync::Arc;

use syntax::{Node, Source};

pub use environment::{
    Assume, Backup, Credentials, Deploy, Environment, Freeze, OnCancel, Protect, Quorum, Scan,
    Severity, Weekday, Window,
};
pub use goals::Goals;
pub use service::{Build, Bundle, Health, Migrate, Owned, Platform, Service, Variable, VersionAt};
pub use target::{
    Budget, Ecs, Host, Kubernetes, RunsAs, Smoke, SmokeKind, Strategy, Target, Verify,
};

pub(crate) use service::secret;
pub(crate) use target::{KINDS, listen, runs_as};

use crate::kind::Named;
use crate::secret::SecretReference;
use crate::table::ROOT;
use crate::view::{Spanned, Text, View, key_text, node_integer, node_text};

/// `launchway.yml`, read without a mistake.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What all of it is called.
    pub project: Text,
    /// Where deployments are written down.
    pub journal: Spanned<Journal>,
    /// How the journal's bucket is signed in to; without it as AWS's own tools do.
    pub journal_credentials: Option<Credentials>,
    /// The services, in the order in which they ship.
    pub order: Vec<Text>,
    /// Who may approve.
    pub groups: Vec<Group>,
    /// Where it is deployed to, as it stands in the file.
    pub environments: Vec<Environment>,
    /// Who is told of what.
    pub notify: Vec<Notify>,
    /// How much of the lines tests have to run.
    pub coverage: MinimumCoverage,
    /// How large images may be.
    pub images: MaximumImages,
    /// Branches on which words that skip runs are not heard, as patterns.
    pub never_skip: Vec<Text>,
    /// How well pipelines are to do.
    pub goals: Option<Goals>,
    /// What a server makes at GitHub of version tags.
    pub github_releases: GitHubReleases,
    /// The server by which email is sent.
    pub mail: Option<Mail>,
    /// Hosts that messages may be sent to although their addresses are not public.
    pub private_receivers: Vec<Text>,
    pub(crate) source: Arc<Source>,
    pub(crate) tree: Node,
}

/// How much of the lines tests have to run, in percent.
#[derive(Clone, Debug, Default)]
pub struct MinimumCoverage {
    /// Of all together.
    pub whole: Option<Spanned<u32>>,
    /// Of each flag.
    pub flags: Vec<(Text, u32)>,
}

impl MinimumCoverage {
    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.whole.is_none() && self.flags.is_empty()
    }

    fn read(view: View<'_>) -> MinimumCoverage {
        let flag = |entry: &syntax::Entry| Some((key_text(entry), node_integer(&entry.value)?));
        MinimumCoverage {
            whole: view.integer("minimum"),
            flags: view.entries("flags").iter().filter_map(flag).collect(),
        }
    }
}

/// How large the files of images may be, in bytes.
#[derive(Clone, Debug, Default)]
pub struct MaximumImages {
    /// Of each.
    pub each: Option<Spanned<u64>>,
    /// Of those of a name, which goes before.
    pub names: Vec<(Text, u64)>,
}

impl MaximumImages {
    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.each.is_none() && self.names.is_empty()
    }

    fn read(view: View<'_>) -> MaximumImages {
        let named = |entry: &syntax::Entry| {
            Some((key_text(entry), crate::quantity::size(entry.value.as_str()?)?))
        };
        MaximumImages {
            each: view.size("maximum"),
            names: view.entries("names").iter().filter_map(named).collect(),
        }
    }
}

/// Where deployments are written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Journal {
    /// On this machine.
    Local,
    /// On this machine, and no other one deploys.
    Alone,
    /// In a bucket: `s3://bucket/prefix`.
    Bucket(Arc<str>),
    /// By a server: `https://..`.
    Server(Arc<str>),
}

/// People by a name for all of them.
#[derive(Clone, Debug)]
pub struct Group {
    /// What they are called together.
    pub name: Text,
    /// Who they are.
    pub people: Vec<Text>,
}

/// Who is told of what.
#[derive(Clone, Debug)]
pub struct Notify {
    /// What the rule is called.
    pub name: Arc<str>,
    /// By what.
    pub channel: Channel,
    /// Of which occasions: `failed`, `rolled_back`.
    pub on: Vec<Text>,
    /// Of deployments to which environments; to all where it is empty.
    pub environments: Vec<Text>,
    /// Of runs of which branches; of all where it is empty.
    pub branches: Vec<Text>,
}

/// A server that takes mail.
#[derive(Clone, Debug)]
pub struct Mail {
    /// Its name.
    pub host: Text,
    /// Its port.
    pub port: u16,
    /// What keeps others from reading mail on its way.
    pub encryption: MailEncryption,
    /// Who sends.
    pub from: Text,
    /// As whom it is signed in.
    pub user: Option<Text>,
    /// Where the password lies.
    pub password: Option<Spanned<SecretReference>>,
}

/// What a server makes at GitHub of version tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GitHubReleases {
    /// Nothing.
    #[default]
    None,
    /// Drafts.
    Draft,
    /// Releases.
    Published,
}

/// What keeps others from reading mail on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailEncryption {
    /// TLS behind the first words.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// Nothing.
    None,
}

/// By what somebody is told.
#[derive(Clone, Debug)]
pub enum Channel {
    /// Slack's webhook, whose address is a secret.
    Slack(Spanned<SecretReference>),
    /// An address that is sent JSON.
    Webhook {
        /// Where to.
        url: Text,
        /// Where the key lies that signs it.
        key: Option<Spanned<SecretReference>>,
    },
    /// Email.
    Email(Text),
    /// PagerDuty, whose key is a secret.
    PagerDuty {
        /// Where it lies.
        key: Spanned<SecretReference>,
        /// PagerDuty's address, where it is another.
        url: Option<Text>,
    },
}

impl Settings {
    /// Of a tree without a mistake.
    pub(crate) fn read(source: &Arc<Source>, tree: Node) -> Option<Settings> {
        let root = View::new(&ROOT, &tree);
        let order = match root.node("order") {
            Some(_) => root.texts("order"),
            None => root.entries("services").iter().map(key_text).collect(),
        };
        let group = |entry| Group { name: key_text(entry), people: texts(&entry.value) };
        let environments = root.entries("environments").iter();
        let notify = root.node("notify").and_then(Node::as_sequence).unwrap_or_default();
        Some(Settings {
            project: root.text("project")?,
            journal: root.text("journal")?.map(|text| match &*text {
                "local" => Journal::Local,
                "alone" => Journal::Alone,
                bucket if bucket.starts_with("s3://") => Journal::Bucket(text),
                _ => Journal::Server(text),
            }),
            journal_credentials: match root.view("journal_credentials") {
                Some(view) => Some(Credentials::read(view)?),
                None => None,
            },
            order,
            groups: root.entries("groups").iter().map(group).collect(),
            environments: environments.map(Environment::read).collect::<Option<_>>()?,
            notify: notify.iter().enumerate().map(Notify::read).collect::<Option<_>>()?,
            coverage: root.view("coverage").map(MinimumCoverage::read).unwrap_or_default(),
            images: root.view("images").map(MaximumImages::read).unwrap_or_default(),
            never_skip: root.texts("never_skip"),
            goals: root.view("goals").map(Goals::read),
            github_releases: root.view("releases").map(GitHubReleases::read).unwrap_or_default(),
            mail: match root.view("mail") {
                Some(view) => Some(Mail::read(view)?),
                None => None,
            },
            private_receivers: root.texts("private_receivers"),
            source: Arc::clone(source),
            tree: tree.clone(),
        })
    }

    /// The file.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// An environment by its name.
    pub fn environment(&self, name: &str) -> Option<&Environment> {
        self.environments.iter().find(|it| &*it.name.value == name)
    }

    /// The names of services, as they stand in the file.
    pub fn services(&self) -> Vec<Text> {
        View::new(&ROOT, &self.tree).entries(Named::Service.key()).iter().map(key_text).collect()
    }
}

impl Notify {
    fn read((index, node): (usize, &Node)) -> Option<Notify> {
        let shape = &crate::table::NOTIFY;
        let view = View::new(shape, node);
        let channel = if let Some(secret) = secret(view, "slack") {
            Channel::Slack(secret)
        } else if let Some(key) = secret(view, "pagerduty") {
            Channel::PagerDuty { key, url: view.text("pagerduty_url") }
        } else if let Some(url) = view.text("webhook") {
            Channel::Webhook { url, key: secret(view, "key") }
        } else {
            Channel::Email(view.text("email")?)
        };
        Some(Notify {
            name: rule_name(view, index),
            channel,
            on: view.texts("on"),
            environments: view.texts("environments"),
            branches: view.texts("branches"),
        })
    }
}

/// What a rule is called: as somebody said, else its kind and its place.
pub(crate) fn rule_name(view: View<'_>, index: usize) -> Arc<str> {
    if let Some(name) = view.text("name") {
        return name.value;
    }
    let kinds = crate::table::NOTIFY.one_of.iter();
    let kind = kinds.copied().find(|it| view.entry(it).is_some()).unwrap_or("rule");
    format!("{kind}-{}", index + 1).into()
}

impl GitHubReleases {
    fn read(view: View<'_>) -> GitHubReleases {
        match view.text("github").as_ref().map(|it| &*it.value) {
            Some("draft") => GitHubReleases::Draft,
            Some("published") => GitHubReleases::Published,
            _ => GitHubReleases::None,
        }
    }
}

impl Mail {
    fn read(view: View<'_>) -> Option<Mail> {
        let encryption = match &*view.text("encryption")?.value {
            "tls" => MailEncryption::Tls,
            "none" => MailEncryption::None,
            _ => MailEncryption::StartTls,
        };
        let usual = match encryption {
            MailEncryption::StartTls => 587,
            MailEncryption::Tls => 465,
            MailEncryption::None => 25,
        };
        let port = view.integer("port").and_then(|it| u16::try_from(it.value).ok());
        Some(Mail {
            host: view.text("host")?,
            port: port.unwrap_or(usual),
            encryption,
            from: view.text("from")?,
            user: view.text("user"),
            password: secret(view, "password"),
        })
    }
}

fn texts(node: &Node) -> Vec<Text> {
    let text = |node: &Node| {
        let value = node_text(node)?.clone();
        Some(Spanned { value, span: node.span, origin: crate::Origin::Written })
    };
    node.as_sequence().unwrap_or_default().iter().filter_map(text).collect()
}
