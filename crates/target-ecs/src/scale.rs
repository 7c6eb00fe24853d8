//! More tasks of what runs, or fewer, or none: the one deployment that touches the number of tasks.
//!
//! Where Application Auto Scaling has the service it would take the number back, or has a reason for
//! it: that is refused unless somebody insists.

use aws::{EcsService, ScaledBetween};
use event::{
    Cause, CauseCode, DeployStepKey, DeployStepKind, FieldChange, GoingBack, KnownRelease,
    PlannedStep, ServiceRequest, Undo,
};
use ports::{Order, Progress, Proposal};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::calls;
use crate::config::EcsConfig;
use crate::evidence;
use crate::look::SeenService;
use crate::references::is_for_good;
use crate::target::{Carried, Deed, EcsTarget, Stop, is_last_look, underway};
use crate::update::{active, primary};
use crate::verdict::Mine;
use crate::words::text;

/// How many there are, and who has a say in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenScaling {
    pub(crate) desired: u64,
    /// At least and at most, where it is scaled by itself.
    pub(crate) between: Option<(u64, u64)>,
    /// The call that was not allowed.
    pub(crate) hidden: Option<String>,
}

/// The body of the step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scale {
    pub(crate) account: String,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

pub(crate) fn look(
    target: &mut EcsTarget,
    config: &EcsConfig,
    service: &EcsService,
) -> Result<SeenScaling, Stop> {
    let looked = target.client.scaled_between(&config.cluster, &config.service);
    let (between, hidden) = match looked {
        Ok(found) => (found.map(|ScaledBetween { least, most }| (least, most)), None),
        Err(fault) if is_for_good(&fault) => (None, Some(fault.action)),
        Err(fault) => return Err(fault.into()),
    };
    Ok(SeenScaling { desired: service.desired_count, between, hidden })
}

/// What would be done to have so many.
pub(crate) fn propose(
    wanted: &ServiceRequest,
    config: &EcsConfig,
    (service, scaling): (&SeenService, &SeenScaling),
    (running, to): (Option<&KnownRelease>, u64),
) -> Result<Proposal, Cause> {
    let name = &config.service;
    if let (Some((least, most)), false) = (scaling.between, config.even_if_scaled) {
        let said = format!(
            "Application Auto Scaling has {name} between {least} and {most} tasks and would take the \
             number back: change its bounds (`aws application-autoscaling \
             register-scalable-target`), or insist: --force"
        );
        return Err(Cause::new(CauseCode::TargetRefused, text(said)));
    }
    let from = scaling.desired;
    let change = FieldChange {
        field: "desiredCount".into(),
        before: Some(text(from.to_string())),
        after: Some(text(to.to_string())),
    };
    let step = PlannedStep {
        key: DeployStepKey::new(&wanted.service, "scale"),
        kind: DeployStepKind::Apply,
        what: text(format!(
            "lets {name} of {} have {to} tasks and waits until they run",
            config.cluster
        )),
        calls: calls::of_scale(),
        undo: Undo::Step { what: text(format!("lets it have {from} tasks again")) },
        within_ms: config.within_ms,
        body: json!(Deed::Scale(Scale { account: service.account.clone(), from, to })),
    };
    let going_back = match running {
        Some(to) => GoingBack::Possible { to: Box::new(to.clone()) },
        None => GoingBack::FirstDeployment,
    };
    let hidden = scaling.hidden.as_ref().map(|action| {
        text(format!(
            "whether something scales {name} by itself was not looked at: these credentials may not \
             call {action}"
        ))
    });
    let changes = (from != to).then_some(change).into_iter().collect();
    Ok(Proposal { changes, steps: vec![step], going_back, notes: hidden.into_iter().collect() })
}

/// Lets it have so many, and waits until it has; the same both ways.
pub(crate) fn carry(
    target: &mut EcsTarget,
    order: &Order<'_>,
    config: &EcsConfig,
    count: u64,
) -> Carried {
    let service = active(target, config)?;
    if service.desired_count != count {
        let body = json!({"cluster": config.cluster, "service": config.service,
            "desiredCount": count});
        target.client.update_service_with(&body)?;
        return Ok(underway(order, format!("{} is to have {count} tasks", config.service)));
    }
    let running = service.running_count;
    let effect = json!({"task_definition": service.task_definition, "desired": count});
    if running == count && count == 0 {
        return Ok(Progress::Vacuous { effect });
    }
    if running == count {
        return Ok(Progress::Done { effect });
    }
    if !is_last_look(order) {
        return Ok(underway(order, format!("{running} of {count} tasks run")));
    }
    let said = text(format!("{running} of {count} tasks ran when its time was over"));
    let cause = Cause::new(CauseCode::TimedOut, said);
    let Some(first) = primary(&service) else { return Ok(Progress::Failed(cause)) };
    // Events of the service since the number was changed.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this age fit 53 bits")]
    let since = order.since.0 as f64 / 1000.0;
    let mine = Mine {
        id: Some(&first.id),
        created_at: Some(since),
        revision: &first.task_definition,
        before: &first.task_definition,
    };
    Ok(Progress::Failed(evidence::collect(target, config, &service, &mine, cause)))
}
