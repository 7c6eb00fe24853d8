//! `aws-actions/amazon-ecs-deploy-task-definition`: a task definition is registered, a task of it is
//! run, a service goes over to it. What became of that is told by the deployment itself, not by
//! how many tasks run: a deployment that ECS took back is no success.

mod run_task;
mod verdict;

use std::fs;
use std::time::{Duration, Instant};

use aws::{Client, Console, EcsService, Fault, FaultKind};
use serde_json::{Value as Json, json};

use super::step::{Failure, Step, failed_at};
use super::task_definition::{described_members, registrable, remove};
use super::{Native, NativeAction, Stage, cloud};
use verdict::{Verdict, Watch};

/// The registration.
pub(super) const DEPLOY: Native = Native {
    action: NativeAction {
        name: "ecs-deploy-task-definition",
        manifest: include_str!("ecs_deploy.yml"),
        stages: &[Stage::Main],
    },
    of: "aws-actions/amazon-ecs-deploy-task-definition",
    majors: &[1, 2],
    refs: &["master", "main"],
    commits: &[
        ("df9643053eda01f169e64a0e60233aacca83799a", 1),
        ("69e7aed9b8acdd75a6c585ac669c33831ab1b9a3", 1),
        ("8229049d0e7c34be9ba40d443608d2d6cde7510f", 1),
        ("06703f1be1bf4df74075222214d21baae72cf3a1", 2),
        ("135af6c0ea24f888dcaad892bce3b31cc9e5da64", 2),
        ("0e82244a9c6dac43d70151a94c67ebc4bab18fc5", 2),
        ("8230edfe842008418c5275908cae75e51d3befb2", 2),
        ("f7b2b96b7fe1b20b452641919c0559bcc19ab8f9", 2),
        ("7b5ba17dae98c8fd463ddf2cef977d3be43322c5", 2),
        ("cbf54ec46642b86ff78c2f5793da6746954cf8ff", 2),
        ("c465972ecbd160473f22e683363b422a5412a3de", 2),
    ],
    run,
};

/// The original's longest and usual waits.
const MINUTES_MAX: u64 = 360;
const MINUTES: u64 = 30;
/// A look at a service costs one call; ECS itself decides every few seconds.
const LOOK_EVERY: Duration = Duration::from_secs(5);

fn run(step: &mut Step, stage: Stage) -> Result<(), Failure> {
    if stage != Stage::Main {
        return Ok(());
    }
    let mut calls = Calls::of(step)?;
    let body = definition(step)?;
    let words = "Failed to register task definition in ECS";
    let registered = calls.call(step, words, |client| client.register_task_definition(&body))?;
    step.output("task-definition-arn", &registered.arn);
    step.info(&format!("registered {}", registered.arn));
    let cluster = step.given("cluster").unwrap_or_else(|| "default".to_owned());
    if is_true(step, "run-task") {
        run_task::run(step, &mut calls, &cluster, &registered.arn)?;
    }
    match step.given("service") {
        Some(service) => deploy(step, &mut calls, &cluster, &service, &registered.arn),
        None => {
            step.info("Service was not specified, no service updated");
            Ok(())
        }
    }
}

/// Only the word itself switches anything on, as in the original.
fn is_true(step: &Step, input: &str) -> bool {
    step.input(input).eq_ignore_ascii_case("true")
}

/// How long the step waits for things, from now.
fn deadline(step: &Step) -> (Instant, u64) {
    let minutes = step.given("wait-for-minutes").and_then(|it| it.parse::<u64>().ok());
    let minutes = minutes.filter(|it| *it > 0).unwrap_or(MINUTES).min(MINUTES_MAX);
    (Instant::now() + Duration::from_secs(minutes * 60), minutes)
}

/// How long it waits between two looks; the input can make that shorter.
fn look_every(step: &Step) -> Duration {
    let most = step.given("wait-max-delay-seconds").and_then(|it| it.parse::<u64>().ok());
    most.filter(|it| *it > 0).map_or(LOOK_EVERY, |it| LOOK_EVERY.min(Duration::from_secs(it)))
}

/// Calls that are made again where AWS wants fewer: then nothing was done.
struct Calls {
    client: Client,
    tries: u32,
}

