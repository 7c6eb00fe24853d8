//! An environment: who may deploy there, how, and with what.

use std::fmt;
use std::time::Duration;

use syntax::Entry;

use super::service::{read_if, secret};
use crate::moment;
use crate::resolve::Gaps;
use crate::secret::SecretReference;
use crate::table::ENVIRONMENT;
use crate::view::{Origin, Spanned, Text, View, key_text, node_integer};

/// Where it is deployed to. What depends on the service is in [`crate::ServiceInEnvironment`].
#[derive(Clone, Debug)]
pub struct Environment {
    /// Its name.
    pub name: Text,
    /// How much happens without a person, 0 to 5.
    pub level: Spanned<u32>,
    /// Where it is reached.
    pub url: Option<Text>,
    /// What starts a deployment, or from where it comes.
    pub deploy: Option<Deploy>,
    /// The region of everything in it.
    pub region: Option<Text>,
    /// The account it must be in.
    pub account: Option<Text>,
    /// How Launchway signs in; whatever is at hand where absent.
    pub credentials: Option<Credentials>,
    /// Where its images are; the registry of AWS where absent.
    pub registry: Option<Text>,
    /// What must be known of an image before it is deployed.
    pub scan: Option<Scan>,
    /// What must be so before a deployment.
    pub protect: Protect,
    /// What is saved before anything changes.
    pub backup: Option<Backup>,
    /// What a deployment does that is cancelled after its first change.
    pub on_cancel: Spanned<OnCancel>,
    /// The environment in which a release must have succeeded before.
    pub below: Option<Text>,
}

/// What starts a deployment, or from where it comes.
#[derive(Clone, Debug)]
pub enum Deploy {
    /// A push, where nobody has to start it.
    On {
        /// Of this branch.
        branch: Text,
        /// That touches these since what runs; anything where it is empty.
        paths: Vec<Text>,
    },
    /// The release of another environment, the very same digest.
    Promote(Text),
}

/// What ECR must have found in an image, or not.
#[derive(Clone, Debug)]
pub struct Scan {
    /// Findings as bad as this refuse it.
    pub refuse: Spanned<Severity>,
    /// Whether one that cannot be scanned is deployed all the same.
    pub allows_unsupported: Spanned<bool>,
    /// How long is waited for a result.
    pub within: Spanned<Duration>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "they are AWS's words")]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

/// How Launchway signs in to AWS.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A role, by a token of OIDC.
    Assume(Assume),
    /// A profile of AWS's own files.
    Profile(Text),
    /// The role of the machine or task.
    Instance,
    /// Access keys in these secrets.
    Keys {
        /// The secret that holds the key's id.
        id: Text,
        /// The secret that holds the key.
        secret: Text,
    },
}

/// A role to assume.
#[derive(Clone, Debug)]
pub struct Assume {
    /// Its ARN.
    pub role: Text,
    /// How long a session is good for.
    pub session: Spanned<Duration>,
    /// The URL of Launchway's own issuer of tokens.
    pub issuer: Option<Text>,
}

/// What must be so before a deployment. By default nothing.
#[derive(Clone, Debug)]
pub struct Protect {
    /// How many of which group must approve.
    pub reviewers: Vec<Quorum>,
    /// Whether authors of its commits may approve.
    pub authors: Spanned<bool>,
    /// How long is waited.
    pub wait: Option<Spanned<Duration>>,
    /// Only what these branches contain.
    pub branches: Vec<Text>,
    /// Only what has one of these tags.
    pub tags: Vec<Text>,
    /// A word that must be typed.
    pub confirm: Option<Text>,
    /// Only in one of these times.
    pub windows: Vec<Window>,
    /// Never in one of these times.
    pub freezes: Vec<Freeze>,
    /// Checks that must be green.
    pub checks: Vec<Text>,
}

/// How many of a group must approve.
#[derive(Clone, Debug)]
pub struct Quorum {
    /// The group.
    pub group: Text,
    /// How many.
    pub count: Spanned<u32>,
}

/// A time of the week.
#[derive(Clone, Debug)]
pub struct Window {
    /// On these days.
    pub days: Vec<Spanned<Weekday>>,
    /// From this minute of the day on.
    pub from_minute: Spanned<u16>,
    /// Until this minute of the day.
    pub to_minute: Spanned<u16>,
    /// The time zone in which that is so.
    pub zone: Text,
}

