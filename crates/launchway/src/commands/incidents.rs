//! `launchway incidents`: here, or on a server; the same lines.

mod shown;

use std::time::Duration;

use event::{DeploymentId, IncidentId, IncidentRole, IncidentSource, Timestamp};
use incident::{Opening, REASON_CHARS_MAX, TITLE_CHARS_MAX, Told, Wish, line};
use mask::MaskedText;
use serde_json::{Value as Json, json};
use server::incident_details;

use crate::cli::{Format, IncidentsAt, IncidentsCommand, WhenArg};
use crate::deploying::book::Book;
use crate::deploying::{person, request};
use crate::distant::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::incidents::Incidents;
use crate::settings_file::{Found, load};
use crate::state::StateFolder;
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::now;

/// Incidents that are looked through for a list, as on a server.
const LISTED_MAX: usize = 200;

pub(crate) fn run(command: &IncidentsCommand, state: &StateFolder) -> Outcome {
    match command {
        IncidentsCommand::List { environment, open, limit, at } => {
            let all = Place::of(at, state)?.list(environment.as_deref(), *open)?;
            list(&all[..all.len().min(*limit)], at.format);
            Ok(Exit::Done)
        }
        IncidentsCommand::Show { id, at } => {
            let place = Place::of(at, state)?;
            show(&place.one(*id)?, at.format);
            Ok(Exit::Done)
        }
        IncidentsCommand::Open { title, caused_by, environment, service, severity, when, at } => {
            let asked = json!({
                "title": checked("title", title, TITLE_CHARS_MAX)?,
                "severity": event::Severity::from(*severity),
                "environment": environment, "service": service, "caused_by": caused_by,
                "at_ms": moment(when)?,
            });
            done(&Place::of(at, state)?.open(asked)?, "opened", at.format);
            Ok(Exit::Done)
        }
        IncidentsCommand::Resolve { id, fixed_by, reason, when, at } => {
            let place = Place::of(at, state)?;
            if let Some(deployment) = fixed_by {
                place.change(*id, &link("link", *deployment, IncidentRole::Fix))?;
            }
            let told = place.change(*id, &over("resolve", reason.as_deref(), when)?)?;
            done(&told, "is over", at.format);
            Ok(Exit::Done)
        }
        IncidentsCommand::Reopen { id, reason, when, at } => {
            let asked = over("reopen", reason.as_deref(), when)?;
            done(&Place::of(at, state)?.change(*id, &asked)?, "is open again", at.format);
            Ok(Exit::Done)
        }
        IncidentsCommand::Link { id, deployment, remove, at } => {
            let (deployment, role) = match (deployment.caused_by, deployment.fixed_by) {
                (Some(cause), _) => (cause, IncidentRole::Cause),
                (None, fix) => (fix.unwrap_or_default(), IncidentRole::Fix),
            };
            let verb = if *remove { "unlink" } else { "link" };
            let told = Place::of(at, state)?.change(*id, &link(verb, deployment, role))?;
            done(&told, if *remove { "is not linked" } else { "is linked" }, at.format);
            Ok(Exit::Done)
        }
    }
}

fn over(verb: &str, reason: Option<&str>, when: &WhenArg) -> Result<Json, Failure> {
    let reason = reason.map(|it| checked("reason", it, REASON_CHARS_MAX)).transpose()?;
    Ok(json!({ "do": verb, "reason": reason, "at_ms": moment(when)? }))
}

fn link(verb: &str, deployment: u64, role: IncidentRole) -> Json {
    json!({ "do": verb, "deployment": deployment, "role": role })
}

/// What somebody writes is kept whole, or not at all.
fn checked(what: &str, text: &str, chars_max: usize) -> Result<String, Failure> {
    if text.chars().count() > chars_max {
        let message = format!("the {what} is longer than {chars_max} letters");
        return Err(Failure::new(Exit::Usage, message));
    }
    Ok(line(text, chars_max))
}

/// When something was so, as people say it.
fn moment(when: &WhenArg) -> Result<Option<Timestamp>, Failure> {
    let Some(text) = &when.when else { return Ok(None) };
    ago(text).or_else(|| instant(text)).map(Some).ok_or_else(|| {
        let message = format!("--at takes a span that is past or a moment, not `{text}`");
        Failure::new(Exit::Usage, message).hint("such as 20m, 3h, 2d, or 2026-03-01T12:00:00Z")
    })
}

fn ago(text: &str) -> Option<Timestamp> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let minutes = match unit {
        "m" => 1,
        "h" => 60,
        "d" => 24 * 60,
        _ => return None,
    };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let count: u64 = number.parse().ok().filter(|_| is_number)?;
    let span = Duration::from_secs(count.checked_mul(minutes)?.checked_mul(60)?);
    now().0.checked_sub(u64::try_from(span.as_millis()).ok()?).map(Timestamp)
}

fn instant(text: &str) -> Option<Timestamp> {
    let at: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(at.as_millisecond()).ok().map(Timestamp)
}

/// Where the incidents are: the journal that the settings name, or a server's.
enum Place {
    Here { incidents: Incidents, found: Box<Found> },
    Server { client: Client, project: Option<String> },
}

