//! `launchway incidents`: here, or on a server; the same lines.

mod here;
mod shown;

use std::time::Duration;

use event::{IncidentId, IncidentRole, IncidentSource, ShippedBy, Timestamp};
use incident::{REASON_CHARS_MAX, TITLE_CHARS_MAX, Told, line};
use serde_json::{Value as Json, json};
use server::incident_details;
use views::IncidentView;

use self::here::Here;

use crate::cli::{Format, IncidentsAt, IncidentsCommand, WhenArg};
use crate::deploying::person;
use crate::distant::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::settings_file::{load, load_if_there};
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
            if let Some(by) = fixed_by {
                place.change(*id, &link("link", *by, IncidentRole::Fix))?;
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
        IncidentsCommand::Link { id, shipped, remove, at } => {
            let cause = shipped.caused_by.map(|it| (it, IncidentRole::Cause));
            let Some((by, role)) = cause.or(shipped.fixed_by.map(|it| (it, IncidentRole::Fix)))
            else {
                return Err(Failure::new(Exit::Usage, "what? --caused-by or --fixed-by"));
            };
            let verb = if *remove { "unlink" } else { "link" };
            let told = Place::of(at, state)?.change(*id, &link(verb, by, role))?;
            done(&told, if *remove { "is not linked" } else { "is linked" }, at.format);
            Ok(Exit::Done)
        }
    }
}

fn over(verb: &str, reason: Option<&str>, when: &WhenArg) -> Result<Json, Failure> {
    let reason = reason.map(|it| checked("reason", it, REASON_CHARS_MAX)).transpose()?;
    Ok(json!({ "do": verb, "reason": reason, "at_ms": moment(when)? }))
}

fn link(verb: &str, by: ShippedBy, role: IncidentRole) -> Json {
    json!({ "do": verb, "deployment": by, "role": role })
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

/// Where the incidents are: the journal that the settings name, this machine's where there are none, or a server's.
enum Place {
    Here(Box<Here>),
    Server { client: Client, project: Option<String> },
}

impl Place {
    fn of(at: &IncidentsAt, state: &StateFolder) -> Result<Place, Failure> {
        if let Some(url) = &at.server {
            return Ok(Place::Server { client: Client::of(url)?, project: at.project.clone() });
        }
        let found = match &at.file {
            Some(file) => Some(load(Some(file))?),
            None => load_if_there()?,
        };
        Here::of(found, state).map(|it| Place::Here(Box::new(it)))
    }

    fn list(&self, environment: Option<&str>, open: bool) -> Result<Vec<Json>, Failure> {
        match self {
            Place::Server { client, project } => {
                client.incidents(open, project.as_deref(), environment)
            }
            Place::Here(here) => {
                let mut all = here.newest(LISTED_MAX)?;
                if let Some(name) = environment {
                    let is_there =
                        |it: &IncidentView| it.record.environment.eq_ignore_ascii_case(name);
                    // Jobs name others than the settings do.
                    if !all.iter().any(is_there) {
                        here.knows(name)?;
                    }
                    all.retain(is_there);
                }
                all.retain(|it| !open || it.is_open());
                Ok(all.iter().map(incident_details).collect())
            }
        }
    }

    fn one(&self, id: u64) -> Result<Json, Failure> {
        match self {
            Place::Server { client, .. } => client.incident(id),
            Place::Here(here) => {
                let view = here.incidents.view(IncidentId(id))?;
                let view = view.filter(|it| here.has(&it.record.project));
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
            Place::Here(here) => {
                let (id, _) = here.incidents.open(here.opening(&asked)?, &told(&asked))?;
                self.one(id.0)
            }
        }
    }

    fn change(&self, id: u64, asked: &Json) -> Result<Json, Failure> {
        match self {
            Place::Server { client, .. } => client.change_incident(id, asked),
            Place::Here(here) => {
                let known = self.one(id)?;
                let environment = known["environment"].as_str().unwrap_or_default();
                let wish = here.wish(asked, environment)?;
                here.incidents.tell(IncidentId(id), &wish, &told(asked))?;
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
