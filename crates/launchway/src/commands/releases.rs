//! `launchway releases`: what came to an environment, which of it ran well, and which images there
//! are to ship.

use std::sync::Arc;

use event::{ReleaseOrigin, ReleaseRecord};
use serde_json::json;
use views::Ledger;

use crate::cli::{EnvironmentArgs, Format};
use crate::deploying::book::Book;
use crate::deploying::request::environment;
use crate::exit::{Exit, Failure, Outcome};
use crate::images::tags::COMMIT_DIGITS;
use crate::settings_file::{Found, load};
use crate::state::StateFolder;
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::moment;

/// How many images are looked through.
const RECORDS_MAX: usize = 1_000;

pub(crate) fn run(args: &EnvironmentArgs, state: &StateFolder) -> Outcome {
    let found = load(args.settings.file.as_deref())?;
    let (book, _) = Book::of(&found, state)?;
    for name in chosen(&found, args)? {
        let ledger = book.ledger(&name)?;
        let images = images(&book, &name)?;
        if images.is_empty() || ledger.services.values().any(|it| !it.releases.is_empty()) {
            show(&name, &ledger, args.settings.format);
        }
        images.iter().for_each(|it| show_image(it, args.settings.format));
    }
    Ok(Exit::Done)
}

/// The newest images of its repositories, each digest once.
fn images(book: &Book, environment: &str) -> Result<Vec<ReleaseRecord>, Failure> {
    let records = book.releases(None, RECORDS_MAX);
    let records = records.map_err(|error| Failure::caused(Exit::Missing, error))?;
    let mut found: Vec<ReleaseRecord> = Vec::new();
    for (_, record) in records {
        let is_known = |it: &ReleaseRecord| {
            it.service == record.service && it.release.digest == record.release.digest
        };
        if *record.environment == *environment && !found.iter().any(is_known) {
            found.push(record);
        }
    }
    Ok(found)
}

fn show_image(record: &ReleaseRecord, format: Format) {
    let (release, style) = (&record.release, Style::stdout());
    if format == Format::Json {
        let line = json!({
            "environment": record.environment, "service": record.service,
            "version": release.version, "digest": release.digest, "commit": release.commit,
            "repository": release.location, "tags": record.tags, "origin": record.origin,
            "size_bytes": record.size_bytes, "at_ms": record.at,
        });
        return out(&line.to_string());
    }
    let how = match &record.origin {
        ReleaseOrigin::Built => "built",
        ReleaseOrigin::Found => "found",
        ReleaseOrigin::Copied { .. } => "copied",
    };
    let digits = |text: &str| text.chars().take(COMMIT_DIGITS).collect::<String>();
    let commit =
        release.commit.as_deref().map_or(String::new(), |it| format!(", of {}", digits(it)));
    out(&format!(
        "image       {}  {}  {}  {}, {how} {}{commit}",
        record.environment,
        record.service,
        style.bold(&release.version),
        digits(release.digest.trim_start_matches("sha256:")),
        moment(record.at),
    ));
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

pub(super) fn show(environment: &str, ledger: &Ledger, format: Format) {
    let style = Style::stdout();
    if ledger.services.values().all(|it| it.releases.is_empty()) && format != Format::Json {
        talk(&format!("nothing came to {environment} yet"));
    }
    for (name, service) in &ledger.services {
        let running = service.runs.as_ref().map(|it| &it.release.release.digest);
        for line in &service.releases {
            let release = &line.release;
            let is_running = Some(&release.digest) == running;
            if format == Format::Json {
                let line = json!({
                    "environment": environment, "service": name, "version": release.version,
                    "digest": release.digest, "commit": release.commit, "good": line.is_good(),
                    "running": is_running, "deployment": line.deployment.to_string(),
                    "verdict": line.verdict, "at_ms": line.at,
                });
                out(&line.to_string());
                continue;
            }
            let good = if line.is_good() { style.green("good") } else { style.red("bad ") };
            let runs = if is_running { "runs" } else { "    " };
            out(&format!(
                "{good} {runs}  {environment}  {name}  {}  deployment {}, {}, {}",
                style.bold(&release.version),
                line.deployment,
                line.verdict,
                moment(line.at),
            ));
        }
    }
}
