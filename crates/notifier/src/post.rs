//! Rules, and what they owe to whom: the consumer of the journal that tells people.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use event::{DeploymentEvent, DeploymentId, RunEvent, RunId, Seq, StreamId};
use https::Guard;
use mask::Secret;
use outbox::{Failed, Fault, Post, Trouble};
use ports::Journal as _;
use serde::{Deserialize, Serialize};
use store::{Delivery, Follow, Happened, Owed, Store};
use views::News;

use crate::mail::{Letter, MailServer};
use crate::message::{Message, Occasion};
use crate::story::{self, Story};
use crate::text::{self, Act};
use crate::web::Sent;
use crate::{mail, web};

/// The address of PagerDuty, where a rule names no other.
const PAGERDUTY: &str = "https://events.pagerduty.com";

/// Who is told of what.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What it is called.
    pub name: String,
    /// By what.
    pub channel: Channel,
    /// Of what.
    pub on: Vec<Occasion>,
    /// Of deployments to which environments, and of runs whose jobs that it is about name one of them; of all where
    /// it is empty.
    pub environments: Vec<String>,
    /// Of runs of which branches, as patterns; of all where it is empty.
    pub branches: Vec<String>,
}

/// By what somebody is told. References say where a secret lies.
#[derive(Clone, Debug)]
pub enum Channel {
    /// Slack's webhook.
    Slack {
        /// Where its address lies.
        address: String,
    },
    /// Any webhook.
    Webhook {
        /// Its address.
        url: String,
        /// Where the key lies that signs what is sent.
        key: Option<String>,
    },
    /// Email.
    Email {
        /// To whom.
        to: String,
        /// By which server.
        server: MailServer,
    },
    /// PagerDuty.
    PagerDuty {
        /// Where the integration's key lies.
        key: String,
        /// PagerDuty's address, where it is another.
        url: Option<String>,
    },
}

/// What a message is about: whose rules are asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum About {
    /// A run.
    Run {
        /// `owner/name`
        repository: String,
        /// Where that is on this machine.
        path: String,
    },
    /// A deployment.
    Deployment {
        /// `project` of the settings.
        project: String,
    },
}

impl About {
    fn owner(&self) -> &str {
        match self {
            About::Run { repository, .. } => repository,
            About::Deployment { project } => project,
        }
    }
}

/// Where rules stand, and what they refer to lies.
pub trait Rulebook: Send + Sync {
    /// Under which name the journal is followed. It never changes.
    fn consumer(&self) -> &str;

    /// Whether it tells of such a thing at all; `owner` is who drives a deployment.
    fn minds(&self, stream: StreamId, owner: Option<&str>) -> bool;

    /// The rules as they are now; without settings there are none.
    ///
    /// # Errors
    /// When they cannot be read, now or ever.
    fn rules(&self, about: &About) -> Result<Vec<Rule>, Trouble>;

    /// A secret that a rule refers to.
    ///
    /// # Errors
    /// When it is not there; the reason says what to do, and nothing secret.
    fn secret(&self, about: &About, reference: &str) -> Result<Secret, String>;

    /// Whether a pattern of a rule means a branch.
    fn fits(&self, pattern: &str, branch: &str) -> bool;

    /// What is new with a run that is over, by those before it; its end stands at that place in the journal. Asked
    /// where a rule wants to know it.
    ///
    /// # Errors
    /// When nobody can say now.
    fn news(&self, _stream: StreamId, _position: u64) -> Result<News, Trouble> {
        Ok(News::default())
    }

    /// Where people look at it; `path` is a page of the server.
    fn link(&self, path: &str) -> Option<String>;
}

/// Tells people by rule.
pub struct Notifier<B> {
    store: Arc<Store>,
    book: B,
    guard: Guard,
    /// What the book said of those that the events at hand are about: it asks git each time.
    said: Mutex<BTreeMap<About, Result<Vec<Rule>, Trouble>>>,
}

/// What is kept of a message until it is there.
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    about: About,
    rule: String,
    resolves: bool,
    message: Message,
}

impl<B: Rulebook> Notifier<B> {
    /// By these rules, to where the guard allows.
    pub fn new(store: Arc<Store>, book: B, guard: Guard) -> Notifier<B> {
        Notifier { store, book, guard, said: Mutex::default() }
    }

    /// Sends a message by a rule, now and once.
    ///
    /// # Errors
    /// When it did not arrive.
    pub fn tell(
        &self,
        about: &About,
        rule: &Rule,
        message: &Message,
        key: &str,
    ) -> Result<Option<String>, Failed> {
        self.send_by(about, rule, (message, Act::Tell), key)
    }

