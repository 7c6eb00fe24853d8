//! The model at its door: what a client sees of a service, second by second.

use expect_test::{Expect, expect};
use model_cloud::{Answer, Cloud, Fault, FaultKind, Health, Image, Request, Rollback};
use serde_json::{Value as Json, json};

const START: u64 = 1_700_000_000_000;
const BREAKER: &str = r#"{"deploymentCircuitBreaker": {"enable": true, "rollback": true}}"#;

fn cloud() -> Cloud {
    let mut cloud = Cloud::new("111122223333", "eu-central-1", START);
    ask(&mut cloud, "CreateCluster", json!({"clusterName": "c"}));
    cloud
}

fn answer(cloud: &mut Cloud, operation: &str, body: &Json) -> Answer {
    let prefix = if operation == "GetLogEvents" {
        "Logs_20140328"
    } else {
        "AmazonEC2ContainerServiceV20141113"
    };
    let request = Request {
        target: format!("{prefix}.{operation}"),
        body: body.to_string(),
        ..Request::default()
    };
    cloud.answer(&request)
}

fn ask(cloud: &mut Cloud, operation: &str, body: Json) -> Json {
    match answer(cloud, operation, &body) {
        Answer::Said { body, .. } => serde_json::from_str(&body).expect("the model says so"),
        Answer::Lost => json!("lost"),
    }
}

fn register(cloud: &mut Cloud, image: &str, more: &Json) -> String {
    let mut container = json!({"name": "app", "image": image, "memory": 128});
    for (key, value) in more.as_object().into_iter().flatten() {
        container[key] = value.clone();
    }
    let body = json!({"family": "app", "containerDefinitions": [container]});
    let given = ask(cloud, "RegisterTaskDefinition", body);
    given["taskDefinition"]["taskDefinitionArn"].as_str().expect("the model says so").to_owned()
}

fn service(cloud: &mut Cloud, configuration: &str) -> Json {
    let configuration: Json = serde_json::from_str(configuration).expect("the model says so");
    let body = json!({"cluster": "c", "serviceName": "api", "desiredCount": 2,
        "taskDefinition": "app", "deploymentConfiguration": configuration});
    let given = ask(cloud, "CreateService", body);
    let to = cloud.now() + 30_000;
    cloud.advance(to);
    given
}

fn update(cloud: &mut Cloud, body: &Json) -> Json {
    let mut asked = json!({"cluster": "c", "service": "api"});
    for (key, value) in body.as_object().into_iter().flatten() {
        asked[key] = value.clone();
    }
    ask(cloud, "UpdateService", asked)
}

fn seen(cloud: &mut Cloud) -> String {
    let given = ask(cloud, "DescribeServices", json!({"cluster": "c", "services": ["api"]}));
    let service = &given["services"][0];
    let deployments =
        service["deployments"].as_array().expect("the model says so").iter().map(|it| {
            let revision = it["taskDefinition"]
                .as_str()
                .expect("the model says so")
                .rsplit(':')
                .next()
                .expect("the model says so");
            format!(
                "{} :{revision} {} {}/{} failed {}",
                it["status"].as_str().expect("the model says so"),
                it["rolloutState"].as_str().unwrap_or("-"),
                it["runningCount"],
                it["desiredCount"],
                it["failedTasks"]
            )
        });
    let list = ask(cloud, "ListServiceDeployments", json!({"cluster": "c", "service": "api"}));
    let last = list["serviceDeployments"][0]["status"].as_str().unwrap_or("-");
    format!("{} | {last}", deployments.collect::<Vec<_>>().join(", "))
}

/// What is seen whenever it changes, for so many seconds.
fn watch(cloud: &mut Cloud, seconds: u64) -> String {
    let (began, mut last, mut out) = (cloud.now(), String::new(), String::new());
    while cloud.now() < began + seconds * 1000 {
        let now = seen(cloud);
        if now != last {
            out += &format!("{:03} s  {now}\n", (cloud.now() - began) / 1000);
            last = now;
        }
        let to = cloud.now() + 1000;
        cloud.advance(to);
    }
    out
}

fn check_watch(
    (new, seconds): (Image, u64),
    configuration: &str,
    container: &Json,
    expect: &Expect,
) {
    let mut cloud = cloud();
    register(&mut cloud, "app@sha256:good", container);
    service(&mut cloud, configuration);
    cloud.script("app@sha256:new", new);
    let definition = register(&mut cloud, "app@sha256:new", container);
    update(&mut cloud, &json!({"taskDefinition": definition}));
    expect.assert_eq(&watch(&mut cloud, seconds));
}

