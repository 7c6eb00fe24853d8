//! Incidents that somebody tells a server of: on a page, or over the API.

pub(crate) mod pagerduty;

use std::sync::Arc;

use event::{IncidentId, IncidentSource, ShippedBy};
use incident::{Deployed, Opening, REASON_CHARS_MAX, Said, TITLE_CHARS_MAX, Told, Wish, line};
use mask::MaskedText;
use server::{IncidentAsk, IncidentDeed, IncidentWish, Refused, Why};
use settings::{Journal, Settings};

use super::face::refused;
use super::intake::Intake;
use super::repositories::{self, Connected};
use crate::exit::{Exit, Failure};
use crate::incidents::Incidents;
use crate::terminal::time::now;

/// The longest name of a project, an environment, or a service.
const NAME_CHARS_MAX: usize = 255;

/// Does what somebody asks for, and writes it down.
pub(super) fn done(intake: &Arc<Intake>, ask: &IncidentAsk) -> Result<IncidentId, Refused> {
    let incidents = Incidents::of_store(&intake.store);
    let now = now();
    let told =
        Told { by: ask.by.clone(), source: IncidentSource::Person, at: ask.at.unwrap_or(now), now };
    let reason = ask.reason.as_deref().map(str::trim).filter(|it| !it.is_empty());
    if reason.is_some_and(|it| it.chars().count() > REASON_CHARS_MAX) {
        let message = format!("the reason is longer than {REASON_CHARS_MAX} letters");
        return Err(Refused::new(Why::Input, message));
    }
    let reason = reason.map(MaskedText::without_secrets);
    let (id, wish) = match &ask.deed {
        IncidentDeed::Open(wanted) => {
            let named = Named::of(wanted).map_err(not_so)?;
            // A run may have gone on since, or be pruned: whoever asks again hears of what was opened then.
            let known =
                wanted.key.as_deref().map(|key| incidents.opened_with(key, named.said(wanted)));
            if let Some(id) = known.transpose().map_err(refused)?.flatten() {
                return Ok(id);
            }
            let opening = opening(intake, &incidents, wanted, named).map_err(not_so)?;
            known_here(intake, &opening.project).map_err(not_so)?;
            // A key that stands for another one is a conflict.
            return incidents.open(opening, &told).map(|(id, _)| id).map_err(refused);
        }
        IncidentDeed::Resolve(id) => (*id, Wish::Resolve { reason }),
        IncidentDeed::Reopen(id) => (*id, Wish::Reopen { reason }),
        IncidentDeed::Link(id, by, role) => {
            let view = incidents.view(*id).map_err(refused)?.ok_or_else(unknown)?;
            let environment = Some(&*view.record.environment);
            let deployed = shipped(intake, &incidents, *by, environment).map_err(not_so)?;
            (*id, Wish::Link(deployed, *role))
        }
        IncidentDeed::Unlink(id, by, role) => (*id, Wish::Unlink(*by, *role)),
    };
    if incidents.view(id).map_err(refused)?.is_none() {
        return Err(unknown());
    }
    incidents.tell(id, &wish, &told).map_err(not_so)?;
    Ok(id)
}

fn unknown() -> Refused {
    Refused::new(Why::NotFound, "there is no such incident")
}

/// What was shipped; of jobs with the project that the settings of their repository name.
fn shipped(
    intake: &Intake,
    incidents: &Incidents,
    by: ShippedBy,
    environment: Option<&str>,
) -> Result<Deployed, Failure> {
    let all = repositories::all(&intake.data)?;
    incidents.shipped(by, environment, &|repository| {
        project_of(all.iter().find(|it| it.name == repository)?)
    })
}

/// The project that the settings at the tip of a repository name. Settings that cannot be read say nothing, and are
/// told of where they are needed.
pub(super) fn project_of(connected: &Connected) -> Option<Arc<str>> {
    repositories::settings_at_tip(connected).ok().flatten().map(|it| it.project.value)
}

