//! `launchway status`: what runs where, as the journal knows it and as the targets say.

use event::DeploymentId;
use serde_json::json;
use views::{Ledger, Running};

use super::releases::chosen;
use crate::cli::{EnvironmentArgs, Format};
use crate::deploying::book::Book;
use crate::deploying::targets::{self, Site};
use crate::exit::{Exit, Failure, Outcome};
use crate::settings_file::{Found, load};
use crate::state::StateFolder;
use crate::terminal::style::{Style, out};
use crate::terminal::time::moment;

pub(crate) fn run(args: &EnvironmentArgs, state: &StateFolder) -> Outcome {
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
            let of = ledger.services.get(&service.value);
            let known = of.and_then(|it| it.runs.as_ref());
            let emptied_by = of.and_then(|it| it.emptied_by);
            let site = Site::of(state, &book, &environment);
            let seen = seen(&found, site, &service.value, &ledger);
            out(&if is_human {
                human(&service.value, (known, emptied_by), &seen, style)
            } else {
                machine(&environment, &service.value, (known, emptied_by), &seen)
            });
        }
        for view in book.open(&environment)?.iter().filter(|_| is_human) {
            out(&format!("  deployment {} is {}", view.id, view.standing()));
        }
    }
    Ok(Exit::Done)
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

fn human(
    service: &str,
    (known, emptied_by): (Option<&Running>, Option<DeploymentId>),
    seen: &Result<Seen, String>,
    style: Style,
) -> String {
    let journal = match known {
        Some(it) => {
            let unsure =
                if it.is_unsure { style.red(", a person has to look") } else { String::new() };
            let version = &it.release.release.version;
            let adopted = if it.release.adopted { ", found running" } else { "" };
            format!(
                "{version} since {} (deployment {}{adopted}{unsure})",
                moment(it.since),
                it.deployment
            )
        }
        None => match emptied_by {
            Some(id) => format!("nothing runs: scaled to 0 (deployment {id})"),
            None => "nothing was deployed".to_owned(),
        },
    };
    let version = known.map(|it| &*it.release.release.version);
    let otherwise = match seen {
        Ok(seen) if seen.version.as_deref() == version => String::new(),
        Ok(Seen { version: Some(seen), .. }) => style.yellow(&format!("; {seen} runs there")),
        Ok(_) => style.yellow("; nothing runs there"),
        Err(why) => format!("; it cannot be looked at: {why}"),
    };
    let report = seen.iter().flat_map(|it| &it.report);
    let report: String = report.map(|line| format!("\n      {line}")).collect();
    format!("  {service}  {journal}{otherwise}{}", style.dim(&report))
}

fn machine(
    environment: &str,
    service: &str,
    (known, emptied_by): (Option<&Running>, Option<DeploymentId>),
    seen: &Result<Seen, String>,
) -> String {
    json!({
        "environment": environment, "service": service,
        "version": known.map(|it| &it.release.release.version),
        "digest": known.map(|it| &it.release.release.digest),
        "deployment": known.map(|it| it.deployment).or(emptied_by).map(|it| it.to_string()),
        "since_ms": known.map(|it| it.since),
        "unsure": known.is_some_and(|it| it.is_unsure),
        "seen": seen.as_ref().ok().and_then(|it| it.version.as_ref()),
        "report": seen.as_ref().map_or(&[][..], |it| &it.report),
        "unseen": seen.as_ref().err(),
    })
    .to_string()
}
