//! How a rolling deployment stands: a judgement about one deployment, by its id.
//!
//! | of this deployment is seen | it is |
//! |---|---|
//! | PRIMARY and COMPLETED, enough tasks run | succeeded |
//! | the same, and no task is wanted | vacuous |
//! | PRIMARY and COMPLETED, too few run | under way |
//! | FAILED, still PRIMARY | failed |
//! | not PRIMARY, and PRIMARY is what ran before, by ECS's own doing | went back |
//! | not PRIMARY, and PRIMARY is anything else | superseded |
//! | nothing, and PRIMARY is older | not seen yet: reads lag behind writes |
//!
//! That the service is stable says nothing: it is, after ECS went back.

use aws::{EcsDeployment, EcsService, ServiceDeployment};

use crate::update::primary;

/// What is known of the deployment that is judged.
pub(crate) struct Mine<'a> {
    /// Its id, as the update's answer had it.
    pub(crate) id: Option<&'a str>,
    /// When it began, in seconds.
    pub(crate) created_at: Option<f64>,
    /// What it runs: registered for it, and for nothing else.
    pub(crate) revision: &'a str,
    /// What ran before.
    pub(crate) before: &'a str,
}

/// How it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Standing {
    /// Reads do not know of it yet.
    NotSeen,
    /// ECS is at it: so many tasks of so many run.
    Underway {
        running: u64,
        desired: u64,
        failed: u64,
    },
    Succeeded,
    /// Nothing is wanted to run.
    Vacuous,
    /// ECS gave it up and left it there.
    Failed(String),
    /// ECS goes back, or went.
    WentBack(String),
    /// This one took its place.
    Superseded(EcsDeployment),
    /// Its place in the list is gone, and only the history can tell why.
    Gone,
}

/// Judges by the service's own list; [`Standing::Gone`] asks for the history.
pub(crate) fn judge(service: &EcsService, mine: &Mine<'_>) -> Standing {
    let found = service.deployments.iter().find(|it| is_mine(it, mine));
    let first = primary(service);
    let Some(found) = found else { return Standing::Gone };
    let state = found.rollout_state.as_deref();
    let reason = || found.rollout_state_reason.clone().unwrap_or_default();
    if first.is_some_and(|it| it.id == found.id) {
        return match state {
            Some("FAILED") => Standing::Failed(reason()),
            Some("COMPLETED") => completed(service, found),
            // No state is told of services behind a Classic Load Balancer: as ECS's own waiter has it.
            None if service.deployments.len() == 1 => completed(service, found),
            _ => underway(service, found),
        };
    }
    Standing::Gone
}

/// Judges with what ECS remembers of it; none where it does not tell.
pub(crate) fn judge_gone(
    service: &EcsService,
    mine: &Mine<'_>,
    history: Option<&ServiceDeployment>,
) -> Standing {
    let Some(first) = primary(service) else { return Standing::NotSeen };
    let status = history.map(|it| it.status.as_str());
    let by_history = status.is_some_and(|it| it.starts_with("ROLLBACK_"));
    let listed = service.deployments.iter().find(|it| is_mine(it, mine));
    // What failed says best why; what took its place says only that it does.
    let reason = |otherwise: &str| {
        let said = history.and_then(|it| it.status_reason.clone());
        let own = listed.and_then(|it| it.rollout_state_reason.clone()).filter(|it| !it.is_empty());
        let said = said.or(own).or_else(|| first.rollout_state_reason.clone());
        said.unwrap_or_else(|| otherwise.to_owned())
    };
    let is_before = first.task_definition == mine.before;
    // What the list alone says: given up, or its successor says that it is the way back.
    let failed = listed.is_some_and(|it| it.rollout_state.as_deref() == Some("FAILED"));
    let says = first.rollout_state_reason.as_deref().is_some_and(|it| it.contains("rolling back"));
    if is_before && (by_history || failed || says) {
        return Standing::WentBack(reason("ECS goes back"));
    }
    // A read from before the update. Its own deployment may have got the place of an earlier one,
    // so that only its being younger proves anything.
    let is_older = mine.created_at.is_some_and(|at| first.created_at <= at);
    let is_over = matches!(status, Some("STOPPED" | "SUCCESSFUL"));
    if listed.is_none() && is_older && !is_over {
        return Standing::NotSeen;
    }
    if is_before && history.is_none() && listed.is_none() {
        // Nobody tells why, and what ran before runs. It is no success.
        return Standing::WentBack(reason("what ran before runs again"));
    }
    Standing::Superseded(first.clone())
}

fn is_mine(it: &EcsDeployment, mine: &Mine<'_>) -> bool {
    mine.id.is_some_and(|id| id == it.id) || it.task_definition == mine.revision
}

fn underway(service: &EcsService, it: &EcsDeployment) -> Standing {
    let desired = service.desired_count;
    Standing::Underway { running: it.running_count, desired, failed: it.failed_tasks }
}

fn completed(service: &EcsService, it: &EcsDeployment) -> Standing {
    match service.desired_count {
        0 => Standing::Vacuous,
        desired if it.running_count >= desired => Standing::Succeeded,
        _ => underway(service, it),
    }
}
