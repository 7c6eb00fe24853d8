//! Watching a deployment until it stands or falls.

use aws::{EcsService, Fault};
use event::{Cause, CauseCode};
use ports::{Order, Progress};
use serde_json::json;

use crate::config::EcsConfig;
use crate::evidence;
use crate::target::{Carried, EcsTarget, Stop, is_last_look, underway};
use crate::update::{self, Update, active, in_history};
use crate::verdict::{Mine, Standing, judge, judge_gone};
use crate::watch;
use crate::words::{short, text};

/// Where ECS does not give up by itself we do, by its own default: half of the tasks, at least 3,
/// at most 200, one after the other.
fn gives_up_after(desired: u64) -> u64 {
    desired.div_ceil(2).clamp(3, 200)
}

pub(crate) fn forward(
    target: &mut EcsTarget,
    order: &Order<'_>,
    config: &EcsConfig,
    update: &Update,
) -> Carried {
    let Some(revision) = update.revision(order) else {
        let said = "nothing was registered that could become stable";
        return Err(Cause::new(CauseCode::Fault, text(said)).into());
    };
    let (id, created_at) = update.deployment(order);
    let mine = Mine { id, created_at, revision, before: &update.back_to };
    let service = active(target, config)?;
    let standing = judged(target, config, &service, &mine)?;
    if let Some(cause) = noticed(target, config, &standing, revision)? {
        return Ok(Progress::Failed(cause));
    }
    let effect = json!({"task_definition": revision, "deployment": id});
    let back = short(&update.back_to);
    Ok(match standing {
        Standing::Succeeded => Progress::Done { effect },
        Standing::Vacuous => Progress::Vacuous { effect },
        Standing::NotSeen | Standing::Gone => {
            underway(order, "ECS does not show the deployment yet")
        }
        Standing::Failed(reason) => {
            let said = format!("ECS gave the deployment up: {reason}");
            Progress::Failed(explained(
                target,
                config,
                &service,
                &mine,
                CauseCode::NeverHealthy,
                said,
            ))
        }
        Standing::WentBack(reason) => {
            let code = CauseCode::PlatformRolledBack;
            let because = explained(target, config, &service, &mine, code, reason);
            let said = text(format!("ECS gave the deployment up and goes back to {back}"));
            Progress::WentBack(Cause::new(code, said).because(because))
        }
        Standing::Superseded(other) => Progress::Superseded(update::superseded(config, &other)),
        Standing::Underway { failed, desired, .. }
            if !update.breaker && failed >= gives_up_after(desired) =>
        {
            let said = format!("{failed} tasks failed one after the other, and ECS would go on");
            Progress::Failed(explained(
                target,
                config,
                &service,
                &mine,
                CauseCode::NeverHealthy,
                said,
            ))
        }
        Standing::Underway { running, desired, .. } if is_last_look(order) => {
            let said = format!("{running} of {desired} tasks ran when its time was over");
            Progress::Failed(explained(target, config, &service, &mine, CauseCode::TimedOut, said))
        }
        Standing::Underway { running, desired, failed: 0 } => {
            underway(order, format!("{running} of {desired} tasks run"))
        }
        Standing::Underway { running, desired, failed } => {
            underway(order, format!("{running} of {desired} tasks run, {failed} failed"))
        }
    })
}

/// What went off while it went well is as good as a failure of it.
fn noticed(
    target: &mut EcsTarget,
    config: &EcsConfig,
    standing: &Standing,
    revision: &str,
) -> Result<Option<Cause>, Stop> {
    match standing {
        Standing::Succeeded | Standing::Underway { .. } => watch::against(target, config, revision),
        _ => Ok(None),
    }
}

fn judged(
    target: &mut EcsTarget,
    config: &EcsConfig,
    service: &EcsService,
    mine: &Mine<'_>,
) -> Result<Standing, Fault> {
    match judge(service, mine) {
        Standing::Gone => {
            let history = in_history(target, config, mine.revision)?;
            Ok(judge_gone(service, mine, history.as_ref()))
        }
        other => Ok(other),
    }
}

/// A cause with everything that can be had to show it.
fn explained(
    target: &mut EcsTarget,
    config: &EcsConfig,
    service: &EcsService,
    mine: &Mine<'_>,
    otherwise: CauseCode,
    said: String,
) -> Cause {
    let said = target.masked(&said);
    evidence::collect(target, config, service, mine, Cause::new(otherwise, said))
}
