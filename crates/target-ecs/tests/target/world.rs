//! A cloud, a service in it, and a deployment to it, in virtual time. Every look and every order
//! gets a target that knows nothing: as if the process had died after each.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws::{Client, Endpoints, Reply, SignIn, Surroundings, Transport, Unanswered, WireRequest};
use backup::{Backups, Rds, Restore};
use driver::{Deployment, DeploymentObserver, Doors, Standing};
use event::{
    Actor, Cause, DeploymentEvent, DeploymentId, DeploymentKind, DeploymentPlan, DeploymentRequest,
    Digest, Envelope, KnownRelease, OnCancel, PlannedStep, Release, Seq, ServiceRequest, StreamId,
    Timestamp,
};
use mask::{MaskedText, Masker, Secret};
use model_cloud::{Answer, Cloud, Fault, Request};
use ports::{Journal, JournalError, Performer, Target};
use serde_json::{Value as Json, json};
use target_ecs::{EcsTarget, migration};

pub(crate) const START: u64 = 1_700_000_000_000;
pub(crate) const GOOD: &str = "repo@sha256:good";
pub(crate) const NEW: &str = "repo@sha256:new";
pub(crate) const SECRET: &str = "hunter-two";

pub(crate) type Shared = Rc<RefCell<Cloud>>;

/// What is played.
pub(crate) struct Script {
    /// `deploymentConfiguration` of the service.
    pub(crate) configuration: Json,
    /// More of the container: a health check.
    pub(crate) container: Json,
    /// More of the service: load balancers.
    pub(crate) service: Json,
    pub(crate) desired: u64,
    /// Beside the new image, which images behave how, and what goes wrong from the start.
    pub(crate) set_up: Box<dyn Fn(&mut Cloud)>,
    /// What happens so many seconds after the request.
    pub(crate) happens: Vec<(u64, Deed)>,
    pub(crate) migrates: bool,
    /// The database that is put aside before.
    pub(crate) backup: Option<Rds>,
    /// Nothing is shipped: a snapshot is restored.
    pub(crate) restore: Option<Restore>,
    /// More of the target's configuration.
    pub(crate) config: Json,
    pub(crate) force: bool,
    /// The revision that the journal knows as good; none before anything was deployed.
    pub(crate) last_good: Option<String>,
    /// The revision that is restored.
    pub(crate) restores: Option<String>,
    /// Where the image is, if not at its usual place.
    pub(crate) location: Option<String>,
}

pub(crate) type Deed = Box<dyn Fn(&mut Cloud)>;

pub(crate) fn script(set_up: impl Fn(&mut Cloud) + 'static) -> Script {
    Script {
        configuration: json!({}),
        container: json!({}),
        service: json!({}),
        desired: 2,
        set_up: Box::new(set_up),
        happens: Vec::new(),
        migrates: false,
        backup: None,
        restore: None,
        config: json!({}),
        force: false,
        last_good: None,
        restores: None,
        location: None,
    }
}

impl Script {
    pub(crate) fn with_breaker(mut self, rollback: bool) -> Script {
        self.configuration["deploymentCircuitBreaker"] =
            json!({"enable": true, "rollback": rollback});
        self
    }

    pub(crate) fn with_health_check(mut self) -> Script {
        self.container["healthCheck"] = json!({"command": ["CMD", "true"]});
        self
    }

    pub(crate) fn at(mut self, seconds: u64, deed: impl Fn(&mut Cloud) + 'static) -> Script {
        self.happens.push((seconds, Box::new(deed)));
        self
    }
}

/// How it ended.
pub(crate) struct End {
    pub(crate) events: Vec<DeploymentEvent>,
    pub(crate) cloud: Shared,
    pub(crate) seconds: u64,
    /// How many calls were made before the request.
    pub(crate) set_up_calls: usize,
    /// Calls that a step's plan does not name.
    pub(crate) unplanned: BTreeSet<String>,
}

struct Nowhere;

