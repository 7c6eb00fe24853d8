//! Whether what would be gone back to could run again: everything that its tasks need, looked at
//! before anything changes.
//!
//! What is gone stands against going back, each with its remedy. What these credentials may not look
//! at is said in the plan, and stands against nothing.

use std::collections::BTreeSet;

use aws::{Client, EcsService, Fault, TaskDefinition};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::images::{self, InRegistry};
use crate::references::{self, Looked, is_for_good};
use crate::words::short;

/// What would be gone back to, and what stands against it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct WayBack {
    pub(crate) task_definition: String,
    /// ECS lets a service run it.
    pub(crate) is_active: bool,
    /// What its tasks need and is gone, each with its remedy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) gone: Vec<String>,
    /// Calls that were not allowed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) hidden: BTreeSet<String>,
}

/// Looks at everything that tasks of a definition need in a service.
pub(crate) fn look(
    client: &mut Client,
    account: &str,
    definition: &TaskDefinition,
    service: &EcsService,
) -> Result<WayBack, Fault> {
    let mut back = WayBack {
        task_definition: definition.arn.clone(),
        is_active: definition.is_active,
        ..WayBack::default()
    };
    back.images(client, &definition.body)?;
    back.roles(client, account, &definition.body)?;
    back.logs(client, &definition.body)?;
    back.secrets(client, &definition.body)?;
    back.network(client, service)?;
    Ok(back)
}

impl WayBack {
    /// Why it could not run again.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let name = short(&self.task_definition);
        let inactive = format!(
            "{name}, which would be gone back to, is deregistered: register it again as it is and let \
             the service run that revision"
        );
        let inactive = (!self.is_active).then_some(inactive);
        let gone =
            self.gone.iter().map(|it| format!("{name}, which would be gone back to, needs {it}"));
        inactive.into_iter().chain(gone).collect()
    }

    /// What was not looked at.
    pub(crate) fn note(&self) -> Option<String> {
        let calls: Vec<&str> = self.hidden.iter().map(String::as_str).collect();
        (!calls.is_empty()).then(|| {
            format!(
                "not everything that going back needs was looked at: these credentials may not call {}",
                calls.join(", ")
            )
        })
    }

    /// What is there is fine; what is not is gone; what may not be looked at is noted.
    fn take(
        &mut self,
        looked: Result<bool, Fault>,
        gone: impl FnOnce() -> String,
    ) -> Result<(), Fault> {
        match looked {
            Ok(true) => {}
            Ok(false) => self.gone.push(gone()),
            Err(fault) if is_for_good(&fault) => {
                self.hidden.insert(fault.action);
            }
            Err(fault) => return Err(fault),
        }
        Ok(())
    }

    fn images(&mut self, client: &mut Client, body: &Json) -> Result<(), Fault> {
        for container in body["containerDefinitions"].as_array().into_iter().flatten() {
            let image = container["image"].as_str().unwrap_or_default();
            let Some(at) = InRegistry::of(image) else { continue };
            let looked = images::is_there(client, &at);
            let name = container["name"].as_str().unwrap_or_default();
            self.take(looked, || {
                format!(
                    "the image of {name}, {image}, which is not in its repository any more: push it \
                     again, and let the repository's lifecycle policy keep what runs"
                )
            })?;
        }
        Ok(())
    }

    fn roles(&mut self, client: &mut Client, account: &str, body: &Json) -> Result<(), Fault> {
        for (key, what) in
            [("executionRoleArn", "the execution role"), ("taskRoleArn", "the task role")]
        {
            let Some(arn) = body[key].as_str().filter(|it| !it.is_empty()) else { continue };
            // Those of another account cannot be looked at from here.
            if arn.split(':').nth(4).is_some_and(|it| it != account) {
                continue;
            }
            self.take(client.has_role(short(arn)), || {
                format!("{what} {arn}, which is gone: make it again, with what it may do")
            })?;
        }
        Ok(())
    }

    fn logs(&mut self, client: &mut Client, body: &Json) -> Result<(), Fault> {
        let containers = body["containerDefinitions"].as_array().into_iter().flatten();
        let mut seen = BTreeSet::new();
        for configuration in containers.map(|it| &it["logConfiguration"]) {
            let options = &configuration["options"];
            let makes_it = options["awslogs-create-group"].as_str() == Some("true");
            let Some(group) = options["awslogs-group"].as_str().filter(|_| !makes_it) else {
                continue;
            };
            let region = options["awslogs-region"].as_str().unwrap_or(client.region()).to_owned();
            if configuration["logDriver"].as_str() != Some("awslogs")
                || !seen.insert((group.to_owned(), region.clone()))
            {
                continue;
            }
            let looked = client.in_region(&region, |it| it.has_log_group(group));
            self.take(looked, || {
                format!(
                    "the log group {group}, which is gone: make it again (`aws logs \
                     create-log-group --region {region} --log-group-name {group}`)"
                )
            })?;
        }
        Ok(())
    }

    fn secrets(&mut self, client: &mut Client, body: &Json) -> Result<(), Fault> {
        for value_from in references::values_of(body) {
            match references::look(client, &references::of_value(value_from))? {
                Looked::There(_) => {}
                Looked::Missing(why) => self.gone.push(format!("a secret: {why}")),
                Looked::Hidden { action, .. } => {
                    self.hidden.insert(action.to_owned());
                }
            }
        }
        Ok(())
    }

    fn network(&mut self, client: &mut Client, service: &EcsService) -> Result<(), Fault> {
        let of = service.network_configuration.as_ref().map(|it| &it["awsvpcConfiguration"]);
        let list = |key: &str| -> Vec<String> {
            let items = of.and_then(|it| it[key].as_array()).into_iter().flatten();
            items.filter_map(|it| it.as_str().map(str::to_owned)).collect()
        };
        for id in list("subnets") {
            self.take(client.has_subnet(&id), || {
                format!("the subnet {id}, which is gone: let the service use others")
            })?;
        }
        for id in list("securityGroups") {
            self.take(client.has_security_group(&id), || {
                format!("the security group {id}, which is gone: let the service use others")
            })?;
        }
        for balancer in &service.load_balancers {
            let Some(arn) = balancer["targetGroupArn"].as_str() else { continue };
            self.take(client.has_target_group(arn), || {
                format!(
                    "the target group {arn}, which is gone: make the service again with another"
                )
            })?;
        }
        Ok(())
    }
}
