//! The scheduler of services: starts and stops tasks, counts failures, completes deployments, trips
//! the circuit breaker and goes back.

use crate::cloud::{Cloud, Cluster, Rollback};
use crate::history::{self, Outcome};
use crate::services::{Deployment, Rollout, Service};
use crate::tasks::{self, Making, Phase, Task, TaskHealth, platform};

/// After a task that failed the next one waits.
const RETRY_MS: u64 = 5000;

/// ECS watches over what it went back to for a while before it calls that finished.
const ROLLBACK_SETTLES_MS: u64 = 10_000;

const TRIPPED: &str = "ECS deployment circuit breaker: tasks failed to start.";

/// A second passes for the services of a cluster.
pub(crate) fn tick(cloud: &mut Cloud, cluster: &mut Cluster) {
    let mut services = std::mem::take(&mut cluster.services);
    for service in services.values_mut() {
        history::follow_requests(cloud, service, cluster);
        replace_unhealthy(cloud, service, cluster);
        count_failures(cloud, service, cluster);
        trip(cloud, service, cluster);
        scale(cloud, service, cluster);
        make_room(cloud, service, cluster);
        complete(cloud, service, cluster);
    }
    cluster.services = services;
}

fn of<'a>(cluster: &'a Cluster, deployment: &'a str) -> impl Iterator<Item = &'a Task> {
    cluster.tasks.values().filter(move |it| it.owner == deployment)
}

/// Tasks that fail their health checks are stopped; the scheduler starts others.
fn replace_unhealthy(cloud: &mut Cloud, service: &mut Service, cluster: &mut Cluster) {
    let kind = if service.has_load_balancer() { "ELB" } else { "container" };
    let group = service.group();
    let mut failed = Vec::new();
    for task in cluster.tasks.values_mut() {
        if task.group == group && task.is_wanted() && task.health == TaskHealth::Unhealthy {
            let reason = format!("Task failed {kind} health checks");
            task.order_stop(cloud.now, "ServiceSchedulerInitiated", &reason);
            failed.push(task.id.clone());
        }
    }
    for id in failed {
        service.say(cloud, &format!("(task {id}) failed {kind} health checks."));
    }
}

/// Tasks that ended although nobody wanted them to.
fn count_failures(cloud: &mut Cloud, service: &mut Service, cluster: &mut Cluster) {
    let group = service.group();
    let resets = service.breaker().is_none_or(|it| it.resets);
    let mut said = Vec::new();
    for deployment in &mut service.deployments {
        let own = cluster.tasks.values_mut().filter(|it| it.group == group);
        for task in own.filter(|it| it.owner == deployment.id) {
            if task.is_wanted() || task.is_counted {
                continue;
            }
            task.is_counted = true;
            let unhealthy = task.health == TaskHealth::Unhealthy;
            let by_itself = task.stop_code != Some("ServiceSchedulerInitiated");
            if !by_itself && !unhealthy {
                continue;
            }
            deployment.next_start = cloud.now + RETRY_MS;
            // Where nobody asks for health, a task that ran counts as one that did its work.
            if !task.was_well {
                deployment.failed += 1;
                deployment.updated_at = cloud.now;
                said.push(format!(
                    "(deployment {}) deployment failed: tasks failed to start.",
                    deployment.id
                ));
            }
        }
        if resets && deployment.failed > 0 && of(cluster, &deployment.id).any(Task::is_well) {
            deployment.failed = 0;
        }
    }
    if let (Some(primary), Some(last)) = (service.deployments.first(), service.history.last_mut())
        && last.deployment == primary.id
    {
        last.count(primary.failed, false);
    }
    // ECS tells it when the breaker trips, not each time.
    if let (Some(breaker), Some(said)) = (service.breaker(), said.pop())
        && service.deployments.first().is_some_and(|it| it.failed >= breaker.threshold)
    {
        service.say(cloud, &said);
    }
}

