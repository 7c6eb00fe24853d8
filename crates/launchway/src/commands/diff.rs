//! `launchway diff`: what a deployment would change, field by field, and where what runs is not what
//! the journal knows. Nothing is done, so no gate is asked.

use std::sync::Arc;

use event::ServicePlan;
use serde_json::json;
use views::Ledger;

use crate::cli::{DifferenceArgs, Format};
use crate::deploying::book::Book;
use crate::deploying::foresee::foresee;
use crate::deploying::request::{environment, running, wanted};
use crate::deploying::show;
use crate::deploying::wish::{Agreement, What, Wish};
use crate::exit::{Exit, Outcome};
use crate::images::find::{self, Asked};
use crate::settings_file::load;
use crate::state::StateFolder;
use crate::terminal::style::{Style, out};

pub(crate) fn run(args: &DifferenceArgs, state: &StateFolder) -> Outcome {
    let of = &args.of;
    let found = load(of.settings.file.as_deref())?;
    let (book, state) = Book::of(&found, state)?;
    let state = &state;
    let name = &*environment(&found, &of.environment)?.name.value;
    let ledger = book.ledger(name)?;
    let asked = Asked {
        environment: name,
        services: &of.services,
        version: args.version.as_deref(),
        from: args.from.as_deref(),
        images: &args.images,
    };
    let given =
        if args.running { Vec::new() } else { find::releases(&found, &book, state, &asked)? };
    let what = if args.running {
        What::Restore(running(&found, &ledger, (name, &of.services))?)
    } else {
        What::Ship {
            version: args.version.as_deref(),
            from: args.from.as_deref(),
            images: &args.images,
            given: &given,
            force: false,
            migrations: false,
            hotfix: false,
        }
    };
    let wish = Wish {
        environment: name,
        services: &of.services,
        agreed: Agreement::to_look(),
        only_look: true,
        what,
    };
    let (requests, _) = wanted(&found, &book, state, &wish)?;
    let plans = foresee(state, (&book.project, name), &requests, &found)?;
    let style = Style::stdout();
    for plan in &plans {
        let strange = strange(&ledger, plan);
        if of.settings.format == Format::Json {
            let line = json!({
                "type": "difference", "environment": name, "service": plan.service,
                "running": plan.running.as_ref().map(|it| &it.release.version),
                "known": known(&ledger, &plan.service), "changes": plan.changes,
            });
            out(&line.to_string());
            continue;
        }
        let said = if plan.changes.is_empty() { ", and nothing differs" } else { "" };
        let runs = plan.running.as_ref().map_or("nothing", |it| &*it.release.version);
        out(&format!("{}: {runs} runs{said}", style.bold(&plan.service)));
        for change in &plan.changes {
            out(&show::change(change, style));
        }
        if let Some(strange) = strange {
            out(&format!("  {}", style.yellow(&strange)));
        }
    }
    let differs = plans.iter().any(|plan| !plan.changes.is_empty());
    Ok(if differs && args.exit_code { Exit::Failed } else { Exit::Done })
}

/// What the journal knows to run.
fn known(ledger: &Ledger, service: &str) -> Option<Arc<str>> {
    let runs = ledger.services.get(service)?.runs.as_ref()?;
    Some(Arc::clone(&runs.release.release.version))
}

/// Somebody else changed what runs.
fn strange(ledger: &Ledger, plan: &ServicePlan) -> Option<String> {
    let runs = ledger.services.get(&plan.service)?.runs.as_ref()?;
    let known = &runs.release.release;
    match &plan.running {
        Some(found) if found.release.digest == known.digest => None,
        _ => Some(format!(
            "deployment {} left {} running: somebody else changed that",
            runs.deployment, known.version
        )),
    }
}
