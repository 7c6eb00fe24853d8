//! `launchway releases`: what came to an environment, which of it ran well, and which images there
//! are to ship.

use std::sync::Arc;

use event::{ReleaseOrigin, ReleaseRecord};
use serde_json::json;
use server::{CameRelease, PlaceReleases, ReleaseImage};
use views::Ledger;

use super::history::place;
use crate::cli::{EnvironmentArgs, Format, ReleasesArgs};
use crate::deploying::book::Book;
use crate::deploying::request::environment;
use crate::distant::{Client, Where};
use crate::exit::{Exit, Failure, Outcome};
use crate::images::tags::COMMIT_DIGITS;
use crate::settings_file::{Found, load};
use crate::state::StateFolder;
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::moment;

/// How many images are looked through.
const RECORDS_MAX: usize = 1_000;

pub(crate) fn run(args: &ReleasesArgs, state: &StateFolder) -> Outcome {
    let format = args.of.settings.format;
    let (places, is_of_all) = match &args.at.server {
        None => (local(&args.of, state)?, false),
        Some(url) => {
            let environment = args.of.environment.as_deref();
            let of = Where { project: args.at.project.as_deref(), environment };
            let client = Client::of(url)?;
            let places = client.releases(of)?;
            if places.is_empty() && format != Format::Json {
                talk(&client.nothing_went(of)?);
            }
            (places, of.project.is_none())
        }
    };
    places.iter().for_each(|it| show(it, is_of_all, format));
    Ok(Exit::Done)
}

/// From the journal that the settings name.
fn local(args: &EnvironmentArgs, state: &StateFolder) -> Result<Vec<PlaceReleases>, Failure> {
    let found = load(args.settings.file.as_deref())?;
    let (book, _) = Book::of(&found, state)?;
    let records = book.releases(None, RECORDS_MAX);
    let records = records.map_err(|error| Failure::caused(Exit::Missing, error))?;
    let records: Vec<ReleaseRecord> = records.into_iter().map(|(_, record)| record).collect();
    let known = |name: Arc<str>| {
        Ok(PlaceReleases::of((&book.project, &name), &book.ledger(&name)?, &records))
    };
    chosen(&found, args)?.into_iter().map(known).collect()
}

/// The environment that was named, or all of them.
pub(super) fn chosen(found: &Found, args: &EnvironmentArgs) -> Result<Vec<Arc<str>>, Failure> {
    match &args.environment {
        Some(name) => Ok(vec![Arc::clone(&environment(found, name)?.name.value)]),
        None => {
            let all = found.settings.environments.iter();
            Ok(all.map(|it| Arc::clone(&it.name.value)).collect())
        }
    }
}

/// The releases of an environment, as who wants to go back there is shown them.
pub(super) fn show_ledger(
    (project, environment): (&Arc<str>, &Arc<str>),
    ledger: &Ledger,
    format: Format,
) {
    show(&PlaceReleases::of((project, environment), ledger, &[]), false, format);
}

fn show(it: &PlaceReleases, is_of_all: bool, format: Format) {
    let named = place(&it.environment, &it.project, is_of_all);
    if it.releases.is_empty() && it.images.is_empty() && format != Format::Json {
        talk(&format!("nothing came to {named} yet"));
    }
    let of = (&*it.project, &*it.environment);
    for line in &it.releases {
        out(&match format {
            Format::Json => came_json(of, line),
            Format::Human | Format::Github => came(&named, line, Style::stdout()),
        });
    }
    for image in &it.images {
        out(&match format {
            Format::Json => image_json(of, image),
            Format::Human | Format::Github => image_line(&named, image, Style::stdout()),
        });
    }
}

fn came(place: &str, line: &CameRelease, style: Style) -> String {
    let good = if line.good { style.green("good") } else { style.red("bad ") };
    let runs = if line.running { "runs" } else { "    " };
    format!(
        "{good} {runs}  {place}  {}  {}  deployment {}, {}, {}",
        line.service,
        style.bold(&line.version),
        line.deployment,
        line.verdict,
        moment(line.at_ms),
    )
}

fn came_json((project, environment): (&str, &str), line: &CameRelease) -> String {
    json!({
        "project": project, "environment": environment, "service": line.service, "version": line.version,
        "digest": line.digest, "commit": line.commit, "good": line.good,
        "running": line.running, "deployment": line.deployment.to_string(),
        "verdict": line.verdict, "at_ms": line.at_ms,
    })
    .to_string()
}

fn image_line(place: &str, image: &ReleaseImage, style: Style) -> String {
    let how = match &image.origin {
        ReleaseOrigin::Built => "built",
        ReleaseOrigin::Found => "found",
        ReleaseOrigin::Copied { .. } => "copied",
    };
    let digits = |text: &str| text.chars().take(COMMIT_DIGITS).collect::<String>();
    let commit = image.commit.as_deref().map_or(String::new(), |it| format!(", of {}", digits(it)));
    format!(
        "image       {place}  {}  {}  {}, {how} {}{commit}",
        image.service,
        style.bold(&image.version),
        digits(image.digest.trim_start_matches("sha256:")),
        moment(image.at_ms),
    )
}

fn image_json((project, environment): (&str, &str), image: &ReleaseImage) -> String {
    json!({
        "project": project, "environment": environment, "service": image.service,
        "version": image.version, "digest": image.digest, "commit": image.commit,
        "repository": image.repository, "tags": image.tags, "origin": image.origin,
        "size_bytes": image.size_bytes, "at_ms": image.at_ms,
    })
    .to_string()
}
