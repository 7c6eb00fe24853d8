//! The role of an environment, from its settings: who may take it, and what it must be allowed.

use aws::AUDIENCE;
use iam::{Policy, Trust};
use repository::Repository;
use settings::{Credentials, Environment};
use target_ecs::{EcsConfig, Passed};

use super::targets::{self, Site};
use super::{cloud, dumps, request, shared, steps, watching};
use crate::exit::{Exit, Failure};
use crate::images;
use crate::settings_file::Found;

/// Who gives tokens to jobs of GitHub Actions.
pub(crate) const GITHUB: &str = "https://token.actions.githubusercontent.com";
/// The longest session that is asked for where the settings say nothing.
const SESSION_SECONDS: u64 = 3600;

/// A role.
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) seconds: u64,
    pub(crate) trust: Trust,
    pub(crate) policy: Policy,
    /// What should be known of it.
    pub(crate) notes: Vec<String>,
}

/// A service of ECS in an environment.
pub(crate) struct EcsService {
    pub(crate) config: EcsConfig,
    pub(crate) migrates: bool,
}

/// Those of an environment, in the order in which they ship.
pub(crate) fn services(found: &Found, environment: &str) -> Result<Vec<EcsService>, Failure> {
    let mut all = Vec::new();
    for name in request::services(found, &[])? {
        let resolved = found.settings.resolve(environment, &name.value);
        let resolved = resolved.map_err(|error| Failure::new(Exit::Usage, error))?;
        if !matches!(resolved.target, settings::Target::Ecs(_)) {
            continue;
        }
        let config = targets::config(&resolved, found)?;
        let config =
            serde_json::from_value(config).map_err(|it| Failure::caused(Exit::Fault, it))?;
        let migrates = resolved.service.migrate.is_some();
        all.push(EcsService { config, migrates });
    }
    Ok(all)
}

/// The account of an environment: as it is written, else that of its role.
pub(crate) fn account(environment: &Environment) -> Option<String> {
    let written = environment.account.as_ref().map(|it| it.value.to_string());
    written.or_else(|| Some(role_arn(environment)?.split(':').nth(4)?.to_owned()))
}

/// The role that the settings name.
pub(crate) fn role_arn(environment: &Environment) -> Option<&str> {
    match &environment.credentials {
        Some(Credentials::Assume(assume)) => Some(&assume.role.value),
        _ => None,
    }
}

/// Whose tokens the role of an environment is given for, and about whom they are: both forms of sub.
pub(crate) fn trust(found: &Found, environment: &Environment) -> Result<Trust, Failure> {
    let name = &environment.name.value;
    let account = account(environment).ok_or_else(|| {
        Failure::new(Exit::Usage, format!("nothing says in which account {name} is"))
            .hint(format!("write `account` under environments.{name}"))
    })?;
    let issuer = match &environment.credentials {
        Some(Credentials::Assume(assume)) => assume.issuer.as_ref().map(|it| &*it.value),
        _ => None,
    };
    let repository = Repository::discover(&found.root)?;
    let subject = cloud::subject(&repository, name);
    // What numbers there are only GitHub knows.
    let any = || Some("*".to_owned());
    let numbered = issuer::Subject {
        owner_id: subject.owner_id.clone().or_else(any),
        repository_id: subject.repository_id.clone().or_else(any),
        ..subject.clone()
    };
    let subjects = vec![subject.by_name()];
    Ok(Trust {
        account,
        issuer: issuer.unwrap_or(GITHUB).trim_end_matches('/').to_owned(),
        audience: AUDIENCE.to_owned(),
        subjects: subjects.into_iter().chain(numbered.by_number()).collect(),
    })
}

/// The role of an environment. With `exact` what runs is looked at.
pub(crate) fn role(
    found: &Found,
    site: Site<'_>,
    environment: &Environment,
    exact: bool,
) -> Result<Role, Failure> {
    let trust = trust(found, environment)?;
    let services = services(found, &environment.name.value)?;
    let mut policy = Policy::default();
    let mut notes = Vec::new();
    for service in &services {
        let passed = if exact { look(found, site, service)? } else { Passed::default() };
        policy.add(target_ecs::permissions(
            &service.config,
            &trust.account,
            service.migrates,
            &passed,
        ));
    }
    for service in &found.settings.order {
        let resolved = found.settings.resolve(&environment.name.value, &service.value);
        let resolved = resolved.map_err(|error| Failure::new(Exit::Usage, error))?;
        if let Some(rds) = steps::database(&resolved)? {
            policy.add(backup::permissions(&rds, &trust.account));
        }
        policy.add(images::rights::rights(found, &resolved, &trust.account)?);
        if let Some(statement) = watching::permissions(&resolved) {
            policy.add(Policy { statements: vec![statement] });
        }
        if let Some(dump) = dumps::of(&resolved, site.project)? {
            policy.add(backup::dump_permissions(&dump, &trust.account));
        }
    }
    if policy.statements.is_empty() {
        let name = &environment.name.value;
        return Err(Failure::new(Exit::Usage, format!("nothing of {name} runs in AWS"))
            .hint("roles are for services with `targets: ecs`, and for backups"));
    }
    if let Some(located) = shared::located(found) {
        let is_china = services.iter().any(|it| it.config.region.starts_with("cn-"));
        policy.add(bucket::permissions(&located, if is_china { "aws-cn" } else { "aws" }));
        notes.push(format!(
            "the journal in {located} is asked as AWS's own tools would ask, or as \
             `journal_credentials` says: whoever that is needs the statements `Journal...`"
        ));
    }
    if !exact && !services.is_empty() {
        notes.push(
            "roles and log groups of tasks are those of the whole account: --exact looks which they are"
                .to_owned(),
        );
    }
    if trust.subjects.iter().any(|it| it.contains("@*")) {
        notes.push(
            "the numbers of owner and repository are not known here: any are taken behind their names"
                .to_owned(),
        );
    }
    let usual = || format!("{}-{}-deployer", site.project, site.environment);
    let name = role_arn(environment).and_then(|it| it.rsplit('/').next()).map(str::to_owned);
    let seconds = match &environment.credentials {
        Some(Credentials::Assume(assume)) => assume.session.value.as_secs(),
        _ => SESSION_SECONDS,
    };
    Ok(Role { name: name.unwrap_or_else(usual), seconds, trust, policy, notes })
}

/// What the task definition that runs passes on.
fn look(found: &Found, site: Site<'_>, service: &EcsService) -> Result<Passed, Failure> {
    let mut client = cloud::client(&service.config.region, cloud::sign_in(site, Some(found))?);
    let missing = |fault: aws::Fault| Failure::caused(Exit::Missing, fault);
    let EcsConfig { cluster, service: name, .. } = &service.config;
    let seen = client.describe_service(cluster, name).map_err(missing)?;
    let seen = seen.ok_or_else(|| {
        Failure::new(Exit::Missing, format!("there is no service {name} in {cluster}"))
    })?;
    let definition = client.describe_task_definition(&seen.task_definition).map_err(missing)?;
    Ok(target_ecs::passed(&definition.body))
}
