//! The steps that the settings ask for around a service's change: migration, health, smoke tests,
//! baking.
//!
//! Health is asked again of what ran before, after the way back; smoke tests are not: they belong to
//! the release that just went, and may ask for what the one before never could.

use std::path::Path;
use std::time::Duration;

use event::{DeployStepKey, DeployStepKind, PlannedStep, Undo};
use mask::MaskedText;
use probe::{Answer, Body, Smoke, VersionField};
use serde_json::{Value as Json, json};
use settings::{Backup, ServiceInEnvironment, SmokeKind, Strategy, Text};

use super::{dumps, watching};
use crate::exit::{Exit, Failure};
use crate::terminal::plural::plural;

/// How often is asked while baking, where no health says otherwise.
const BAKE_EVERY: Duration = Duration::from_secs(5);
/// What baking and smoke tests may take beyond their own time: starting processes, slow answers.
const SLACK: Duration = Duration::from_secs(60);

/// Where a service is asked.
pub(super) struct Asked<'a> {
    pub(super) url: &'a str,
    pub(super) root: &'a Path,
    pub(super) project: &'a str,
    pub(super) migrations: bool,
    /// Data is put aside before.
    pub(super) backup: bool,
    /// Alarms count.
    pub(super) alarms: bool,
}

pub(super) fn around(
    service: &ServiceInEnvironment,
    asked: &Asked<'_>,
) -> Result<Vec<PlannedStep>, Failure> {
    let mut steps = Vec::new();
    if asked.backup {
        steps.extend(backup(service, asked.project)?);
    }
    steps.extend(asked.migrations.then(|| migrate(service)).flatten());
    steps.extend(health(service, asked.url));
    steps.extend(smoke(service, asked));
    steps.extend(budget(service, asked.url)?);
    steps.extend(bake(service, asked.url));
    steps.extend(watching::step(service, asked.alarms)?);
    Ok(steps)
}

/// What is put aside before anything changes.
pub(super) fn backup(
    service: &ServiceInEnvironment,
    project: &str,
) -> Result<Option<PlannedStep>, Failure> {
    let Some(backup) = &service.environment.backup else { return Ok(None) };
    let (Backup::RdsInstance { within, .. }
    | Backup::RdsCluster { within, .. }
    | Backup::Dump { within, .. }) = backup;
    let name = &service.service.name.value;
    let dump = dumps::of(service, project)?.map(|it| it.step(name, within.value, None));
    let rds = database(service)?.map(|it| it.step(name, within.value));
    Ok(dump.or(rds))
}

/// The database of which that is a snapshot.
pub(super) fn database(service: &ServiceInEnvironment) -> Result<Option<backup::Rds>, Failure> {
    let environment = &service.environment;
    let (id, is_cluster) = match &environment.backup {
        None | Some(Backup::Dump { .. }) => return Ok(None),
        Some(Backup::RdsInstance { id, .. }) => (id, false),
        Some(Backup::RdsCluster { id, .. }) => (id, true),
    };
    Ok(Some(backup::Rds {
        database: id.value.to_string(),
        is_cluster,
        region: region(service, &id.value)?,
        account: environment.account.as_ref().map(|it| it.value.to_string()),
    }))
}

/// In which region something of an environment is.
pub(super) fn region(service: &ServiceInEnvironment, of: &str) -> Result<String, Failure> {
    let environment = &service.environment;
    let of_target = match &service.target {
        settings::Target::Ecs(ecs) => Some(&ecs.region),
        _ => None,
    };
    let region = environment.region.as_ref().or(of_target).ok_or_else(|| {
        let name = &environment.name.value;
        Failure::new(Exit::Refused, format!("nothing says in which region {of} is"))
            .hint(format!("write `region` under environments.{name}"))
    })?;
    Ok(region.value.to_string())
}

pub(super) fn migrate(service: &ServiceInEnvironment) -> Option<PlannedStep> {
    let migrate = service.service.migrate.as_ref()?;
    let run = texts(&migrate.run);
    let why = if migrate.compatible.value {
        "a migration is never undone; the settings say that the release before works with it"
    } else {
        "a migration is never undone, and the release before may not work with it"
    };
    let within = migrate.timeout.value;
    let undo = Undo::Never { why: MaskedText::without_secrets(why) };
    if matches!(service.target, settings::Target::Ecs(_)) {
        let step = target_ecs::migration(&service.service.name.value, &run, within);
        return Some(PlannedStep { undo, ..step });
    }
    let what = format!("runs {}", run.join(" "));
    // The target runs it, in the new release and with its variables.
    let body = json!({ "run": run });
    Some(step(service, "migrate", DeployStepKind::Migrate, what, undo, within, body))
}

/// A command that somebody wants to run beside what runs.
pub(super) fn task(
    service: &ServiceInEnvironment,
    run: &[String],
    within: Duration,
) -> PlannedStep {
    if matches!(service.target, settings::Target::Ecs(_)) {
        return target_ecs::task(&service.service.name.value, run, within);
    }
    let why = MaskedText::without_secrets("what a command did stays");
    let what = format!("runs {}", run.join(" "));
    let body = json!({ "run": run });
    step(service, "task", DeployStepKind::Task, what, Undo::Never { why }, within, body)
}