impl Surroundings for Nowhere {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "AWS_ACCESS_KEY_ID" => Some("AKIA111122223333".to_owned()),
            "AWS_SECRET_ACCESS_KEY" => Some("secret".to_owned()),
            _ => None,
        }
    }

    fn file(&self, _: &Path) -> Option<String> {
        None
    }
}

struct Inside(Shared);

impl Transport for Inside {
    fn send(&mut self, request: &WireRequest) -> Result<Reply, Unanswered> {
        let header = |name| {
            let found = request.headers.iter().find(|(key, _)| *key == name);
            found.map_or(String::new(), |(_, value)| value.clone())
        };
        let answer = self.0.borrow_mut().answer(&Request {
            target: header("x-amz-target"),
            authorization: header("authorization"),
            user_agent: header("user-agent"),
            body: request.body.clone(),
        });
        match answer {
            Answer::Said { status, request_id, body, .. } => {
                Ok(Reply { status, request_id: Some(request_id), body })
            }
            Answer::Lost => {
                Err(Unanswered { host: "aws".to_owned(), why: "the line was cut".to_owned() })
            }
        }
    }
}

fn client(cloud: &Shared) -> Client {
    let clock = Rc::clone(cloud);
    Client::new(
        "eu-central-1",
        Endpoints::default(),
        SignIn::new(Arc::new(Nowhere)),
        Box::new(Inside(Rc::clone(cloud))),
        Box::new(move || clock.borrow().now()),
    )
}

pub(crate) fn target(cloud: &Shared) -> EcsTarget {
    let client = client(cloud);
    let mut masker = Masker::new();
    masker.add(SECRET);
    let values = |_: &ServiceRequest| {
        let value = |name: &str| (name.to_owned(), Secret::new(format!("{SECRET} of {name}")));
        Ok(["DATABASE_HOST", "OLD"].map(value).into())
    };
    EcsTarget::new(client, masker, Box::new(values))
}

pub(crate) fn backups(cloud: &Shared) -> Backups {
    let cloud = Rc::clone(cloud);
    Backups::new(Box::new(move |_| client(&cloud)))
}

/// Gives a target that knows nothing, and remembers what its step may call.
struct Fresh {
    cloud: Shared,
    current: EcsTarget,
    backups: Backups,
    allowed: Rc<RefCell<Vec<Allowed>>>,
}

/// From this call on these may be made; none while a target is only looked at.
type Allowed = (usize, Option<Vec<Arc<str>>>);

impl Fresh {
    fn next(&mut self, calls: Option<Vec<Arc<str>>>) -> &mut EcsTarget {
        let made = self.cloud.borrow().calls().len();
        self.allowed.borrow_mut().push((made, calls));
        self.current = target(&self.cloud);
        self.backups = backups(&self.cloud);
        &mut self.current
    }
}

impl Doors for Fresh {
    fn target(&mut self, _: &ServiceRequest) -> Result<&mut dyn Target, Cause> {
        Ok(self.next(None))
    }

    fn rules(&mut self, _: &DeploymentRequest) -> Result<Arc<str>, Cause> {
        Ok("c0ffee".into())
    }

    fn performer(
        &mut self,
        _: &ServiceRequest,
        step: &PlannedStep,
    ) -> Result<&mut dyn Performer, Cause> {
        self.next(Some(step.calls.clone()));
        if backup::Body::read(&step.body).is_ok() {
            return Ok(&mut self.backups);
        }
        Ok(&mut self.current)
    }
}

#[derive(Default)]
struct Memory(Mutex<Vec<Envelope<DeploymentEvent>>>);

impl Journal<DeploymentEvent> for Memory {
    fn append(
        &self,
        stream: StreamId,
        expected: Seq,
        at: Timestamp,
        events: &[DeploymentEvent],
    ) -> Result<Seq, JournalError> {
        let mut all = self.0.lock().expect("one thread");
        assert_eq!(expected.0, all.len() as u64);
        for event in events {
            let (seq, digest) = (Seq(all.len() as u64 + 1), Digest::of(b""));
            all.push(Envelope { stream, seq, at, digest, event: event.clone() });
        }
        Ok(Seq(all.len() as u64))
    }