fn trip(cloud: &mut Cloud, service: &mut Service, cluster: &mut Cluster) {
    let Some(breaker) = service.breaker() else { return };
    let Some(primary) = service.deployments.first_mut() else { return };
    if primary.state != Rollout::InProgress || primary.failed < breaker.threshold {
        return;
    }
    let (failed, was_rollback) = (primary.failed, primary.is_rollback);
    if let Some(last) = service.history.last_mut() {
        last.count(failed, true);
    }
    if was_rollback {
        fail(cloud, service);
        if let Some(last) = service.history.last_mut() {
            last.end(cloud.now, Outcome::RollbackFailed, TRIPPED);
        }
    } else if breaker.rolls_back && service.last_completed.is_some() {
        roll_back(cloud, service, cluster, TRIPPED);
    } else {
        fail(cloud, service);
        if let Some(last) = service.history.last_mut() {
            last.end(cloud.now, Outcome::Stopped, TRIPPED);
        }
    }
}

fn fail(cloud: &Cloud, service: &mut Service) {
    if let Some(primary) = service.deployments.first_mut() {
        primary.state = Rollout::Failed;
        TRIPPED.clone_into(&mut primary.reason);
        primary.updated_at = cloud.now;
    }
}

/// Back to the revision that was COMPLETED last.
pub(crate) fn roll_back(
    cloud: &mut Cloud,
    service: &mut Service,
    cluster: &mut Cluster,
    reason: &str,
) {
    let good = service.last_completed.as_ref();
    let good = good.and_then(|arn| service.revisions.iter().find(|it| it.arn == *arn)).cloned();
    let Some(good) = good else { return };
    if let Some(failed) = service.deployments.first_mut() {
        failed.state = Rollout::Failed;
        reason.clone_into(&mut failed.reason);
        failed.updated_at = cloud.now;
    }
    let earlier = service.deployments.iter().position(|it| it.revision == good.arn);
    let earlier = earlier.map(|at| service.deployments.remove(at));
    let (now, naming) = (cloud.now, cloud.rollback);
    let back = match (earlier, naming) {
        (Some(earlier), Rollback::SameDeployment) => earlier,
        (earlier, _) => {
            let id = format!("ecs-svc/{}", cloud.names.digits());
            let back = Deployment::new(id, &good.definition, &good.arn, now);
            // Its tasks are those that run already.
            let before = earlier.map(|it| it.id);
            for task in cluster.tasks.values_mut().filter(|it| Some(&it.owner) == before.as_ref()) {
                task.owner.clone_from(&back.id);
            }
            back
        }
    };
    let failed_id = service.deployments.first().map_or(String::new(), |it| it.id.clone());
    let said = format!("ECS deployment circuit breaker: rolling back to deploymentId {}.", back.id);
    let back = Deployment {
        state: Rollout::InProgress,
        reason: said.clone(),
        updated_at: now,
        failed: 0,
        next_start: now,
        is_rollback: true,
        ..back
    };
    service
        .say(cloud, &format!("(deployment {failed_id}) deployment failed: tasks failed to start."));
    service.say(cloud, &format!("rolling back to deployment {}.", back.id));
    service.definition.clone_from(&good.definition);
    service.deployments.insert(0, back);
    if let Some(last) = service.history.last_mut() {
        last.roll_back(now, reason, &good.arn);
    }
}

/// Starts what is missing.
fn scale(cloud: &mut Cloud, service: &mut Service, cluster: &mut Cluster) {
    let Some(primary) = service.deployments.first().cloned() else { return };
    if primary.state == Rollout::Failed || cloud.now < primary.next_start {
        return;
    }
    let group = service.group();
    let live =
        cluster.tasks.values().filter(|it| it.group == group && it.is_wanted()).count() as u64;
    let own = of(cluster, &primary.id).filter(|it| it.is_wanted()).count() as u64;
    let room = service.maximum().max(1).saturating_sub(live);
    let missing = service.desired.saturating_sub(own).min(room);
    if missing == 0 {
        return;
    }
    if cluster.is_full {
        let said = "was unable to place a task because no container instance met all of its \
                    requirements.";
        service.say(cloud, said);
        if let Some(primary) = service.deployments.first_mut() {
            primary.next_start = cloud.now + RETRY_MS;
            primary.failed += 1;
        }
        return;
    }
    let Some(definition) = cloud.definition(&primary.definition).cloned() else { return };
    let mut started = Vec::new();
    for _ in 0..missing {
        let making = Making {
            definition: &definition,
            group: group.clone(),
            started_by: primary.id.clone(),
            asked: service.asks(&definition),
            drain_ms: if service.has_load_balancer() { cloud.drain_ms } else { 0 },
            platform: platform(&service.settings),
            overrides: serde_json::json!({"containerOverrides": []}),
            tags: serde_json::json!([]),
        };
        let task = tasks::make(cloud, cluster, making);
        started.push(format!("(task {})", task.id));
        cluster.tasks.insert(task.id.clone(), task);
    }
    let said = format!("has started {missing} tasks: {}.", started.join(" "));
    service.say(cloud, &said);
}