impl Place {
    fn of(at: &IncidentsAt, state: &StateFolder) -> Result<Place, Failure> {
        if let Some(url) = &at.server {
            return Ok(Place::Server { client: Client::of(url)?, project: at.project.clone() });
        }
        let found = load(at.file.as_deref())?;
        let (book, _) = Book::of(&found, state)?;
        let incidents = Incidents::of(&book);
        // Whoever drove a deployment may have been killed before this was done.
        incidents.look_at_ends_in_passing(&book.project);
        Ok(Place::Here { incidents, found: Box::new(found) })
    }

    fn list(&self, environment: Option<&str>, open: bool) -> Result<Vec<Json>, Failure> {
        match self {
            Place::Server { client, project } => {
                client.incidents(open, project.as_deref(), environment)
            }
            Place::Here { incidents, found } => {
                if let Some(name) = environment {
                    request::environment(found, name)?;
                }
                let mut all = incidents.newest(Some(&found.settings.project.value), LISTED_MAX)?;
                all.retain(|it| {
                    environment.is_none_or(|name| name == &*it.record.environment)
                        && (!open || it.is_open())
                });
                Ok(all.iter().map(incident_details).collect())
            }
        }
    }

    fn one(&self, id: u64) -> Result<Json, Failure> {
        match self {
            Place::Server { client, .. } => client.incident(id),
            Place::Here { incidents, found } => {
                let view = incidents.view(IncidentId(id))?;
                let view = view.filter(|it| it.record.project == found.settings.project.value);
                let none = || {
                    Failure::new(Exit::Usage, format!("there is no incident {id}"))
                        .hint("launchway incidents list shows what there is")
                };
                view.as_ref().map(incident_details).ok_or_else(none)
            }
        }
    }

    fn open(&self, mut asked: Json) -> Result<Json, Failure> {
        match self {
            Place::Server { client, project } => {
                asked["project"] = json!(project);
                client.open_incident(&asked)
            }
            Place::Here { incidents, found } => {
                let opening = opening(&asked, incidents, found)?;
                let told = told(&asked);
                let (id, _) = incidents.open(opening, &told)?;
                self.one(id.0)
            }
        }
    }

    fn change(&self, id: u64, asked: &Json) -> Result<Json, Failure> {
        match self {
            Place::Server { client, .. } => client.change_incident(id, asked),
            Place::Here { incidents, .. } => {
                self.one(id)?;
                let wish = wish(asked, incidents)?;
                incidents.tell(IncidentId(id), &wish, &told(asked))?;
                self.one(id)
            }
        }
    }
}

fn told(asked: &Json) -> Told {
    let now = now();
    let at = asked["at_ms"].as_u64().map_or(now, Timestamp);
    Told { by: person(), source: IncidentSource::Person, at, now }
}

/// What is asked for, as it would be asked of a server, of the journal here.
fn wish(asked: &Json, incidents: &Incidents) -> Result<Wish, Failure> {
    let reason = || asked["reason"].as_str().map(MaskedText::without_secrets);
    let deployment = || DeploymentId(asked["deployment"].as_u64().unwrap_or_default());
    let role = if asked["role"] == "cause" { IncidentRole::Cause } else { IncidentRole::Fix };
    Ok(match asked["do"].as_str() {
        Some("resolve") => Wish::Resolve { reason: reason() },
        Some("reopen") => Wish::Reopen { reason: reason() },
        Some("link") => Wish::Link(incidents.deployed(deployment())?, role),
        _ => Wish::Unlink(deployment(), role),
    })
}

fn opening(asked: &Json, incidents: &Incidents, found: &Found) -> Result<Opening, Failure> {
    let text = |name: &str| asked[name].as_str();
    let caused_by = asked["caused_by"].as_u64().map(DeploymentId);
    let caused_by = caused_by.map(|id| incidents.deployed(id)).transpose()?;
    let environment = match (text("environment"), &caused_by) {
        (Some(name), _) => {
            request::environment(found, name)?;
            name.into()
        }
        (None, Some(deployed)) => deployed.environment.clone(),
        (None, None) => return Err(Failure::new(Exit::Usage, "where? --environment NAME")),
    };
    if let Some(name) = text("service")
        && !found.settings.order.iter().any(|it| *it.value == *name)
    {
        let known: Vec<&str> = found.settings.order.iter().map(|it| &*it.value).collect();
        return Err(Failure::new(Exit::Usage, format!("there is no service {name}"))
            .hint(format!("there are: {}", known.join(", "))));
    }
    Ok(Opening {
        project: found.settings.project.value.clone(),
        environment,
        service: text("service").map(Into::into),
        title: MaskedText::without_secrets(text("title").unwrap_or_default()),
        severity: text("severity")
            .and_then(event::Severity::parse)
            .unwrap_or(event::Severity::Major),
        key: None,
        link: None,
        caused_by,
    })
}

fn list(all: &[Json], format: Format) {
    if all.is_empty() && format != Format::Json {
        talk("no incident is written down");
    }
    for it in all {
        out(&match format {
            Format::Json => it.to_string(),
            Format::Human | Format::Github => shown::row(it, Style::stdout()),
        });
    }
}

fn show(it: &Json, format: Format) {
    match format {
        Format::Json => out(&it.to_string()),
        Format::Human | Format::Github => out(shown::page(it, Style::stdout()).trim_end()),
    }
}

fn done(it: &Json, what: &str, format: Format) {
    match format {
        Format::Json => out(&it.to_string()),
        Format::Human | Format::Github => {
            talk(&format!("incident {} {what}", it["incident"]));
            out(shown::page(it, Style::stdout()).trim_end());
        }
    }
}
