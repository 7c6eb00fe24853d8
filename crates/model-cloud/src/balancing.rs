//! Load balancers, version 2: target groups, and how the tasks behind them are. Every target group has
//! one load balancer.

use std::fmt::Write as _;

use crate::answer::Refused;
use crate::cloud::Cloud;
use crate::identity::{Form, member};
use crate::network::{BALANCER_GROUP, VPC, unknown};
use crate::tasks::{Phase, Task, TaskHealth};

const XMLNS: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";

/// The reason of a target that answers nobody.
pub(crate) fn usual_reason() -> (String, String) {
    ("Target.FailedHealthChecks".to_owned(), "Health checks failed".to_owned())
}

impl Cloud {
    /// Why targets are unhealthy from now on: `Target.Timeout`, with its description.
    pub fn targets_fail_by(&mut self, reason: &str, description: &str) {
        self.unhealthy_by = (reason.to_owned(), description.to_owned());
    }
}

pub(crate) fn answer(cloud: &Cloud, operation: &str, form: &Form) -> Result<String, Refused> {
    let result = match operation {
        "DescribeTargetGroups" => {
            let arn = target_group(cloud, member(form, "TargetGroupArns.member.1")?)?;
            format!(
                "<TargetGroups><member><TargetGroupArn>{arn}</TargetGroupArn><VpcId>{VPC}</VpcId>\
                 <LoadBalancerArns><member>{arn}/balancer</member></LoadBalancerArns></member>\
                 </TargetGroups>"
            )
        }
        "DescribeLoadBalancers" => {
            let arn = member(form, "LoadBalancerArns.member.1")?;
            format!(
                "<LoadBalancers><member><LoadBalancerArn>{arn}</LoadBalancerArn><VpcId>{VPC}</VpcId>\
                 <SecurityGroups><member>{BALANCER_GROUP}</member></SecurityGroups></member>\
                 </LoadBalancers>"
            )
        }
        "DescribeTargetHealth" => {
            let arn = target_group(cloud, member(form, "TargetGroupArn")?)?;
            format!("<TargetHealthDescriptions>{}</TargetHealthDescriptions>", targets(cloud, arn))
        }
        _ => return Err(unknown(operation)),
    };
    Ok(format!(
        "<{operation}Response xmlns=\"{XMLNS}\"><{operation}Result>{result}</{operation}Result>\
         </{operation}Response>"
    ))
}

fn target_group<'a>(cloud: &Cloud, arn: &'a str) -> Result<&'a str, Refused> {
    if cloud.gone.contains(arn) {
        return Err(Refused::new("TargetGroupNotFound", "One or more target groups not found"));
    }
    Ok(arn)
}

/// The tasks of the services behind a target group.
fn targets(cloud: &Cloud, arn: &str) -> String {
    let mut xml = String::new();
    for cluster in cloud.clusters.values() {
        for service in cluster.services.values() {
            let Some(port) = service.port_behind(arn) else { continue };
            let group = service.group();
            for task in cluster.tasks.values().filter(|it| it.group == group) {
                let Some(health) = health(cloud, task) else { continue };
                let _ = write!(
                    xml,
                    "<member><Target><Id>{}</Id><Port>{port}</Port></Target><TargetHealth>{health}\
                     </TargetHealth></member>",
                    task.address()
                );
            }
        }
    }
    xml
}

/// Its health, in the words of a load balancer; none where it is no target.
fn health(cloud: &Cloud, task: &Task) -> Option<String> {
    let because = |state: &str, reason: &str, description: &str| {
        format!(
            "<State>{state}</State><Reason>{reason}</Reason><Description>{description}</Description>"
        )
    };
    let (reason, description) = &cloud.unhealthy_by;
    Some(match (task.phase, task.health) {
        (Phase::Deactivating, _) => because(
            "draining",
            "Target.DeregistrationInProgress",
            "Target deregistration is in progress",
        ),
        (Phase::Running, TaskHealth::Healthy) => "<State>healthy</State>".to_owned(),
        (Phase::Running, TaskHealth::Unhealthy) => because("unhealthy", reason, description),
        // It was asked for a while, and was not well yet.
        (Phase::Running, TaskHealth::Unknown) if task.was_asked(cloud.now) => {
            because("unhealthy", reason, description)
        }
        (Phase::Running, TaskHealth::Unknown) => {
            because("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
        }
        _ => return None,
    })
}
