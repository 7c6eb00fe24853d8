//! Services of ECS: what they are, and what is asked of them.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use crate::client::Client;
use crate::fault::{Fault, FaultKind};
use crate::service::Service;

/// A service, as far as anything here looks at it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct EcsService {
    /// Its ARN.
    pub service_arn: String,
    /// Its cluster's ARN.
    pub cluster_arn: String,
    /// `ACTIVE`, `DRAINING`, `INACTIVE`.
    pub status: String,
    /// How many tasks there should be.
    pub desired_count: u64,
    /// How many run.
    #[serde(default)]
    pub running_count: u64,
    /// The revision that it is to run.
    pub task_definition: String,
    /// Deployments that still have something to do with it. Those that are over and gone from here
    /// stand in the list of service deployments only.
    #[serde(default)]
    pub deployments: Vec<EcsDeployment>,
    /// What happened, newest first.
    #[serde(default)]
    pub events: Vec<EcsEvent>,
    /// The current or latest service deployment.
    pub current_service_deployment: Option<String>,
    /// `FARGATE`, `EC2`, `EXTERNAL`.
    pub launch_type: Option<String>,
    /// Instead of a launch type.
    pub capacity_provider_strategy: Option<Json>,
    /// The platform's version.
    pub platform_version: Option<String>,
    /// Where its tasks are in the network.
    pub network_configuration: Option<Json>,
    /// Who does deployments.
    pub deployment_controller: Option<Json>,
    /// How deployments are done.
    #[serde(default)]
    pub deployment_configuration: Json,
    /// What sends requests to it.
    #[serde(default)]
    pub load_balancers: Vec<Json>,
}

/// A deployment in a service's own list.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct EcsDeployment {
    /// `ecs-svc/123`
    pub id: String,
    /// `PRIMARY`, `ACTIVE`, `INACTIVE`.
    pub status: String,
    /// What it runs.
    pub task_definition: String,
    /// How many tasks it should have.
    #[serde(default)]
    pub desired_count: u64,
    /// How many run.
    #[serde(default)]
    pub running_count: u64,
    /// How many are on their way.
    #[serde(default)]
    pub pending_count: u64,
    /// How many failed, one after the other.
    #[serde(default)]
    pub failed_tasks: u64,
    /// When it began, in seconds since 1970.
    #[serde(default)]
    pub created_at: f64,
    /// `IN_PROGRESS`, `COMPLETED`, `FAILED`; none where ECS does not say.
    pub rollout_state: Option<String>,
    /// Why.
    pub rollout_state_reason: Option<String>,
}

/// An event of a service.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct EcsEvent {
    /// When, in seconds since 1970.
    #[serde(default)]
    pub created_at: f64,
    /// What.
    pub message: String,
}

/// A revision of a task definition.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskDefinition {
    /// Its ARN.
    pub arn: String,
    /// Whether it can be deployed.
    pub is_active: bool,
    /// All of it, as it is described.
    pub body: Json,
    /// Its tags, as they are described.
    pub tags: Vec<Json>,
}

/// A service deployment.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ServiceDeployment {
    /// Its ARN.
    pub service_deployment_arn: String,
    /// `IN_PROGRESS`, `ROLLBACK_SUCCESSFUL` and so on.
    pub status: String,
    /// Why.
    pub status_reason: Option<String>,
    /// The revision that it goes to.
    pub target_service_revision_arn: Option<String>,
    /// When it was asked for, in seconds since 1970.
    #[serde(default)]
    pub created_at: f64,
}

/// A revision of a service.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct RevisionOfService {
    /// Its ARN.
    pub service_revision_arn: String,
    /// The task definition in it.
    pub task_definition: String,
    /// Container, image and the digest that ECS found behind it.
    #[serde(default)]
    pub container_images: Vec<Json>,
}

/// Reads a member of an answer.
pub(crate) fn read<T: DeserializeOwned>(action: &str, value: Json) -> Result<T, Fault> {
    serde_json::from_value(value).map_err(|error| Fault {
        kind: FaultKind::Unreadable,
        action: action.to_owned(),
        code: None,
        message: error.to_string(),
        request_id: None,
        resources: Box::default(),
    })
}

