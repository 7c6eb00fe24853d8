//! Where the images of a service are in an environment: a repository of a registry, and how we are
//! let in there.

use std::sync::Arc;

use aws::{Client, EcrRepository};
use registry::{Login, Manifest, Registry, RegistryError, docker_folder, docker_login};
use settings::ServiceInEnvironment;

use crate::deploying::cloud;
use crate::deploying::targets::Site;
use crate::exit::{Exit, Failure};
use crate::settings_file::Found;

/// A repository, opened.
pub(crate) struct Shelf {
    pub(crate) registry: Registry,
    /// Behind the host: `planner-staging`.
    pub(crate) repository: String,
    pub(crate) login: Option<Login>,
    /// The account's own calls, where it is one of ECR.
    pub(crate) ecr: Option<Client>,
}

/// What becomes of a repository that is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfMissing {
    Refuse,
    Create,
}

impl Shelf {
    /// `registry.example.com/planner`
    pub(crate) fn location(&self) -> String {
        format!("{}/{}", self.registry.host(), self.repository)
    }

    /// The manifest that a tag or a digest names there.
    pub(crate) fn manifest(&mut self, reference: &str) -> Result<Option<Manifest>, Failure> {
        self.registry.manifest(&self.repository, reference).map_err(failed)
    }

    /// Gives an image another name.
    pub(crate) fn tag(&mut self, manifest: &Manifest, tag: &str) -> Result<(), RegistryError> {
        self.registry.tag(&self.repository, manifest, tag)
    }
}

/// A registry's word as a failure, with what helps.
pub(crate) fn failed(error: RegistryError) -> Failure {
    let (exit, hint) = match &error {
        RegistryError::Unanswered { .. } => (Exit::Missing, None),
        RegistryError::Denied { host, .. } if is_ecr_host(host) => {
            (Exit::Forbidden, Some("the role needs the rights of docs/build.md".to_owned()))
        }
        RegistryError::Denied { host, .. } => {
            (Exit::Forbidden, Some(format!("sign in: docker login {host}")))
        }
        RegistryError::Absent { .. } => (Exit::Missing, None),
        RegistryError::Immutable { .. } => (Exit::Forbidden, None),
        RegistryError::Refused { .. }
        | RegistryError::NoManifest { .. }
        | RegistryError::Altered { .. } => (Exit::Failed, None),
    };
    hint.into_iter().fold(Failure::caused(exit, error), Failure::hint)
}

/// By its name: `111122223333.dkr.ecr.eu-central-1.amazonaws.com`.
pub(crate) fn is_ecr_host(host: &str) -> bool {
    host.contains(".dkr.ecr.") || host.contains(".dkr-ecr.")
}

/// The name of the repository that the settings mean: without the registry in front of it.
pub(crate) fn name(resolved: &ServiceInEnvironment) -> String {
    let image = &resolved.service.image.value;
    match resolved.environment.registry.as_ref().and_then(|it| it.value.split_once('/')) {
        Some((_, before)) => format!("{before}/{image}"),
        None => image.to_string(),
    }
}

/// Opens it. A repository of ECR must be there, or is made where that is wanted; others are made by
/// their registry when the first image comes.
pub(crate) fn open(
    found: &Found,
    site: Site<'_>,
    resolved: &ServiceInEnvironment,
    missing: IfMissing,
) -> Result<Shelf, Failure> {
    let repository = name(resolved);
    let written = resolved.environment.registry.as_ref();
    let host = written.map(|it| it.value.split('/').next().unwrap_or_default().to_owned());
    match host {
        Some(host) if !is_ecr_host(&host) => {
            let login = docker_folder().and_then(|folder| docker_login(&folder, &host));
            let registry = Registry::new(&host, login);
            // Pushes are docker's, which has the sign-in already.
            Ok(Shelf { registry, repository, login: None, ecr: None })
        }
        _ => ecr(found, site, resolved, missing),
    }
}

/// The region of the registry, where it is AWS's.
fn region(resolved: &ServiceInEnvironment) -> Option<Arc<str>> {
    let of_target = match &resolved.target {
        settings::Target::Ecs(target) => Some(Arc::clone(&target.region.value)),
        settings::Target::Host(_) | settings::Target::Kubernetes(_) => None,
    };
    of_target.or_else(|| resolved.environment.region.as_ref().map(|it| Arc::clone(&it.value)))
}

fn ecr(
    found: &Found,
    site: Site<'_>,
    resolved: &ServiceInEnvironment,
    missing: IfMissing,
) -> Result<Shelf, Failure> {
    let (environment, name) = (&resolved.environment.name.value, name(resolved));
    let region = region(resolved).ok_or_else(|| {
        let message = format!("nothing says in which registry the images of {environment} are");
        Failure::new(Exit::Missing, message).hint(format!(
            "write `registry` under environments.{environment}, or `region` where it is AWS's"
        ))
    })?;
    let sign_in = cloud::sign_in(site, Some(found))?;
    let mut client = cloud::client(&region, sign_in);
    let there = client.ecr_repository(&name).map_err(|fault| denied(&fault))?;
    let there = match (there, missing) {
        (Some(there), _) => there,
        (None, IfMissing::Create) => {
            client.create_ecr_repository(&name).map_err(|fault| denied(&fault))?
        }
        (None, IfMissing::Refuse) => return Err(no_repository(&name, &region, environment)),
    };
    guard(resolved, &there)?;
    let logins = client.registry_logins(&[]).map_err(|fault| denied(&fault))?;
    let login = logins.into_iter().next();
    let login = login.map(|it| Login { username: it.username, password: it.password });
    let (host, repository) = there.uri.split_once('/').unwrap_or((&there.uri, &name));
    let registry = Registry::new(host, login.clone());
    let repository = repository.to_owned();
    Ok(Shelf { registry, repository, login, ecr: Some(client) })
}

fn no_repository(name: &str, region: &str, environment: &str) -> Failure {
    let message = format!("there is no repository {name} in ECR, in {region}");
    Failure::new(Exit::Missing, message)
        .hint(format!("make it: launchway build --push {environment} --create-repository"))
        .hint(format!("or: aws ecr create-repository --repository-name {name} --region {region}"))
}

/// Nothing is pushed into another account than the settings name.
fn guard(resolved: &ServiceInEnvironment, there: &EcrRepository) -> Result<(), Failure> {
    let wanted = resolved.environment.account.as_ref().map(|it| &*it.value);
    match wanted {
        Some(wanted) if wanted != there.account && !there.account.is_empty() => {
            let environment = &resolved.environment.name.value;
            let found = &there.account;
            let message = format!(
                "these credentials are of the account {found}, and {environment} is in {wanted}"
            );
            Err(Failure::new(Exit::Forbidden, message)
                .hint(format!("`credentials` of {environment} says how to sign in")))
        }
        _ => Ok(()),
    }
}

/// AWS's word as a failure.
pub(crate) fn denied(fault: &aws::Fault) -> Failure {
    use aws::FaultKind;
    let exit = match fault.kind {
        FaultKind::Denied => Exit::Forbidden,
        FaultKind::Refused => Exit::Failed,
        FaultKind::Unreadable => Exit::Fault,
        _ => Exit::Missing,
    };
    let failure = Failure::new(exit, fault);
    if fault.kind == FaultKind::Denied {
        return failure.hint("docs/build.md lists the rights that are needed");
    }
    failure
}
