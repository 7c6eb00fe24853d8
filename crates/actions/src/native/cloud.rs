//! AWS from inside a native version: signed in with what the job's environment has, and with
//! nothing of the user's.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws::{Client, Endpoints, Fault, FaultKind, Https, SignIn, Surroundings};

use super::step::{Failure, Step};

/// The environment and the files that the step sees.
struct OfStep;

impl Surroundings for OfStep {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    fn file(&self, path: &Path) -> Option<String> {
        std::fs::read_to_string(path).ok()
    }
}

/// A client in the region that the environment names.
pub(super) fn client(step: &Step) -> Result<Client, Failure> {
    let region = step.variable("AWS_REGION").or_else(|| step.variable("AWS_DEFAULT_REGION"));
    let region = region.ok_or_else(|| {
        Failure::new("Region is missing").hint(
            "give aws-actions/configure-aws-credentials an `aws-region` before this step, or set AWS_REGION",
        )
    })?;
    Ok(client_in(step, &region))
}

/// A client in a region.
pub(super) fn client_in(step: &Step, region: &str) -> Client {
    let sign_in = SignIn::new(Arc::new(OfStep));
    Client::new(region, endpoints(step), sign_in, Box::new(Https::default()), Box::new(now))
}

fn endpoints(step: &Step) -> Endpoints {
    Endpoints {
        all: step.variable("AWS_ENDPOINT_URL"),
        ecs: step.variable("AWS_ENDPOINT_URL_ECS"),
        sts: step.variable("AWS_ENDPOINT_URL_STS"),
        logs: step.variable("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"),
    }
}

/// Milliseconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// What AWS said, behind what was tried.
pub(super) fn failed(fault: &Fault, words: &str) -> Failure {
    match fault.kind {
        FaultKind::SignIn if fault.code.is_none() => {
            Failure::new("Could not load credentials from any providers")
                .hint("sign in before this step, with aws-actions/configure-aws-credentials")
        }
        FaultKind::Unanswered => {
            Failure::missing(format!("{words}: {}", fault.message), "is this machine online?")
        }
        _ => {
            let id =
                fault.request_id.as_ref().map_or(String::new(), |it| format!(" (request {it})"));
            Failure::new(format!("{words}: {}{id}", fault.message)).hint(format!(
                "{}: {}",
                fault.action,
                fault.code.as_deref().unwrap_or("no code was given")
            ))
        }
    }
}