impl Calls {
    fn of(step: &Step) -> Result<Calls, Failure> {
        let mut client = cloud::client(step)?;
        client.call_as("amazon-ecs-deploy-task-definition-for-github-actions".to_owned());
        let tries = step.given("max-retries").and_then(|it| it.parse().ok());
        Ok(Calls { client, tries: tries.filter(|it| *it > 0).unwrap_or(3) })
    }

    fn call<T>(
        &mut self,
        step: &Step,
        words: &str,
        ask: impl Fn(&mut Client) -> Result<T, Fault>,
    ) -> Result<T, Failure> {
        let mut tried = 1;
        loop {
            match ask(&mut self.client) {
                Ok(answer) => return Ok(answer),
                Err(fault) if fault.kind == FaultKind::Throttled && tried < self.tries => {
                    step.info(&format!("{}: {}; trying again", fault.action, fault.message));
                    std::thread::sleep(Duration::from_secs(1 << tried.min(4)));
                    tried += 1;
                }
                Err(fault) => return Err(cloud::failed(&fault, words)),
            }
        }
    }
}

/// What is registered: the file without what is empty and what may not be sent.
fn definition(step: &Step) -> Result<Json, Failure> {
    let name = step.needed("task-definition")?;
    let path = step.folder("GITHUB_WORKSPACE")?.join(&name);
    let text = fs::read_to_string(&path).map_err(failed_at("read", &path))?;
    let read = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok().or_else(|| {
        let (tree, _) = syntax::yaml::read(&syntax::Source::new(name.as_str(), text.as_str()));
        tree.map(|tree| tree.to_json())
    });
    let mut definition: Json = read.filter(Json::is_object).ok_or_else(|| {
        Failure::new(format!("{name} is no task definition: neither JSON nor YAML"))
    })?;
    for member in described_members(&definition) {
        step.warning(&format!("Ignoring property '{member}' in the task definition file. This property is returned by the Amazon ECS DescribeTaskDefinition API and may be shown in the ECS console, but it is not a valid field when registering a new task definition. This field can be safely removed from your task definition file."));
        remove(&mut definition, member);
    }
    let keep = step.input("keep-null-value-keys");
    let keep: Vec<&str> = keep.split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
    let (definition, unknown) = registrable(definition, &keep);
    for member in unknown {
        step.warning(&format!(
            "'{member}' is no member of a task definition: it is not sent, nor does the original send it"
        ));
    }
    Ok(definition)
}

fn deploy(
    step: &mut Step,
    calls: &mut Calls,
    cluster: &str,
    service: &str,
    definition: &str,
) -> Result<(), Failure> {
    let words = "Failed to describe the service in ECS";
    let found = calls.call(step, words, |client| client.describe_service(cluster, service))?;
    let found = found.ok_or_else(|| Failure::new(format!("{service} is MISSING")))?;
    if found.status != "ACTIVE" {
        return Err(Failure::new(format!("Service is {}", found.status)));
    }
    check_controller(step, &found)?;
    let before = primary(&found).map(|it| it.id.clone());
    let body = update(step, cluster, service, definition)?;
    let words = "Failed to update the service in ECS";
    let updated = calls.call(step, words, |client| client.update_service_with(&body))?;
    let mine = primary(&updated).cloned();
    let page = Console::of(calls.client.region());
    let page = page.map(|it| it.ecs_deployments(cluster, service)).unwrap_or_default();
    step.info(&format!(
        "Deployment started. Watch this deployment's progress in the Amazon ECS console: {page}"
    ));
    if !is_true(step, "wait-for-service-stability") {
        return Ok(());
    }
    let is_new = mine.as_ref().map(|it| &it.id) != before.as_ref();
    let watch = Watch::of(mine.filter(|_| is_new), &updated);
    wait(step, calls, cluster, service, watch)
}

fn primary(service: &EcsService) -> Option<&aws::EcsDeployment> {
    service.deployments.iter().find(|it| it.status == "PRIMARY")
}

