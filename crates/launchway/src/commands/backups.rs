//! `launchway backups`: what deployments put aside, and a new database of it.

use std::sync::Arc;
use std::time::Duration;

use backup::{Kept, Restore, RestoreDump};
use event::{DeployStepKey, DeploymentId, KnownRelease, PlannedStep, Timestamp, Verdict};
use serde_json::{Value as Json, json};
use views::{DeployStepView, DeploymentView};

use super::releases::chosen;
use crate::cli::{BackupsCommand, BackupsListArgs, BackupsRestoreArgs, Format};
use crate::deploying::book::Book;
use crate::deploying::drive::Driver;
use crate::deploying::request::{build, running};
use crate::deploying::targets::{self, Site};
use crate::deploying::wish::{Task, What, Wish};
use crate::exit::{Exit, Failure, Outcome};
use crate::settings_file::load;
use crate::state::StateFolder;
use crate::terminal::plural::plural;
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::moment;

/// How many deployments are looked through for a backup.
const LOOKED_THROUGH_MAX: usize = 1_000;
/// PostgreSQL cuts off what is longer, and nobody would find it again.
const DATABASE_NAME_MAX: usize = 63;
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
    let (book, state) = Book::of(&found, state)?;
    let state = &state;
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
                Ok(Some(found)) => (found, None),
                Ok(None) => ("gone".to_owned(), None),
                Err(fault) => ("unknown".to_owned(), Some(fault.to_string())),
            };
            show(entry, &standing, args.of.settings.format);
        }
    }
    Ok(Exit::Done)
}

fn show(entry: &Entry, (standing, why): &(String, Option<String>), format: Format) {
    let kept = &entry.kept;
    if format == Format::Json {
        let mut line = json!({
            "backup": kept.id(), "environment": entry.environment, "database": kept.database(),
            "deployment": entry.deployment.to_string(), "at_ms": entry.at, "state": standing,
            "why": why,
        });
        let more = match kept {
            Kept::Rds { of, arn, .. } => {
                json!({"kind": "snapshot", "region": of.region, "arn": arn})
            }
            Kept::Dump {
                of,
                object,
                sha256,
                bytes,
                tables,
                rows,
                dumped_ms,
                proven_ms,
                restored_ms,
                server,
                ..
            } => json!({
                "kind": "dump", "region": of.region,
                "location": format!("s3://{}/{}{object}", of.bucket, of.prefix),
                "sha256": sha256, "bytes": bytes, "tables": tables, "rows": rows, "server": server,
                "dumped_ms": dumped_ms, "proven_ms": proven_ms, "restored_ms": restored_ms,
            }),
        };
        if let (Some(line), Json::Object(more)) = (line.as_object_mut(), more) {
            line.extend(more);
        }
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
        style.bold(kept.id()),
        moment(entry.at),
        entry.environment,
        kept.database(),
        entry.deployment,
    ));
    if let Kept::Dump { bytes, tables, rows, dumped_ms, proven_ms, restored_ms, .. } = kept {
        let seconds = |ms: u64| format!("{} s", ms.div_ceil(1000));
        let restored = restored_ms.map_or_else(String::new, |it| {
            format!(", restored on a scratch server in {}", seconds(it))
        });
        out(&format!(
            "  {}, {} in {}; taken in {}, read back in {}{restored}",
            backup::size(*bytes),
            plural(*rows, "row"),
            plural(*tables, "table"),
            seconds(*dumped_ms),
            seconds(*proven_ms),
        ));
    }
}

/// A restore of either kind.
enum Wanted {
    Snapshot(Restore),
    Dump(RestoreDump),
}

