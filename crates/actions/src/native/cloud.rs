//! AWS from inside a native version: signed in with what the job's environment has, and with
//! nothing of the user's.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws::{Client, Endpoints, Fault, FaultKind, Https, RegistryLogin, SignIn, Surroundings};
use regex::Regex;

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

/// Keys that an input has, and nothing else.
struct Keys {
    id: String,
    secret: String,
}

impl Surroundings for Keys {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "AWS_ACCESS_KEY_ID" => Some(self.id.clone()),
            "AWS_SECRET_ACCESS_KEY" => Some(self.secret.clone()),
            _ => None,
        }
    }

    fn file(&self, _: &Path) -> Option<String> {
        None
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
    client_as(step, region, Arc::new(OfStep))
}

fn client_as(step: &Step, region: &str, who: Arc<dyn Surroundings>) -> Client {
    let sign_in = SignIn::new(who);
    Client::new(region, endpoints(step), sign_in, Box::new(Https::default()), Box::new(now))
}

fn endpoints(step: &Step) -> Endpoints {
    Endpoints {
        all: step.variable("AWS_ENDPOINT_URL"),
        ecs: step.variable("AWS_ENDPOINT_URL_ECS"),
        sts: step.variable("AWS_ENDPOINT_URL_STS"),
        logs: step.variable("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"),
        ecr: step.variable("AWS_ENDPOINT_URL_ECR"),
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

const PUBLIC_REGISTRIES: [&str; 2] = ["public.ecr.aws", "ecr-public.aws.com"];

/// Account and region of a private registry of AWS's.
fn account_and_region(registry: &str) -> Option<(String, String)> {
    let form = Regex::new(
        r"^(([0-9]{12})\.(?:dkr\.ecr|dkr-ecr)\.(.+)\.(?:on\.aws|amazonaws\.(?:com(?:.cn)?|eu)))(?:/([^:]+)(:.+)?)?$",
    );
    let form = form.expect("a known expression");
    let found = form.captures(registry)?;
    Some((found[2].to_owned(), found[3].to_owned()))
}

/// Whether a registry is AWS's, by its name.
pub(super) fn is_ecr(registry: &str) -> bool {
    PUBLIC_REGISTRIES.iter().any(|name| registry.contains(name))
        || account_and_region(registry).is_some()
}

/// What a registry of AWS's takes; the keys are the job's where an input has none.
pub(super) fn registry_logins(
    step: &Step,
    registry: &str,
    key_id: &str,
    secret: &str,
) -> Result<Vec<RegistryLogin>, Failure> {
    let who: Arc<dyn Surroundings> = if key_id.is_empty() || secret.is_empty() {
        Arc::new(OfStep)
    } else {
        Arc::new(Keys { id: key_id.to_owned(), secret: secret.to_owned() })
    };
    let words = "Could not retrieve an authorization token from AWS ECR";
    let Some((account, region)) = account_and_region(registry) else {
        let mut client = client_as(step, "us-east-1", who);
        let login = client.public_registry_login().map_err(|fault| failed(&fault, words))?;
        return Ok(vec![login]);
    };
    let mut accounts = vec![account];
    for other in step.variable("AWS_ACCOUNT_IDS").unwrap_or_default().split(',') {
        if !other.is_empty() && !accounts.iter().any(|it| it == other) {
            accounts.push(other.to_owned());
        }
    }
    client_as(step, &region, who).registry_logins(&accounts).map_err(|fault| failed(&fault, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_of_aws_are_known_by_name() {
        let of =
            |name: &str| account_and_region(name).map(|(account, region)| account + " " + &region);
        let private = "111122223333.dkr.ecr.eu-central-1.amazonaws.com";
        assert_eq!(of(private).as_deref(), Some("111122223333 eu-central-1"));
        assert_eq!(of(&format!("{private}.cn")).as_deref(), Some("111122223333 eu-central-1"));
        assert_eq!(of("ghcr.io"), None);
        assert!(is_ecr("public.ecr.aws") && !is_ecr("docker.io"));
    }
}
