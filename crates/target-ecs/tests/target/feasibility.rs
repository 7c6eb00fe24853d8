//! Whether what runs could be gone back to: every prerequisite taken away, one at a time, is flagged
//! with its remedy; nothing is flagged where nothing is missing; and where nothing was flagged, a
//! release that fails is gone back on.

use event::{GoingBack, Verdict};
use expect_test::{Expect, expect};
use model_cloud::{Cloud, Fault, FaultKind, Health, Image};
use ports::Target as _;
use serde_json::{Value as Json, json};

use crate::world::{Script, ask, cloud, play, script, target, wanted};

const HOST: &str = "111122223333.dkr.ecr.eu-central-1.amazonaws.com";
const GROUP: &str =
    "arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/api/0123456789abcdef";
const EXECUTION: &str = "arn:aws:iam::111122223333:role/execution";
const TASK: &str = "arn:aws:iam::111122223333:role/task";

/// An image that is pushed, by its digest.
fn push(cloud: &mut Cloud, repository: &str, what: &str) -> String {
    const ECR: &str = "AmazonEC2ContainerRegistry_V20150921";
    ask(cloud, &format!("{ECR}.CreateRepository"), &json!({"repositoryName": repository}));
    let manifest = json!({"schemaVersion": 2, "what": what}).to_string();
    let body = json!({"repositoryName": repository, "imageManifest": manifest});
    let given = ask(cloud, &format!("{ECR}.PutImage"), &body);
    let digest = given["image"]["imageId"]["imageDigest"].as_str().expect("it is pushed");
    format!("{HOST}/{repository}@{digest}")
}

/// Everything that a service can stand on, and that a release of it can be gone back to by.
fn whole(cloud: &mut Cloud) {
    let (app, side) = (push(cloud, "planner/api", "1"), push(cloud, "planner/side", "1"));
    let secret = ask(cloud, "secretsmanager.DescribeSecret", &json!({"SecretId": "planner/db"}));
    let secrets = json!([
        {"name": "DATABASE_URL", "valueFrom": format!("{}:url::", secret["ARN"].as_str().expect("an ARN"))},
        {"name": "TOKEN", "valueFrom": "/planner/token"}]);
    let log = |group: &str| {
        json!({"logDriver": "awslogs", "options": {"awslogs-group": group,
        "awslogs-region": "eu-central-1", "awslogs-stream-prefix": "api"}})
    };
    let body = json!({"family": "api", "executionRoleArn": EXECUTION, "taskRoleArn": TASK,
        "containerDefinitions": [
            {"name": "app", "image": app, "memory": 128, "secrets": secrets,
             "logConfiguration": log("/ecs/api")},
            {"name": "side", "image": side, "memory": 64, "essential": false,
             "logConfiguration": log("/ecs/side")}]});
    ask(cloud, "RegisterTaskDefinition", &body);
    let body = json!({"cluster": "c", "service": "api", "taskDefinition": "api:2"});
    ask(cloud, "UpdateService", &body);
    let to = cloud.now() + 120_000;
    cloud.advance(to);
}

/// The service with its load balancer and network, and what becomes of the cloud then.
fn with(then: impl Fn(&mut Cloud) + 'static) -> Script {
    let mut script = script(move |cloud| {
        whole(cloud);
        then(cloud);
    });
    script.service = json!({
        "loadBalancers": [{"targetGroupArn": GROUP, "containerName": "app", "containerPort": 80}],
        "networkConfiguration": {"awsvpcConfiguration": {
            "subnets": ["subnet-1", "subnet-2"], "securityGroups": ["sg-1"]}}});
    script
}

/// What stands against going back, or against the deployment.
fn flagged(script: &Script) -> String {
    let cloud = cloud(script);
    let (mut target, wanted) = (target(&cloud), wanted(script));
    let seen = target.observe(&wanted).expect("it can be looked at");
    match target.propose(&wanted, &seen) {
        Err(cause) => format!("refused: {}\n", cause.message),
        Ok(proposal) => {
            let notes = proposal.notes.iter().map(|it| format!("note: {it}\n"));
            let notes: String = notes.collect();
            match proposal.going_back {
                GoingBack::Impossible { reasons } => {
                    let reasons = reasons.iter().map(|it| format!("no way back: {it}\n"));
                    reasons.collect::<String>() + &notes
                }
                _ => notes,
            }
        }
    }
}

fn check(then: impl Fn(&mut Cloud) + 'static, expect: &Expect) {
    let script = with(then);
    expect.assert_eq(&flagged(&script));
    // Nothing is changed where something is flagged.
    let end = play(&script, Vec::new());
    let verdict = end.verdict();
    assert!(verdict.starts_with("refused"), "{verdict}");
    assert_eq!(end.deeds().len(), 0, "{verdict}");
}

fn gone(what: &'static str) -> impl Fn(&mut Cloud) {
    move |cloud| cloud.take_away(what)
}

