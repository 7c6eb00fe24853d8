//! AWS from inside a native version: signed in with what the job's environment has, and with
//! nothing of the user's.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws::{
    Client, Credentials, Endpoints, Fault, FaultKind, Https, RegistryLogin, SignIn, Surroundings,
};
use mask::Secret;
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

/// Who calls.
#[derive(Clone)]
pub(super) enum Who {
    /// Whoever the step is signed in as.
    Step,
    /// Whoever has these.
    Keys(Credentials),
    /// Nobody: there are no credentials any more.
    Nobody,
}

/// Credentials, and nothing else.
struct Keys(Credentials);

impl Surroundings for Keys {
    fn variable(&self, name: &str) -> Option<String> {
        let secret = |it: &Secret| it.expose().to_owned();
        match name {
            "AWS_ACCESS_KEY_ID" => Some(self.0.key_id.clone()),
            "AWS_SECRET_ACCESS_KEY" => Some(secret(&self.0.secret)),
            "AWS_SESSION_TOKEN" => self.0.session.as_ref().map(secret),
            _ => None,
        }
    }

    fn file(&self, _: &Path) -> Option<String> {
        None
    }
}

struct Nothing;

impl Surroundings for Nothing {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, _: &Path) -> Option<String> {
        None
    }
}

/// A client in the region that the environment names.
pub(super) fn client(step: &Step) -> Result<Client, Failure> {
    client_as(step, &region(step)?, Who::Step, None, None)
}

/// The region that the environment names.
pub(super) fn region(step: &Step) -> Result<String, Failure> {
    let region = step.variable("AWS_REGION").or_else(|| step.variable("AWS_DEFAULT_REGION"));
    region.ok_or_else(|| {
        Failure::new("Region is missing").hint(
            "give aws-actions/configure-aws-credentials an `aws-region` before this step, or set AWS_REGION",
        )
    })
}

/// A client in a region; STS and the proxy where inputs name them.
pub(super) fn client_as(
    step: &Step,
    region: &str,
    who: Who,
    sts: Option<String>,
    proxy: Option<&str>,
) -> Result<Client, Failure> {
    let who: Arc<dyn Surroundings> = match who {
        Who::Step => Arc::new(OfStep),
        Who::Keys(credentials) => Arc::new(Keys(credentials)),
        Who::Nobody => Arc::new(Nothing),
    };
    let transport = match proxy {
        Some(address) => Https::by_proxy(address)
            .ok_or_else(|| Failure::new("input `http-proxy` is not an address"))?,
        None => Https::default(),
    };
    let mut endpoints = endpoints(step);
    if let Some(sts) = sts {
        endpoints = endpoints.with_sign_in_at(sts);
    }
    let sign_in = SignIn::new(who);
    Ok(Client::new(region, endpoints, sign_in, Box::new(transport), Box::new(now)))
}

/// A value as part of an address.
pub(super) fn encoded(text: &str) -> String {
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"-_.~".contains(&it);
    text.bytes().fold(String::new(), |mut out, byte| {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

fn endpoints(step: &Step) -> Endpoints {
    Endpoints::of(|name| step.variable(name))
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
    let who = if key_id.is_empty() || secret.is_empty() {
        Who::Step
    } else {
        Who::Keys(Credentials::key(key_id, secret))
    };
    let words = "Could not retrieve an authorization token from AWS ECR";
    let Some((account, region)) = account_and_region(registry) else {
        let mut client = client_as(step, "us-east-1", who, None, None)?;
        let login = client.public_registry_login().map_err(|fault| failed(&fault, words))?;
        return Ok(vec![login]);
    };
    let mut accounts = vec![account];
    for other in step.variable("AWS_ACCOUNT_IDS").unwrap_or_default().split(',') {
        if !other.is_empty() && !accounts.iter().any(|it| it == other) {
            accounts.push(other.to_owned());
        }
    }
    let mut client = client_as(step, &region, who, None, None)?;
    client.registry_logins(&accounts).map_err(|fault| failed(&fault, words))
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
