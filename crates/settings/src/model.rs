//! What the settings say, typed: every leaf with its place.

mod environment;
mod service;
mod target;

use std::sync::Arc;

use syntax::{Node, Source};

pub use environment::{
    Assume, Backup, Credentials, Deploy, Environment, Freeze, OnCancel, Protect, Quorum, Scan,
    Severity, Weekday, Window,
};
pub use service::{Build, Bundle, Health, Migrate, Owned, Platform, Service, Variable, VersionAt};
pub use target::{
    Budget, Ecs, Host, Kubernetes, RunsAs, Smoke, SmokeKind, Strategy, Target, Verify,
};

pub(crate) use service::secret;
pub(crate) use target::{KINDS, listen, runs_as};

use crate::kind::Named;
use crate::secret::SecretReference;
use crate::table::ROOT;
use crate::view::{Spanned, Text, View, key_text, node_text};

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
    pub(crate) source: Arc<Source>,
    pub(crate) tree: Node,
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
    /// By what.
    pub channel: Channel,
    /// Of which occasions: `failed`, `rolled_back`.
    pub on: Vec<Text>,
    /// Of which environments; of all where it is empty.
    pub environments: Vec<Text>,
}

/// By what somebody is told.
#[derive(Clone, Debug)]
pub enum Channel {
    /// Slack's webhook, whose address is a secret.
    Slack(Spanned<SecretReference>),
    /// An address that is sent JSON.
    Webhook(Text),
    /// Email.
    Email(Text),
    /// PagerDuty, whose key is a secret.
    PagerDuty(Spanned<SecretReference>),
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
            notify: notify.iter().map(Notify::read).collect::<Option<_>>()?,
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
    fn read(node: &Node) -> Option<Notify> {
        let shape = &crate::table::NOTIFY;
        let view = View::new(shape, node);
        let channel = if let Some(secret) = secret(view, "slack") {
            Channel::Slack(secret)
        } else if let Some(secret) = secret(view, "pagerduty") {
            Channel::PagerDuty(secret)
        } else if let Some(url) = view.text("webhook") {
            Channel::Webhook(url)
        } else {
            Channel::Email(view.text("email")?)
        };
        Some(Notify { channel, on: view.texts("on"), environments: view.texts("environments") })
    }
}

fn texts(node: &Node) -> Vec<Text> {
    let text = |node: &Node| {
        let value = node_text(node)?.clone();
        Some(Spanned { value, span: node.span, origin: crate::Origin::Written })
    };
    node.as_sequence().unwrap_or_default().iter().filter_map(text).collect()
}
