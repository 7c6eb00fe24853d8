//! `launchway releases`: what came to an environment, and which of it ran well.

use std::sync::Arc;

use serde_json::json;
use views::Ledger;

use crate::cli::{EnvironmentArgs, Format};
use crate::deploying::book::Book;
use crate::deploying::request::environment;
use crate::exit::{Exit, Outcome};
use crate::journal;
use crate::settings_file::{Found, load};
use crate::state::StateFolder;
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::moment;

pub(crate) fn run(args: &EnvironmentArgs, state: &StateFolder) -> Outcome {
    let found = load(args.settings.file.as_deref())?;
    let store = Arc::new(journal::open(state)?);
    let book = Book { store, project: Arc::clone(&found.settings.project.value) };
    for name in chosen(&found, args)? {
        show(&name, &book.ledger(&name)?, args.settings.format);
    }
    Ok(Exit::Done)
}

/// The environment that was named, or all of them.
pub(super) fn chosen(
    found: &Found,
    args: &EnvironmentArgs,
) -> Result<Vec<Arc<str>>, crate::exit::Failure> {
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
