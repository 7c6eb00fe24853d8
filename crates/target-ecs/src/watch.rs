//! Alarms that must not go off, and texts that must not be printed, from the first change to the end.
//!
//! They are looked at with every look at the deployment, and for a while behind it, because alarms
//! take their time. Before the first change no alarm may be on: it could not go off, and nobody would
//! know.

use aws::LinesFrom;
use event::{Cause, CauseCode, DeployStepKey, DeployStepKind, EvidenceKind, PlannedStep, Undo};
use ports::{Order, Progress};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::calls;
use crate::config::EcsConfig;
use crate::printed::streams;
use crate::references::is_for_good;
use crate::target::{Carried, Deed, EcsTarget, Stop, underway};
use crate::update::Update;
use crate::words::text;

/// So long is watched behind verification: two periods of a usual alarm.
const WATCHED_MS: u64 = 120_000;
/// What the step may take beyond: calls that fail.
const SLACK_MS: u64 = 120_000;
/// So many lines of each stream are looked through.
const LINES_MAX: u32 = 10_000;

/// The body of the step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Watch {
    pub(crate) update: Update,
}

impl EcsConfig {
    /// Whether there is anything to watch.
    pub(crate) fn watches(&self) -> bool {
        !self.alarms.is_empty() || !self.texts.is_empty()
    }
}

/// What of the alarms stands against beginning, each with its remedy.
pub(crate) fn before(target: &mut EcsTarget, config: &EcsConfig) -> Result<Vec<String>, Stop> {
    if config.alarms.is_empty() {
        return Ok(Vec::new());
    }
    let found = match target.client.alarms(&config.alarms) {
        Ok(found) => found,
        Err(fault) if is_for_good(&fault) => {
            return Ok(vec![format!(
                "the alarms of the settings cannot be looked at ({fault}): allow {}, or take them out \
                 of `verify.alarms`",
                fault.action
            )]);
        }
        Err(fault) => return Err(fault.into()),
    };
    let trouble = |name: &String| match found.iter().find(|it| it.name == *name) {
        None => Some(format!("there is no alarm {name}: make it, or correct `verify.alarms`")),
        Some(alarm) if alarm.state == "ALARM" => Some(format!(
            "the alarm {name} is on already ({}): see to that first, or take it out of \
             `verify.alarms`",
            alarm.reason
        )),
        Some(_) => None,
    };
    Ok(config.alarms.iter().filter_map(trouble).collect())
}

/// The step behind verification.
pub(crate) fn step(service: &str, config: &EcsConfig, update: &Update) -> Option<PlannedStep> {
    let what = match (&config.alarms[..], &config.texts[..]) {
        ([], []) => return None,
        (alarms, []) => format!("watches that {} stay quiet", alarms.join(", ")),
        ([], _) => "watches what is printed".to_owned(),
        (alarms, _) => {
            format!("watches that {} stay quiet, and what is printed", alarms.join(", "))
        }
    };
    Some(PlannedStep {
        key: DeployStepKey::new(service, "watch"),
        kind: DeployStepKind::Bake,
        what: text(format!("{what}, for {} s", WATCHED_MS / 1000)),
        calls: calls::of_stabilise(config.watches()),
        undo: Undo::Nothing,
        within_ms: WATCHED_MS + SLACK_MS,
        body: json!(Deed::Watch(Watch { update: update.clone() })),
    })
}

pub(crate) fn forward(
    target: &mut EcsTarget,
    order: &Order<'_>,
    config: &EcsConfig,
    watch: &Watch,
) -> Carried {
    let revision = watch.update.revision(order).unwrap_or_default();
    if let Some(cause) = against(target, config, revision)? {
        return Ok(Progress::Failed(cause));
    }
    let watched = order.now.0.saturating_sub(order.since.0);
    if watched >= WATCHED_MS {
        return Ok(Progress::Done { effect: json!({"watched_ms": watched}) });
    }
    Ok(underway(order, format!("quiet for {} of {} s", watched / 1000, WATCHED_MS / 1000)))
}

/// What of it happened: nothing, as a rule.
pub(crate) fn against(
    target: &mut EcsTarget,
    config: &EcsConfig,
    revision: &str,
) -> Result<Option<Cause>, Stop> {
    if !config.alarms.is_empty() {
        let found = target.client.alarms(&config.alarms)?;
        if let Some(alarm) = found.into_iter().find(|it| it.state == "ALARM") {
            let said = text(format!("the alarm {} went off", alarm.name));
            let reason = target.masked(&alarm.reason);
            let cause = Cause::new(CauseCode::VerificationFailed, said);
            return Ok(Some(cause.with_evidence(EvidenceKind::Platform, reason)));
        }
    }
    if config.texts.is_empty() || revision.is_empty() {
        return Ok(None);
    }
    printed(target, config, revision)
}

/// A text of the settings in what tasks of this revision printed.
fn printed(
    target: &mut EcsTarget,
    config: &EcsConfig,
    revision: &str,
) -> Result<Option<Cause>, Stop> {
    let of = ("serviceName", config.service.as_str());
    let mut tasks = target.client.tasks(&config.cluster, of, "RUNNING")?;
    tasks.extend(target.client.tasks(&config.cluster, of, "STOPPED")?);
    tasks.retain(|it| it.task_definition_arn == revision);
    if tasks.is_empty() {
        return Ok(None);
    }
    let definition = target.client.describe_task_definition(revision)?;
    for task in &tasks {
        for stream in streams(&definition.body, task.id(), target.client.region()) {
            let at = (stream.group.as_str(), stream.name.as_str());
            let from = LinesFrom::Last(LINES_MAX);
            let read = target.client.in_region(&stream.region, |it| it.lines(at, from))?;
            let Some((lines, _)) = read else { continue };
            let hit = lines.iter().find_map(|line| {
                let unwanted = config.texts.iter().find(|it| line.contains(it.as_str()))?;
                Some((line, unwanted))
            });
            if let Some((line, unwanted)) = hit {
                let said = text(format!("{} printed `{unwanted}`", stream.instance));
                let line = target.masked(line);
                let cause = Cause::new(CauseCode::VerificationFailed, said);
                return Ok(Some(cause.with_evidence(EvidenceKind::Log, line)));
            }
        }
    }
    Ok(None)
}
