//! What goes wrong, and what is said of it.

use expect_test::{Expect, expect};
use model_cloud::{Cloud, Fault, FaultKind, Health, Image, Rollback};
use serde_json::json;

use crate::world::{NEW, SECRET, Script, ask, play, register, script};

fn check(script: &Script, expect: &Expect) {
    let end = play(script, Vec::new());
    assert!(end.unplanned.is_empty(), "not in the plan: {:?}", end.unplanned);
    expect.assert_eq(&end.tell());
}

fn new(image: Image) -> impl Fn(&mut Cloud) {
    move |cloud| cloud.script(NEW, image.clone())
}

fn fault(action: &'static str, times: u32, kind: FaultKind) -> impl Fn(&mut Cloud) {
    move |cloud| cloud.inject(Fault::first(action, times, kind.clone()))
}

fn update(cloud: &mut Cloud, definition: &str) {
    let body = json!({"cluster": "c", "service": "api", "taskDefinition": definition});
    ask(cloud, "UpdateService", &body);
}

#[test]
fn a_good_release_succeeds() {
    check(
        &script(|_| {}),
        &expect![[r#"
        succeeded by launchway after 10 s
        RegisterTaskDefinition 1, UpdateService 1 | api:2 2/2
    "#]],
    );
}

#[test]
fn a_good_release_succeeds_behind_a_load_balancer() {
    let mut script = script(new(Image::with_health(Health::After(20_000))));
    script.service = json!({"loadBalancers": [{"targetGroupArn": "tg", "containerName": "app",
        "containerPort": 80}]});
    check(
        &script,
        &expect![[r#"
        succeeded by launchway after 31 s
        RegisterTaskDefinition 1, UpdateService 1 | api:2 2/2
    "#]],
    );
}

/// The old tasks' targets take five minutes to let go: the service has two deployments for that
/// long, and ECS's own waiter waits for it.
#[test]
fn a_long_deregistration_delay_keeps_nobody_waiting() {
    let mut script = script(|cloud| cloud.set_deregistration_delay(300_000));
    script.service = json!({"loadBalancers": [{"targetGroupArn": "tg", "containerName": "app",
        "containerPort": 80}]});
    check(
        &script,
        &expect![[r#"
        succeeded by launchway after 10 s
        RegisterTaskDefinition 1, UpdateService 1 | api:2 2/2
    "#]],
    );
}

#[test]
fn nothing_is_wanted_to_run() {
    let mut script = script(|_| {});
    script.desired = 0;
    check(
        &script,
        &expect![[r#"
        succeeded by launchway vacuous after 5 s
        RegisterTaskDefinition 1, UpdateService 1 | api:2 0/0
    "#]],
    );
}

#[test]
fn the_same_release_again_changes_nothing() {
    let with_new = |cloud: &mut Cloud| {
        let definition = register(cloud, NEW, &json!({}));
        update(cloud, &definition);
        let to = cloud.now() + 60_000;
        cloud.advance(to);
    };
    check(
        &script(with_new),
        &expect![[r#"
        succeeded by launchway unchanged after 0 s
         | api:2 2/2
    "#]],
    );
    let mut forced = script(with_new);
    forced.force = true;
    check(
        &forced,
        &expect![[r#"
        succeeded by launchway after 10 s
        RegisterTaskDefinition 1, UpdateService 1 | api:3 2/2
    "#]],
    );
}

/// Everything of it comes back, though it was deregistered, as a revision of its own.
#[test]
fn an_earlier_release_is_restored() {
    let earlier = |cloud: &mut Cloud| {
        let definition = register(cloud, NEW, &json!({"command": ["serve"]}));
        update(cloud, &definition);
        let to = cloud.now() + 60_000;
        cloud.advance(to);
        ask(cloud, "DeregisterTaskDefinition", &json!({"taskDefinition": "api:1"}));
    };
    let mut script = script(earlier);
    script.restores = Some("arn:aws:ecs:eu-central-1:111122223333:task-definition/api:1".into());
    check(
        &script,
        &expect![[r#"
        succeeded by launchway after 10 s
        RegisterTaskDefinition 1, UpdateService 1 | api:3 2/2
    "#]],
    );
}

#[test]
fn a_missing_image_without_a_breaker() {
    check(
        &script(new(Image::missing())),
        &expect![[r#"
            rolled_back by launchway: NotStarted after 31 s
            - 4 tasks failed one after the other, and ECS would go on
              Platform: task ID: TaskFailedToStart: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
              Exit: container app never ran: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
              Platform: 3 more ended like this one
            RegisterTaskDefinition 1, StopServiceDeployment 1, UpdateService 1 | api:1 2/2
        "#]],
    );
}

#[test]
fn a_missing_image_with_a_breaker() {
    check(
        &script(new(Image::missing())).with_breaker(false),
        &expect![[r#"
            rolled_back by launchway: NotStarted after 31 s
            - ECS gave the deployment up: ECS deployment circuit breaker: tasks failed to start.
              Platform: task ID: TaskFailedToStart: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
              Exit: container app never ran: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
              Platform: 3 more ended like this one
              Platform: (service api) (deployment ecs-svc/ID) deployment failed: tasks failed to start.
            RegisterTaskDefinition 1, UpdateService 2 | api:1 2/2
        "#]],
    );
}

#[test]
fn a_missing_image_with_a_breaker_that_goes_back() {
    check(
        &script(new(Image::missing())).with_breaker(true),
        &expect![[r#"
            rolled_back by platform: PlatformRolledBack > NotStarted after 31 s
            - ECS gave the deployment up and goes back to api:1
            - ECS deployment circuit breaker: tasks failed to start.
              Platform: task ID: TaskFailedToStart: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
              Exit: container app never ran: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
              Platform: 3 more ended like this one
              Platform: (service api) rolling back to deployment ecs-svc/ID.
              Platform: (service api) (deployment ecs-svc/ID) deployment failed: tasks failed to start.
              Platform: (service api) (deployment ecs-svc/ID) deployment failed: tasks failed to start.
            RegisterTaskDefinition 1, UpdateService 1 | api:1 2/2
        "#]],
    );
}

#[test]
fn ecs_may_go_back_to_the_same_deployment() {
    let same = |cloud: &mut Cloud| {
        cloud.script(NEW, Image::missing());
        cloud.rolls_back_with(Rollback::SameDeployment);
    };
    check(
        &script(same).with_breaker(true),
        &expect![[r#"
            rolled_back by platform: PlatformRolledBack > NotStarted after 31 s
            - ECS gave the deployment up and goes back to api:1
            - ECS deployment circuit breaker: tasks failed to start.
              Platform: task ID: TaskFailedToStart: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
              Exit: container app never ran: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
              Platform: 3 more ended like this one
              Platform: (service api) rolling back to deployment ecs-svc/ID.
              Platform: (service api) (deployment ecs-svc/ID) deployment failed: tasks failed to start.
              Platform: (service api) (deployment ecs-svc/ID) deployment failed: tasks failed to start.
            RegisterTaskDefinition 1, UpdateService 1 | api:1 2/2
        "#]],
    );
}

#[test]
fn a_crash_before_it_was_healthy_shows_its_last_words() {
    let image = Image { health: Health::Never, ..Image::exits(4000, 3) };
    let image = image.printing(&["starting", &format!("the password {SECRET} is wrong")]);
    check(
        &script(new(image)).with_health_check().with_breaker(true),
        &expect![[r#"
            rolled_back by platform: PlatformRolledBack > Exited after 36 s
            - ECS gave the deployment up and goes back to api:1
            - ECS deployment circuit breaker: tasks failed to start.
              Platform: task ID: EssentialContainerExited: Essential container in task exited
              Exit: container app ended with exit code 3
              Platform: 3 more ended like this one
              Log: app: starting
              Log: app: the password *** is wrong
              Platform: (service api) rolling back to deployment ecs-svc/ID.
              Platform: (service api) (deployment ecs-svc/ID) deployment failed: tasks failed to start.
              Platform: (service api) (deployment ecs-svc/ID) deployment failed: tasks failed to start.
            RegisterTaskDefinition 1, UpdateService 1 | api:1 2/2
        "#]],
    );
}

#[test]
fn out_of_memory_is_named() {
    let image = Image { health: Health::Never, ..Image::exits(4000, 137) };
    check(
        &script(new(image)).with_health_check(),
        &expect![[r#"
            rolled_back by launchway: Exited after 36 s
            - 4 tasks failed one after the other, and ECS would go on
              Platform: task ID: EssentialContainerExited: Essential container in task exited
              Exit: container app ended with exit code 137 (killed: out of memory, or deaf to SIGTERM)
              Platform: 3 more ended like this one
            RegisterTaskDefinition 1, StopServiceDeployment 1, UpdateService 1 | api:1 2/2
        "#]],
    );
}

#[test]
fn never_healthy() {
    let image = Image::with_health(Health::Never);
    check(
        &script(new(image)).with_health_check().with_breaker(true),
        &expect![[r#"
            rolled_back by platform: PlatformRolledBack > NeverHealthy after 207 s
            - ECS gave the deployment up and goes back to api:1
            - ECS deployment circuit breaker: tasks failed to start.
              Platform: task ID: ServiceSchedulerInitiated: Task failed container health checks
              Platform: 1 more ended like this one
              Platform: task ID: ServiceSchedulerInitiated: Task failed container health checks
              Platform: 1 more ended like this one
              Platform: (service api) rolling back to deployment ecs-svc/ID.
              Platform: (service api) (deployment ecs-svc/ID) deployment failed: tasks failed to start.
              Platform: (service api) (deployment ecs-svc/ID) deployment failed: tasks failed to start.
              Platform: (service api) (task ID) failed container health checks.
              Platform: (service api) (task ID) failed container health checks.
            RegisterTaskDefinition 1, UpdateService 1 | api:1 2/2
        "#]],
    );
}

/// What the load balancer says tells apart what is closed, what answers wrongly and what answers
/// nobody.
#[test]
fn never_healthy_for_the_load_balancer() {
    let check = |reason: &'static str, description: &'static str, expect: &Expect| {
        let mut script = script(move |cloud| {
            cloud.script(NEW, Image::with_health(Health::Never));
            cloud.targets_fail_by(reason, description);
        });
        script.service = json!({"loadBalancers": [{"containerName": "app", "containerPort": 8000,
            "targetGroupArn": "arn:aws:elasticloadbalancing:eu-central-1:111122223333:targetgroup/api/1"}]});
        script.config = json!({"within_ms": 80_000});
        check(&script, expect);
    };
    check(
        "Target.Timeout",
        "Request timed out",
        &expect![[r#"
        rolled_back by launchway: TimedOut after 93 s
        - 2 of 2 tasks ran when its time was over
          Platform: target group api: 2 of 4 unhealthy: Target.Timeout: Request timed out (nobody answered at port 8000 in time: do the security groups of the tasks let the load balancer in, and does the container listen there, at every address?)
        RegisterTaskDefinition 1, StopServiceDeployment 1, UpdateService 1 | api:1 2/2
    "#]],
    );
    let codes = "Health checks failed with these codes: [503]";
    check(
        "Target.ResponseCodeMismatch",
        codes,
        &expect![[r#"
        rolled_back by launchway: TimedOut after 93 s
        - 2 of 2 tasks ran when its time was over
          Platform: target group api: 2 of 4 unhealthy: Target.ResponseCodeMismatch: Health checks failed with these codes: [503] (it answers, and not with what the target group wants: are its path and codes right?)
        RegisterTaskDefinition 1, StopServiceDeployment 1, UpdateService 1 | api:1 2/2
    "#]],
    );
}

#[test]
fn never_healthy_in_its_time() {
    let mut script = script(new(Image::with_health(Health::Never))).with_health_check();
    script.config = json!({"within_ms": 60_000});
    check(
        &script,
        &expect![[r#"
            rolled_back by launchway: TimedOut after 73 s
            - 2 of 2 tasks ran when its time was over
            RegisterTaskDefinition 1, StopServiceDeployment 1, UpdateService 1 | api:1 2/2
        "#]],
    );
}

#[test]
fn healthy_too_late_for_its_time() {
    let mut script = script(new(Image::with_health(Health::After(80_000)))).with_health_check();
    script.config = json!({"within_ms": 60_000});
    check(
        &script,
        &expect![[r#"
            rolled_back by launchway: TimedOut after 73 s
            - 2 of 2 tasks ran when its time was over
            RegisterTaskDefinition 1, StopServiceDeployment 1, UpdateService 1 | api:1 2/2
        "#]],
    );
}

#[test]
fn somebody_else_deploys_meanwhile() {
    let other = |cloud: &mut Cloud| {
        let definition = register(cloud, "repo@sha256:other", &json!({}));
        update(cloud, &definition);
    };
    check(
        &script(new(Image::missing())).at(20, other),
        &expect![[r#"
        superseded by launchway: Superseded after 20 s
        - another deployment took the place of this one: ecs-svc/ID lets api run api:3
        RegisterTaskDefinition 1, UpdateService 1 | api:3 2/2
    "#]],
    );
}

#[test]
fn somebody_else_deployed_before_the_first_change() {
    let other = |cloud: &mut Cloud| {
        let definition = register(cloud, "repo@sha256:other", &json!({}));
        update(cloud, &definition);
    };
    let mut script = script(fault("ecs:ListTaskDefinitions", 4, FaultKind::Throttled));
    script = script.at(10, other);
    check(
        &script,
        &expect![[r#"
        refused by launchway: Drift after 20 s
        - api was changed by somebody since the plan was made
        RegisterTaskDefinition 1 | api:2 2/2
    "#]],
    );
}

#[test]
fn the_service_is_deleted_meanwhile() {
    let gone = fault(
        "ecs:DescribeServices",
        99,
        FaultKind::Refused("ServiceNotFoundException".to_owned(), "Service not found.".to_owned()),
    );
    check(
        &script(new(Image::missing())).at(20, gone),
        &expect![[r#"
        rollback_stuck by launchway: UndoFailed > TargetRefused after 20 s
        - going back failed at api/update
        - AWS refused ecs:DescribeServices: Service not found.
          Platform: ecs:DescribeServices: ServiceNotFoundException: Service not found. (request ID)
        - AWS refused ecs:DescribeServices: Service not found.
          Platform: ecs:DescribeServices: ServiceNotFoundException: Service not found. (request ID)
        RegisterTaskDefinition 1, UpdateService 1 | - null/null
    "#]],
    );
}

#[test]
fn a_service_deployment_is_stopped_by_a_person() {
    let stop = |cloud: &mut Cloud| {
        let list = ask(cloud, "ListServiceDeployments", &json!({"cluster": "c", "service": "api"}));
        let arn = &list["serviceDeployments"][0]["serviceDeploymentArn"];
        ask(cloud, "StopServiceDeployment", &json!({"serviceDeploymentArn": arn}));
    };
    let image = Image::with_health(Health::Never);
    check(
        &script(new(image)).with_health_check().at(20, stop),
        &expect![[r#"
            rolled_back by platform: PlatformRolledBack > PlatformRolledBack after 31 s
            - ECS gave the deployment up and goes back to api:1
            - Service deployment rolled back because of StopServiceDeployment API call.
              Platform: (service api) rolling back to deployment ecs-svc/ID.
              Platform: (service api) (deployment ecs-svc/ID) deployment failed: tasks failed to start.
            RegisterTaskDefinition 1, UpdateService 1 | api:1 2/2
        "#]],
    );
}

#[test]
fn throttling_is_waited_out() {
    check(
        &script(fault("*", 12, FaultKind::Throttled)),
        &expect![[r#"
        succeeded by launchway after 34 s
        RegisterTaskDefinition 1, UpdateService 1 | api:2 2/2
    "#]],
    );
}

#[test]
fn server_errors_are_waited_out() {
    check(
        &script(fault("ecs:UpdateService", 3, FaultKind::ServerError)),
        &expect![[r#"
        succeeded by launchway after 25 s
        RegisterTaskDefinition 1, UpdateService 1 | api:2 2/2
    "#]],
    );
}

#[test]
fn a_missing_permission_is_named() {
    check(
        &script(fault("ecs:UpdateService", 99, FaultKind::Denied)),
        &expect![[r#"
        rolled_back by launchway: TargetRefused after 15 s
        - these credentials may not ecs:UpdateService: User: arn:aws:iam::111122223333:user/deployer is not authorized to perform: ecs:UpdateService because no identity-based policy allows the ecs:UpdateService action
          Platform: ecs:UpdateService: AccessDeniedException: User: arn:aws:iam::111122223333:user/deployer is not authorized to perform: ecs:UpdateService because no identity-based policy allows the ecs:UpdateService action (request ID)
        RegisterTaskDefinition 1 | api:1 2/2
    "#]],
    );
    check(
        &script(fault("ecs:RegisterTaskDefinition", 99, FaultKind::Denied)),
        &expect![[r#"
        failed by launchway: TargetRefused after 0 s
        - these credentials may not ecs:RegisterTaskDefinition: User: arn:aws:iam::111122223333:user/deployer is not authorized to perform: ecs:RegisterTaskDefinition because no identity-based policy allows the ecs:RegisterTaskDefinition action
          Platform: ecs:RegisterTaskDefinition: AccessDeniedException: User: arn:aws:iam::111122223333:user/deployer is not authorized to perform: ecs:RegisterTaskDefinition because no identity-based policy allows the ecs:RegisterTaskDefinition action (request ID)
         | api:1 2/2
    "#]],
    );
}

/// The history is worth having; without it the list alone must do.
#[test]
fn without_permission_for_the_history() {
    let denied = |cloud: &mut Cloud| {
        cloud.script(NEW, Image::missing());
        cloud.inject(Fault::first("ecs:ListServiceDeployments", 999, FaultKind::Denied));
    };
    check(
        &script(denied).with_breaker(true),
        &expect![[r#"
            rolled_back by platform: PlatformRolledBack > NotStarted after 31 s
            - ECS gave the deployment up and goes back to api:1
            - ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/ID.
              Platform: task ID: TaskFailedToStart: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
              Exit: container app never ran: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
              Platform: 3 more ended like this one
              Platform: what ECS remembers of the deployment was not shown: ecs:ListServiceDeployments: AccessDeniedException: User: arn:aws:iam::111122223333:user/deployer is not authorized to perform: ecs:ListServiceDeployments because no identity-based policy allows the ecs:ListServiceDeployments action
              Platform: (service api) rolling back to deployment ecs-svc/ID.
              Platform: (service api) (deployment ecs-svc/ID) deployment failed: tasks failed to start.
              Platform: (service api) (deployment ecs-svc/ID) deployment failed: tasks failed to start.
            RegisterTaskDefinition 1, UpdateService 1 | api:1 2/2
        "#]],
    );
    let undo = |cloud: &mut Cloud| {
        cloud.script(NEW, Image::missing());
        cloud.inject(Fault::first("ecs:ListServiceDeployments", 999, FaultKind::Denied));
    };
    check(
        &script(undo),
        &expect![[r#"
            rolled_back by launchway: NotStarted after 31 s
            - 4 tasks failed one after the other, and ECS would go on
              Platform: task ID: TaskFailedToStart: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
              Exit: container app never ran: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
              Platform: 3 more ended like this one
              Platform: what ECS remembers of the deployment was not shown: ecs:ListServiceDeployments: AccessDeniedException: User: arn:aws:iam::111122223333:user/deployer is not authorized to perform: ecs:ListServiceDeployments because no identity-based policy allows the ecs:ListServiceDeployments action
            RegisterTaskDefinition 1, UpdateService 2 | api:1 2/2
        "#]],
    );
}

#[test]
fn without_permission_for_logs() {
    let image = Image { health: Health::Never, ..Image::exits(4000, 3) };
    let denied = move |cloud: &mut Cloud| {
        cloud.script(NEW, image.clone());
        cloud.inject(Fault::first("logs:GetLogEvents", 999, FaultKind::Denied));
    };
    check(
        &script(denied).with_health_check().with_breaker(true),
        &expect![[r#"
            rolled_back by platform: PlatformRolledBack > Exited after 36 s
            - ECS gave the deployment up and goes back to api:1
            - ECS deployment circuit breaker: tasks failed to start.
              Platform: task ID: EssentialContainerExited: Essential container in task exited
              Exit: container app ended with exit code 3
              Platform: 3 more ended like this one
              Platform: the log api/app/ID was not shown: logs:GetLogEvents: AccessDeniedException: User: arn:aws:iam::111122223333:user/deployer is not authorized to perform: logs:GetLogEvents because no identity-based policy allows the logs:GetLogEvents action
              Platform: (service api) rolling back to deployment ecs-svc/ID.
              Platform: (service api) (deployment ecs-svc/ID) deployment failed: tasks failed to start.
              Platform: (service api) (deployment ecs-svc/ID) deployment failed: tasks failed to start.
            RegisterTaskDefinition 1, UpdateService 1 | api:1 2/2
        "#]],
    );
}

#[test]
fn reads_that_lag_are_not_believed() {
    check(
        &script(|cloud| cloud.lag(8000)),
        &expect![[r#"
        succeeded by launchway after 10 s
        RegisterTaskDefinition 1, UpdateService 1 | api:2 2/2
    "#]],
    );
    let bad = |cloud: &mut Cloud| {
        cloud.lag(8000);
        cloud.script(NEW, Image::missing());
    };
    check(
        &script(bad).with_breaker(true),
        &expect![[r#"
            rolled_back by platform: PlatformRolledBack > NotStarted after 31 s
            - ECS gave the deployment up and goes back to api:1
            - ECS deployment circuit breaker: tasks failed to start.
              Platform: task ID: TaskFailedToStart: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
              Exit: container app never ran: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
              Platform: 3 more ended like this one
              Platform: (service api) rolling back to deployment ecs-svc/ID.
              Platform: (service api) (deployment ecs-svc/ID) deployment failed: tasks failed to start.
              Platform: (service api) (deployment ecs-svc/ID) deployment failed: tasks failed to start.
            RegisterTaskDefinition 1, UpdateService 1 | api:1 2/2
        "#]],
    );
}

#[test]
fn going_back_fails() {
    let broken = |cloud: &mut Cloud| cloud.script("repo@sha256:good", Image::missing());
    let mut script = script(new(Image::missing())).with_breaker(false);
    // What ran before is stopped, and cannot be started again.
    script.configuration["minimumHealthyPercent"] = json!(0);
    script.configuration["maximumPercent"] = json!(100);
    check(
        &script.at(1, broken),
        &expect![[r#"
            rollback_stuck by launchway: UndoFailed > UndoFailed > NotStarted after 36 s
            - going back failed at api/update
            - api:1, which ran before, does not run: ECS deployment circuit breaker: tasks failed to start.
            - tasks of api:1 failed
              Platform: task ID: TaskFailedToStart: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
              Exit: container app never ran: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
              Platform: 3 more ended like this one
              Platform: (service api) (deployment ecs-svc/ID) deployment failed: tasks failed to start.
            - ECS gave the deployment up: ECS deployment circuit breaker: tasks failed to start.
              Platform: task ID: TaskFailedToStart: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
              Exit: container app never ran: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
              Platform: 3 more ended like this one
              Platform: (service api) (deployment ecs-svc/ID) deployment failed: tasks failed to start.
            RegisterTaskDefinition 1, UpdateService 2 | api:1 0/2
        "#]],
    );
}

#[test]
fn what_would_be_gone_back_to_is_deregistered_meanwhile() {
    let deregister = |cloud: &mut Cloud| {
        ask(cloud, "DeregisterTaskDefinition", &json!({"taskDefinition": "api:1"}));
    };
    let script = script(new(Image::missing())).with_breaker(false).at(8, deregister);
    check(
        &script,
        &expect![[r#"
            rollback_stuck by launchway: UndoFailed > UndoFailed > TargetRefused after 20 s
            - going back failed at api/update
            - api cannot run api:1 again
            - AWS refused ecs:UpdateService: TaskDefinition is inactive
              Platform: ecs:UpdateService: ClientException: TaskDefinition is inactive (request ID)
            - ECS gave the deployment up: ECS deployment circuit breaker: tasks failed to start.
              Platform: task ID: TaskFailedToStart: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
              Exit: container app never ran: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
              Platform: 3 more ended like this one
              Platform: (service api) (deployment ecs-svc/ID) deployment failed: tasks failed to start.
            RegisterTaskDefinition 1, UpdateService 1 | api:2 2/2
        "#]],
    );
}

#[test]
fn there_is_no_room_for_tasks() {
    check(
        &script(|cloud| cloud.set_room("c", false)),
        &expect![[r#"
            rolled_back by launchway: NeverHealthy after 31 s
            - 3 tasks failed one after the other, and ECS would go on
              Platform: (service api) was unable to place a task because no container instance met all of its requirements.
              Platform: (service api) was unable to place a task because no container instance met all of its requirements.
              Platform: (service api) was unable to place a task because no container instance met all of its requirements.
            RegisterTaskDefinition 1, StopServiceDeployment 1, UpdateService 1 | api:1 2/2
        "#]],
    );
}

fn migrating(set_up: impl Fn(&mut Cloud) + 'static) -> Script {
    let mut script = script(set_up);
    script.migrates = true;
    script
}

fn migration(image: Image) -> impl Fn(&mut Cloud) {
    move |cloud| cloud.script_command(NEW, &["alembic", "upgrade"], image.clone())
}

#[test]
fn a_migration_runs_once_before_the_change() {
    check(
        &migrating(migration(Image::exits(8000, 0))),
        &expect![[r#"
        succeeded by launchway after 31 s
        RegisterTaskDefinition 1, RunTask 1, UpdateService 1 | api:2 2/2
    "#]],
    );
}

#[test]
fn a_migration_that_fails_leaves_the_service_alone() {
    let image = Image::exits(8000, 3).printing(&["no such column"]);
    check(
        &migrating(migration(image)),
        &expect![[r#"
            rolled_back by launchway: MigrationFailed > Exited after 20 s
            - the migration failed
            - it ended with exit code 3
              Platform: task ID: EssentialContainerExited: Essential container in task exited
              Exit: container app ended with exit code 3
              Log: app: no such column
            RegisterTaskDefinition 1, RunTask 1 | api:1 2/2
        "#]],
    );
}

#[test]
fn a_migration_that_is_killed() {
    check(
        &migrating(migration(Image::exits(8000, 137))),
        &expect![[r#"
            rolled_back by launchway: MigrationFailed > Exited after 20 s
            - the migration failed
            - it ended with exit code 137 (killed: out of memory, or deaf to SIGTERM)
              Platform: task ID: EssentialContainerExited: Essential container in task exited
              Exit: container app ended with exit code 137 (killed: out of memory, or deaf to SIGTERM)
            RegisterTaskDefinition 1, RunTask 1 | api:1 2/2
        "#]],
    );
}

#[test]
fn a_migration_whose_image_is_missing() {
    check(
        &migrating(new(Image::missing())),
        &expect![[r#"
        rolled_back by launchway: MigrationFailed > NotStarted after 10 s
        - the migration failed
        - it never ran
          Platform: task ID: TaskFailedToStart: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
          Exit: container app never ran: CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found
        RegisterTaskDefinition 1, RunTask 1 | api:1 2/2
    "#]],
    );
}

#[test]
fn a_migration_that_never_ends_is_stopped() {
    check(
        &migrating(migration(Image::good())),
        &expect![[r#"
            rolled_back by launchway: MigrationFailed > TimedOut after 296 s
            - the migration failed
            - the task still ran when its time was over
            RegisterTaskDefinition 1, RunTask 1, StopTask 1 | api:1 2/2
        "#]],
    );
}

#[test]
fn a_migration_without_room() {
    check(
        &migrating(|cloud| cloud.set_room("c", false)),
        &expect![[r#"
            rolled_back by launchway: MigrationFailed > NotStarted after 0 s
            - the migration failed
            - no task was started: RESOURCE:MEMORY
            RegisterTaskDefinition 1, RunTask 1 | api:1 2/2
        "#]],
    );
}