/// A time in which nothing is deployed.
#[derive(Clone, Debug)]
pub struct Freeze {
    /// From then on, in seconds since 1970.
    pub from_s: Spanned<i64>,
    /// Until then, in seconds since 1970.
    pub to_s: Spanned<i64>,
    /// Why.
    pub reason: Text,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "they are the days of the week")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// What is saved before anything changes.
#[derive(Clone, Debug)]
pub enum Backup {
    /// A snapshot of an instance of Amazon RDS.
    RdsInstance {
        /// The instance.
        id: Text,
        /// When it must be available.
        within: Spanned<Duration>,
    },
    /// A snapshot of a cluster of Amazon Aurora.
    RdsCluster {
        /// The cluster.
        id: Text,
        /// When it must be available.
        within: Spanned<Duration>,
    },
    /// A dump of PostgreSQL.
    Dump {
        /// Where the database's address lies.
        url: Spanned<SecretReference>,
        /// The bucket it is kept in.
        to: Text,
        /// Where the address of a server lies on which it is restored once.
        scratch: Option<Spanned<SecretReference>>,
        /// When it must be done.
        within: Spanned<Duration>,
    },
}

/// What a deployment does that is cancelled after its first change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCancel {
    /// What ran before runs again.
    Back,
    /// It goes on to its end.
    Finish,
}

impl Environment {
    /// Of an entry without a mistake.
    pub(super) fn read(entry: &Entry) -> Option<Environment> {
        let view = View::new(&ENVIRONMENT, &entry.value);
        let deploy = read_if(view.view("deploy"), Deploy::read)?;
        let promoted = match &deploy {
            Some(Deploy::Promote(from)) => Some(from.clone()),
            _ => None,
        };
        Some(Environment {
            name: key_text(entry),
            level: view.integer("level")?,
            url: view.text("url"),
            deploy,
            region: view.text("region"),
            account: view.text("account"),
            credentials: read_if(view.view("credentials"), Credentials::read)?,
            registry: view.text("registry"),
            scan: read_if(view.view("scan"), Scan::read)?,
            protect: Protect::read(view)?,
            backup: read_if(view.view("backup"), Backup::read)?,
            on_cancel: view.text("on_cancel")?.map(|it| match &*it {
                "finish" => OnCancel::Finish,
                _ => OnCancel::Back,
            }),
            below: view.text("below").or(promoted),
        })
    }
}

impl Environment {
    /// With the gaps in names filled as they are for one service.
    pub(crate) fn filled(mut self, gaps: &Gaps<'_>) -> Environment {
        self.backup = self.backup.map(|backup| match backup {
            Backup::RdsInstance { id, within } => Backup::RdsInstance { id: gaps.fill(id), within },
            Backup::RdsCluster { id, within } => Backup::RdsCluster { id: gaps.fill(id), within },
            Backup::Dump { url, to, scratch, within } => {
                Backup::Dump { url, to: gaps.fill(to), scratch, within }
            }
        });
        self
    }
}

impl Deploy {
    fn read(view: View<'_>) -> Option<Deploy> {
        match view.view("on") {
            Some(on) => Some(Deploy::On { branch: on.text("branch")?, paths: on.texts("paths") }),
            None => view.text("promote").map(Deploy::Promote),
        }
    }
}

impl Scan {
    fn read(view: View<'_>) -> Option<Scan> {
        Some(Scan {
            refuse: view.text("refuse")?.map(|it| match &*it {
                "low" => Severity::Low,
                "medium" => Severity::Medium,
                "high" => Severity::High,
                _ => Severity::Critical,
            }),
            allows_unsupported: view.text("unsupported")?.map(|it| &*it == "allow"),
            within: view.duration("within")?,
        })
    }
}

impl Severity {
    /// AWS's word.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Low => "LOW",
            Severity::Medium => "MEDIUM",
            Severity::High => "HIGH",
            Severity::Critical => "CRITICAL",
        }
    }
}

impl Credentials {
    pub(super) fn read(view: View<'_>) -> Option<Credentials> {
        if let Some(it) = view.view("assume") {
            let (role, session) = (it.text("role")?, it.duration("session")?);
            let assume = Assume { role, session, issuer: it.text("issuer") };
            return Some(Credentials::Assume(assume));
        }
        if let Some(it) = view.view("keys") {
            return Some(Credentials::Keys { id: it.text("id")?, secret: it.text("secret")? });
        }
        Some(match view.text("profile") {
            Some(profile) => Credentials::Profile(profile),
            None => Credentials::Instance,
        })
    }
}

