//! What the containers of a service print, out of CloudWatch: each stream is named by the prefix of its
//! task definition, the container and the task.

use std::collections::BTreeMap;

use aws::{LinesFrom, TaskDefinition};
use event::{Cause, CauseCode, ServiceRequest};
use serde_json::Value as Json;

use crate::config::EcsConfig;
use crate::target::EcsTarget;
use crate::update::active;
use crate::words::text;

/// Letters of a task's id that are shown.
const ID_SHOWN: usize = 8;

/// A line that a container printed. Secrets are out of it; what steers a terminal is not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcsLine {
    /// The beginning of its task's id; with its container where several print.
    pub instance: String,
    /// What it printed.
    pub text: String,
}

/// The streams of a service, and how far each was read.
pub struct EcsLogs {
    config: EcsConfig,
    only: Option<String>,
    streams: BTreeMap<Stream, Option<String>>,
    definitions: BTreeMap<String, TaskDefinition>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stream {
    pub(crate) instance: String,
    pub(crate) region: String,
    pub(crate) group: String,
    pub(crate) name: String,
}

impl EcsTarget {
    /// The logs of a service: of all its tasks, or of one, by its id or the beginning of it.
    ///
    /// # Errors
    /// When what is wanted is not a service of ECS.
    pub fn logs(&self, wanted: &ServiceRequest, only: Option<&str>) -> Result<EcsLogs, Cause> {
        let (config, only) = (EcsConfig::of(wanted)?, only.map(str::to_owned));
        let (streams, definitions) = (BTreeMap::new(), BTreeMap::new());
        Ok(EcsLogs { config, only, streams, definitions })
    }

    /// The last lines of each stream.
    ///
    /// # Errors
    /// When there is nothing that prints, or AWS does not say.
    pub fn last_printed(&mut self, logs: &mut EcsLogs, lines: u32) -> Result<Vec<EcsLine>, Cause> {
        self.find(logs)?;
        if logs.streams.is_empty() {
            let service = &logs.config.service;
            let said = match &logs.only {
                Some(only) => format!("no task of {service} that runs is called {only}"),
                None => format!(
                    "no task of {service} runs that prints to CloudWatch (`awslogs` in its task \
                     definition)"
                ),
            };
            return Err(Cause::new(CauseCode::Unavailable, text(said)));
        }
        self.read(logs, lines)
    }

    /// What came since, of tasks that started since too.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn more_printed(&mut self, logs: &mut EcsLogs) -> Result<Vec<EcsLine>, Cause> {
        self.find(logs)?;
        // Who was not there before is read from its first line.
        self.read(logs, u32::MAX)
    }

    /// Streams of tasks that run. One whose task is gone is read on: its last lines come late.
    fn find(&mut self, logs: &mut EcsLogs) -> Result<(), Cause> {
        let config = &logs.config;
        self.guard(config.account.as_deref()).map_err(told)?;
        active(self, config).map_err(told)?;
        let of = ("serviceName", config.service.as_str());
        let tasks = self.client.tasks(&config.cluster, of, "RUNNING").map_err(|it| it.cause())?;
        for task in tasks {
            let id = task.id().to_owned();
            if logs.only.as_ref().is_some_and(|only| !id.starts_with(only.as_str())) {
                continue;
            }
            let arn = task.task_definition_arn.clone();
            if !logs.definitions.contains_key(&arn) {
                let found = self.client.describe_task_definition(&arn).map_err(|it| it.cause())?;
                logs.definitions.insert(arn.clone(), found);
            }
            let definition = &logs.definitions[&arn].body;
            for stream in streams(definition, &id, self.client.region()) {
                logs.streams.entry(stream).or_insert(None);
            }
        }
        Ok(())
    }

    fn read(&mut self, logs: &mut EcsLogs, lines: u32) -> Result<Vec<EcsLine>, Cause> {
        let mut printed = Vec::new();
        for (stream, token) in &mut logs.streams {
            let at = (stream.group.as_str(), stream.name.as_str());
            let from = token.as_deref().map_or(LinesFrom::Last(lines), LinesFrom::Behind);
            let read = self.client.in_region(&stream.region, |it| it.lines(at, from));
            // It may not have printed anything yet.
            let Some((lines, next)) = read.map_err(|it| it.cause())? else { continue };
            printed.extend(lines.iter().map(|line| EcsLine {
                instance: stream.instance.clone(),
                text: self.masker.mask(line.trim_end_matches(['\r', '\n'])).to_string(),
            }));
            *token = Some(next);
        }
        Ok(printed)
    }
}

fn told(stop: crate::target::Stop) -> Cause {
    match stop {
        crate::target::Stop::Fault(fault) => fault.cause(),
        crate::target::Stop::Over(ports::Progress::Failed(cause)) => cause,
        crate::target::Stop::Over(_) => {
            Cause::new(CauseCode::Fault, text("a look ended as a step does"))
        }
    }
}

/// Where the containers of a task print to.
pub(crate) fn streams(definition: &Json, id: &str, region: &str) -> Vec<Stream> {
    let containers = definition["containerDefinitions"].as_array().into_iter().flatten();
    let prints = |it: &&Json| it["logConfiguration"]["logDriver"] == "awslogs";
    let printing: Vec<&Json> = containers.filter(prints).collect();
    let shown: String = id.chars().take(ID_SHOWN).collect();
    let stream = |container: &&Json| {
        let options = &container["logConfiguration"]["options"];
        let name = container["name"].as_str()?;
        let (group, prefix) =
            (options["awslogs-group"].as_str()?, options["awslogs-stream-prefix"].as_str()?);
        let instance = if printing.len() > 1 { format!("{shown}/{name}") } else { shown.clone() };
        Some(Stream {
            instance,
            region: options["awslogs-region"].as_str().unwrap_or(region).to_owned(),
            group: group.to_owned(),
            name: format!("{prefix}/{name}/{id}"),
        })
    };
    printing.iter().filter_map(stream).collect()
}