#[test]
fn nothing_is_flagged_where_nothing_is_missing() {
    assert_eq!(flagged(&with(|_| {})), "");
    assert_eq!(flagged(&with(|_| {}).with_breaker(true)), "");
    // Nobody asks that one whether it works.
    let note =
        "note: nobody asks whether it works: a task that started is taken for one that does\n";
    assert_eq!(flagged(&script(|_| {})), note);
    let end = play(&with(|_| {}), Vec::new());
    assert_eq!(end.verdict(), "succeeded by launchway");
}

#[test]
fn each_prerequisite_that_is_missing_is_flagged_with_its_remedy() {
    check(
        |cloud| {
            ask(cloud, "DeregisterTaskDefinition", &json!({"taskDefinition": "api:2"}));
        },
        &expect![[r#"
            no way back: api:2, which would be gone back to, is deregistered: register it again as it is and let the service run that revision
        "#]],
    );
    check(
        gone(EXECUTION),
        &expect![[r#"
        no way back: api:2, which would be gone back to, needs the execution role arn:aws:iam::111122223333:role/execution, which is gone: make it again, with what it may do
    "#]],
    );
    check(
        gone("arn:aws:iam::111122223333:role/task"),
        &expect![[r#"
        no way back: api:2, which would be gone back to, needs the task role arn:aws:iam::111122223333:role/task, which is gone: make it again, with what it may do
    "#]],
    );
    check(
        gone("/ecs/api"),
        &expect![[r#"
        no way back: api:2, which would be gone back to, needs the log group /ecs/api, which is gone: make it again (`aws logs create-log-group --region eu-central-1 --log-group-name /ecs/api`)
    "#]],
    );
    check(
        gone("/ecs/side"),
        &expect![[r#"
        no way back: api:2, which would be gone back to, needs the log group /ecs/side, which is gone: make it again (`aws logs create-log-group --region eu-central-1 --log-group-name /ecs/side`)
    "#]],
    );
    check(
        gone("subnet-1"),
        &expect![[r#"
        no way back: api:2, which would be gone back to, needs the subnet subnet-1, which is gone: let the service use others
    "#]],
    );
    check(
        gone("subnet-2"),
        &expect![[r#"
        no way back: api:2, which would be gone back to, needs the subnet subnet-2, which is gone: let the service use others
    "#]],
    );
    check(
        gone("sg-1"),
        &expect![[r#"
        no way back: api:2, which would be gone back to, needs the security group sg-1, which is gone: let the service use others
    "#]],
    );
    check(
        gone(GROUP),
        &expect![[r#"
        no way back: api:2, which would be gone back to, needs the target group arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/api/0123456789abcdef, which is gone: make the service again with another
    "#]],
    );
}

#[test]
fn images_that_are_missing_are_flagged() {
    const DELETE: &str = "AmazonEC2ContainerRegistry_V20150921.DeleteRepository";
    const DELETE_IMAGE: &str = "AmazonEC2ContainerRegistry_V20150921.BatchDeleteImage";
    let image = |repository: &'static str| {
        move |cloud: &mut Cloud| {
            let at = push(cloud, repository, "1");
            let digest = at.split('@').nth(1).expect("a digest");
            let ids = json!([{"imageDigest": digest}]);
            ask(cloud, DELETE_IMAGE, &json!({"repositoryName": repository, "imageIds": ids}));
        }
    };
    check(
        image("planner/api"),
        &expect![[r#"
        no way back: api:2, which would be gone back to, needs the image of app, 111122223333.dkr.ecr.eu-central-1.amazonaws.com/planner/api@sha256:ed6f90b0813fba26326f25cc5dd75d943df4f3be501b02499f3dc916e7c7693f, which is not in its repository any more: push it again, and let the repository's lifecycle policy keep what runs
    "#]],
    );
    check(
        image("planner/side"),
        &expect![[r#"
        no way back: api:2, which would be gone back to, needs the image of side, 111122223333.dkr.ecr.eu-central-1.amazonaws.com/planner/side@sha256:ed6f90b0813fba26326f25cc5dd75d943df4f3be501b02499f3dc916e7c7693f, which is not in its repository any more: push it again, and let the repository's lifecycle policy keep what runs
    "#]],
    );
    check(
        |cloud| {
            ask(cloud, DELETE, &json!({"repositoryName": "planner/side", "force": true}));
        },
        &expect![[r#"
            no way back: api:2, which would be gone back to, needs the image of side, 111122223333.dkr.ecr.eu-central-1.amazonaws.com/planner/side@sha256:ed6f90b0813fba26326f25cc5dd75d943df4f3be501b02499f3dc916e7c7693f, which is not in its repository any more: push it again, and let the repository's lifecycle policy keep what runs
        "#]],
    );
    // The one that is shipped, too: nothing would start.
    let mut shipped = with(|_| {});
    shipped.location = Some(format!("{HOST}/planner/api"));
    expect![[r#"
        refused: the image 111122223333.dkr.ecr.eu-central-1.amazonaws.com/planner/api@sha256:new is not in its repository: push it, or correct its digest
    "#]].assert_eq(&flagged(&shipped));
}

/// A secret that goes between two deployments: what runs has it in memory, and would not start again.
#[test]
fn secrets_that_are_missing_are_flagged() {
    let ask_for = |operation: &'static str, body: Json| {
        move |cloud: &mut Cloud| {
            ask(cloud, operation, &body);
        }
    };
    let delete = "secretsmanager.DeleteSecret";
    check(
        ask_for(delete, json!({"SecretId": "planner/db"})),
        &expect![[r#"
        refused: the secret arn:aws:secretsmanager:eu-central-1:111122223333:secret:planner/db-bSHqRp is marked for deletion: restore it (`aws secretsmanager restore-secret --secret-id arn:aws:secretsmanager:eu-central-1:111122223333:secret:planner/db-bSHqRp`)
    "#]],
    );
    let at_once = json!({"SecretId": "planner/db", "ForceDeleteWithoutRecovery": true});
    check(
        ask_for(delete, at_once),
        &expect![[r#"
        refused: there is no secret arn:aws:secretsmanager:eu-central-1:111122223333:secret:planner/db-bSHqRp in Secrets Manager of eu-central-1: make it, or correct the reference
    "#]],
    );
    let parameter = json!({"Name": "/planner/token"});
    check(
        ask_for("AmazonSSM.DeleteParameter", parameter),
        &expect![[r#"
        refused: there is no parameter /planner/token in the Parameter Store of eu-central-1: make it, or correct the reference
    "#]],
    );
}

#[test]
fn places_that_are_missing_are_flagged() {
    let elsewhere = |config: Json| {
        let mut script = with(|_| {});
        script.config = config;
        script
    };
    let other = elsewhere(json!({"cluster": "x"}));
    expect![[r#"
        refused: there is no active service api in the cluster x of eu-central-1 (there is no such cluster): make it first, or correct `targets.ecs`
    "#]].assert_eq(&flagged(&other));
    let other = elsewhere(json!({"service": "x"}));
    expect![[r#"
        refused: there is no active service x in the cluster c of eu-central-1 (MISSING): make it first, or correct `targets.ecs`
    "#]].assert_eq(&flagged(&other));
    let other =
        elsewhere(json!({"no_way_back": "the migration of v2 is not one that v1 works with"}));
    expect![[r#"
        no way back: the migration of v2 is not one that v1 works with
    "#]]
    .assert_eq(&flagged(&other));
    let mut busy = with(|cloud| {
        let body = json!({"cluster": "c", "service": "api", "forceNewDeployment": true});
        ask(cloud, "UpdateService", &body);
    });
    busy.desired = 1;
    assert!(flagged(&busy).contains("another deployment of api is under way"));
}

/// What these credentials may not look at is said, and stands against nothing.
#[test]
fn what_may_not_be_looked_at_is_noted() {
    let script = with(|cloud| {
        for action in [
            "iam:GetRole",
            "ec2:DescribeSubnets",
            "ec2:DescribeSecurityGroups",
            "elasticloadbalancing:DescribeTargetGroups",
            "logs:DescribeLogGroups",
            "ecr:BatchGetImage",
        ] {
            cloud.inject(Fault::first(action, 9, FaultKind::Denied));
        }
    });
    expect![[r#"
        note: not everything that going back needs was looked at: these credentials may not call ec2:DescribeSecurityGroups, ec2:DescribeSubnets, ecr:BatchGetImage, elasticloadbalancing:DescribeTargetGroups, iam:GetRole, logs:DescribeLogGroups
    "#]].assert_eq(&flagged(&script));
}

/// Nothing is flagged, and then the release fails, in every way that is known.
#[test]
fn what_was_not_flagged_is_gone_back_on() {
    type Fails = fn(&mut Cloud);
    let failures: [(&str, Fails); 3] = [
        ("missing", |cloud| cloud.script("sha256:new", Image::missing())),
        ("exits", |cloud| cloud.script("sha256:new", Image::exits(0, 3))),
        ("never healthy", |cloud| {
            cloud.script("sha256:new", Image::with_health(Health::Never));
        }),
    ];
    for breaker in [None, Some(false), Some(true)] {
        for (name, fail) in failures {
            let mut script = with(|_| {});
            if let Some(rollback) = breaker {
                script = script.with_breaker(rollback);
            }
            script.config = json!({"within_ms": 120_000});
            assert_eq!(flagged(&script), "", "{name}");
            let cloud = cloud(&script);
            fail(&mut cloud.borrow_mut());
            let end = crate::world::play_in(&script, &cloud, Vec::new());
            let verdict = end.verdict();
            let word = Verdict::RolledBack.as_str();
            assert!(verdict.starts_with(word), "{name}, {breaker:?}: {}", end.tell());
            assert_eq!(end.runs(), "api:2 2/2", "{name}, {breaker:?}: {verdict}");
        }
    }
}