impl Client {
    /// A service; none where there is none of that name.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn describe_service(
        &mut self,
        cluster: &str,
        service: &str,
    ) -> Result<Option<EcsService>, Fault> {
        let body = json!({"cluster": cluster, "services": [service]});
        let mut answer = self.call(Service::Ecs, "DescribeServices", &body)?;
        match answer["services"].get_mut(0).map(Json::take) {
            Some(found) => read("ecs:DescribeServices", found).map(Some),
            None => Ok(None),
        }
    }

    /// A revision of a task definition, by its ARN.
    ///
    /// # Errors
    /// When AWS does not say, or there is none.
    pub fn describe_task_definition(&mut self, arn: &str) -> Result<TaskDefinition, Fault> {
        let body = json!({"taskDefinition": arn, "include": ["TAGS"]});
        let answer = self.call(Service::Ecs, "DescribeTaskDefinition", &body)?;
        task_definition("ecs:DescribeTaskDefinition", answer)
    }

    /// Registers a revision.
    ///
    /// # Errors
    /// When AWS refuses it, or does not answer: then it may have been done.
    pub fn register_task_definition(&mut self, body: &Json) -> Result<TaskDefinition, Fault> {
        let answer = self.call(Service::Ecs, "RegisterTaskDefinition", body)?;
        task_definition("ecs:RegisterTaskDefinition", answer)
    }

    /// The revisions of a family that can be deployed, newest first. AWS lists every family whose
    /// name begins so; those of others are left out.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn newest_task_definitions(&mut self, family: &str) -> Result<Vec<String>, Fault> {
        let body = json!({"familyPrefix": family, "status": "ACTIVE", "sort": "DESC"});
        let arns = self.pages(Service::Ecs, "ListTaskDefinitions", body, "taskDefinitionArns")?;
        let arns: Vec<String> = read("ecs:ListTaskDefinitions", arns.into())?;
        let of = |arn: &str| {
            let name = arn.rsplit('/').next().unwrap_or(arn);
            name.split_once(':').is_some_and(|(it, _)| it == family)
        };
        Ok(arns.into_iter().filter(|arn| of(arn)).collect())
    }

    /// The service is to run this revision; nothing else of it is touched. It answers with the
    /// service as it is then.
    ///
    /// # Errors
    /// When AWS refuses it, or does not answer: then it may have been done.
    pub fn update_service(
        &mut self,
        cluster: &str,
        service: &str,
        task_definition: &str,
    ) -> Result<EcsService, Fault> {
        self.update_service_with(
            &json!({"cluster": cluster, "service": service, "taskDefinition": task_definition}),
        )
    }

    /// The service is to be as the body says. It answers with the service as it is then.
    ///
    /// # Errors
    /// When AWS refuses it, or does not answer: then it may have been done.
    pub fn update_service_with(&mut self, body: &Json) -> Result<EcsService, Fault> {
        let mut answer = self.call(Service::Ecs, "UpdateService", body)?;
        read("ecs:UpdateService", answer["service"].take())
    }

    /// The latest service deployments, newest first, twenty at the most.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn service_deployments(
        &mut self,
        cluster: &str,
        service: &str,
    ) -> Result<Vec<ServiceDeployment>, Fault> {
        let body = json!({"cluster": cluster, "service": service, "maxResults": 20});
        let mut answer = self.call(Service::Ecs, "ListServiceDeployments", &body)?;
        read("ecs:ListServiceDeployments", answer["serviceDeployments"].take())
    }

    /// Revisions of services, twenty at the most.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn service_revisions(&mut self, arns: &[&str]) -> Result<Vec<RevisionOfService>, Fault> {
        if arns.is_empty() {
            return Ok(Vec::new());
        }
        let body = json!({"serviceRevisionArns": arns});
        let mut answer = self.call(Service::Ecs, "DescribeServiceRevisions", &body)?;
        read("ecs:DescribeServiceRevisions", answer["serviceRevisions"].take())
    }

    /// ECS is to go back by itself.
    ///
    /// # Errors
    /// When AWS refuses it, or does not answer: then it may have been done.
    pub fn roll_service_back(&mut self, deployment: &str) -> Result<(), Fault> {
        let body = json!({"serviceDeploymentArn": deployment, "stopType": "ROLLBACK"});
        self.call(Service::Ecs, "StopServiceDeployment", &body).map(drop)
    }
}

fn task_definition(action: &str, mut answer: Json) -> Result<TaskDefinition, Fault> {
    let body = answer["taskDefinition"].take();
    let arn = read(action, body["taskDefinitionArn"].clone())?;
    let is_active = body["status"] == "ACTIVE";
    let tags = answer["tags"].as_array().cloned().unwrap_or_default();
    Ok(TaskDefinition { arn, is_active, body, tags })
}