    fn read(
        &self,
        _: StreamId,
        after: Seq,
    ) -> Result<Vec<Envelope<DeploymentEvent>>, JournalError> {
        let all = self.0.lock().expect("one thread");
        Ok(all.iter().filter(|it| it.seq > after).cloned().collect())
    }

    fn open_streams(&self) -> Result<Vec<StreamId>, JournalError> {
        Ok(Vec::new())
    }
}

struct Nobody;

impl DeploymentObserver for Nobody {
    fn on_event(&mut self, _: DeploymentId, _: &DeploymentEvent) {}
}

/// A call of somebody else, in the cloud itself; of ECS where no other service is named.
pub(crate) fn ask(cloud: &mut Cloud, operation: &str, body: &Json) -> Json {
    let target = match operation.contains('.') {
        true => operation.to_owned(),
        false => format!("AmazonEC2ContainerServiceV20141113.{operation}"),
    };
    let request = Request { target, body: body.to_string(), ..Request::default() };
    match cloud.answer(&request) {
        Answer::Said { body, .. } => serde_json::from_str(&body).expect("the model speaks JSON"),
        Answer::Lost => Json::Null,
    }
}

pub(crate) fn register(cloud: &mut Cloud, image: &str, container: &Json) -> String {
    let mut app = json!({"name": "app", "image": image, "memory": 128,
        "environment": [{"name": "LEVEL", "value": "debug"}, {"name": "EMPTY", "value": ""}],
        "logConfiguration": {"logDriver": "awslogs", "options": {
            "awslogs-group": "/ecs/api", "awslogs-stream-prefix": "api"}}});
    for (key, value) in container.as_object().into_iter().flatten() {
        app[key] = value.clone();
    }
    let side = json!({"name": "side", "image": "side:1", "memory": 64, "essential": false});
    let body = json!({"family": "api", "containerDefinitions": [app, side],
        "executionRoleArn": "arn:aws:iam::111122223333:role/execution",
        "tags": [{"key": "team", "value": "planner"}]});
    let given = ask(cloud, "RegisterTaskDefinition", &body);
    given["taskDefinition"]["taskDefinitionArn"].as_str().expect("registered").to_owned()
}

/// A cloud with a service that runs well.
pub(crate) fn cloud(script: &Script) -> Shared {
    let mut cloud = Cloud::new("111122223333", "eu-central-1", START);
    cloud.set_deregistration_delay(5000);
    ask(&mut cloud, "CreateCluster", &json!({"clusterName": "c"}));
    let secret = json!({"Name": "planner/db", "SecretString": "{\"url\": \"postgres://\"}"});
    ask(&mut cloud, "secretsmanager.CreateSecret", &secret);
    let parameter = json!({"Name": "/planner/token", "Type": "SecureString", "Value": "t"});
    ask(&mut cloud, "AmazonSSM.PutParameter", &parameter);
    register(&mut cloud, GOOD, &script.container);
    let mut body = json!({"cluster": "c", "serviceName": "api", "desiredCount": script.desired,
        "taskDefinition": "api", "deploymentConfiguration": script.configuration,
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}});
    for (key, value) in script.service.as_object().into_iter().flatten() {
        body[key] = value.clone();
    }
    ask(&mut cloud, "CreateService", &body);
    cloud.advance(START + 120_000);
    (script.set_up)(&mut cloud);
    Rc::new(RefCell::new(cloud))
}

pub(crate) fn wanted(script: &Script) -> ServiceRequest {
    let mut config = json!({"region": "eu-central-1", "cluster": "c", "service": "api",
        "container": "app", "within_ms": 600_000});
    for (key, value) in script.config.as_object().into_iter().flatten() {
        config[key] = value.clone();
    }
    let release = Release {
        version: "v2".into(),
        digest: "sha256:new".into(),
        location: Some(script.location.as_deref().unwrap_or("repo").into()),
        commit: None,
    };
    let known = |arn: &String| KnownRelease {
        release: Release { version: "v1".into(), digest: "sha256:good".into(), ..release.clone() },
        handle: json!({"task_definition": arn}),
        adopted: false,
    };
    let last_good = script.last_good.as_ref().map(known);
    let restores = script.restores.as_ref().map(known);
    let command = ["alembic".to_owned(), "upgrade".to_owned()];
    let backup = script.backup.as_ref().map(|it| it.step("api", Duration::from_secs(3600)));
    let migrates = script.migrates.then(|| migration("api", &command, Duration::from_secs(300)));
    let restore = script.restore.as_ref().map(|it| it.step("api", Duration::from_secs(3600)));
    let around = backup.into_iter().chain(migrates).chain(restore);
    ServiceRequest {
        service: "api".into(),
        release: restores.as_ref().map_or_else(|| release.clone(), |it| it.release.clone()),
        last_good,
        target: "ecs".into(),
        config,
        around: around.collect(),
        restores,
    }
}

