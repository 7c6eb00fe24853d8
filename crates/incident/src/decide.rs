//! From what somebody wants to the events that say so.

use std::sync::Arc;

use event::{
    Actor, IncidentEvent, IncidentRecord, IncidentRole, IncidentSource, Severity, ShippedBy,
    Timestamp,
};
use mask::MaskedText;
use views::IncidentView;

/// A clock elsewhere may be ahead by so much.
const AHEAD_MS: u64 = 10 * 60 * 1000;

/// What somebody wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// It is there: it is opened, or begins again where it was over.
    Open(Opening),
    /// It is over.
    Resolve {
        /// Why, in their words.
        reason: Option<MaskedText>,
    },
    /// It is not over after all.
    Reopen {
        /// Why, in their words.
        reason: Option<MaskedText>,
    },
    /// A deployment, or what jobs of a run shipped, has to do with it.
    Link(Deployed, IncidentRole),
    /// It has not.
    Unlink(ShippedBy, IncidentRole),
}

/// What an incident is when it is opened.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    /// `project` of the settings, or a repository whose jobs ship.
    pub project: Arc<str>,
    /// Where users meet it.
    pub environment: Arc<str>,
    /// The service; none for all.
    pub service: Option<Arc<str>>,
    /// What is wrong, in a line.
    pub title: MaskedText,
    /// How bad it is.
    pub severity: Severity,
    /// What it is known by elsewhere.
    pub key: Option<Arc<str>>,
    /// Where it is looked at there.
    pub link: Option<Arc<str>>,
    /// What brought it.
    pub caused_by: Option<Deployed>,
}

/// A deployment, or what jobs of a run shipped to an environment, as far as it matters whether an incident can
/// have to do with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// Which.
    pub id: ShippedBy,
    /// Its project; of jobs their repository.
    pub project: Arc<str>,
    /// Of jobs the project that the settings of their repository name, where they are known.
    pub of_settings: Option<Arc<str>>,
    /// Where it went.
    pub environment: Arc<str>,
    /// What it shipped; of jobs their workflow file.
    pub services: Vec<Arc<str>>,
    /// Before that nobody met anything of it: when it was wanted; of jobs, when the first of them began.
    pub since: Timestamp,
    /// When it was over; none while it is under way.
    pub ended_at: Option<Timestamp>,
}

/// Who tells, from where, and when it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Who.
    pub by: Actor,
    /// From where.
    pub source: IncidentSource,
    /// When it happened, as they say.
    pub at: Timestamp,
    /// Now.
    pub now: Timestamp,
}

/// Why it is not written down.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody opened it.
    #[error("there is no such incident")]
    Unknown,
    /// It would be over before it began.
    #[error("it began at a later moment than that")]
    BeforeItBegan,
    /// It has yet to happen.
    #[error("that moment has yet to come")]
    InTheFuture,
    /// A deployment to another environment, or of another project.
    #[error(
        "{} went to {environment} of {project}, where the incident is not", .deployment.named()
    )]
    Elsewhere {
        /// Which.
        deployment: ShippedBy,
        /// Where it went.
        environment: Arc<str>,
        /// Of what.
        project: Arc<str>,
    },
    /// A deployment that did not ship the service, or jobs of another workflow.
    #[error("{} did not ship {service}", .deployment.named())]
    NotShipped {
        /// Which.
        deployment: ShippedBy,
        /// The service that the incident is about.
        service: Arc<str>,
    },
    /// What brought it was wanted when it was there already.
    #[error(
        "{} {} when the incident was there already; it cannot have brought it", .0.named(), began(*.0)
    )]
    CameLater(ShippedBy),
    /// It was over when there was nothing to end.
    #[error("{} was over before the incident began; it cannot have ended it", .0.named())]
    EndedBefore(ShippedBy),
    /// Nothing brings what it ends.
    #[error("{} cannot have brought it and ended it: take the other link away first", .0.named())]
    BothRoles(ShippedBy),
    /// The same key was given with another incident.
    #[error("that key opened another incident: each one has its own")]
    OtherKey,
    /// A title is missing.
    #[error("it says nothing about what is wrong")]
    NoTitle,
}