impl Protect {
    fn read(environment: View<'_>) -> Option<Protect> {
        let nothing = syntax::Node { span: environment.span, kind: syntax::NodeKind::Null };
        let view = environment
            .view("protect")
            .unwrap_or_else(|| View::new(&crate::table::PROTECT, &nothing));
        let quorum = |entry: &Entry| {
            let value = node_integer(&entry.value)?;
            let count = Spanned { value, span: entry.value.span, origin: Origin::Written };
            Some(Quorum { group: key_text(entry), count })
        };
        let items = |key| view.node(key).and_then(syntax::Node::as_sequence).unwrap_or_default();
        Some(Protect {
            reviewers: view.entries("reviewers").iter().map(quorum).collect::<Option<_>>()?,
            authors: view.flag("authors")?,
            wait: view.duration("wait"),
            branches: view.texts("branches"),
            tags: view.texts("tags"),
            confirm: view.text("confirm"),
            windows: items("windows").iter().map(Window::read).collect::<Option<_>>()?,
            freezes: items("freezes").iter().map(Freeze::read).collect::<Option<_>>()?,
            checks: view.texts("checks"),
        })
    }

    /// Whether it asks for anything at all.
    pub fn is_empty(&self) -> bool {
        let lists = [&self.branches, &self.tags, &self.checks];
        self.reviewers.is_empty()
            && self.windows.is_empty()
            && self.freezes.is_empty()
            && lists.iter().all(|it| it.is_empty())
            && self.wait.is_none()
            && self.confirm.is_none()
    }
}

impl Window {
    pub(crate) fn read(node: &syntax::Node) -> Option<Window> {
        let view = View::new(&crate::table::WINDOW, node);
        let minute = |key| {
            let text = view.text(key)?;
            let value = moment::clock(&text)?;
            Some(Spanned { value, span: text.span, origin: text.origin })
        };
        Some(Window {
            days: view.list("days", |node| Weekday::of(node.as_str()?)),
            from_minute: minute("from")?,
            to_minute: minute("to")?,
            zone: view.text("zone")?,
        })
    }
}

impl fmt::Display for Window {
    /// `mon, tue 09:00 to 17:00 in Europe/Berlin`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days: Vec<&str> = self.days.iter().map(|day| day.value.word()).collect();
        let days = if days.is_empty() { "every day".to_owned() } else { days.join(", ") };
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let (from, to) = (clock(self.from_minute.value), clock(self.to_minute.value));
        write!(f, "{days} {from} to {to} in {}", self.zone.value)
    }
}

impl Weekday {
    /// As the settings write it.
    pub const fn word(self) -> &'static str {
        match self {
            Weekday::Monday => "mon",
            Weekday::Tuesday => "tue",
            Weekday::Wednesday => "wed",
            Weekday::Thursday => "thu",
            Weekday::Friday => "fri",
            Weekday::Saturday => "sat",
            Weekday::Sunday => "sun",
        }
    }

    fn of(word: &str) -> Option<Weekday> {
        Some(match word {
            "mon" => Weekday::Monday,
            "tue" => Weekday::Tuesday,
            "wed" => Weekday::Wednesday,
            "thu" => Weekday::Thursday,
            "fri" => Weekday::Friday,
            "sat" => Weekday::Saturday,
            "sun" => Weekday::Sunday,
            _ => return None,
        })
    }
}

impl Freeze {
    pub(crate) fn read(node: &syntax::Node) -> Option<Freeze> {
        let view = View::new(&crate::table::FREEZE, node);
        let moment = |key| {
            let text = view.text(key)?;
            let value = moment::parse(&text).ok()?;
            Some(Spanned { value, span: text.span, origin: text.origin })
        };
        Some(Freeze { from_s: moment("from")?, to_s: moment("to")?, reason: view.text("reason")? })
    }
}

impl Backup {
    fn read(view: View<'_>) -> Option<Backup> {
        if let Some(it) = view.view("dump") {
            let (url, to) = (secret(it, "url")?, it.text("to")?);
            let scratch = secret(it, "scratch");
            return Some(Backup::Dump { url, to, scratch, within: it.duration("within")? });
        }
        let rds = view.view("rds")?;
        let within = rds.duration("within")?;
        match rds.text("instance") {
            Some(id) => Some(Backup::RdsInstance { id, within }),
            None => Some(Backup::RdsCluster { id: rds.text("cluster")?, within }),
        }
    }
}
