//! Tasks of ECS: run one, look at some.

use serde::Deserialize;
use serde_json::{Value as Json, json};

use crate::client::Client;
use crate::ecs::read;
use crate::fault::Fault;
use crate::service::Service;

/// So many tasks are described by one call.
const DESCRIBED_MAX: usize = 100;

/// A task.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct EcsTask {
    /// Its ARN.
    pub task_arn: String,
    /// What it runs.
    pub task_definition_arn: String,
    /// Who started it: a deployment's id, or what RunTask was told.
    pub started_by: Option<String>,
    /// `RUNNING`, `STOPPED` and what is between.
    pub last_status: String,
    /// Why it was stopped, in AWS's word.
    pub stop_code: Option<String>,
    /// Why it was stopped, in a sentence.
    pub stopped_reason: Option<String>,
    /// When it had stopped, in seconds since 1970.
    pub stopped_at: Option<f64>,
    /// Its containers.
    #[serde(default)]
    pub containers: Vec<EcsContainer>,
}

/// A container of a task.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct EcsContainer {
    /// Its name in the task definition.
    pub name: String,
    /// Its image, as the task definition names it.
    pub image: Option<String>,
    /// The image's digest, where it was pulled.
    pub image_digest: Option<String>,
    /// How it ended; none where it did not, or never began.
    pub exit_code: Option<i64>,
    /// Why.
    pub reason: Option<String>,
}

/// What RunTask gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Launched {
    /// The task.
    pub task: Option<EcsTask>,
    /// Why there is none.
    pub failures: Vec<String>,
}

impl EcsTask {
    /// The last part of its ARN, which streams of logs are named by.
    pub fn id(&self) -> &str {
        self.task_arn.rsplit('/').next().unwrap_or(&self.task_arn)
    }
}

impl Client {
    /// Runs a task. The same body gives the same task as long as AWS remembers its client token.
    ///
    /// # Errors
    /// When AWS refuses it, or does not answer: then it may have been done.
    pub fn run_task(&mut self, body: &Json) -> Result<Launched, Fault> {
        let mut answer = self.call(Service::Ecs, "RunTask", body)?;
        let task = answer["tasks"].get_mut(0).map(Json::take);
        let failures = answer["failures"].as_array().into_iter().flatten();
        let failures = failures.map(|it| {
            let text = |key: &str| it[key].as_str().unwrap_or_default();
            format!("{} {}", text("reason"), text("detail")).trim().to_owned()
        });
        let failures = failures.collect();
        let task = task.map(|it| read("ecs:RunTask", it)).transpose()?;
        Ok(Launched { task, failures })
    }

    /// Tasks of a service, or of a family where it is none's; those that ECS wants to run, or
    /// those that it wants stopped.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn tasks(
        &mut self,
        cluster: &str,
        (of, name): (&str, &str),
        status: &str,
    ) -> Result<Vec<EcsTask>, Fault> {
        let body = json!({"cluster": cluster, of: name, "desiredStatus": status});
        let arns = self.pages(Service::Ecs, "ListTasks", body, "taskArns")?;
        let mut tasks = Vec::new();
        for page in arns.chunks(DESCRIBED_MAX) {
            let body = json!({"cluster": cluster, "tasks": page});
            let mut answer = self.call(Service::Ecs, "DescribeTasks", &body)?;
            let described: Vec<EcsTask> = read("ecs:DescribeTasks", answer["tasks"].take())?;
            tasks.extend(described);
        }
        Ok(tasks)
    }

    /// A task by its ARN; none where ECS does not know it (any more).
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn describe_task(&mut self, cluster: &str, arn: &str) -> Result<Option<EcsTask>, Fault> {
        let body = json!({"cluster": cluster, "tasks": [arn]});
        let mut answer = self.call(Service::Ecs, "DescribeTasks", &body)?;
        let task = answer["tasks"].get_mut(0).map(Json::take);
        task.map(|it| read("ecs:DescribeTasks", it)).transpose()
    }

    /// A task is to end.
    ///
    /// # Errors
    /// When AWS refuses it, or does not answer.
    pub fn stop_task(&mut self, cluster: &str, arn: &str, reason: &str) -> Result<(), Fault> {
        let body = json!({"cluster": cluster, "task": arn, "reason": reason});
        self.call(Service::Ecs, "StopTask", &body).map(drop)
    }
}
