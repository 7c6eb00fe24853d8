//! The calls that steps may make, as policies name them.

use std::sync::Arc;

/// Whose credentials they are.
const WHO: &str = "sts:GetCallerIdentity";
/// How a service is.
const LOOK: &[&str] =
    &["ecs:DescribeServices", "ecs:ListServiceDeployments", "ecs:DescribeServiceRevisions"];
/// Why it is so.
const WHY: &[&str] = &[
    "ecs:ListTasks",
    "ecs:DescribeTasks",
    "ecs:DescribeTaskDefinition",
    "logs:GetLogEvents",
    "elasticloadbalancing:DescribeTargetHealth",
];

fn all(parts: &[&[&str]]) -> Vec<Arc<str>> {
    [WHO].iter().chain(parts.iter().copied().flatten()).map(|it| Arc::from(*it)).collect()
}

pub(crate) fn of_register() -> Vec<Arc<str>> {
    all(&[&["ecs:DescribeTaskDefinition", "ecs:ListTaskDefinitions", "ecs:RegisterTaskDefinition"]])
}

pub(crate) fn of_update() -> Vec<Arc<str>> {
    all(&[LOOK, &["ecs:UpdateService", "ecs:StopServiceDeployment"], WHY])
}

pub(crate) fn of_stabilise(watches: bool) -> Vec<Arc<str>> {
    all(&[LOOK, WHY, if watches { &["cloudwatch:DescribeAlarms"] } else { &[] }])
}

pub(crate) fn of_scale() -> Vec<Arc<str>> {
    all(&[LOOK, &["ecs:UpdateService"], WHY])
}

pub(crate) fn of_run_task() -> Vec<Arc<str>> {
    all(&[&["ecs:DescribeServices", "ecs:RunTask", "ecs:StopTask"], WHY])
}
