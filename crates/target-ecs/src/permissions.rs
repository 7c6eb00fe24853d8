//! What a role must be allowed to do for the deployments of a service: the calls of `calls.rs`, each
//! for the resources that it is made for, as AWS's service authorization reference names them.

use iam::{Condition, Policy, Statement};
use serde_json::Value as Json;

use crate::config::{EcsConfig, Reference};

/// What a task definition passes on and writes to, as far as somebody looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Family of the task definition.
    pub family: Option<String>,
    /// ARNs of its task role and its execution role.
    pub roles: Vec<String>,
    /// Groups that its containers log to.
    pub log_groups: Vec<String>,
    /// ARNs of secrets and parameters that it names.
    pub secrets: Vec<String>,
    /// Whether any of this was looked at; what was not is allowed for all of the account.
    pub looked: bool,
}

/// What a described task definition passes on.
pub fn passed(definition: &Json) -> Passed {
    let roles =
        ["taskRoleArn", "executionRoleArn"].iter().filter_map(|it| definition[*it].as_str());
    let mut roles: Vec<String> = roles.filter(|it| !it.is_empty()).map(str::to_owned).collect();
    roles.sort_unstable();
    roles.dedup();
    let containers = definition["containerDefinitions"].as_array().into_iter().flatten();
    let (mut log_groups, mut secrets) = (Vec::new(), Vec::new());
    for container in containers {
        let group = container["logConfiguration"]["options"]["awslogs-group"].as_str();
        log_groups.extend(group.map(str::to_owned));
        let named = container["secrets"].as_array().into_iter().flatten();
        let arns = named.filter_map(|it| it["valueFrom"].as_str());
        secrets.extend(arns.filter(|it| it.starts_with("arn:")).map(without_key));
    }
    log_groups.sort_unstable();
    log_groups.dedup();
    let family = definition["family"].as_str().map(str::to_owned);
    Passed { family, roles, log_groups, secrets, looked: true }
}

/// `valueFrom` may name a key, a stage and a version behind the secret's ARN.
fn without_key(value_from: &str) -> String {
    value_from.split(':').take(ARN_PARTS).collect::<Vec<_>>().join(":")
}

/// Parts of a secret's or parameter's ARN.
const ARN_PARTS: usize = 7;

/// Reads that a cause is shown by. Without them it is told without, and says so.
const EVIDENCE: &[&str] = &[
    "ecs:DescribeServiceRevisions",
    "ecs:ListServiceDeployments",
    "ecs:StopServiceDeployment",
    "application-autoscaling:DescribeScalableTargets",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ecr:BatchGetImage",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "iam:GetRole",
    "logs:DescribeLogGroups",
    "logs:GetLogEvents",
    "secretsmanager:DescribeSecret",
    "ssm:GetParameters",
];

/// Whether deployments do without it: a cause shows less, or the way back is another.
pub fn only_evidence(action: &str) -> bool {
    EVIDENCE.contains(&action)
}