/// Stops what is not needed any more, never so much that fewer than the minimum are well.
fn make_room(cloud: &mut Cloud, service: &mut Service, cluster: &mut Cluster) {
    let Some(primary) = service.deployments.first().cloned() else { return };
    let group = service.group();
    let is_own = |it: &&mut Task| it.group == group && it.is_wanted();
    let mut well =
        cluster.tasks.values().filter(|it| it.group == group && it.is_well()).count() as u64;
    let own = of(cluster, &primary.id).filter(|it| it.is_wanted()).count() as u64;
    let mut own_excess = own.saturating_sub(service.desired);
    let minimum = service.minimum();
    let failed = primary.state == Rollout::Failed;
    let failed_ids: Vec<String> = service
        .deployments
        .iter()
        .skip(1)
        .filter(|it| it.state == Rollout::Failed)
        .map(|it| it.id.clone())
        .collect();
    let mut live =
        cluster.tasks.values().filter(|it| it.group == group && it.is_wanted()).count() as u64;
    let maximum = service.maximum();
    for task in cluster.tasks.values_mut().filter(is_own) {
        let is_well = task.is_well();
        let stop = if task.owner == primary.id {
            own_excess > 0
        } else if failed {
            false
        } else if failed_ids.contains(&task.owner) || !is_well {
            true
        } else {
            // Room is needed, or the new ones stand in for it.
            let needed = own < service.desired && live >= maximum;
            well > minimum && (needed || well > service.desired) || service.desired == 0
        };
        if !stop {
            continue;
        }
        if task.owner == primary.id {
            own_excess -= 1;
        }
        well -= u64::from(is_well);
        live -= 1;
        let reason = "Scaling activity initiated by deployment";
        let reason = format!("{reason} {}", primary.id);
        task.order_stop(cloud.now, "ServiceSchedulerInitiated", &reason);
    }
    let gone = |it: &Deployment| of(cluster, &it.id).all(|task| task.phase == Phase::Stopped);
    let mut at = 0;
    service.deployments.retain(|it| {
        at += 1;
        at == 1 || !gone(it)
    });
}

fn complete(cloud: &mut Cloud, service: &mut Service, cluster: &Cluster) {
    let Some(primary) = service.deployments.first() else { return };
    let early = primary.is_rollback && cloud.now < primary.updated_at + ROLLBACK_SETTLES_MS;
    if primary.state != Rollout::InProgress || early {
        return;
    }
    let own = of(cluster, &primary.id).filter(|it| it.is_wanted());
    let (mut live, mut well) = (0, 0);
    for task in own {
        live += 1;
        well += u64::from(task.is_well());
    }
    let others = service.deployments.iter().skip(1);
    let others_run = others.flat_map(|it| of(cluster, &it.id)).any(|it| it.phase <= Phase::Running);
    if live != service.desired || well != service.desired || others_run {
        return;
    }
    let (id, revision, is_rollback) =
        (primary.id.clone(), primary.revision.clone(), primary.is_rollback);
    if let Some(primary) = service.deployments.first_mut() {
        primary.state = Rollout::Completed;
        primary.reason = format!("ECS deployment {id} completed.");
        primary.updated_at = cloud.now;
        primary.is_rollback = false;
    }
    service.last_completed = Some(revision);
    if let Some(last) = service.history.last_mut() {
        let outcome = if is_rollback { Outcome::RollbackSuccessful } else { Outcome::Successful };
        last.end(cloud.now, outcome, "Service deployment finished.");
    }
    service.say(cloud, &format!("(deployment {id}) deployment completed."));
    service.say(cloud, "has reached a steady state.");
}
