//! PagerDuty as the server knows it: incidents there of services that are ours are incidents here.
//!
//! ```text
//!   pagerduty.json   which service there is whose here     (no secret)
//!   vault/           what proves its webhooks              (sealed, under a name that no repository has)
//!   webhook ─▶ proven ─▶ written down ─▶ answered          what fails is sent again by PagerDuty
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use event::{Actor, IncidentSource};
use incident::{Opening, TITLE_CHARS_MAX, Told, Wish, line};
use mask::{MaskedText, Secret};
use notifier::{NotPaged, Paged, PagedTurn, paged};
use serde::{Deserialize, Serialize};
use server::{Received, Refused, Webhook, Why};
use store::{Scope, Value};

use crate::exit::{Exit, Failure};
use crate::incidents::Incidents;
use crate::kept;
use crate::serving::data::{self, DataFolder, Known};
use crate::serving::face::refused;
use crate::serving::incidents;
use crate::serving::intake::Intake;
use crate::terminal::style::talk;
use crate::terminal::time::now;

/// No repository is called so: its jobs never see what stands under it.
pub(crate) const OWNER: &str = "launchway:pagerduty";
const WEBHOOK_SECRET: &str = "WEBHOOK_SECRET";
const FILE: &str = "pagerduty.json";
/// Services there that nobody said anything about are named so often, each once.
const STRANGERS_MAX: usize = 100;

/// Where incidents of one of PagerDuty's services are here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Here {
    /// `project` of the settings, or a repository whose jobs ship.
    pub(crate) project: String,
    /// Where users meet them.
    pub(crate) environment: String,
    /// The service; none where they are about all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<String>,
}

impl Here {
    /// Whether it is a repository's, whose jobs ship, and no project's.
    pub(crate) fn is_repository(&self) -> bool {
        self.project.contains('/')
    }

    /// Which of the two it is, for people.
    pub(crate) fn meaning(&self) -> String {
        let of = if self.is_repository() { "jobs of the repository" } else { "the project" };
        let service = self.service.iter().map(|it| format!(", service {it}"));
        let service: String = service.collect();
        format!("{of} {}, environment {}{service}", self.project, self.environment)
    }
}

impl FromStr for Here {
    type Err = ();

    /// `planner/production/web`; `octo/app:production` of jobs that ship.
    fn from_str(text: &str) -> Result<Here, ()> {
        if let Some((repository, environment)) = text.split_once(':') {
            let (owner, name) = repository.split_once('/').ok_or(())?;
            let is_empty = [owner, name, environment].iter().any(|it| it.is_empty());
            if is_empty || name.contains('/') {
                return Err(());
            }
            let (project, environment) = (repository.to_owned(), environment.to_owned());
            return Ok(Here { project, environment, service: None });
        }
        let mut parts = text.split('/').map(str::to_owned);
        let (project, environment) = (parts.next().ok_or(())?, parts.next().ok_or(())?);
        let service = parts.next();
        let is_empty = [&project, &environment].into_iter().chain(&service).any(String::is_empty);
        if is_empty || parts.next().is_some() {
            return Err(());
        }
        Ok(Here { project, environment, service })
    }
}

impl fmt::Display for Here {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = if self.is_repository() { ':' } else { '/' };
        write!(f, "{}{between}{}", self.project, self.environment)?;
        self.service.iter().try_for_each(|service| write!(f, "/{service}"))
    }
}

/// Places here by the id of the service there.
pub(crate) type Services = BTreeMap<String, Here>;

/// The services that are connected; none where nobody connected any.
pub(crate) fn services(data: &DataFolder) -> Result<Option<Services>, Failure> {
    data::read(&data.path(FILE))
}

/// Keeps a connection. Without a secret the one before stays.
pub(crate) fn keep(
    data: &DataFolder,
    services: &Services,
    secret: Option<&Secret>,
) -> Result<(), Failure> {
    let names: Vec<String> = services.iter().map(|(id, here)| format!("{id}={here}")).collect();
    data.record("pagerduty.connect", names.join(" "))?;
    if let Some(secret) = secret {
        let scope = Scope { repository: OWNER.to_owned(), environment: None };
        let set = kept::vault(&data.state).set(
            &scope,
            WEBHOOK_SECRET,
            Value::Secret(secret),
            (now(), None),
        );
        set.map(drop).map_err(kept::failed)?;
    }
    // Behind what it needs: whoever reads it finds that.
    data::write(&data.path(FILE), services)
}

/// Takes the connection away. Gives whether there was one.
pub(crate) fn forget(data: &DataFolder) -> Result<bool, Failure> {
    if services(data)?.is_none() && secret(data)?.is_none() {
        return Ok(false);
    }
    data.record("pagerduty.disconnect", String::new())?;
    data::remove(&data.path(FILE))?;
    let scope = Scope { repository: OWNER.to_owned(), environment: None };
    let removed = kept::vault(&data.state).remove(&scope, WEBHOOK_SECRET, true);
    removed.map(|_| true).map_err(kept::failed)
}

/// What proves its webhooks; none where nobody said it.
pub(crate) fn secret(data: &DataFolder) -> Result<Option<Secret>, Failure> {
    let mut secrets = kept::vault(&data.state).secrets(OWNER, None).map_err(kept::failed)?;
    Ok(secrets.remove(WEBHOOK_SECRET))
}

/// What is needed to take a webhook.
#[derive(Clone)]
pub(crate) struct Link {
    services: Arc<Services>,
    secret: Secret,
}

/// Webhooks of PagerDuty.
pub(crate) struct Pages {
    data: DataFolder,
    link: Known<Link>,
    strangers: Mutex<BTreeSet<String>>,
    /// What kept the newest from being taken that could not be.
    said: Mutex<String>,
}