fn no_check() -> Json {
    json!({})
}

fn checked() -> Json {
    json!({"healthCheck": {"command": ["CMD", "true"]}})
}

#[test]
fn a_good_image_takes_over() {
    check_watch(
        (Image::good(), 300),
        "{}",
        &no_check(),
        &expect![[r#"
            000 s  PRIMARY :2 IN_PROGRESS 0/2 failed 0, ACTIVE :1 COMPLETED 2/2 failed 0 | IN_PROGRESS
            006 s  PRIMARY :2 COMPLETED 2/2 failed 0, ACTIVE :1 COMPLETED 0/0 failed 0 | SUCCESSFUL
            009 s  PRIMARY :2 COMPLETED 2/2 failed 0 | SUCCESSFUL
        "#]],
    );
}

#[test]
fn without_a_breaker_a_missing_image_never_ends() {
    check_watch(
        (Image::missing(), 40),
        "{}",
        &no_check(),
        &expect![[r#"
            000 s  PRIMARY :2 IN_PROGRESS 0/2 failed 0, ACTIVE :1 COMPLETED 2/2 failed 0 | IN_PROGRESS
            006 s  PRIMARY :2 IN_PROGRESS 0/2 failed 2, ACTIVE :1 COMPLETED 2/2 failed 0 | IN_PROGRESS
            016 s  PRIMARY :2 IN_PROGRESS 0/2 failed 4, ACTIVE :1 COMPLETED 2/2 failed 0 | IN_PROGRESS
            026 s  PRIMARY :2 IN_PROGRESS 0/2 failed 6, ACTIVE :1 COMPLETED 2/2 failed 0 | IN_PROGRESS
            036 s  PRIMARY :2 IN_PROGRESS 0/2 failed 8, ACTIVE :1 COMPLETED 2/2 failed 0 | IN_PROGRESS
        "#]],
    );
}

#[test]
fn the_breaker_goes_back_and_the_failed_one_disappears() {
    check_watch(
        (Image::missing(), 300),
        BREAKER,
        &no_check(),
        &expect![[r#"
            000 s  PRIMARY :2 IN_PROGRESS 0/2 failed 0, ACTIVE :1 COMPLETED 2/2 failed 0 | IN_PROGRESS
            006 s  PRIMARY :2 IN_PROGRESS 0/2 failed 2, ACTIVE :1 COMPLETED 2/2 failed 0 | IN_PROGRESS
            016 s  PRIMARY :1 IN_PROGRESS 2/2 failed 0, ACTIVE :2 FAILED 0/0 failed 4 | ROLLBACK_IN_PROGRESS
            018 s  PRIMARY :1 IN_PROGRESS 2/2 failed 0 | ROLLBACK_IN_PROGRESS
            026 s  PRIMARY :1 COMPLETED 2/2 failed 0 | ROLLBACK_SUCCESSFUL
        "#]],
    );
}

#[test]
fn without_a_rollback_the_failed_one_stays_primary() {
    let stays = r#"{"deploymentCircuitBreaker": {"enable": true, "rollback": false}}"#;
    check_watch(
        (Image::missing(), 300),
        stays,
        &no_check(),
        &expect![[r#"
            000 s  PRIMARY :2 IN_PROGRESS 0/2 failed 0, ACTIVE :1 COMPLETED 2/2 failed 0 | IN_PROGRESS
            006 s  PRIMARY :2 IN_PROGRESS 0/2 failed 2, ACTIVE :1 COMPLETED 2/2 failed 0 | IN_PROGRESS
            016 s  PRIMARY :2 FAILED 0/2 failed 4, ACTIVE :1 COMPLETED 2/2 failed 0 | STOPPED
        "#]],
    );
}

/// Where nobody asks for its health, a container that ran is no failure (D-B4).
#[test]
fn what_starts_and_crashes_never_trips_the_breaker_without_a_health_check() {
    check_watch(
        (Image::exits(8000, 1), 60),
        BREAKER,
        &no_check(),
        &expect![[r#"
            000 s  PRIMARY :2 IN_PROGRESS 0/2 failed 0, ACTIVE :1 COMPLETED 2/2 failed 0 | IN_PROGRESS
            006 s  PRIMARY :2 COMPLETED 2/2 failed 0, ACTIVE :1 COMPLETED 0/0 failed 0 | SUCCESSFUL
            009 s  PRIMARY :2 COMPLETED 2/2 failed 0 | SUCCESSFUL
            014 s  PRIMARY :2 COMPLETED 0/2 failed 0 | SUCCESSFUL
            024 s  PRIMARY :2 COMPLETED 2/2 failed 0 | SUCCESSFUL
            032 s  PRIMARY :2 COMPLETED 0/2 failed 0 | SUCCESSFUL
            042 s  PRIMARY :2 COMPLETED 2/2 failed 0 | SUCCESSFUL
            050 s  PRIMARY :2 COMPLETED 0/2 failed 0 | SUCCESSFUL
        "#]],
    );
}

#[test]
fn what_is_never_healthy_trips_the_breaker() {
    check_watch(
        (Image::with_health(Health::Never), 300),
        BREAKER,
        &checked(),
        &expect![[r#"
            000 s  PRIMARY :2 IN_PROGRESS 0/2 failed 0, ACTIVE :1 COMPLETED 2/2 failed 0 | IN_PROGRESS
            006 s  PRIMARY :2 IN_PROGRESS 2/2 failed 0, ACTIVE :1 COMPLETED 2/2 failed 0 | IN_PROGRESS
            096 s  PRIMARY :2 IN_PROGRESS 0/2 failed 2, ACTIVE :1 COMPLETED 2/2 failed 0 | IN_PROGRESS
            106 s  PRIMARY :2 IN_PROGRESS 2/2 failed 2, ACTIVE :1 COMPLETED 2/2 failed 0 | IN_PROGRESS
            196 s  PRIMARY :1 IN_PROGRESS 2/2 failed 0, ACTIVE :2 FAILED 0/0 failed 4 | ROLLBACK_IN_PROGRESS
            199 s  PRIMARY :1 IN_PROGRESS 2/2 failed 0 | ROLLBACK_IN_PROGRESS
            206 s  PRIMARY :1 COMPLETED 2/2 failed 0 | ROLLBACK_SUCCESSFUL
        "#]],
    );
}

#[test]
fn a_rollback_may_reuse_the_deployment() {
    let mut cloud = cloud();
    cloud.rolls_back_with(Rollback::SameDeployment);
    register(&mut cloud, "app@sha256:good", &no_check());
    let made = service(&mut cloud, BREAKER);
    cloud.script("app@sha256:new", Image::missing());
    let definition = register(&mut cloud, "app@sha256:new", &no_check());
    update(&mut cloud, &json!({"taskDefinition": definition}));
    watch(&mut cloud, 300);
    let after = ask(&mut cloud, "DescribeServices", json!({"cluster": "c", "services": ["api"]}));
    let id = |it: &Json| it["deployments"][0]["id"].clone();
    assert_eq!(id(&after["services"][0]), id(&made["service"]));
    assert_eq!(after["services"][0]["deployments"].as_array().unwrap().len(), 1);
}

#[test]
fn a_service_deployment_that_is_stopped_goes_back() {
    let mut cloud = cloud();
    register(&mut cloud, "app@sha256:good", &no_check());
    service(&mut cloud, "{}");
    cloud.script("app@sha256:new", Image::missing());
    let definition = register(&mut cloud, "app@sha256:new", &no_check());
    update(&mut cloud, &json!({"taskDefinition": definition}));
    let list = ask(&mut cloud, "ListServiceDeployments", json!({"cluster": "c", "service": "api"}));
    let arn = list["serviceDeployments"][0]["serviceDeploymentArn"].clone();
    let stop = json!({"serviceDeploymentArn": arn, "stopType": "ROLLBACK"});
    ask(&mut cloud, "StopServiceDeployment", stop.clone());
    let twice = ask(&mut cloud, "StopServiceDeployment", stop.clone());
    assert_eq!(twice["serviceDeploymentArn"], arn);
    expect![[r#"
        000 s  PRIMARY :2 IN_PROGRESS 0/2 failed 0, ACTIVE :1 COMPLETED 2/2 failed 0 | ROLLBACK_REQUESTED
        001 s  PRIMARY :1 IN_PROGRESS 2/2 failed 0 | ROLLBACK_IN_PROGRESS
        011 s  PRIMARY :1 COMPLETED 2/2 failed 0 | ROLLBACK_SUCCESSFUL
    "#]].assert_eq(&watch(&mut cloud, 300));
    let late = ask(&mut cloud, "StopServiceDeployment", stop);
    assert_eq!(late["__type"], "ConflictException");
}

fn check_starts(body: &Json, starts: bool) {
    let mut cloud = cloud();
    let definition = register(&mut cloud, "app@sha256:good", &no_check());
    service(&mut cloud, "{}");
    let mut body = body.clone();
    if body["taskDefinition"] == "same" {
        body["taskDefinition"] = json!(definition);
    }
    let given = update(&mut cloud, &body);
    let count = given["service"]["deployments"].as_array().map_or(0, Vec::len);
    assert_eq!(count == 2, starts, "{body}: {given}");
}

/// D-B2: what starts a deployment and what does not.
#[test]
fn what_starts_a_deployment() {
    check_starts(&json!({"forceNewDeployment": true}), true);
    check_starts(&json!({"taskDefinition": "same"}), false);
    check_starts(&json!({"taskDefinition": "same", "forceNewDeployment": true}), true);
    check_starts(&json!({"desiredCount": 5}), false);
    check_starts(&json!({"platformVersion": "1.4.0"}), true);
    check_starts(
        &json!({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s"]}}}),
        true,
    );
    check_starts(&json!({"deploymentConfiguration": {"maximumPercent": 150}}), false);
    check_starts(&json!({"healthCheckGracePeriodSeconds": 5}), false);
}

fn check_refused(given: &Json, expect: &Expect) {
    expect.assert_eq(&format!(
        "{}: {}",
        given["__type"].as_str().unwrap_or("ok"),
        given["message"].as_str().unwrap_or("")
    ));
}

#[test]
fn revisions_that_cannot_be_deployed_are_refused() {
    let mut cloud = cloud();
    let first = register(&mut cloud, "app@sha256:good", &no_check());
    service(&mut cloud, "{}");
    let unknown = update(&mut cloud, &json!({"taskDefinition": "app:9"}));
    check_refused(&unknown, &expect!["ClientException: TaskDefinition not found."]);
    ask(&mut cloud, "DeregisterTaskDefinition", json!({"taskDefinition": first}));
    let inactive = update(&mut cloud, &json!({"taskDefinition": first}));
    check_refused(&inactive, &expect!["ClientException: TaskDefinition is inactive"]);
    let extra = json!({"family": "app", "revision": 3, "containerDefinitions": []});
    let extra = ask(&mut cloud, "RegisterTaskDefinition", extra);
    check_refused(
        &extra,
        &expect![[r#"InvalidParameterException: Unknown parameter in input: "revision""#]],
    );
    let elsewhere =
        ask(&mut cloud, "DescribeServices", json!({"cluster": "x", "services": ["api"]}));
    check_refused(&elsewhere, &expect!["ClusterNotFoundException: Cluster not found."]);
    let missing = ask(&mut cloud, "DescribeServices", json!({"cluster": "c", "services": ["web"]}));
    assert_eq!(missing["failures"][0]["reason"], "MISSING");
}

#[test]
fn a_client_token_gives_the_same_task_and_no_other() {
    let mut cloud = cloud();
    register(&mut cloud, "app@sha256:good", &no_check());
    let run =
        json!({"cluster": "c", "taskDefinition": "app", "clientToken": "t", "startedBy": "a"});
    let first = ask(&mut cloud, "RunTask", run.clone());
    let second = ask(&mut cloud, "RunTask", run.clone());
    assert_eq!(first["tasks"][0]["taskArn"], second["tasks"][0]["taskArn"]);
    let mut other = run;
    other["startedBy"] = json!("b");
    let conflict = ask(&mut cloud, "RunTask", other);
    assert_eq!(conflict["__type"], "ConflictException");
    assert_eq!(conflict["resourceIds"][0], first["tasks"][0]["taskArn"]);
}

fn check_task(image: Image, expect: &Expect) {
    let mut cloud = cloud();
    cloud.script("app@sha256:good", image);
    register(&mut cloud, "app@sha256:good", &no_check());
    let given = ask(&mut cloud, "RunTask", json!({"cluster": "c", "taskDefinition": "app"}));
    let arn = given["tasks"][0]["taskArn"].clone();
    let to = cloud.now() + 60_000;
    cloud.advance(to);
    let given = ask(&mut cloud, "DescribeTasks", json!({"cluster": "c", "tasks": [arn]}));
    let task = &given["tasks"][0];
    expect.assert_eq(&format!(
        "{} {} {} exit {}",
        task["lastStatus"],
        task["stopCode"],
        task["stoppedReason"],
        task["containers"][0].get("exitCode").map_or("absent".to_owned(), Json::to_string)
    ));
}

#[test]
fn how_tasks_end() {
    check_task(
        Image::exits(2000, 0),
        &expect![[
            r#""STOPPED" "EssentialContainerExited" "Essential container in task exited" exit 0"#
        ]],
    );
    check_task(
        Image::exits(2000, 3),
        &expect![[
            r#""STOPPED" "EssentialContainerExited" "Essential container in task exited" exit 3"#
        ]],
    );
    check_task(
        Image::missing(),
        &expect![[
            r#""STOPPED" "TaskFailedToStart" "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref: not found" exit absent"#
        ]],
    );
    check_task(Image::good(), &expect![[r#""RUNNING" null null exit absent"#]]);
}

#[test]
fn what_a_container_prints_is_in_its_stream() {
    let mut cloud = cloud();
    cloud.script("app@sha256:good", Image::exits(2000, 0).printing(&["one", "two"]));
    let log = json!({"logConfiguration": {"logDriver": "awslogs", "options": {
        "awslogs-group": "/ecs/app", "awslogs-stream-prefix": "app"}}});
    register(&mut cloud, "app@sha256:good", &log);
    let given = ask(&mut cloud, "RunTask", json!({"cluster": "c", "taskDefinition": "app"}));
    let id = given["tasks"][0]["taskArn"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let body = json!({"logGroupName": "/ecs/app", "logStreamName": format!("app/app/{id}"),
        "startFromHead": true});
    let early = ask(&mut cloud, "GetLogEvents", body.clone());
    assert_eq!(early["__type"], "ResourceNotFoundException");
    let to = cloud.now() + 60_000;
    cloud.advance(to);
    let first = ask(&mut cloud, "GetLogEvents", body.clone());
    let lines: Vec<&str> = first["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["message"].as_str().unwrap())
        .collect();
    assert_eq!(lines, ["one", "two"]);
    let mut next = body;
    next["nextToken"] = first["nextForwardToken"].clone();
    let second = ask(&mut cloud, "GetLogEvents", next);
    assert_eq!(second["nextForwardToken"], first["nextForwardToken"]);
    assert_eq!(second["events"], json!([]));
}

#[test]
fn faults_meet_calls_and_half_applied_ones_are_remembered() {
    let mut cloud = cloud();
    register(&mut cloud, "app@sha256:good", &no_check());
    cloud.inject(Fault::first("ecs:RunTask", 1, FaultKind::Throttled));
    cloud.inject(Fault { after: 1, ..Fault::first("ecs:RunTask", 1, FaultKind::LostAfter) });
    let run = json!({"cluster": "c", "taskDefinition": "app"});
    assert_eq!(ask(&mut cloud, "RunTask", run.clone())["__type"], "ThrottlingException");
    assert_eq!(ask(&mut cloud, "RunTask", run.clone()), json!("lost"));
    assert!(ask(&mut cloud, "RunTask", run)["tasks"][0].is_object());
    let outcomes: Vec<(bool, &str)> = cloud
        .calls()
        .iter()
        .filter(|it| it.action == "ecs:RunTask")
        .map(|it| (it.done, it.outcome.as_str()))
        .collect();
    assert_eq!(outcomes, [(false, "ThrottlingException"), (true, "lost"), (true, "ok")]);
    assert_eq!(cloud.done("ecs:RunTask"), 2);
}

#[test]
fn reads_lag_behind_writes() {
    let mut cloud = cloud();
    register(&mut cloud, "app@sha256:good", &no_check());
    service(&mut cloud, "{}");
    cloud.lag(3000);
    let before = seen(&mut cloud);
    update(&mut cloud, &json!({"forceNewDeployment": true}));
    assert_eq!(seen(&mut cloud), before);
    let to = cloud.now() + 4000;
    cloud.advance(to);
    assert_ne!(seen(&mut cloud), before);
}

#[test]
fn the_same_calls_give_the_same_answers() {
    let run = || {
        let mut cloud = cloud();
        register(&mut cloud, "app@sha256:good", &no_check());
        service(&mut cloud, BREAKER).to_string() + &seen(&mut cloud)
    };
    assert_eq!(run(), run());
}