    fn send_by(
        &self,
        about: &About,
        rule: &Rule,
        (message, act): (&Message, Act),
        key: &str,
    ) -> Result<Option<String>, Failed> {
        let secret = |reference: &str| {
            // Whoever keeps it later gets what is owed until then.
            self.book.secret(about, reference).map_err(|why| Failed::new(Fault::Down, why))
        };
        match &rule.channel {
            Channel::Slack { address } => {
                let url = secret(address)?;
                let body = text::slack(message);
                let url = url.expose();
                let sent = Sent { url, body: &body, headers: Vec::new(), tells_why: true };
                web::post(&self.guard, &sent).map(|()| None)
            }
            Channel::Webhook { url, key: reference } => {
                let body = text::webhook(message, key);
                let mut headers = vec![
                    ("launchway-delivery", key.to_owned()),
                    ("launchway-occasion", message.occasion.as_str().to_owned()),
                ];
                if let Some(reference) = reference {
                    let now = self.now();
                    let signature = web::signature(&secret(reference)?, now, &body.to_string());
                    headers.push(("launchway-signature", signature));
                }
                let sent = Sent { url, body: &body, headers, tells_why: false };
                web::post(&self.guard, &sent).map(|()| None)
            }
            Channel::PagerDuty { key: reference, url } => {
                let url = format!("{}/v2/enqueue", url.as_deref().unwrap_or(PAGERDUTY));
                let routing = secret(reference)?;
                let body = text::pagerduty(message, act, routing.expose());
                let sent = Sent { url: &url, body: &body, headers: Vec::new(), tells_why: true };
                web::post(&self.guard, &sent).map(|()| None)
            }
            Channel::Email { to, server } => {
                let password = match &server.sign_in {
                    Some((_, reference)) => Some(secret(reference)?),
                    None => None,
                };
                let letter = Letter { to, message, key };
                mail::send(&self.guard, server, password.as_ref(), &letter).map(Some)
            }
        }
    }

