//! Deployments to ECS by the action's native version, against the model cloud, whose time runs sixty
//! times as fast: a deployment that fails says so at once, whatever still runs.

use model_cloud::{Answer, Clock, Cloud, Fault, FaultKind, Front, Image, Request};
use serde_json::{Value as Json, json};

use crate::bench::{Bench, Ran};

const START: u64 = 1_795_000_000_000;

fn ask(cloud: &mut Cloud, operation: &str, body: &Json) -> Json {
    let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
    let request = Request { target, body: body.to_string(), ..Request::default() };
    match cloud.answer(&request) {
        Answer::Said { body, .. } => serde_json::from_str(&body).expect("the model speaks JSON"),
        Answer::Lost => Json::Null,
    }
}

/// A service of two tasks that runs well, and a job that may deploy to it.
fn job(set_up: impl FnOnce(&mut Cloud)) -> (Bench, Front) {
    let mut cloud = Cloud::new("111122223333", "eu-central-1", START);
    cloud.set_deregistration_delay(5000);
    ask(&mut cloud, "CreateCluster", &json!({"clusterName": "c"}));
    let containers = json!([{"name": "app", "image": "app:1", "memory": 128}]);
    let body = json!({"family": "api", "containerDefinitions": containers});
    ask(&mut cloud, "RegisterTaskDefinition", &body);
    let breaker = json!({"deploymentCircuitBreaker": {"enable": true, "rollback": true}});
    let body = json!({"cluster": "c", "serviceName": "api", "desiredCount": 2, "launchType": "FARGATE",
        "taskDefinition": "api", "deploymentConfiguration": breaker,
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}});
    ask(&mut cloud, "CreateService", &body);
    cloud.advance(START + 120_000);
    set_up(&mut cloud);
    let front = Front::serve(cloud, Clock::Wall { times: 60 }, 0).expect("a port");
    let mut bench = Bench::new();
    for (name, value) in [
        ("AWS_ENDPOINT_URL", &*front.url()),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKIA111122223333"),
        ("AWS_SECRET_ACCESS_KEY", "not-a-secret"),
    ] {
        bench.set(name, value);
    }
    let containers = json!([
        {"name": "app", "image": "app:2", "memory": 128, "command": [], "user": "",
            "environment": [{"name": "EMPTY", "value": ""}]},
    ]);
    let definition = json!({"family": "api", "revision": 7, "volumes": null, "note": "mine",
        "containerDefinitions": containers});
    bench.write("work/task.json", definition.to_string());
    (bench, front)
}

fn deploy(bench: &Bench, more: &[(&str, &str)]) -> Ran {
    let inputs =
        [("task-definition", "task.json"), ("cluster", "c"), ("wait-max-delay-seconds", "1")];
    bench.run("ecs-deploy-task-definition", &[&inputs, more].concat())
}

const WAIT: [(&str, &str); 2] = [("service", "api"), ("wait-for-service-stability", "true")];

fn last(front: &Front, action: &str) -> Json {
    front.with(|cloud| {
        let call = cloud.calls().iter().rfind(|it| it.action == action);
        call.unwrap_or_else(|| panic!("{action} was not called")).request.clone()
    })
}

#[test]
fn a_good_deployment_is_done_when_ecs_says_so() {
    let (bench, front) = job(|_| {});
    let ran = deploy(&bench, &[&WAIT[..], &[("desired-count", "3")]].concat()).ok();
    assert!(ran.log.contains("verified: rolloutState=COMPLETED"), "{}", ran.log);
    assert!(ran.outputs["task-definition-arn"].ends_with("task-definition/api:2"));
    assert!(ran.log.contains("::warning::Ignoring property 'revision' in the task definition"));
    assert!(ran.log.contains("'note' is no member of a task definition"), "{}", ran.log);
    let containers = json!([{"name": "app", "image": "app:2", "memory": 128,
        "environment": [{"name": "EMPTY", "value": ""}]}]);
    let registered = json!({"family": "api", "containerDefinitions": containers});
    assert_eq!(last(&front, "ecs:RegisterTaskDefinition"), registered);
    let updated = last(&front, "ecs:UpdateService");
    assert_eq!(
        (&updated["desiredCount"], &updated["forceNewDeployment"]),
        (&json!(3), &json!(false))
    );
}