impl Wanted {
    /// Under which name; refused where that is the one that runs, as far as that is known here.
    fn of(entry: &Entry, new: Option<&str>) -> Result<Wanted, Failure> {
        match &entry.kept {
            Kept::Rds { of, snapshot, .. } => {
                let usual = || format!("{}-of-{}", of.database, entry.deployment);
                let new = new.map_or_else(usual, str::to_owned);
                if new == of.database {
                    let message = format!("{new} is the one that runs");
                    return Err(Failure::new(Exit::Forbidden, message)
                        .hint("a backup becomes a new database: --as NAME"));
                }
                let snapshot = snapshot.clone();
                Ok(Wanted::Snapshot(Restore { of: of.clone(), snapshot, new }))
            }
            Kept::Dump { of, object, sha256, bytes, rows, .. } => {
                let usual = || format!("restored_of_{}", entry.deployment);
                let new = new.map_or_else(usual, str::to_owned);
                if new.is_empty() || new.len() > DATABASE_NAME_MAX || new.contains(char::is_control)
                {
                    let message = format!("{new:?} is no name of a database");
                    return Err(Failure::new(Exit::Usage, message)
                        .hint(format!("it has at most {DATABASE_NAME_MAX} bytes")));
                }
                Ok(Wanted::Dump(RestoreDump {
                    of: of.clone(),
                    object: object.clone(),
                    sha256: sha256.clone(),
                    bytes: *bytes,
                    rows: *rows,
                    new,
                }))
            }
        }
    }

    fn step(&self, service: &str) -> PlannedStep {
        match self {
            Wanted::Snapshot(it) => it.step(service, RESTORE_WITHIN),
            Wanted::Dump(it) => it.step(service, RESTORE_WITHIN),
        }
    }

    /// What a person does to let the new one take the place of the old one, in order.
    fn steps_to_switch(&self, environment: &str) -> Vec<String> {
        match self {
            Wanted::Snapshot(it) => it.steps_to_switch(environment),
            Wanted::Dump(it) => it.steps_to_switch(environment),
        }
    }

    fn names(&self) -> (&str, &str) {
        match self {
            Wanted::Snapshot(it) => (&it.snapshot, &it.new),
            Wanted::Dump(it) => (&it.object, &it.new),
        }
    }
}

fn restore(args: &BackupsRestoreArgs, state: &StateFolder) -> Outcome {
    let found = load(args.settings.file.as_deref())?;
    let (book, state) = Book::of(&found, state)?;
    let state = &state;
    let all = entries(&book, None, LOOKED_THROUGH_MAX)?;
    let entry = all.iter().find(|it| it.kept.id() == args.id).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("no deployment put {} aside", args.id))
            .hint("launchway backups list shows what there is")
    })?;
    let restore = Wanted::of(entry, args.new.as_deref())?;
    let environment = &*entry.environment;
    let format = args.settings.format;
    let driver = Driver::new((&book, state), &found, format);
    let _place = driver.take(environment)?;
    driver.finish_open(environment)?;
    let names = [entry.service.to_string()];
    // It may be why a restore is needed that nothing runs.
    let ledger = book.ledger(environment)?;
    let releases = running(&found, &ledger, (environment, &names))
        .unwrap_or_else(|_| vec![(Arc::clone(&entry.service), entry.release.clone())]);
    let step = restore.step(&entry.service);
    let agreed = args.agreed.agreement();
    let wish = Wish {
        environment,
        services: &names,
        agreed,
        only_look: false,
        what: What::Task { releases, task: Task::Step(&step) },
    };
    let request = driver.prepared(|| build(&found, &book, state, &wish))?;
    let view = driver.begin_quietly(request, agreed)?;
    let ended = view.as_ref().and_then(|it| it.ended.as_ref());
    if ended.is_some_and(|it| it.verdict == Verdict::Succeeded) {
        told(&restore, entry, &step.key, format);
    }
    Ok(driver.told(view.as_ref()))
}

/// What a person does next, if the new one is to take the place of the old one.
fn told(restore: &Wanted, entry: &Entry, step: &DeployStepKey, format: Format) {
    let environment = &*entry.environment;
    let steps = restore.steps_to_switch(environment);
    let ((backup, new), database) = (restore.names(), entry.kept.database());
    if format == Format::Json {
        let line = json!({
            "type": "backup_restored", "environment": environment, "step": step, "backup": backup,
            "database": database, "new": new, "steps_to_switch": steps,
        });
        out(&line.to_string());
        return;
    }
    let old = match restore {
        Wanted::Snapshot(_) => database.to_owned(),
        Wanted::Dump(_) => format!("the one of {database}"),
    };
    out(&format!("{new} is there. To let it take the place of {old}:"));
    for (at, step) in steps.iter().enumerate() {
        out(&format!("{:>3}. {step}", at + 1));
    }
}
