//! The cloud: what there is, how time passes, and which operation a call is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::alarms::{self, Alarm};
use crate::answer::{Answer, Given, Refused, Request};
use crate::calls::Call;
use crate::definitions::{self, Definition};
use crate::fault::{self, Fault, FaultKind};
use crate::image::Image;
use crate::logs::{self, Line};
use crate::names::{Names, short};
use crate::parameters::{self, Parameter};
use crate::rds::{self, Database, Snapshot, Snapshots};
use crate::s3::Bucket;
use crate::scaling::{self, Scalable};
use crate::secrets::{self, StoredSecret};
use crate::services::{self, Service};
use crate::tasks::{self, Task};
use crate::{balancing, ecr, history, identity, network, rollout, update};

/// Time passes in steps of a second: nothing in ECS is told more finely.
const TICK_MS: u64 = 1000;

/// How long a target group takes to let go of a target, unless it says otherwise.
const DRAIN_MS: u64 = 300_000;

/// Which deployment is PRIMARY while ECS rolls back. AWS's pages do not say; clients must stand
/// both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Rollback {
    /// A new one of the earlier revision.
    #[default]
    NewDeployment,
    /// The earlier one again.
    SameDeployment,
}

/// ECS in one account and region, with STS and the logs of tasks.
#[derive(Clone, Debug)]
pub struct Cloud {
    pub(crate) now: u64,
    ticked: u64,
    pub(crate) names: Names,
    pub(crate) clusters: BTreeMap<String, Cluster>,
    pub(crate) families: BTreeMap<String, Vec<Definition>>,
    images: BTreeMap<String, Image>,
    commands: BTreeMap<(String, String), Image>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) logs: BTreeMap<(String, String), Vec<Line>>,
    pub(crate) untrusting: Vec<String>,
    /// What is there, as everything is that is named, until it is taken away.
    pub(crate) gone: BTreeSet<String>,
    /// When the access key of whoever asks was made.
    pub(crate) keys_made: u64,
    /// Security groups that take no request of a load balancer.
    pub(crate) closed: BTreeSet<String>,
    /// Why targets are unhealthy: a reason of AWS, and its description.
    pub(crate) unhealthy_by: (String, String),
    pub(crate) alarms: Vec<Alarm>,
    pub(crate) scalable: Vec<Scalable>,
    pub(crate) databases: Vec<Database>,
    pub(crate) snapshots: Vec<Snapshot>,
    pub(crate) snapshotting: Snapshots,
    /// Actions that nobody may.
    denied: BTreeSet<String>,
    pub(crate) secrets: Vec<StoredSecret>,
    pub(crate) parameters: BTreeMap<String, Parameter>,
    pub(crate) ecr: ecr::Registry,
    pub(crate) buckets: BTreeMap<String, Bucket>,
    pub(crate) faults: Vec<Fault>,
    calls: Vec<Call>,
    pub(crate) lag_ms: u64,
    pub(crate) drain_ms: u64,
    pub(crate) rollback: Rollback,
}

/// A cluster.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) services: BTreeMap<String, Service>,
    pub(crate) tasks: BTreeMap<String, Task>,
    /// What was asked for with each client token, and the tasks that it gave.
    pub(crate) tokens: BTreeMap<String, (Json, Vec<String>)>,
    /// There is room for no more tasks.
    pub(crate) is_full: bool,
}

impl Cloud {
    /// An empty one: an account of twelve digits, a region, and the time in milliseconds since 1970.
    pub fn new(account: &str, region: &str, now: u64) -> Cloud {
        Cloud {
            now,
            ticked: now,
            names: Names::new(account, region),
            clusters: BTreeMap::new(),
            families: BTreeMap::new(),
            images: BTreeMap::new(),
            commands: BTreeMap::new(),
            tags: BTreeMap::new(),
            logs: BTreeMap::new(),
            untrusting: Vec::new(),
            gone: BTreeSet::new(),
            keys_made: now,
            closed: BTreeSet::new(),
            unhealthy_by: balancing::usual_reason(),
            alarms: Vec::new(),
            scalable: Vec::new(),
            databases: Vec::new(),
            snapshots: Vec::new(),
            snapshotting: Snapshots::default(),
            denied: BTreeSet::new(),
            secrets: Vec::new(),
            parameters: BTreeMap::new(),
            ecr: ecr::Registry::default(),
            buckets: BTreeMap::new(),
            faults: Vec::new(),
            calls: Vec::new(),
            lag_ms: 0,
            drain_ms: DRAIN_MS,
            rollback: Rollback::default(),
        }
    }