/// The original's oldest complaint: ECS went back, the service is stable, the step was green.
#[test]
fn a_deployment_that_ecs_takes_back_fails() {
    let (bench, _front) = job(|cloud| cloud.script("app:2", Image::missing()));
    let ran = deploy(&bench, &WAIT);
    assert_eq!(ran.code, 1, "{}", ran.log);
    let error = ran.log.lines().find(|line| line.starts_with("::error::")).expect("an error");
    assert!(error.contains("was rolled back by ECS"), "{error}");
    assert!(ran.log.contains("(service api)"), "ECS's own events are shown: {}", ran.log);
}

#[test]
fn what_is_not_waited_for_is_only_begun() {
    let (bench, front) = job(|cloud| {
        cloud.inject(Fault::first("ecs:UpdateService", 1, FaultKind::Throttled));
    });
    let ran = deploy(&bench, &[("service", "api"), ("force-new-deployment", "true")]).ok();
    assert!(ran.log.contains("ecs:UpdateService: Rate exceeded; trying again"), "{}", ran.log);
    assert_eq!(last(&front, "ecs:UpdateService")["forceNewDeployment"], true);
    let ran = deploy(&bench, &[]).ok();
    assert!(ran.log.contains("Service was not specified, no service updated"));
    let ran = deploy(&bench, &[("service", "none")]);
    assert_eq!(ran.code, 1);
    assert!(ran.log.contains("none is MISSING"), "{}", ran.log);
}

#[test]
fn a_task_runs_before_the_service_and_its_end_counts() {
    let (bench, front) = job(|cloud| {
        cloud.script_command("app:2", &["migrate"], Image::exits(2000, 0));
        cloud.script_command("app:2", &["break"], Image::exits(2000, 3));
    });
    let run = |command: &str| {
        let overrides = format!(r#"[{{"name": "app", "command": ["{command}"]}}]"#);
        let more = [
            ("run-task", "true"),
            ("wait-for-task-stopped", "true"),
            ("run-task-container-overrides", &*overrides),
            ("run-task-subnets", "subnet-1,subnet-2"),
            ("service", "api"),
        ];
        deploy(&bench, &more)
    };
    let ran = run("migrate").ok();
    assert!(ran.outputs["run-task-arn"].starts_with("[\"arn:aws:ecs:"), "{:?}", ran.outputs);
    let asked = last(&front, "ecs:RunTask");
    assert_eq!(
        (&asked["launchType"], &asked["startedBy"]),
        (&json!("FARGATE"), &json!("GitHub-Actions"))
    );
    let network = json!({"assignPublicIp": "DISABLED", "subnets": ["subnet-1", "subnet-2"]});
    assert_eq!(asked["networkConfiguration"]["awsvpcConfiguration"], network);
    let updates = front.with(|cloud| cloud.done("ecs:UpdateService"));
    let ran = run("break");
    assert_eq!(ran.code, 1);
    assert!(ran.log.contains("::error::Run task failed: app: exit code 3"), "{}", ran.log);
    assert_eq!(front.with(|cloud| cloud.done("ecs:UpdateService")), updates, "not after a failure");
}

#[test]
fn a_definition_at_aws_is_rendered() {
    let (bench, _front) = job(|_| {});
    let inputs = [("task-definition-family", "api"), ("container-name", "app"), ("image", "app:9")];
    let ran = bench.run("ecs-render-task-definition", &inputs).ok();
    let text = std::fs::read_to_string(&ran.outputs["task-definition"]).expect("the file");
    let written: Json = serde_json::from_str(&text).expect("JSON");
    assert_eq!(written["containerDefinitions"][0]["image"], "app:9");
    assert_eq!((written.get("revision"), &written["tags"]), (None, &json!([])));
    let inputs = [("task-definition-arn", "none"), inputs[1], inputs[2]];
    let ran = bench.run("ecs-render-task-definition", &inputs);
    assert!(
        ran.log.contains("::error::Failed to describe task definition in ECS: "),
        "{}",
        ran.log
    );
}