fn health(service: &ServiceInEnvironment, url: &str) -> Option<PlannedStep> {
    let health = service.service.health.as_ref()?;
    let paths = texts(&health.paths);
    let settle = settings::duration_text(health.settle.value);
    let what = format!("asks {} until it is well for {settle}", paths.join(", "));
    let version = service.service.version.as_ref();
    let body = Body::Health {
        url: url.to_owned(),
        paths,
        headers: texts(&service.verify.headers).iter().map(|it| it.to_lowercase()).collect(),
        version: version.map(|at| VersionField {
            path: at.path.value.to_string(),
            field: at.field.value.to_string(),
        }),
        settle_ms: ms(health.settle.value),
        timeout_ms: ms(health.timeout.value),
        every_ms: ms(health.every.value),
    };
    let again = MaskedText::without_secrets("asks the same of what ran before");
    let undo = Undo::AskAgain { what: again };
    Some(step(
        service,
        "health",
        DeployStepKind::Verify,
        what,
        undo,
        health.within.value,
        body.write(),
    ))
}

fn smoke(service: &ServiceInEnvironment, asked: &Asked<'_>) -> Option<PlannedStep> {
    let tests = &service.verify.smoke;
    if tests.is_empty() {
        return None;
    }
    let within = tests.iter().map(|test| test.within.value).sum::<Duration>() + SLACK;
    let test = |test: &settings::Smoke| {
        let within_ms = ms(test.within.value);
        match &test.kind {
            SmokeKind::Get { path, status, contains } => Smoke::Get {
                path: path.value.to_string(),
                answer: Answer {
                    status: u16::try_from(status.value).ok(),
                    contains: contains.as_ref().map(|it| it.value.to_string()),
                },
                within_ms,
            },
            SmokeKind::Run { run } => Smoke::Run { run: texts(run), within_ms },
        }
    };
    let body = Body::Smoke {
        url: asked.url.to_owned(),
        folder: asked.root.display().to_string(),
        tests: tests.iter().map(test).collect(),
    };
    let what = format!("runs {}", plural(tests.len(), "smoke test"));
    Some(step(service, "smoke", DeployStepKind::Verify, what, Undo::Nothing, within, body.write()))
}

/// How slow and how faulty it may be, asked behind the smoke tests: what does not work need not be fast.
fn budget(service: &ServiceInEnvironment, url: &str) -> Result<Option<PlannedStep>, Failure> {
    let Some(budget) = &service.verify.budget else { return Ok(None) };
    let name = &service.service.name.value;
    let refused = |message: String| Failure::new(Exit::Refused, message);
    let p95 = budget.p95.as_ref().map(|it| it.value);
    let errors_percent = budget.errors.as_ref().map(|it| it.value);
    let slow = p95.map(|it| format!("19 of 20 within {}", settings::duration_text(it)));
    let faulty = errors_percent.map(|it| format!("at most {it} % faults"));
    let wanted: Vec<String> = slow.into_iter().chain(faulty).collect();
    if wanted.is_empty() {
        return Err(refused(format!("`verify.budget` of {name} says nothing"))
            .hint("write `p95`, `errors`, or both; or take it out"));
    }
    let health = service.service.health.as_ref();
    let mut paths = health.map_or_else(Vec::new, |it| texts(&it.paths));
    let asked = service.verify.smoke.iter().filter_map(|it| match &it.kind {
        SmokeKind::Get { path, .. } => Some(path.value.to_string()),
        SmokeKind::Run { .. } => None,
    });
    paths.extend(asked);
    let mut known = std::collections::BTreeSet::new();
    paths.retain(|it| known.insert(it.clone()));
    if paths.is_empty() || url.is_empty() {
        return Err(refused(format!("`verify.budget` of {name} has nothing to ask"))
            .hint("write `health.paths`, or a smoke test with `get`"));
    }
    let what = format!("asks {} times: {}", probe::BUDGET_REQUESTS, wanted.join(", "));
    let body = Body::Budget { url: url.to_owned(), paths, p95_ms: p95.map(ms), errors_percent };
    let within = probe::budget_within(p95) + SLACK;
    let kind = DeployStepKind::Verify;
    Ok(Some(step(service, "budget", kind, what, Undo::Nothing, within, body.write())))
}

/// On this machine the target bakes: it knows the old beside the new.
fn bake(service: &ServiceInEnvironment, url: &str) -> Option<PlannedStep> {
    if matches!(service.target, settings::Target::Host(_)) {
        return None;
    }
    let Strategy::BlueGreen { bake } = &service.strategy.value else { return None };
    let health = service.service.health.as_ref()?;
    if bake.value.is_zero() {
        return None;
    }
    let body = Body::Bake {
        url: url.to_owned(),
        paths: texts(&health.paths),
        bake_ms: ms(bake.value),
        timeout_ms: ms(health.timeout.value),
        every_ms: ms(health.every.value.min(BAKE_EVERY)),
    };
    let what = format!("watches it for {}", settings::duration_text(bake.value));
    let within = bake.value + SLACK;
    Some(step(service, "bake", DeployStepKind::Bake, what, Undo::Nothing, within, body.write()))
}

fn step(
    service: &ServiceInEnvironment,
    name: &str,
    kind: DeployStepKind,
    what: String,
    undo: Undo,
    within: Duration,
    body: Json,
) -> PlannedStep {
    PlannedStep {
        key: DeployStepKey::new(&service.service.name.value, name),
        kind,
        what: MaskedText::without_secrets(what),
        calls: Vec::new(),
        undo,
        within_ms: ms(within).max(1),
        body,
    }
}

fn texts(texts: &[Text]) -> Vec<String> {
    texts.iter().map(|text| text.value.to_string()).collect()
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