/// Plays it. Each round may be of another process.
pub(crate) fn play(script: &Script, faults: Vec<Fault>) -> End {
    play_in(script, &cloud(script), faults)
}

/// The same in a cloud that is there.
pub(crate) fn play_in(script: &Script, cloud: &Shared, faults: Vec<Fault>) -> End {
    let cloud = Rc::clone(cloud);
    let set_up_calls = cloud.borrow().calls().len();
    for fault in faults {
        cloud.borrow_mut().inject(fault);
    }
    let began = cloud.borrow().now();
    let request = DeploymentRequest {
        project: "planner".into(),
        environment: "staging".into(),
        kind: match (&script.restore, script.config.get("instances")) {
            (Some(_), _) => DeploymentKind::Task,
            (None, Some(_)) => DeploymentKind::Config,
            (None, None) => DeploymentKind::Release,
        },
        by: Actor {
            name: MaskedText::without_secrets("somebody"),
            proof: "local".into(),
            source: None,
            address: None,
        },
        reason: None,
        services: vec![wanted(script)],
        gates: Vec::new(),
        force: script.force,
        commits: Vec::new(),
        planned: true,
        on_cancel: OnCancel::Back,
        protection: None,
        job: None,
        at: Timestamp(began),
    };
    let journal = Arc::new(Memory::default());
    let allowed = Rc::new(RefCell::new(Vec::new()));
    let doors = || {
        let (current, allowed) = (target(&cloud), Rc::clone(&allowed));
        let fresh = Fresh { backups: backups(&cloud), cloud: Rc::clone(&cloud), current, allowed };
        (Arc::clone(&journal), fresh, Nobody)
    };
    let owner = || MaskedText::without_secrets("test");
    let id = DeploymentId(12);
    let mut deployment =
        Deployment::request(id, request, owner(), doors()).expect("the journal takes it");
    let mut happens = script.happens.iter().collect::<Vec<_>>();
    // An hour of looking at it every few seconds.
    for _ in 0..2000 {
        let now = cloud.borrow().now();
        happens.retain(|(after, deed)| {
            let is_due = began + after * 1000 <= now;
            if is_due {
                deed(&mut cloud.borrow_mut());
            }
            !is_due
        });
        match deployment.round(Vec::new(), Timestamp(now), &mut |_| {}).expect("the loop goes on") {
            Standing::Over => break,
            Standing::Again(wait) => {
                let wait = u64::try_from(wait.as_millis()).expect("short");
                cloud.borrow_mut().advance(now + wait);
            }
            Standing::Waiting(_) => panic!("there are no gates"),
        }
    }
    let events = journal.0.lock().expect("one thread").iter().map(|it| it.event.clone()).collect();
    let unplanned = unplanned(&cloud.borrow(), &allowed.borrow());
    let seconds = (cloud.borrow().now() - began) / 1000;
    End { events, cloud, seconds, set_up_calls, unplanned }
}

fn unplanned(cloud: &Cloud, allowed: &[Allowed]) -> BTreeSet<String> {
    let mut unplanned = BTreeSet::new();
    for (at, (from, calls)) in allowed.iter().enumerate() {
        let until = allowed.get(at + 1).map_or(cloud.calls().len(), |(next, _)| *next);
        let made = cloud.calls()[*from..until].iter().filter(|it| it.user_agent == "launchway/12");
        let Some(calls) = calls else { continue };
        unplanned.extend(
            made.map(|it| it.action.clone()).filter(|it| !calls.iter().any(|call| **call == **it)),
        );
    }
    unplanned
}