/// The policy for deployments of a service in this account. What it `passed` is more exact the more
/// was looked at.
pub fn permissions(config: &EcsConfig, account: &str, migrates: bool, passed: &Passed) -> Policy {
    let EcsConfig { region, cluster, service, .. } = config;
    let partition = if region.starts_with("cn-") { "aws-cn" } else { "aws" };
    let ecs = |what: &str| format!("arn:{partition}:ecs:{region}:{account}:{what}");
    let in_cluster =
        Condition::one("ArnEquals", "ecs:cluster", &ecs(&format!("cluster/{cluster}")));
    let family = passed.family.as_deref().unwrap_or("*");
    let definitions = ecs(&format!("task-definition/{family}:*"));
    let mut statements = vec![
        statement(
            "Service",
            &["ecs:DescribeServices", "ecs:ListServiceDeployments", "ecs:UpdateService"],
            &[ecs(&format!("service/{cluster}/{service}"))],
        ),
        statement(
            "ServiceDeployments",
            &["ecs:DescribeServiceRevisions", "ecs:StopServiceDeployment"],
            &[
                ecs(&format!("service-deployment/{cluster}/{service}/*")),
                ecs(&format!("service-revision/{cluster}/{service}/*")),
            ],
        ),
        // AWS knows no resources for these.
        statement(
            "TaskDefinitions",
            &[
                "ecs:DescribeTaskDefinition",
                "ecs:ListTaskDefinitions",
                "ecs:RegisterTaskDefinition",
            ],
            &["*".to_owned()],
        ),
        Statement {
            conditions: vec![Condition::one(
                "StringEquals",
                "ecs:CreateAction",
                "RegisterTaskDefinition",
            )],
            ..statement("TagsOfRevisions", &["ecs:TagResource"], std::slice::from_ref(&definitions))
        },
        Statement {
            conditions: vec![in_cluster.clone()],
            ..statement("ListOfTasks", &["ecs:ListTasks"], &["*".to_owned()])
        },
        statement("Tasks", &["ecs:DescribeTasks"], &[ecs(&format!("task/{cluster}/*"))]),
        statement("Targets", &["elasticloadbalancing:DescribeTargetHealth"], &["*".to_owned()]),
    ];
    if migrates {
        statements.push(Statement {
            conditions: vec![in_cluster],
            ..statement("Migrations", &["ecs:RunTask"], &[definitions])
        });
        statements.push(statement(
            "MigrationsThatDoNotEnd",
            &["ecs:StopTask"],
            &[ecs(&format!("task/{cluster}/*"))],
        ));
    }
    statements.extend(looks(partition, account, config, passed));
    if !config.alarms.is_empty() {
        statements.push(statement("Alarms", &["cloudwatch:DescribeAlarms"], &["*".to_owned()]));
    }
    statements.extend(passing(partition, account, passed));
    statements.extend(logs(partition, region, account, passed));
    statements.extend(secrets(partition, account, config, passed));
    Policy { statements }
}

/// What is looked at to know whether going back would be possible.
fn looks(partition: &str, account: &str, config: &EcsConfig, passed: &Passed) -> Vec<Statement> {
    let region = &config.region;
    let roles = match &passed.roles[..] {
        [] if passed.looked => Vec::new(),
        [] => vec![format!("arn:{partition}:iam::{account}:role/*")],
        roles => roles.to_vec(),
    };
    let images = [format!("arn:{partition}:ecr:{region}:{account}:repository/*")];
    // AWS knows no resources for these.
    let places = [
        "application-autoscaling:DescribeScalableTargets",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "elasticloadbalancing:DescribeTargetGroups",
        "logs:DescribeLogGroups",
    ];
    let all = [
        statement("ImagesOfWayBack", &["ecr:BatchGetImage"], &images),
        statement("PlacesOfWayBack", &places, &["*".to_owned()]),
        statement("RolesOfWayBack", &["iam:GetRole"], &roles),
    ];
    all.into_iter().filter(|it| !it.resources.is_empty()).collect()
}

fn statement(name: &str, actions: &[&str], resources: &[String]) -> Statement {
    Statement {
        name: name.to_owned(),
        actions: actions.iter().map(|it| (*it).to_owned()).collect(),
        resources: resources.to_vec(),
        conditions: Vec::new(),
    }
}

/// Whoever registers a revision gives its roles to ECS.
fn passing(partition: &str, account: &str, passed: &Passed) -> Option<Statement> {
    let roles = match (&passed.roles[..], passed.looked) {
        ([], true) => return None,
        ([], false) => vec![format!("arn:{partition}:iam::{account}:role/*")],
        (roles, _) => roles.to_vec(),
    };
    Some(Statement {
        conditions: vec![Condition::one(
            "StringEquals",
            "iam:PassedToService",
            "ecs-tasks.amazonaws.com",
        )],
        ..statement("RolesOfTasks", &["iam:PassRole"], &roles)
    })
}

fn logs(partition: &str, region: &str, account: &str, passed: &Passed) -> Option<Statement> {
    let streams = |group: &str| {
        format!("arn:{partition}:logs:{region}:{account}:log-group:{group}:log-stream:*")
    };
    let groups = match (&passed.log_groups[..], passed.looked) {
        ([], true) => return None,
        ([], false) => vec![streams("*")],
        (groups, _) => groups.iter().map(|it| streams(it)).collect(),
    };
    Some(statement("LastLines", &["logs:GetLogEvents"], &groups))
}

