//! The services of a job in a container: containers beside it, on its network, found by their ids
//! (conformance 159, 160, 163).

use docker::{Health, Wait, Wanted};
use expr::{Object, Value};
use protocol::JobSpec;
use serde_json::{Value as Json, json};

use super::{Container, Meanwhile, bring, keep_in, refuse_beyond, short};
use crate::bounds;
use crate::gather::with_sources;
use crate::setup::SetupError;

impl Container {
    /// Starts them all, then waits until each is ready; `job.services`.
    pub(crate) fn start_services(
        &self,
        entries: &[(String, Json)],
        spec: &JobSpec,
        meanwhile: &mut Meanwhile<'_, '_>,
    ) -> Result<Value, SetupError> {
        let mut started = Vec::new();
        for (id, entry) in entries {
            let refused = |error: docker::WantedError| {
                SetupError::Refused(format!("service {id}: {}", with_sources(&error)))
            };
            let Some(wanted) = docker::wanted(entry).map_err(refused)? else { continue };
            refuse_beyond(&format!("service {id}"), &wanted, spec)?;
            bring(&self.engine, &wanted, meanwhile)?;
            let container = self.start_service(id, &wanted, spec)?;
            (meanwhile.say)(&format!(
                "Container {} of {}, service {id}",
                short(&container),
                wanted.image
            ));
            started.push((id, container));
        }
        let mut context = Object::new();
        for (id, container) in started {
            self.await_service(id, &container, meanwhile.wait)?;
            context.insert(id.as_str(), self.service_context(id, &container)?);
        }
        Ok(Value::from(context))
    }

    fn start_service(
        &self,
        id: &str,
        wanted: &Wanted,
        spec: &JobSpec,
    ) -> Result<String, SetupError> {
        let mut body = wanted.body.clone();
        body["Labels"][docker::JOB_LABEL] = (&*spec.tracking_id).into();
        body["HostConfig"]["NetworkMode"] = self.network.as_str().into();
        body["NetworkingConfig"] =
            json!({ "EndpointsConfig": { self.network.as_str(): { "Aliases": [id] } } });
        keep_in(&mut body, spec);
        bounds::of_containers(spec).hold(&mut body);
        let name = format!("launchway-{}-{id}", spec.tracking_id);
        let made = self.engine.make(wanted.name.as_deref().unwrap_or(&name), &body);
        let container = made.map_err(|error| failed(id, error))?;
        self.engine.start(&container).map_err(|error| failed(id, error))?;
        Ok(container)
    }

    fn await_service(
        &self,
        id: &str,
        container: &str,
        wait: &mut Wait<'_>,
    ) -> Result<(), SetupError> {
        match self.engine.await_health(container, wait).map_err(|error| failed(id, error))? {
            Health::Ready => Ok(()),
            Health::Wrong { why, said } => {
                let said = said.trim_end();
                let log =
                    if said.is_empty() { String::new() } else { format!("; it said:\n{said}") };
                Err(SetupError::Refused(format!("service {id} {why}{log}")))
            }
        }
    }

    fn service_context(&self, id: &str, container: &str) -> Result<Value, SetupError> {
        let ports = self.engine.ports(container).map_err(|error| failed(id, error))?;
        let mut mapped = Object::new();
        for (inside, outside) in ports {
            mapped.insert(inside.to_string(), outside.to_string());
        }
        let mut context = Object::new();
        context.insert("id", container);
        context.insert("network", self.network.as_str());
        context.insert("ports", Value::from(mapped));
        Ok(Value::from(context))
    }
}

fn failed(id: &str, source: docker::EngineError) -> SetupError {
    SetupError::Container { action: format!("service {id}"), source }
}