    /// Now, in milliseconds since 1970.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Time passes until then; earlier than now is now.
    pub fn advance(&mut self, to: u64) {
        while self.ticked + TICK_MS <= to {
            self.ticked += TICK_MS;
            self.now = self.now.max(self.ticked);
            self.tick();
        }
        self.now = self.now.max(to);
    }

    fn tick(&mut self) {
        let mut clusters = std::mem::take(&mut self.clusters);
        for cluster in clusters.values_mut() {
            for task in cluster.tasks.values_mut() {
                tasks::tick(self, task);
            }
            rollout::tick(self, cluster);
            tasks::forget(self.now, cluster);
        }
        self.clusters = clusters;
    }

    /// How containers of an image behave; `image` is as a task definition names it, or its digest.
    pub fn script(&mut self, image: &str, behaviour: Image) {
        self.images.insert(image.to_owned(), behaviour);
    }

    /// How containers of an image behave that were started with a command of their own.
    pub fn script_command(&mut self, image: &str, command: &[&str], behaviour: Image) {
        self.commands.insert((image.to_owned(), command.join(" ")), behaviour);
    }

    /// Which digest an image that is named by its tag has.
    pub fn tag(&mut self, image: &str, digest: &str) {
        self.tags.insert(image.to_owned(), digest.to_owned());
    }

