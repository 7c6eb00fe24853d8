//! What a role must be allowed at ECR: to push what is built, to copy what comes from below, to ask
//! what a scan found. Making a repository is for whoever sets the project up.

use iam::{Policy, Statement};
use settings::ServiceInEnvironment;

use super::gate::{COPY_CALLS, SCAN_CALLS};
use super::shelf;
use crate::exit::{Exit, Failure};
use crate::settings_file::Found;

/// Signing in; AWS knows no resources for it.
const SIGN_IN: &str = "ecr:GetAuthorizationToken";
/// What a copy asks where it comes from.
const READS: &[&str] = &["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];

/// The rights for the images of a service in an environment; none where they are in no ECR, or where
/// this environment neither builds nor copies nor scans.
///
/// # Errors
/// When the environment below is not in the settings.
pub(crate) fn rights(
    found: &Found,
    resolved: &ServiceInEnvironment,
    account: &str,
) -> Result<Policy, Failure> {
    let mut policy = Policy::default();
    let Some(own) = repository(resolved, account) else { return Ok(policy) };
    let below = match &resolved.environment.below {
        Some(below) => {
            let below = found.settings.resolve(&below.value, &resolved.service.name.value);
            Some(below.map_err(|error| Failure::new(Exit::Usage, error))?)
        }
        None => None,
    };
    let from = below.and_then(|below| repository(&below, account)).filter(|from| *from != own);
    if resolved.service.build.is_some() || from.is_some() {
        // A push asks for what a copy does.
        let writes: Vec<&str> = COPY_CALLS.iter().copied().filter(|it| *it != SIGN_IN).collect();
        policy.statements.push(statement("Images", &writes, &own));
        policy.statements.push(statement("SignInToRegistry", &[SIGN_IN], "*"));
    }
    if let Some(from) = &from {
        policy.statements.push(statement("ImagesCopied", READS, from));
    }
    if resolved.environment.scan.is_some() {
        policy.statements.push(statement("Scans", SCAN_CALLS, &own));
    }
    Ok(policy)
}

/// The ARN of its repository, where that is one of ECR.
fn repository(resolved: &ServiceInEnvironment, account: &str) -> Option<String> {
    let settings::Target::Ecs(target) = &resolved.target else { return None };
    let region = &target.region.value;
    let name = shelf::name(resolved);
    let written = resolved.environment.registry.as_ref();
    let host = written.map(|it| it.value.split('/').next().unwrap_or_default().to_owned());
    let (account, region) = match &host {
        // 111122223333.dkr.ecr.eu-central-1.amazonaws.com
        Some(host) => match host.split('.').collect::<Vec<_>>()[..] {
            [account, "dkr", "ecr", region, ..] => (account, region),
            _ => return None,
        },
        None => (account, &**region),
    };
    let partition = if region.starts_with("cn-") { "aws-cn" } else { "aws" };
    Some(format!("arn:{partition}:ecr:{region}:{account}:repository/{name}"))
}

fn statement(name: &str, actions: &[&str], resource: &str) -> Statement {
    Statement {
        name: name.to_owned(),
        actions: actions.iter().map(|it| (*it).to_owned()).collect(),
        resources: vec![resource.to_owned()],
        conditions: Vec::new(),
    }
}
