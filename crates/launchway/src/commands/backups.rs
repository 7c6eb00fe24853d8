//! `launchway backups`: what deployments put aside, and a new database of it.

use std::sync::Arc;
use std::time::Duration;

use backup::{Kept, Rds, Restore};
use event::{DeployStepKey, DeploymentId, KnownRelease, Timestamp, Verdict};
use serde_json::{Value as Json, json};
use views::{DeployStepView, DeploymentView};

use super::releases::chosen;
use crate::cli::{BackupsCommand, BackupsListArgs, BackupsRestoreArgs, Format};
use crate::deploying::book::Book;
use crate::deploying::drive::Driver;
use crate::deploying::request::{Task, What, Wish, build, running};
use crate::deploying::targets::{self, Site};
use crate::exit::{Exit, Failure, Outcome};
use crate::journal;
use crate::settings_file::load;
use crate::state::StateFolder;
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::moment;

/// How many deployments are looked through for a backup.
const LOOKED_THROUGH_MAX: usize = 1_000;
/// When a new database must be there: large ones take hours.
const RESTORE_WITHIN: Duration = Duration::from_hours(12);

pub(crate) fn run(command: &BackupsCommand, state: &StateFolder) -> Outcome {
    match command {
        BackupsCommand::List(args) => list(args, state),
        BackupsCommand::Restore(args) => restore(args, state),
    }
}

/// One, as the journal knows it.
struct Entry {
    kept: Kept,
    environment: Arc<str>,
    deployment: DeploymentId,
    service: Arc<str>,
    release: KnownRelease,
    at: Timestamp,
}

impl Entry {
    fn rds(&self) -> (&Rds, &str, &str) {
        let Kept::Rds { of, snapshot, arn } = &self.kept;
        (of, snapshot, arn)
    }
}

/// What deployments put aside, newest first; several services of one share one.
fn entries(book: &Book, environment: Option<&str>, limit: usize) -> Result<Vec<Entry>, Failure> {
    let mut found: Vec<Entry> = Vec::new();
    for view in book.newest(environment, LOOKED_THROUGH_MAX)? {
        if found.len() >= limit {
            break;
        }
        let effects = book.effects(view.id)?;
        for step in &view.steps {
            let Some(kept) = effects.get(&step.key).and_then(Kept::of) else { continue };
            if !found.iter().any(|it| it.kept == kept) {
                found.extend(entry(&view, step, kept));
            }
        }
    }
    Ok(found)
}

fn entry(view: &DeploymentView, step: &DeployStepView, kept: Kept) -> Option<Entry> {
    let wanted = view.request.services.iter().find(|it| it.service == step.service)?;
    let release =
        KnownRelease { release: wanted.release.clone(), handle: Json::Null, adopted: true };
    Some(Entry {
        kept,
        environment: Arc::clone(&view.request.environment),
        deployment: view.id,
        service: Arc::clone(&step.service),
        release,
        at: step.forward.as_ref()?.since,
    })
}

fn list(args: &BackupsListArgs, state: &StateFolder) -> Outcome {
    let found = load(args.of.settings.file.as_deref())?;
    let store = Arc::new(journal::open(state)?);
    let book = Book { store, project: Arc::clone(&found.settings.project.value) };
    for name in chosen(&found, &args.of)? {
        let all = entries(&book, Some(&name), args.limit)?;
        if all.is_empty() {
            if args.of.settings.format != Format::Json {
                talk(&format!("nothing of {name} was put aside yet"));
            }
            continue;
        }
        let mut backups = targets::backups(Site::of(state, &book, &name), Some(&found))?;
        for entry in &all {
            let standing = match backups.look(&entry.kept) {
                Ok(Some(found)) => (found.status, None),
                Ok(None) => ("gone".to_owned(), None),
                Err(fault) => ("unknown".to_owned(), Some(fault.to_string())),
            };
            show(entry, &standing, args.of.settings.format);
        }
    }
    Ok(Exit::Done)
}

fn show(entry: &Entry, (standing, why): &(String, Option<String>), format: Format) {
    let (of, snapshot, arn) = entry.rds();
    if format == Format::Json {
        let line = json!({
            "backup": snapshot, "environment": entry.environment, "database": of.database,
            "region": of.region, "arn": arn, "deployment": entry.deployment.to_string(),
            "at_ms": entry.at, "state": standing, "why": why,
        });
        out(&line.to_string());
        return;
    }
    let style = Style::stdout();
    let standing = match (standing.as_str(), why) {
        ("available", _) => style.green("available"),
        (other, Some(why)) => style.yellow(&format!("{other}: {why}")),
        (other, None) => style.yellow(other),
    };
    out(&format!(
        "{}  {}  {}  {}  deployment {}  {standing}",
        style.bold(snapshot),
        moment(entry.at),
        entry.environment,
        of.database,
        entry.deployment,
    ));
}

fn restore(args: &BackupsRestoreArgs, state: &StateFolder) -> Outcome {
    let found = load(args.settings.file.as_deref())?;
    let store = Arc::new(journal::open(state)?);
    let book = Book { store, project: Arc::clone(&found.settings.project.value) };
    let all = entries(&book, None, LOOKED_THROUGH_MAX)?;
    let entry = all.iter().find(|it| it.rds().1 == args.id).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("no deployment put {} aside", args.id))
            .hint("launchway backups list shows what there is")
    })?;
    let (of, snapshot, _) = entry.rds();
    let usual = || format!("{}-of-{}", of.database, entry.deployment);
    let new = args.new.clone().unwrap_or_else(usual);
    if new == of.database {
        return Err(Failure::new(Exit::Forbidden, format!("{new} is the one that runs"))
            .hint("a backup becomes a new database: --as NAME"));
    }
    let restore = Restore { of: of.clone(), snapshot: snapshot.to_owned(), new };
    let environment = &*entry.environment;
    let format = args.settings.format;
    let driver = Driver { book: &book, state, found: &found, format };
    let _place = driver.take(environment)?;
    driver.finish_open(environment)?;
    let names = [entry.service.to_string()];
    // It may be why a restore is needed that nothing runs.
    let ledger = book.ledger(environment)?;
    let releases = running(&found, &ledger, (environment, &names))
        .unwrap_or_else(|_| vec![(Arc::clone(&entry.service), entry.release.clone())]);
    let step = restore.step(&entry.service, RESTORE_WITHIN);
    let agreed = args.agreed.agreement();
    let wish = Wish {
        environment,
        services: &names,
        agreed,
        only_look: false,
        what: What::Task { releases, task: Task::Step(&step) },
    };
    let view = driver.begin_quietly(build(&found, &book, state, &wish)?, agreed)?;
    let ended = view.as_ref().and_then(|it| it.ended.as_ref());
    if ended.is_some_and(|it| it.verdict == Verdict::Succeeded) {
        told(&restore, environment, &step.key, format);
    }
    Ok(driver.told(view.as_ref()))
}

/// What a person does next, if the new one is to take the place of the old one.
fn told(restore: &Restore, environment: &str, step: &DeployStepKey, format: Format) {
    let steps = restore.steps_to_switch(environment);
    if format == Format::Json {
        let line = json!({
            "type": "backup_restored", "environment": environment, "step": step,
            "backup": restore.snapshot, "database": restore.of.database, "new": restore.new,
            "steps_to_switch": steps,
        });
        out(&line.to_string());
        return;
    }
    out(&format!("{} is there. To let it take the place of {}:", restore.new, restore.of.database));
    for (at, step) in steps.iter().enumerate() {
        out(&format!("{:>3}. {step}", at + 1));
    }
}