    /// A fault that waits for calls.
    pub fn inject(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// How long reads do not see what was written (ECS is eventually consistent).
    pub fn lag(&mut self, milliseconds: u64) {
        self.lag_ms = milliseconds;
    }

    /// How long target groups take to let go of a target.
    pub fn set_deregistration_delay(&mut self, milliseconds: u64) {
        self.drain_ms = milliseconds;
    }

    /// Which deployment is PRIMARY while ECS rolls back.
    pub fn rolls_back_with(&mut self, rollback: Rollback) {
        self.rollback = rollback;
    }

    /// A role (its ARN), log group, subnet, security group or target group that was there is there no
    /// more.
    pub fn take_away(&mut self, name: &str) {
        self.gone.insert(name.to_owned());
    }

    /// A role that cannot be assumed.
    pub fn distrust(&mut self, role: &str) {
        self.untrusting.push(role.to_owned());
    }

    /// No policy allows this action any more: `ecs:UpdateService`; also one that comes with another
    /// call, as `iam:PassRole` does.
    pub fn deny(&mut self, action: &str) {
        self.denied.insert(action.to_owned());
    }

    /// Refused where an action that comes with a call is not allowed.
    pub(crate) fn needs(&self, action: &str) -> Result<(), Refused> {
        if self.denied.contains(action) { Err(self.denied(action)) } else { Ok(()) }
    }

    /// A cluster has no room for more tasks, or has again.
    pub fn set_room(&mut self, cluster: &str, room: bool) {
        if let Some(cluster) = self.clusters.get_mut(cluster) {
            cluster.is_full = !room;
        }
    }

    /// Everything that was asked so far.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// What was asked is forgotten.
    pub fn forget_calls(&mut self) {
        self.calls.clear();
    }

    /// How often an action was done, whatever was answered.
    pub fn done(&self, action: &str) -> usize {
        self.calls.iter().filter(|call| call.done && call.action == action).count()
    }

    pub(crate) fn behaviour(&self, image: &str, command: Option<&str>) -> Image {
        let digest = image.split_once('@').map_or(image, |(_, digest)| digest);
        let of = |name: &str| match command {
            Some(command) => self.commands.get(&(name.to_owned(), command.to_owned())),
            None => self.images.get(name),
        };
        let found = of(image).or_else(|| of(digest));
        // An image that cannot be pulled cannot be pulled for any command.
        let pulled = self.images.get(image).or_else(|| self.images.get(digest));
        let unpullable = pulled.filter(|it| it.pull_error.is_some());
        unpullable.or(found).cloned().unwrap_or_default()
    }

    pub(crate) fn cluster_name(body: &Json) -> &str {
        short(body.get("cluster").and_then(Json::as_str).unwrap_or("default"))
    }

    pub(crate) fn cluster(&self, body: &Json) -> Result<&Cluster, Refused> {
        let found = self.clusters.get(Cloud::cluster_name(body));
        found.ok_or_else(|| Refused::new("ClusterNotFoundException", "Cluster not found."))
    }

    /// Runs an operation on a cluster while the rest of the cloud can be reached too.
    pub(crate) fn within(
        &mut self,
        body: &Json,
        operation: impl FnOnce(&mut Cloud, &mut Cluster) -> Given,
    ) -> Given {
        let name = Cloud::cluster_name(body).to_owned();
        let Some(mut cluster) = self.clusters.remove(&name) else {
            return Err(Refused::new("ClusterNotFoundException", "Cluster not found."));
        };
        let given = operation(self, &mut cluster);
        self.clusters.insert(name, cluster);
        given
    }

    /// Answers a call, and remembers it.
    pub fn answer(&mut self, request: &Request) -> Answer {
        let asked = Asked::read(request);
        let request_id = self.names.uuid();
        let fault = fault::meets(&mut self.faults, &asked.action);
        let (done, given) = match &fault {
            Some(FaultKind::LostBefore) => (false, Ok(Json::Null)),
            Some(FaultKind::Throttled) => (false, Err(throttled())),
            Some(FaultKind::ServerError) => (false, Err(server_error())),
            Some(FaultKind::Denied) => (false, Err(self.denied(&asked.action))),
            Some(FaultKind::Refused(code, said)) => (false, Err(Refused::new(code, said))),
            None | Some(FaultKind::LostAfter | FaultKind::ErrorAfter) => {
                let allowed = self.needs(&asked.action);
                let given = allowed.and_then(|()| self.operate(&asked));
                (given.is_ok(), given)
            }
        };
        let given = if fault == Some(FaultKind::ErrorAfter) { Err(server_error()) } else { given };
        let lost = matches!(fault, Some(FaultKind::LostBefore | FaultKind::LostAfter));
        let outcome = match &given {
            _ if lost => "lost".to_owned(),
            Ok(_) => "ok".to_owned(),
            Err(refused) => refused.code.clone(),
        };
        self.calls.push(Call {
            at: self.now,
            action: asked.action.clone(),
            request: asked.body.clone(),
            done,
            outcome,
            request_id: request_id.clone(),
            user_agent: request.user_agent.clone(),
        });
        if lost { Answer::Lost } else { asked.said(given, request_id) }
    }

    /// Nothing goes wrong any more that was injected.
    pub fn heal(&mut self) {
        self.faults.clear();
    }

    /// Writes down what was asked.
    pub(crate) fn note(&mut self, call: Call) {
        self.calls.push(call);
    }

    fn operate(&mut self, asked: &Asked) -> Given {
        let body = &asked.body;
        let account = asked.account.as_deref().unwrap_or(&self.names.account).to_owned();
        if let Some(members) = &asked.form {
            return self.query(asked, members, &account).map(Json::String);
        }
        // Another account has nothing of what is here.
        if account != self.names.account {
            let said = if asked.operation.contains("TaskDefinition") {
                return Err(Refused::client("Unable to describe task definition."));
            } else {
                "Cluster not found."
            };
            return Err(Refused::new("ClusterNotFoundException", said));
        }
        match asked.service.as_str() {
            "ecr" => ecr::answer(self, &asked.operation, body),
            "ecs" => self.containers(&asked.operation, body),
            "logs" => logs::answer(self, &asked.operation, body),
            "application-autoscaling" => scaling::answer(self, &asked.operation, body),
            "secretsmanager" => secrets::answer(self, &asked.operation, body),
            "ssm" => parameters::answer(self, &asked.operation, body),
            _ => Err(Refused::new("UnknownOperationException", "")),
        }
    }

    /// A call of the query protocol.
    fn query(
        &mut self,
        asked: &Asked,
        members: &[(String, String)],
        account: &str,
    ) -> Result<String, Refused> {
        let operation = asked.operation.as_str();
        match asked.service.as_str() {
            "monitoring" => alarms::answer(self, operation, members),
            "ec2" => network::ec2(self, operation, members),
            "elasticloadbalancing" => balancing::answer(self, operation, members),
            "iam" => network::iam(self, operation, members),
            "rds" => rds::answer(self, operation, members),
            "sts" => identity::answer(self, operation, members, account),
            _ => {
                Err(Refused::new("InvalidAction", format!("Could not find operation {operation}")))
            }
        }
    }

    /// ECS.
    fn containers(&mut self, operation: &str, body: &Json) -> Given {
        match operation {
            "RegisterTaskDefinition" => definitions::register(self, body),
            "DescribeTaskDefinition" => definitions::describe(self, body),
            "ListTaskDefinitions" => definitions::list(self, body),
            "DeregisterTaskDefinition" => definitions::deregister(self, body),
            "TagResource" => definitions::tag(self, body),
            "ListTagsForResource" => definitions::list_tags(self, body),
            "CreateCluster" => services::create_cluster(self, body),
            "CreateService" => update::create_service(self, body),
            "UpdateService" => update::update_service(self, body),
            "DescribeServices" => services::describe(self, body),
            "ListServiceDeployments" => history::list(self, body),
            "DescribeServiceDeployments" => history::describe(self, body),
            "DescribeServiceRevisions" => history::revisions(self, body),
            "StopServiceDeployment" => history::stop(self, body),
            "RunTask" => tasks::run(self, body),
            "StopTask" => tasks::stop(self, body),
            "ListTasks" => tasks::list(self, body),
            "DescribeTasks" => tasks::describe(self, body),
            _ => Err(Refused::new("UnknownOperationException", "")),
        }
    }

    fn denied(&self, action: &str) -> Refused {
        let account = &self.names.account;
        let said = format!(
            "User: arn:aws:iam::{account}:user/deployer is not authorized to perform: {action} \
             because no identity-based policy allows the {action} action"
        );
        Refused::new("AccessDeniedException", said)
    }
}

fn throttled() -> Refused {
    Refused::new("ThrottlingException", "Rate exceeded")
}

fn server_error() -> Refused {
    Refused::new("ServerException", "Service Unavailable. Please try again later.").with_status(500)
}

/// A request, read.
struct Asked {
    service: String,
    action: String,
    operation: String,
    body: Json,
    form: Option<Vec<(String, String)>>,
    account: Option<String>,
}

impl Asked {
    fn read(request: &Request) -> Asked {
        let account = account_of(&request.authorization);
        if request.target.is_empty() {
            let form = identity::form(&request.body);
            let action = form.iter().find(|(key, _)| key == "Action");
            let operation = action.map_or(String::new(), |(_, value)| value.clone());
            let members = form.iter().map(|(key, value)| (key.clone(), json!(value)));
            let body = Json::Object(members.collect());
            // What is not signed is somebody who signs in.
            let signed = signed_for(&request.authorization);
            let service = signed.unwrap_or("sts").to_owned();
            let action = format!("{}:{operation}", named(&service));
            return Asked { service, action, operation, body, form: Some(form), account };
        }
        let (prefix, operation) = request.target.split_once('.').unwrap_or(("", &request.target));
        let service = spoken_to(prefix);
        let body = serde_json::from_str(&request.body).unwrap_or(Json::Null);
        Asked {
            service: service.to_owned(),
            action: format!("{service}:{operation}"),
            operation: operation.to_owned(),
            body,
            form: None,
            account,
        }
    }