impl Pages {
    pub(crate) fn of(data: DataFolder) -> Pages {
        Pages { data, link: Known::default(), strangers: Mutex::default(), said: Mutex::default() }
    }

    /// Writes down what a webhook says of an incident. The same words change nothing the second time.
    pub(crate) fn take(&self, intake: &Intake, webhook: &Webhook<'_>) -> Result<Received, Refused> {
        let link = self.connected()?;
        let told = paged(&link.secret, webhook.signature, webhook.body, now()).map_err(|not| {
            let why = if not == NotPaged::Unproven { Why::Unproven } else { Why::Input };
            Refused::new(why, not.to_string())
        })?;
        let Some(told) = told else { return Ok(Received::Ignored) };
        let Some(here) = link.services.get(&told.service) else {
            self.say_stranger(&told.service);
            return Ok(Received::Ignored);
        };
        write_down(intake, here, &told).map_err(|failure| match failure.exit {
            // It is no fault of whoever looks after the server, and coming again changes nothing.
            Exit::Refused => refused(failure),
            _ => self.unable(failure),
        })
    }

    /// What is needed to take a webhook.
    pub(crate) fn connected(&self) -> Result<Link, Refused> {
        let unknown = || Refused::new(Why::NotFound, "no PagerDuty is connected to this server");
        self.link().map_err(|failure| self.unable(failure))?.ok_or_else(unknown)
    }

    /// It may name paths, and nobody has signed in: said here, not there, and once however often they come.
    fn unable(&self, failure: Failure) -> Refused {
        let text = format!("{:#}", failure.error);
        let mut said = self.said.lock().expect("nobody panics while holding it");
        if *said != text {
            talk(&format!("warning: PagerDuty's webhook: {text}"));
            *said = text;
        }
        Refused::new(Why::Missing, "the server cannot take this now; its own output says why")
    }

    fn link(&self) -> Result<Option<Link>, Failure> {
        self.link.get(&self.data.path(FILE), |services| {
            let gone = || Failure::new(Exit::Missing, "what proves PagerDuty's webhooks is gone");
            let secret = secret(&self.data)?.ok_or_else(gone)?;
            Ok(Link { services: Arc::new(services), secret })
        })
    }

    fn say_stranger(&self, service: &str) {
        let mut known = self.strangers.lock().expect("nobody panics while holding it");
        if known.len() < STRANGERS_MAX && known.insert(service.to_owned()) {
            talk(&format!(
                "note: PagerDuty tells of its service {service}, which launchway pagerduty connect was not told about: passed over"
            ));
        }
    }
}

fn write_down(intake: &Intake, here: &Here, paged: &Paged) -> Result<Received, Failure> {
    incidents::known_here(intake, &here.project)?;
    let incidents = Incidents::of_store(&intake.store);
    let by = Actor {
        name: MaskedText::without_secrets(paged.by.as_str()),
        proof: "pagerduty".into(),
        source: None,
        address: None,
    };
    let told = |at| Told { by: by.clone(), source: IncidentSource::Pagerduty, at, now: now() };
    let key = format!("pagerduty:{}", paged.id);
    // Behind a number that was taken nothing may be written.
    let known = match incidents.with_key(&key)? {
        Some(id) => incidents.view(id)?.map(|_| id),
        None => None,
    };
    let (id, is_new) = match known {
        Some(id) => (id, false),
        // Its end may come before its beginning, and says when that was.
        None => incidents.open(opening(here, paged, &key), &told(paged.began_at))?,
    };
    if paged.turn == PagedTurn::BeganAgain && !is_new {
        // It was over in between, which may come late: then it is older than this, and changes nothing.
        incidents.tell(id, &Wish::Resolve { reason: None }, &told(paged.at))?;
    }
    let wish = match paged.turn {
        PagedTurn::Ended => Wish::Resolve { reason: None },
        PagedTurn::Began if is_new => return Ok(Received::New),
        PagedTurn::Began => Wish::Open(opening(here, paged, &key)),
        PagedTurn::BeganAgain => Wish::Reopen { reason: None },
    };
    let is_changed = incidents.tell(id, &wish, &told(paged.at))?;
    Ok(if is_new || is_changed { Received::New } else { Received::Known })
}

fn opening(here: &Here, paged: &Paged, key: &str) -> Opening {
    let title = line(&paged.title, TITLE_CHARS_MAX);
    let title = if title.is_empty() { format!("incident {}", paged.id) } else { title };
    Opening {
        project: here.project.as_str().into(),
        environment: here.environment.as_str().into(),
        service: here.service.as_deref().map(Into::into),
        title: MaskedText::without_secrets(title),
        severity: paged.severity,
        key: Some(key.into()),
        link: paged.link.as_deref().map(Into::into),
        caused_by: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_projects_or_a_repositorys() {
        let check = |text: &str, expect: Option<(&str, &str, Option<&str>)>| {
            let here = text.parse::<Here>().ok();
            let parts = here
                .as_ref()
                .map(|it| (it.project.as_str(), it.environment.as_str(), it.service.as_deref()));
            assert_eq!(parts, expect, "{text}");
            assert!(here.is_none_or(|it| it.to_string() == text), "{text}");
        };
        check("planner/production", Some(("planner", "production", None)));
        check("planner/production/web", Some(("planner", "production", Some("web"))));
        check("octo/app:production", Some(("octo/app", "production", None)));
        check("octo/app:review/7", Some(("octo/app", "review/7", None)));
        for wrong in ["planner", "planner/", "a/b/c/d", "octo:production", "octo/app:", "/app:x"] {
            check(wrong, None);
        }
        check("octo/app/web:production", None);
    }
}
