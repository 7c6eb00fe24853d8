//! What load balancers say of the tasks behind them, and whether their requests get there.

use aws::{Client, EcsService, Fault, Ingress, TargetHealth};
use event::{Cause, EvidenceKind};
use mask::MaskedText;

use crate::config::EcsConfig;
use crate::evidence::again;
use crate::remarks::{Condition, Remark};
use crate::target::EcsTarget;
use crate::words::{short, text};

/// The newest events of a service that are shown.
const EVENTS_SHOWN: usize = 3;
/// So many target groups of one service are looked at; ECS takes no more.
const TARGET_GROUPS_MAX: usize = 5;

/// Target groups of a service, with the port that its tasks are asked at.
fn target_groups(service: &EcsService) -> impl Iterator<Item = (String, u16)> {
    let of = service.load_balancers.iter().filter_map(|it| {
        let port = it["containerPort"].as_u64().and_then(|it| u16::try_from(it).ok());
        Some((it["targetGroupArn"].as_str()?.to_owned(), port.unwrap_or_default()))
    });
    of.take(TARGET_GROUPS_MAX)
}

/// The name in a target group's ARN.
fn name(arn: &str) -> &str {
    arn.split_once(":targetgroup/")
        .and_then(|(_, rest)| rest.split_once('/'))
        .map_or(arn, |(name, _)| name)
}

/// Adds how the targets of a service are, those that are not well; each reason once, with what is
/// usually behind it.
pub(crate) fn with_targets(target: &mut EcsTarget, service: &EcsService, cause: Cause) -> Cause {
    let mut cause = cause;
    for (arn, port) in target_groups(service) {
        let lines = match again(|| target.client.target_health(&arn)) {
            Ok(targets) => told(name(&arn), port, &targets),
            Err(fault) => vec![format!("the targets of {} were not shown: {fault}", name(&arn))],
        };
        for line in lines {
            let line = target.masked(&line);
            cause = cause.with_evidence(EvidenceKind::Platform, line);
        }
    }
    cause
}

fn told(group: &str, port: u16, targets: &[TargetHealth]) -> Vec<String> {
    let mut lines: Vec<(String, usize)> = Vec::new();
    for it in targets.iter().filter(|it| it.state == "unhealthy" || it.state == "unavailable") {
        let reason = it.reason.as_deref().unwrap_or("no reason given");
        let said = it.description.as_deref().map_or(String::new(), |it| format!(": {it}"));
        let usually = usually(reason, port).map_or(String::new(), |it| format!(" ({it})"));
        let line = format!("{reason}{said}{usually}");
        match lines.iter_mut().find(|(known, _)| *known == line) {
            Some((_, times)) => *times += 1,
            None => lines.push((line, 1)),
        }
    }
    let of = targets.iter().filter(|it| it.state != "draining").count();
    let line = |(line, times)| format!("target group {group}: {times} of {of} unhealthy: {line}");
    lines.into_iter().map(line).collect()
}

/// What is usually behind a reason, and where to look.
fn usually(reason: &str, port: u16) -> Option<String> {
    Some(match reason {
        "Target.Timeout" => format!(
            "nobody answered at port {port} in time: do the security groups of the tasks let the load \
             balancer in, and does the container listen there, at every address?"
        ),
        "Target.FailedHealthChecks" => {
            format!(
                "the connection was refused or broken: does the container listen at port {port}?"
            )
        }
        "Target.ResponseCodeMismatch" => {
            "it answers, and not with what the target group wants: are its path and codes right?"
                .to_owned()
        }
        "Target.NotInUse" => "no listener sends requests to this target group".to_owned(),
        "Target.InvalidState" => "the instance under it was stopped or ended".to_owned(),
        _ => return None,
    })
}

/// Whether the requests of the load balancers reach the tasks of a service, by the rules of its
/// security groups, and how its targets are now.
///
/// # Errors
/// When AWS does not say.
pub fn network(client: &mut Client, config: &EcsConfig) -> Result<Vec<Remark>, Fault> {
    let found = client.describe_service(&config.cluster, &config.service)?;
    let Some(service) = found else { return Ok(Vec::new()) };
    let own = service.network_configuration.as_ref();
    let own = own.and_then(|it| it["awsvpcConfiguration"]["securityGroups"].as_array());
    let own: Vec<String> =
        own.into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)).collect();
    let mut remarks = Vec::new();
    for (arn, port) in target_groups(&service) {
        let senders = client.groups_before(&arn)?;
        if !senders.is_empty() && !own.is_empty() {
            let mut rules = Vec::new();
            for group in &own {
                rules.extend(client.ingress(group)?);
            }
            remarks.push(reached(port, &senders, &own, &rules));
        }
        let lines = told(name(&arn), port, &client.target_health(&arn)?);
        let unwell = lines.into_iter().map(|said| Remark {
            state: Condition::Warning,
            of: "targets",
            said,
            remedy: "launchway logs says what the tasks print".to_owned(),
        });
        remarks.extend(unwell);
    }
    Ok(remarks)
}

fn reached(port: u16, senders: &[String], own: &[String], rules: &[Ingress]) -> Remark {
    let fits = |it: &&Ingress| it.ports.is_none_or(|(from, to)| (from..=to).contains(&port));
    let by_group = |it: &Ingress| it.groups.iter().any(|group| senders.contains(group));
    let mut fitting = rules.iter().filter(fits);
    let (state, said, remedy) = if fitting.clone().any(by_group) {
        (Condition::Fine, format!("the load balancer reaches port {port}"), String::new())
    } else if fitting.any(|it| !it.addresses.is_empty()) {
        (Condition::Fine, format!("port {port} is open to addresses"), String::new())
    } else {
        let said =
            format!("no rule of {} lets the load balancer in at port {port}", own.join(", "));
        let remedy = format!(
            "aws ec2 authorize-security-group-ingress --group-id {} --protocol tcp --port {port} \
             --source-group {}",
            own[0], senders[0]
        );
        (Condition::Error, said, remedy)
    };
    Remark { state, of: "network", said, remedy }
}

/// How a service is now, for people: how many tasks run, what of it is not well, what ECS said last.
///
/// # Errors
/// When AWS does not say.
pub(crate) fn report(target: &mut EcsTarget, config: &EcsConfig) -> Result<Vec<MaskedText>, Fault> {
    let found = target.client.describe_service(&config.cluster, &config.service)?;
    let Some(service) = found else { return Ok(Vec::new()) };
    let mut lines =
        vec![text(format!("{} of {} tasks run", service.running_count, service.desired_count))];
    let all = service.deployments.iter().filter(|it| it.status != "INACTIVE");
    for it in all {
        let state = it.rollout_state.as_deref().unwrap_or(&it.status).to_lowercase();
        let runs = short(&it.task_definition);
        let (has, wants) = (it.running_count, it.desired_count);
        let failed = match it.failed_tasks {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        lines.push(text(format!("deployment of {runs}: {state}, {has} of {wants} tasks{failed}")));
    }
    for (arn, port) in target_groups(&service) {
        let targets = again(|| target.client.target_health(&arn))?;
        let well = targets.iter().filter(|it| it.state == "healthy").count();
        let of = targets.iter().filter(|it| it.state != "draining").count();
        lines.push(text(format!("target group {}: {well} of {of} healthy", name(&arn))));
        lines.extend(told(name(&arn), port, &targets).iter().map(|it| target.masked(it)));
    }
    for it in service.events.iter().take(EVENTS_SHOWN) {
        lines.push(target.masked(&it.message));
    }
    Ok(lines)
}
