//! Without one permission each: it fails and names it, or it does without and says so.

use std::fmt::Write as _;

use event::{DeploymentEvent, Verdict};
use expect_test::expect;
use model_cloud::{Health, Image};
use serde_json::Value as Json;
use target_ecs::{EcsConfig, Passed, only_evidence, permissions};

use crate::world::{NEW, Script, play, script, wanted};

/// A script in which every permission matters: it migrates, and then crashes.
fn crashing(action: &str) -> Script {
    let action = action.to_owned();
    let mut script = script(move |cloud| {
        let new = Image { health: Health::Never, ..Image::exits(4_000, 3) };
        cloud.script(NEW, new.printing(&["cannot reach the database"]));
        cloud.script_command(NEW, &["alembic", "upgrade"], Image::exits(1_000, 0));
        if !action.is_empty() {
            cloud.deny(&action);
        }
    })
    .with_breaker(false)
    .with_health_check();
    script.migrates = true;
    script
}

fn policy(script: &Script) -> Vec<String> {
    let config = EcsConfig::of(&wanted(script)).expect("it is one of ECS");
    let policy = permissions(&config, "111122223333", true, &Passed::default());
    policy.actions().into_iter().map(str::to_owned).collect()
}

/// Everything that was said in the end, causes and evidence.
fn told(events: &[DeploymentEvent]) -> String {
    let ends = events.iter().filter(|it| {
        matches!(
            it,
            DeploymentEvent::DeploymentCompleted { .. } | DeploymentEvent::TurnedBack { .. }
        )
    });
    ends.map(|it| serde_json::to_value(it).unwrap_or(Json::Null).to_string()).collect()
}

#[test]
fn each_permission_of_the_policy_is_needed_or_missed_aloud() {
    let mut lines = String::new();
    for action in policy(&crashing("")) {
        // A migration that does not end is another story: verdicts.rs.
        if action == "ecs:StopTask" {
            continue;
        }
        let end = play(&crashing(&action), Vec::new());
        let verdict = end.events.iter().find_map(|it| match it {
            DeploymentEvent::DeploymentCompleted { verdict, .. } => Some(*verdict),
            _ => None,
        });
        let verdict = verdict.expect("it is over");
        let names_it = told(&end.events).contains(&action);
        let deeds = end.deeds();
        let _ = writeln!(lines, "{action}: {verdict:?}, said {names_it}, {deeds:?}");
        // What only shows or hastens leaves the end as it is.
        if only_evidence(&action) {
            assert_eq!(verdict, Verdict::RolledBack, "{action}");
        } else {
            assert!(names_it, "{action}: {}", told(&end.events));
        }
    }
    expect![[r#"
        application-autoscaling:DescribeScalableTargets: RolledBack, said false, {"RegisterTaskDefinition": 1, "RunTask": 1, "UpdateService": 2}
        ec2:DescribeSecurityGroups: RolledBack, said false, {"RegisterTaskDefinition": 1, "RunTask": 1, "UpdateService": 2}
        ec2:DescribeSubnets: RolledBack, said false, {"RegisterTaskDefinition": 1, "RunTask": 1, "UpdateService": 2}
        ecr:BatchGetImage: RolledBack, said false, {"RegisterTaskDefinition": 1, "RunTask": 1, "UpdateService": 2}
        ecs:DescribeServiceRevisions: RolledBack, said true, {"RegisterTaskDefinition": 1, "RunTask": 1, "UpdateService": 2}
        ecs:DescribeServices: Refused, said true, {}
        ecs:DescribeTaskDefinition: Refused, said true, {}
        ecs:DescribeTasks: RolledBack, said true, {"RegisterTaskDefinition": 1}
        ecs:ListServiceDeployments: RolledBack, said true, {"RegisterTaskDefinition": 1, "RunTask": 1, "UpdateService": 2}
        ecs:ListTaskDefinitions: Failed, said true, {}
        ecs:ListTasks: RolledBack, said true, {"RegisterTaskDefinition": 1}
        ecs:RegisterTaskDefinition: Failed, said true, {}
        ecs:RunTask: RolledBack, said true, {"RegisterTaskDefinition": 1}
        ecs:StopServiceDeployment: RolledBack, said false, {"RegisterTaskDefinition": 1, "RunTask": 1, "UpdateService": 2}
        ecs:TagResource: Failed, said true, {}
        ecs:UpdateService: RolledBack, said true, {"RegisterTaskDefinition": 1, "RunTask": 1}
        elasticloadbalancing:DescribeTargetGroups: RolledBack, said false, {"RegisterTaskDefinition": 1, "RunTask": 1, "UpdateService": 2}
        elasticloadbalancing:DescribeTargetHealth: RolledBack, said false, {"RegisterTaskDefinition": 1, "RunTask": 1, "UpdateService": 2}
        iam:GetRole: RolledBack, said false, {"RegisterTaskDefinition": 1, "RunTask": 1, "UpdateService": 2}
        iam:PassRole: Failed, said true, {}
        logs:DescribeLogGroups: RolledBack, said false, {"RegisterTaskDefinition": 1, "RunTask": 1, "UpdateService": 2}
        logs:GetLogEvents: RolledBack, said true, {"RegisterTaskDefinition": 1, "RunTask": 1, "UpdateService": 2}
    "#]].assert_eq(&lines);
}