/// Who deploys the service: here ECS does.
fn check_controller(step: &Step, service: &EcsService) -> Result<(), Failure> {
    const CODE_DEPLOY: &[&str] = &[
        "codedeploy-appspec",
        "codedeploy-application",
        "codedeploy-deployment-group",
        "codedeploy-deployment-description",
        "codedeploy-deployment-config",
    ];
    let kind = service.deployment_controller.as_ref().and_then(|it| it["type"].as_str());
    match kind {
        None | Some("ECS") => {
            for input in CODE_DEPLOY.iter().filter(|input| step.given(input).is_some()) {
                step.not_enforced(input, "ECS deploys this service, not CodeDeploy");
            }
            Ok(())
        }
        Some("CODE_DEPLOY") => Err(Failure::new(
            "the service's deployment controller is CODE_DEPLOY, which is not done here",
        )
        .hint("run the original with --no-native; the revision is registered already")),
        Some(other) => Err(Failure::new(format!("Unsupported deployment controller: {other}"))),
    }
}

fn update(step: &Step, cluster: &str, service: &str, definition: &str) -> Result<Json, Failure> {
    let mut body = json!({
        "cluster": cluster,
        "service": service,
        "taskDefinition": definition,
        "forceNewDeployment": is_true(step, "force-new-deployment"),
    });
    if let Some(count) = step.given("desired-count").and_then(|it| it.parse::<u64>().ok()) {
        body["desiredCount"] = json!(count);
    }
    if step.given("enable-ecs-managed-tags").is_some() {
        body["enableECSManagedTags"] = json!(is_true(step, "enable-ecs-managed-tags"));
    }
    if let Some(whose) = step.given("propagate-tags") {
        body["propagateTags"] = json!(whose);
    }
    let names = ("service-managed-ebs-volume-name", "service-managed-ebs-volume");
    if let Some(volumes) = volumes(step, names)? {
        body["volumeConfigurations"] = volumes;
    }
    Ok(body)
}

/// A volume that is made at launch; its name and what it is like are two inputs.
fn volumes(step: &Step, (name, like): (&str, &str)) -> Result<Option<Json>, Failure> {
    let Some(volume) = step.given(name) else { return Ok(None) };
    let Some(text) = step.given(like).filter(|it| it != "{}") else {
        step.warning(&format!("{name} provided without {like} value. VolumeConfigurations property will not be included in the API call"));
        return Ok(None);
    };
    let like = parsed(like, &text)?;
    if like.get("roleArn").is_none() {
        return Err(Failure::new(
            "managed-ebs-volume must provide \"role-arn\" to associate with the EBS volume",
        ));
    }
    Ok(Some(json!([{"name": volume, "managedEBSVolume": like}])))
}

/// An input that is JSON.
fn parsed(input: &str, text: &str) -> Result<Json, Failure> {
    serde_json::from_str(text)
        .map_err(|error| Failure::new(format!("input `{input}` is not JSON: {error}")))
}

fn wait(
    step: &Step,
    calls: &mut Calls,
    cluster: &str,
    service: &str,
    mut watch: Watch,
) -> Result<(), Failure> {
    let (deadline, minutes) = deadline(step);
    let every = look_every(step);
    loop {
        match calls.client.describe_service(cluster, service) {
            Ok(found) => {
                let (news, verdict) = watch.look(found.as_ref());
                news.iter().for_each(|line| step.info(line));
                match verdict {
                    Verdict::Waiting => {}
                    Verdict::Done(words) => {
                        step.info(&words);
                        return Ok(());
                    }
                    Verdict::DoneWithNothing(words) => {
                        step.warning(&words);
                        return Ok(());
                    }
                    Verdict::Failed(words) => return Err(failed(words)),
                    Verdict::Replaced { words, since } => {
                        // Who may not look there still learns that it was replaced.
                        let history = calls.client.service_deployments(cluster, service);
                        let history = history.unwrap_or_default();
                        return Err(failed(verdict::replaced(&words, since, &history)));
                    }
                }
            }
            // Whoever waits anyway can ask again.
            Err(fault) if fault.may_pass() => step.info(&format!("{fault}; asking again")),
            Err(fault) => return Err(cloud::failed(&fault, "the service cannot be watched")),
        }
        if Instant::now() >= deadline {
            return Err(Failure::new(format!(
                "Waiter has timed out: the deployment did not end within {minutes} minutes"
            ))
            .hint("ECS goes on with it; `wait-for-minutes` waits longer"));
        }
        std::thread::sleep(every);
    }
}

fn failed(words: String) -> Failure {
    Failure::new(words)
        .hint("the lines above are ECS's own; `aws ecs describe-tasks` says why a task stopped")
}