    fn said(&self, given: Given, request_id: String) -> Answer {
        let status = given.as_ref().map_or_else(|refused| refused.status, |_| 200);
        let (content_type, body) = match (&self.form, given) {
            (Some(_), Ok(Json::String(xml))) => ("text/xml", xml),
            (Some(_), Err(refused)) if self.service == "ec2" => {
                ("text/xml", network::refusal(&refused, &request_id))
            }
            (Some(_), Err(refused)) => ("text/xml", identity::refusal(&refused, &request_id)),
            (_, Ok(json)) => ("application/x-amz-json-1.1", json.to_string()),
            (_, Err(refused)) => ("application/x-amz-json-1.1", refused.json().to_string()),
        };
        Answer::Said { status, request_id, content_type, body }
    }
}

/// The service that a target's prefix names.
fn spoken_to(prefix: &str) -> &'static str {
    match prefix {
        it if it.starts_with("Logs_") => "logs",
        "AnyScaleFrontendService" => "application-autoscaling",
        "secretsmanager" => "secretsmanager",
        "AmazonSSM" => "ssm",
        it if it.starts_with("AmazonEC2ContainerRegistry_") => "ecr",
        _ => "ecs",
    }
}

/// The service that a call was signed for.
fn signed_for(authorization: &str) -> Option<&str> {
    let (_, rest) = authorization.split_once("Credential=")?;
    rest.split(',').next()?.split('/').nth(3)
}

/// A service as policies name it.
fn named(service: &str) -> &str {
    if service == "monitoring" { "cloudwatch" } else { service }
}

/// The account of the key that a call was signed with: twelve digits at the key's end name one.
fn account_of(authorization: &str) -> Option<String> {
    let (_, rest) = authorization.split_once("Credential=")?;
    let key = rest.split('/').next()?;
    let digits = key.get(key.len().checked_sub(12)?..)?;
    digits.bytes().all(|it| it.is_ascii_digit()).then(|| digits.to_owned())
}