impl End {
    pub(crate) fn plan(&self) -> Option<&DeploymentPlan> {
        self.events.iter().find_map(|event| match event {
            DeploymentEvent::DeploymentPlanned { plan, .. } => Some(&**plan),
            _ => None,
        })
    }

    /// How often each thing was done that changes something, by us.
    pub(crate) fn deeds(&self) -> BTreeMap<String, usize> {
        let mut deeds = BTreeMap::new();
        let cloud = self.cloud.borrow();
        let changes = ["Register", "Update", "Stop", "Run", "Create", "Restore"];
        for call in cloud.calls()[self.set_up_calls..].iter().filter(|it| it.done) {
            let operation = call.action.split(':').nth(1).unwrap_or_default();
            let is_ours = call.user_agent.starts_with("launchway");
            if is_ours && changes.iter().any(|it| operation.starts_with(it)) {
                *deeds.entry(operation.to_owned()).or_default() += 1;
            }
        }
        deeds
    }

    /// What the service is to run, and how much of it does.
    pub(crate) fn runs(&self) -> String {
        let mut cloud = self.cloud.borrow_mut();
        let body = json!({"cluster": "c", "services": ["api"]});
        let given = ask(&mut cloud, "DescribeServices", &body);
        let service = &given["services"][0];
        let definition = service["taskDefinition"].as_str().unwrap_or("-");
        let definition = definition.rsplit('/').next().unwrap_or(definition).to_owned();
        format!("{definition} {}/{}", service["runningCount"], service["desiredCount"])
    }

    pub(crate) fn verdict(&self) -> String {
        match self.events.last() {
            Some(DeploymentEvent::DeploymentCompleted {
                verdict,
                cause,
                by,
                vacuous,
                unchanged,
                ..
            }) => {
                let mut said = format!("{verdict} by {by:?}").to_lowercase();
                for (flag, name) in [(*vacuous, " vacuous"), (*unchanged, " unchanged")] {
                    said += if flag { name } else { "" };
                }
                said + &cause.as_ref().map_or(String::new(), |it| format!(": {}", chain(it)))
            }
            other => format!("not over: {other:?}"),
        }
    }

    /// Everything about the end, for a table.
    pub(crate) fn tell(&self) -> String {
        let mut out = format!("{} after {} s\n", self.verdict(), self.seconds);
        if let Some(DeploymentEvent::DeploymentCompleted { cause: Some(cause), .. }) =
            self.events.last()
        {
            say(cause, &mut out);
        }
        let deeds = self.deeds();
        let deeds = deeds.iter().map(|(deed, times)| format!("{deed} {times}"));
        out += &format!("{} | {}\n", deeds.collect::<Vec<_>>().join(", "), self.runs());
        named(&out)
    }
}

fn chain(cause: &Cause) -> String {
    let inner = cause.because.first().map_or(String::new(), |it| format!(" > {}", chain(it)));
    format!("{:?}{inner}", cause.code)
}

fn say(cause: &Cause, out: &mut String) {
    *out += &format!("- {}\n", cause.message);
    for evidence in &cause.evidence {
        *out += &format!("  {:?}: {}\n", evidence.kind, evidence.text);
    }
    for inner in &cause.because {
        say(inner, out);
    }
}

/// Ids are long, and say nothing here.
fn named(text: &str) -> String {
    let is_id = |word: &str| {
        let hex = word.len() >= 19 && word.bytes().all(|it| it.is_ascii_hexdigit() || it == b'-');
        hex && word.bytes().any(|it| it.is_ascii_digit())
    };
    let mut out = String::new();
    for piece in text.split_inclusive(|it: char| !(it.is_ascii_alphanumeric() || it == '-')) {
        let word = piece.trim_end_matches(|it: char| !(it.is_ascii_alphanumeric() || it == '-'));
        out += &if is_id(word) { piece.replace(word, "ID") } else { piece.to_owned() };
    }
    out
}