/// Refuses a project whose incidents belong elsewhere: what stands in a bucket with its deployments is
/// in its figures, what stood here would be in none.
///
/// # Errors
/// When its journal is a bucket.
pub(crate) fn in_this_journal(settings: &Settings) -> Result<(), Failure> {
    let Journal::Bucket(bucket) = &settings.journal.value else { return Ok(()) };
    let project = &settings.project.value;
    let message = format!("the incidents of {project} stand with its deployments, in {bucket}");
    Err(Failure::new(Exit::Refused, message)
        .hint("open them in a clone of it: launchway incidents open"))
}

/// The same of a project by its name, as far as a repository here has its settings.
pub(super) fn known_here(intake: &Intake, project: &str) -> Result<(), Failure> {
    for connected in repositories::all(&intake.data)? {
        // Settings that cannot be read say nothing, and are told of where they are needed.
        let Ok(Some(settings)) = repositories::settings_at_tip(&connected) else { continue };
        if &*settings.project.value == project {
            in_this_journal(&settings)?;
        }
    }
    Ok(())
}

/// Whoever asks over HTTP used no wrong flag: what they named is not what there is.
fn not_so(failure: Failure) -> Refused {
    let exit = if failure.exit == Exit::Usage { Exit::Refused } else { failure.exit };
    refused(Failure { exit, ..failure })
}

/// What is said of one that is to be opened, as it can be a name.
struct Named {
    project: Option<Arc<str>>,
    environment: Option<Arc<str>>,
    service: Option<Arc<str>>,
    title: MaskedText,
}

impl Named {
    fn of(wanted: &IncidentWish) -> Result<Named, Failure> {
        let no = |message: &str| Failure::new(Exit::Refused, message);
        if wanted.title.chars().count() > TITLE_CHARS_MAX {
            return Err(no(&format!("the title is longer than {TITLE_CHARS_MAX} letters")));
        }
        let name = |text: &Option<String>| -> Result<Option<Arc<str>>, Failure> {
            let text = text.as_deref().map(str::trim).filter(|it| !it.is_empty());
            let is_name =
                |it: &str| it.chars().count() <= NAME_CHARS_MAX && !it.contains(char::is_control);
            match text {
                Some(it) if !is_name(it) => Err(no("that is no name")),
                other => Ok(other.map(Into::into)),
            }
        };
        Ok(Named {
            project: name(&wanted.project)?,
            environment: name(&wanted.environment)?,
            service: name(&wanted.service)?,
            title: MaskedText::without_secrets(line(&wanted.title, TITLE_CHARS_MAX)),
        })
    }

    fn said(&self, wanted: &IncidentWish) -> Said<'_> {
        Said {
            title: &self.title,
            severity: wanted.severity,
            project: self.project.as_deref(),
            environment: self.environment.as_deref(),
            service: self.service.as_deref(),
            caused_by: wanted.caused_by,
        }
    }
}

fn opening(
    intake: &Intake,
    incidents: &Incidents,
    wanted: &IncidentWish,
    named: Named,
) -> Result<Opening, Failure> {
    let caused_by = wanted.caused_by.map(|by| {
        let environment = named.environment.as_deref();
        shipped(intake, incidents, by, environment)
    });
    let caused_by = caused_by.transpose()?;
    let of = caused_by.as_ref();
    let project = named.project.or_else(|| of.map(|it| it.project.clone()));
    let environment = named.environment.or_else(|| of.map(|it| it.environment.clone()));
    let (Some(project), Some(environment)) = (project, environment) else {
        let message =
            "where users meet it is not said: what brought it, or project and environment";
        return Err(Failure::new(Exit::Refused, message));
    };
    Ok(Opening {
        project,
        environment,
        service: named.service,
        title: named.title,
        severity: wanted.severity,
        key: wanted.key.as_deref().map(Into::into),
        link: None,
        caused_by,
    })
}