/// Before that nobody met anything of it.
fn began(by: ShippedBy) -> &'static str {
    match by {
        ShippedBy::Deployment(_) => "was asked for",
        ShippedBy::Jobs(..) => "began there",
    }
}

/// What is to be written down behind what is known. Nothing, where it is known already, or where
/// something newer is.
///
/// # Errors
/// When it cannot be so.
pub fn decide(
    known: Option<&IncidentView>,
    wish: &Wish,
    told: &Told,
) -> Result<Vec<IncidentEvent>, Refusal> {
    if told.at.0 > told.now.0.saturating_add(AHEAD_MS) {
        return Err(Refusal::InTheFuture);
    }
    let view = match (known, wish) {
        (None, Wish::Open(opening)) => return opened(opening, told),
        (None, _) => return Err(Refusal::Unknown),
        (Some(view), _) => view,
    };
    let by = || told.by.clone();
    let at = told.now;
    Ok(match wish {
        // Whoever asks again asks for the same; that it is back is said by reopening it.
        Wish::Open(opening) if told.source == IncidentSource::Person => {
            if !Said::of(opening).is(&view.record) {
                return Err(Refusal::OtherKey);
            }
            Vec::new()
        }
        // Told once more, as webhooks are; or it is back.
        Wish::Open(_) if view.is_open() || told.at <= view.changed_at() => Vec::new(),
        Wish::Open(_) => {
            vec![IncidentEvent::IncidentReopened {
                by: by(),
                reason: None,
                reopened_at: told.at,
                at,
            }]
        }
        Wish::Resolve { .. } if !view.is_open() => Vec::new(),
        Wish::Resolve { reason } => {
            if told.at < view.changed_at() {
                // A person means what they say; what comes late from elsewhere is past.
                return late(told, Refusal::BeforeItBegan);
            }
            let (reason, resolved_at) = (reason.clone(), told.at);
            vec![IncidentEvent::IncidentResolved { by: by(), reason, resolved_at, at }]
        }
        Wish::Reopen { .. } if view.is_open() => Vec::new(),
        Wish::Reopen { reason } => {
            if told.at < view.changed_at() {
                return late(told, Refusal::BeforeItBegan);
            }
            let (reason, reopened_at) = (reason.clone(), told.at);
            vec![IncidentEvent::IncidentReopened { by: by(), reason, reopened_at, at }]
        }
        Wish::Link(deployed, role) => linked(view, deployed, *role, told)?,
        Wish::Unlink(deployment, role) => {
            let is_there = match role {
                IncidentRole::Cause => view.caused_by == Some(*deployment),
                IncidentRole::Fix => view.fixed_by.contains(deployment),
            };
            let (deployment, role) = (*deployment, *role);
            let event = IncidentEvent::IncidentUnlinked { deployment, role, by: by(), at };
            if is_there { vec![event] } else { Vec::new() }
        }
    })
}

/// What whoever opens one said of it: where nothing is said of a place, what brought it says that.
#[derive(Clone, Copy, Debug)]
pub struct Said<'s> {
    /// What is wrong, in a line.
    pub title: &'s MaskedText,
    /// How bad it is.
    pub severity: Severity,
    /// The project.
    pub project: Option<&'s str>,
    /// The environment.
    pub environment: Option<&'s str>,
    /// The service; none for all.
    pub service: Option<&'s str>,
    /// What brought it.
    pub caused_by: Option<ShippedBy>,
}

