//! `launchway status`: what runs where, as the journal knows it and as the targets say.

use event::DeploymentId;
use serde_json::json;
use server::ServiceStatus;
use views::Ledger;

use super::history::place;
use super::releases::chosen;
use crate::cli::{EnvironmentArgs, Format, StatusArgs};
use crate::deploying::book::Book;
use crate::deploying::targets::{self, Site};
use crate::distant::{Client, Where};
use crate::exit::{Exit, Failure, Outcome};
use crate::settings_file::{Found, load};
use crate::state::StateFolder;
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::moment;

/// What a server says of targets: it has neither what a target is reached with, nor the settings of a project.
const NOT_ASKED: &str = "a server asks no target";

pub(crate) fn run(args: &StatusArgs, state: &StateFolder) -> Outcome {
    match &args.at.server {
        Some(url) => at_server(&Client::of(url)?, args),
        None => local(&args.of, state),
    }
}

fn local(args: &EnvironmentArgs, state: &StateFolder) -> Outcome {
    let found = load(args.settings.file.as_deref())?;
    let (book, state) = Book::of(&found, state)?;
    let state = &state;
    let style = Style::stdout();
    for environment in chosen(&found, args)? {
        let ledger = book.ledger(&environment)?;
        let is_human = args.settings.format != Format::Json;
        if is_human {
            out(&style.bold(&environment));
        }
        for service in &found.settings.order {
            let known = ServiceStatus::of(&service.value, ledger.services.get(&service.value));
            let site = Site::of(state, &book, &environment);
            let seen = seen(&found, site, &service.value, &ledger);
            out(&if is_human {
                human(&known, &seen, style)
            } else {
                machine((&book.project, &environment), &known, &seen)
            });
        }
        for view in book.open(&environment)?.iter().filter(|_| is_human) {
            out(&open(view.id, view.standing()));
        }
    }
    Ok(Exit::Done)
}

/// The same, as a server's journal has it.
fn at_server(client: &Client, args: &StatusArgs) -> Outcome {
    let of =
        Where { project: args.at.project.as_deref(), environment: args.of.environment.as_deref() };
    let (format, style) = (args.of.settings.format, Style::stdout());
    let places = client.status(of)?;
    if places.is_empty() && format != Format::Json {
        talk(&client.nothing_went(of)?);
    }
    for it in &places {
        if format != Format::Json {
            out(&style.bold(&place(&it.environment, &it.project, of.project.is_none())));
        }
        let seen = Err(NOT_ASKED.to_owned());
        for known in &it.services {
            out(&if format == Format::Json {
                machine((&it.project, &it.environment), known, &seen)
            } else {
                human(known, &seen, style)
            });
        }
        for it in it.open.iter().filter(|_| format != Format::Json) {
            out(&open(it.deployment, &it.standing));
        }
    }
    Ok(Exit::Done)
}

fn open(id: DeploymentId, standing: &str) -> String {
    format!("  deployment {id} is {standing}")
}

/// What the target says.
struct Seen {
    /// The version that runs there.
    version: Option<String>,
    /// How it is now, a line each.
    report: Vec<String>,
}

/// What the target says, or why it says nothing.
fn seen(found: &Found, site: Site<'_>, service: &str, ledger: &Ledger) -> Result<Seen, String> {
    let look = || -> Result<Seen, Failure> {
        let resolved = found.settings.resolve(site.environment, service);
        let resolved = resolved.map_err(|error| Failure::new(Exit::Usage, error))?;
        let mut target = targets::open(resolved.target.kind(), site, Some(found))?;
        let wanted = targets::only_look(&resolved, found, ledger.last_good(service))?;
        let unseen = |cause: event::Cause| Failure::new(Exit::Missing, cause.message);
        let seen = target.observe(&wanted).map_err(unseen)?;
        let report = target.report(&wanted).map_err(unseen)?;
        Ok(Seen {
            version: seen.running.map(|it| it.release.version.to_string()),
            report: report.iter().map(ToString::to_string).collect(),
        })
    };
    look().map_err(|failure| failure.error.to_string())
}

fn human(status: &ServiceStatus, seen: &Result<Seen, String>, style: Style) -> String {
    let journal = match &status.runs {
        Some(it) => {
            let unsure =
                if it.unsure { style.red(", a person has to look") } else { String::new() };
            let adopted = if it.adopted { ", found running" } else { "" };
            format!(
                "{} since {} (deployment {}{adopted}{unsure})",
                it.version,
                moment(it.since_ms),
                it.deployment
            )
        }
        None => match status.emptied_by {
            Some(id) => format!("nothing runs: scaled to 0 (deployment {id})"),
            None => "nothing was deployed".to_owned(),
        },
    };
    let version = status.runs.as_ref().map(|it| &*it.version);
    let otherwise = match seen {
        Ok(seen) if seen.version.as_deref() == version => String::new(),
        Ok(Seen { version: Some(seen), .. }) => style.yellow(&format!("; {seen} runs there")),
        Ok(_) => style.yellow("; nothing runs there"),
        Err(why) => format!("; it cannot be looked at: {why}"),
    };
    let report = seen.iter().flat_map(|it| &it.report);
    let report: String = report.map(|line| format!("\n      {line}")).collect();
    format!("  {}  {journal}{otherwise}{}", status.service, style.dim(&report))
}

fn machine(
    (project, environment): (&str, &str),
    status: &ServiceStatus,
    seen: &Result<Seen, String>,
) -> String {
    let known = status.runs.as_ref();
    json!({
        "project": project, "environment": environment, "service": status.service,
        "version": known.map(|it| &it.version),
        "digest": known.map(|it| &it.digest),
        "deployment": known.map(|it| it.deployment).or(status.emptied_by).map(|it| it.to_string()),
        "since_ms": known.map(|it| it.since_ms),
        "unsure": known.is_some_and(|it| it.unsure),
        "seen": seen.as_ref().ok().and_then(|it| it.version.as_ref()),
        "report": seen.as_ref().map_or(&[][..], |it| &it.report),
        "unseen": seen.as_ref().err(),
    })
    .to_string()
}