    fn now(&self) -> event::Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        event::Timestamp(since.map_or(0, |it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The rules as they were when the events at hand were read.
    fn rules(&self, about: &About) -> Result<Vec<Rule>, Trouble> {
        let mut said = self.said.lock().expect("nobody panics while asking");
        if let Some(known) = said.get(about) {
            return known.clone();
        }
        let rules = self.book.rules(about);
        // What may be otherwise a moment later is asked for again.
        if !matches!(rules, Err(Trouble::Later(_))) {
            said.insert(about.clone(), rules.clone());
        }
        rules
    }

    /// What rules owe for a story.
    fn owed_for(
        &self,
        happened: &Happened,
        about: &About,
        mut story: Story,
    ) -> Result<Vec<Owed>, Trouble> {
        let rules = self.rules(about)?;
        let occasion = story.message.occasion;
        let event = format!("{}#{}", happened.stream, happened.seq);
        // One event tells several things of some occasions: each has a key of its own.
        let of = story.of.take().unwrap_or_else(|| match occasion.is_news() {
            true => format!("{event}/{}", occasion.as_str()),
            false => event,
        });
        story.message.link = story.message.link.and_then(|it| self.book.link(&it));
        let mut owed = Vec::new();
        for rule in rules {
            let lane = self.lane(&rule, about, happened, &story.message);
            let resolves = if self.tells(&rule, &story) && !self.only_resolves(&rule, &story) {
                false
            } else if self.is_resolved(&rule, &story, &lane)? {
                true
            } else {
                continue;
            };
            let receiver = format!("{} of {}", rule.name, about.owner());
            let message = story.message.clone();
            let body = Body { about: about.clone(), rule: rule.name.clone(), resolves, message };
            owed.push(Owed {
                key: format!("{}/{of}/{receiver}", self.book.consumer()),
                about: story.message.title.clone(),
                receiver,
                lane,
                body: serde_json::to_string(&body).expect("plain data"),
                follow: Follow::Each,
            });
        }
        Ok(owed)
    }

    /// PagerDuty's incidents outlive runs: what is about one thing stays in order. Elsewhere what is
    /// about one run or deployment does.
    fn lane(&self, rule: &Rule, about: &About, happened: &Happened, message: &Message) -> String {
        let of = match rule.channel {
            Channel::PagerDuty { .. } => &message.subject,
            _ => &happened.stream,
        };
        format!("{}/{}/{of}", about.owner(), rule.name)
    }

    fn tells(&self, rule: &Rule, story: &Story) -> bool {
        rule.on.contains(&story.message.occasion) && self.is_of(rule, story)
    }

    fn is_of(&self, rule: &Rule, story: &Story) -> bool {
        // Workflows write them in any case.
        let is_named =
            |it: &Arc<str>| rule.environments.iter().any(|known| known.eq_ignore_ascii_case(it));
        let on_branch = |it: &String| rule.branches.iter().any(|known| self.book.fits(known, it));
        let is_there = rule.environments.is_empty() || story.environments.iter().any(is_named);
        let is_of_branch = || {
            let is_any = rule.branches.is_empty() || !story.message.occasion.is_of_run();
            is_any || story.branch.as_ref().is_some_and(on_branch)
        };
        is_there && is_of_branch()
    }

    /// What is well again ends an incident; it never begins one.
    fn only_resolves(&self, rule: &Rule, story: &Story) -> bool {
        matches!(rule.channel, Channel::PagerDuty { .. }) && story.message.occasion.heals()
    }

    /// Whether something that this rule told is over.
    fn is_resolved(&self, rule: &Rule, story: &Story, lane: &str) -> Result<bool, Trouble> {
        if !self.only_resolves(rule, story) || !self.is_of(rule, story) {
            return Ok(false);
        }
        let newest = self.store.newest_of_lane(self.book.consumer(), lane);
        let newest = newest.map_err(|error| Trouble::Later(error.to_string()))?;
        let body = newest.and_then(|it| serde_json::from_str::<Body>(&it.body).ok());
        Ok(body.is_some_and(|it| !it.resolves))
    }

    fn run(&self, stream: StreamId, happened: &Happened) -> Result<Vec<Owed>, Trouble> {
        let seq = happened.seq;
        let events = self.store.read(stream, Seq(0))?;
        let events: Vec<RunEvent> =
            events.into_iter().filter(|it| it.seq <= seq).map(|it| it.event).collect();
        let Some(RunEvent::RunCreated(request)) = events.first() else { return Ok(Vec::new()) };
        let about = About::Run {
            repository: request.repository.to_string(),
            path: request.repository_path.to_string(),
        };
        let mut stories: Vec<Story> = story::of_run(&events).into_iter().collect();
        if matches!(events.last(), Some(RunEvent::RunCompleted { .. }))
            && self.wants_news(&about)?
        {
            let news = self.book.news(stream, happened.position)?;
            stories.extend(story::of_news(&events, &news));
        }
        let owed = stories.into_iter().map(|story| self.owed_for(happened, &about, story));
        Ok(owed.collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// Whether a rule tells of what only the runs before it say.
    fn wants_news(&self, about: &About) -> Result<bool, Trouble> {
        Ok(self.rules(about)?.iter().flat_map(|it| &it.on).any(|it| it.is_news()))
    }

    fn deployment(&self, id: DeploymentId, seq: Seq) -> Result<Option<(About, Story)>, Trouble> {
        let stream = StreamId::Deployment(id);
        let events = self.store.events::<DeploymentEvent>(stream, Seq(0))?;
        let events: Vec<DeploymentEvent> =
            events.into_iter().filter(|it| it.seq <= seq).map(|it| it.event).collect();
        let owner = events.iter().rev().find_map(|it| match it {
            DeploymentEvent::DeploymentOwned { owner, .. } => Some(owner.as_str()),
            _ => None,
        });
        if !self.book.minds(stream, owner) {
            return Ok(None);
        }
        let Some(DeploymentEvent::DeploymentRequested(request)) = events.first() else {
            return Ok(None);
        };
        let about = About::Deployment { project: request.project.to_string() };
        Ok(story::of_deployment(id, &events).map(|story| (about, story)))
    }
}

impl<B: Rulebook> Post for Notifier<B> {
    fn consumer(&self) -> &str {
        self.book.consumer()
    }

    fn looks_anew(&self) {
        self.said.lock().expect("nobody panics while asking").clear();
    }

    fn owed(&self, happened: &Happened) -> Result<Vec<Owed>, Trouble> {
        if !happened.kind.as_deref().is_some_and(|kind| story::KINDS.contains(&kind)) {
            return Ok(Vec::new());
        }
        let Ok(stream) = happened.stream.parse::<StreamId>() else { return Ok(Vec::new()) };
        match stream {
            StreamId::Run(RunId(_), _) if self.book.minds(stream, None) => {
                self.run(stream, happened)
            }
            StreamId::Deployment(id) => match self.deployment(id, happened.seq)? {
                Some((about, story)) => self.owed_for(happened, &about, story),
                None => Ok(Vec::new()),
            },
            _ => Ok(Vec::new()),
        }
    }

    fn send(&self, delivery: &Delivery) -> Result<Option<String>, Failed> {
        let body: Body = serde_json::from_str(&delivery.body)
            .map_err(|_| Failed::new(Fault::Refused, "it was written by another version"))?;
        let rules = self.book.rules(&body.about).map_err(|trouble| match trouble {
            Trouble::Unreadable(why) => Failed::new(Fault::Refused, why),
            Trouble::Later(why) => Failed::new(Fault::Down, why),
        })?;
        let rule = rules.iter().find(|it| it.name == body.rule).ok_or_else(|| {
            Failed::new(Fault::Refused, format!("there is no rule {} any more", body.rule))
        })?;
        let act = if body.resolves { Act::Resolve } else { Act::Tell };
        self.send_by(&body.about, rule, (&body.message, act), &delivery.key)
    }
}