impl<'s> Said<'s> {
    fn of(opening: &'s Opening) -> Said<'s> {
        Said {
            title: &opening.title,
            severity: opening.severity,
            project: Some(&opening.project),
            environment: Some(&opening.environment),
            service: opening.service.as_deref(),
            caused_by: opening.caused_by.as_ref().map(|it| it.id),
        }
    }

    /// Whether it is what was opened then. What it is linked to may be another one by now.
    pub fn is(&self, record: &IncidentRecord) -> bool {
        (self.title, self.severity) == (&record.title, record.severity)
            && self.project.is_none_or(|it| it == &*record.project)
            && self.environment.is_none_or(|it| record.environment.eq_ignore_ascii_case(it))
            && self.service == record.service.as_deref()
            && self.caused_by == record.caused_by
    }
}

fn late(told: &Told, refusal: Refusal) -> Result<Vec<IncidentEvent>, Refusal> {
    if told.source == IncidentSource::Person { Err(refusal) } else { Ok(Vec::new()) }
}

fn opened(opening: &Opening, told: &Told) -> Result<Vec<IncidentEvent>, Refusal> {
    if opening.title.as_str().trim().is_empty() {
        return Err(Refusal::NoTitle);
    }
    let place = Place {
        project: &opening.project,
        environment: &opening.environment,
        service: opening.service.as_ref(),
    };
    let caused_by = opening.caused_by.as_ref();
    if let Some(deployed) = caused_by {
        place.fits(deployed)?;
        came_first(deployed, told.at)?;
    }
    Ok(vec![IncidentEvent::IncidentOpened(Box::new(IncidentRecord {
        project: Arc::clone(&opening.project),
        // As what brought it calls it: lists are searched by that name.
        environment: Arc::clone(caused_by.map_or(&opening.environment, |it| &it.environment)),
        service: opening.service.clone(),
        title: opening.title.clone(),
        severity: opening.severity,
        source: told.source,
        key: opening.key.clone(),
        link: opening.link.clone(),
        caused_by: caused_by.map(|it| it.id),
        by: told.by.clone(),
        opened_at: told.at,
        at: told.now,
    }))])
}

fn linked(
    view: &IncidentView,
    deployed: &Deployed,
    role: IncidentRole,
    told: &Told,
) -> Result<Vec<IncidentEvent>, Refusal> {
    let record = &view.record;
    let place = Place {
        project: &record.project,
        environment: &record.environment,
        service: record.service.as_ref(),
    };
    place.fits(deployed)?;
    let (by, at) = (told.by.clone(), told.now);
    let mut events = Vec::new();
    match role {
        IncidentRole::Fix if view.fixed_by.contains(&deployed.id) => return Ok(events),
        IncidentRole::Fix => {
            if view.caused_by == Some(deployed.id) {
                return Err(Refusal::BothRoles(deployed.id));
            }
            if deployed.ended_at.is_some_and(|at| at < record.opened_at) {
                return Err(Refusal::EndedBefore(deployed.id));
            }
        }
        IncidentRole::Cause => {
            came_first(deployed, record.opened_at)?;
            if view.fixed_by.contains(&deployed.id) {
                return Err(Refusal::BothRoles(deployed.id));
            }
            match view.caused_by {
                Some(known) if known == deployed.id => return Ok(events),
                // One deployment brought it: whoever names another says that it was not that one.
                Some(deployment) => events.push(IncidentEvent::IncidentUnlinked {
                    deployment,
                    role,
                    by: by.clone(),
                    at,
                }),
                None => {}
            }
        }
    }
    events.push(IncidentEvent::IncidentLinked { deployment: deployed.id, role, by, at });
    Ok(events)
}

/// Where an incident is.
struct Place<'p> {
    project: &'p Arc<str>,
    environment: &'p Arc<str>,
    service: Option<&'p Arc<str>>,
}

impl Place<'_> {
    fn fits(&self, deployed: &Deployed) -> Result<(), Refusal> {
        let is_of_project =
            [Some(&deployed.project), deployed.of_settings.as_ref()].contains(&Some(self.project));
        // As on GitHub: names of environments are the same in any case.
        let is_there = deployed.environment.eq_ignore_ascii_case(self.environment);
        if !is_of_project || !is_there {
            return Err(Refusal::Elsewhere {
                deployment: deployed.id,
                environment: Arc::clone(&deployed.environment),
                project: Arc::clone(&deployed.project),
            });
        }
        match self.service.filter(|it| !deployed.services.contains(it)) {
            None => Ok(()),
            Some(service) => {
                Err(Refusal::NotShipped { deployment: deployed.id, service: Arc::clone(service) })
            }
        }
    }
}

fn came_first(deployed: &Deployed, opened_at: Timestamp) -> Result<(), Refusal> {
    let is_later = deployed.since > opened_at;
    if is_later { Err(Refusal::CameLater(deployed.id)) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
