//! What is to be said of a service before anybody deploys to it: what would stand in the way, and what
//! is missing that would help when something goes wrong.

use event::{GoingBack, ServiceRequest};
use ports::Observation;
use serde::Deserialize as _;

use crate::config::EcsConfig;
use crate::look::{Seen, SeenService};
use crate::plan;
use crate::words::short;

/// Something that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// How it is.
    pub state: Condition,
    /// What was looked at.
    pub of: &'static str,
    /// What is so.
    pub said: String,
    /// What to do; empty where nothing is.
    pub remedy: String,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// As it should be.
    Fine,
    /// It could not be looked at.
    Unseen,
    /// Deployments work without it, until something goes wrong.
    Warning,
    /// A deployment would be refused, or fail.
    Error,
    /// AWS does not let us look: another account, no permission.
    Forbidden,
}

fn remark(state: Condition, of: &'static str, said: impl Into<String>, remedy: &str) -> Remark {
    Remark { state, of, said: said.into(), remedy: remedy.to_owned() }
}

/// What is to be said after a look. `asked` says whether the settings ask for health themselves.
pub fn remarks(wanted: &ServiceRequest, seen: &Observation, asked: bool) -> Vec<Remark> {
    let looked = match (EcsConfig::of(wanted), Seen::deserialize(&seen.seen)) {
        (Ok(config), Ok(looked)) => (config, looked),
        (Err(cause), _) => {
            return vec![remark(Condition::Error, "settings", cause.message.to_string(), "")];
        }
        (_, Err(error)) => {
            let said = format!("what was seen cannot be read: {error}");
            return vec![remark(Condition::Error, "service", said, "")];
        }
    };
    let (config, service) = match looked {
        (_, Seen::Barred { why }) => {
            return vec![remark(Condition::Forbidden, "access", why, IAM)];
        }
        (config, Seen::Missing { status }) => {
            let said = format!(
                "there is no active service {} in the cluster {} of {} ({status})",
                config.service, config.cluster, config.region
            );
            let remedy = "make it first, or correct `targets.ecs`";
            return vec![remark(Condition::Error, "service", said, remedy)];
        }
        (config, Seen::Service(service)) => (config, service),
    };
    let runs = short(&service.task_definition);
    let said = format!("{} of {} runs {runs}", config.service, config.cluster);
    let mut all = vec![remark(Condition::Fine, "service", said, "")];
    all.extend(of_deployments(wanted, seen));
    all.extend(of_failures(&service, asked));
    all
}

/// The remedy where rights are missing.
const IAM: &str = "`launchway environments iam` writes what is needed";

/// What a plan would say now.
fn of_deployments(wanted: &ServiceRequest, seen: &Observation) -> Vec<Remark> {
    let proposal = match plan::propose(wanted, seen) {
        Ok(proposal) => proposal,
        Err(cause) => {
            let said = cause.message.to_string();
            // What stands against it has its remedy behind a colon.
            let (said, remedy) = said.rsplit_once(": ").unwrap_or((&said, ""));
            return vec![remark(Condition::Error, "deployment", said, remedy)];
        }
    };
    let mut all = vec![remark(Condition::Fine, "deployment", "nothing stands against one", "")];
    match proposal.going_back {
        GoingBack::Impossible { reasons } => all.extend(reasons.iter().map(|it| {
            let said = it.to_string();
            let (said, remedy) = said.rsplit_once(": ").unwrap_or((&said, ""));
            remark(Condition::Error, "way back", said, remedy)
        })),
        _ => all.push(remark(Condition::Fine, "way back", "there is one", "")),
    }
    // That one has a line of its own.
    let notes = proposal.notes.iter().filter(|it| it.as_str() != plan::NOBODY_ASKS);
    all.extend(notes.map(|it| remark(Condition::Unseen, "access", it.to_string(), IAM)));
    all
}

/// What helps when something goes wrong.
fn of_failures(service: &SeenService, asked: bool) -> Vec<Remark> {
    let mut all = Vec::new();
    if service.rollout.as_deref() == Some("FAILED") {
        let said = "the last deployment failed, and what runs is what it left";
        let remedy = "`launchway rollback` brings back what ran well";
        all.push(remark(Condition::Warning, "service", said, remedy));
    }
    all.push(match (service.breaker, service.breaker_rolls_back) {
        (true, true) => {
            let said = "ECS gives up what does not start, and goes back by itself";
            remark(Condition::Fine, "circuit breaker", said, "")
        }
        (true, false) => {
            let said = "ECS gives up what does not start, and leaves it there";
            let remedy = "deploymentCircuitBreaker with rollback: then it goes back also where nobody watches";
            remark(Condition::Warning, "circuit breaker", said, remedy)
        }
        (false, _) => {
            let said = "ECS starts what does not work again and again";
            let remedy = "deploymentCircuitBreaker with enable and rollback";
            remark(Condition::Warning, "circuit breaker", said, remedy)
        }
    });
    all.push(if service.is_checked() || asked {
        remark(Condition::Fine, "health check", "somebody asks whether it works", "")
    } else {
        let remedy =
            "a health check in the task definition, a load balancer, or `health` in the settings";
        remark(Condition::Warning, "health check", plan::NOBODY_ASKS, remedy)
    });
    all
}