/// Whether they are there is looked at beforehand. Their values are for the tasks alone.
fn secrets(partition: &str, account: &str, config: &EcsConfig, passed: &Passed) -> Vec<Statement> {
    let region = &config.region;
    let (mut secrets, mut parameters) = (Vec::new(), Vec::new());
    for reference in config.secrets.values() {
        match reference {
            Reference::SecretsManager { id, .. } if id.starts_with("arn:") => {
                secrets.push(id.clone());
            }
            // AWS puts six letters behind a name.
            Reference::SecretsManager { id, .. } => secrets.push(format!(
                "arn:{partition}:secretsmanager:{region}:{account}:secret:{id}-??????"
            )),
            Reference::Ssm { name } if name.starts_with("arn:") => parameters.push(name.clone()),
            Reference::Ssm { name } => parameters.push(format!(
                "arn:{partition}:ssm:{region}:{account}:parameter/{}",
                name.trim_start_matches('/')
            )),
        }
    }
    for arn in &passed.secrets {
        let of = if arn.contains(":ssm:") { &mut parameters } else { &mut secrets };
        of.push(arn.clone());
    }
    let all = [
        ("Secrets", "secretsmanager:DescribeSecret", secrets),
        ("Parameters", "ssm:GetParameters", parameters),
    ];
    let named = all.into_iter().filter(|(_, _, resources)| !resources.is_empty());
    named
        .map(|(name, action, mut resources)| {
            resources.sort_unstable();
            resources.dedup();
            statement(name, &[action], &resources)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::calls;

    fn config() -> EcsConfig {
        EcsConfig {
            region: "eu-central-1".to_owned(),
            cluster: "staging".to_owned(),
            service: "api".to_owned(),
            container: None,
            account: None,
            within_ms: 1,
            environment: Default::default(),
            private: Vec::new(),
            secrets: Default::default(),
            command: None,
            no_way_back: None,
            instances: None,
            alarms: Vec::new(),
            texts: Vec::new(),
            even_if_scaled: false,
            owns_environment: false,
            owns_secrets: false,
        }
    }

    /// What is planned is what is allowed; only what goes with a registration is no call of its own.
    #[test]
    fn every_call_is_allowed_and_nothing_else() {
        let steps = [
            calls::of_register(),
            calls::of_update(),
            calls::of_stabilise(false),
            calls::of_run_task(),
        ];
        let planned: BTreeSet<String> = steps.iter().flatten().map(ToString::to_string).collect();
        let policy = permissions(&config(), "111122223333", true, &Passed::default());
        let allowed: BTreeSet<String> = policy.actions().into_iter().map(str::to_owned).collect();
        let looks = looks("aws", "1", &config(), &Passed::default());
        let looks = looks.iter().flat_map(|it| it.actions.clone());
        let beside = ["ecs:TagResource", "iam:PassRole"].map(str::to_owned).into_iter();
        let beside: BTreeSet<String> = beside.chain(looks).collect();
        // STS tells everybody who he is.
        let needs_none: BTreeSet<String> = ["sts:GetCallerIdentity".to_owned()].into();
        assert_eq!(&allowed - &planned, beside);
        assert_eq!(&planned - &allowed, needs_none);
        let without = permissions(&config(), "111122223333", false, &Passed::default());
        assert!(!without.actions().contains(&"ecs:RunTask"));
    }

    #[test]
    fn what_was_looked_at_is_exact() {
        let passed = Passed {
            family: Some("api".to_owned()),
            roles: vec!["arn:aws:iam::111122223333:role/task".to_owned()],
            log_groups: Vec::new(),
            secrets: Vec::new(),
            looked: true,
        };
        let policy = permissions(&config(), "111122223333", true, &passed);
        let of = |name: &str| {
            let found = policy.statements.iter().find(|it| it.name == name);
            found.map(|it| it.resources.join(" "))
        };
        assert_eq!(of("RolesOfTasks").as_deref(), Some("arn:aws:iam::111122223333:role/task"));
        assert_eq!(of("LastLines"), None);
        let definitions = "arn:aws:ecs:eu-central-1:111122223333:task-definition/api:*";
        assert_eq!(of("Migrations").as_deref(), Some(definitions));
    }
}
