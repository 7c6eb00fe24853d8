//! ECS as a target: what the settings say of a service there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws::SignIn;
use event::{Cause, CauseCode, ServiceRequest};
use mask::{MaskedText, Masker};
use ports::{Observation, Order, Performer, Progress, Proposal, StepRan, Target};
use serde_json::Value as Json;
use settings::{Owned, SecretReference, ServiceInEnvironment};
use target_ecs::{EcsConfig, EcsTarget, Reference};

use super::Site;
use super::sources::{self, Sources};
use crate::deploying::cloud;
use crate::exit::{Exit, Failure};
use crate::settings_file::{Found, read_env};

/// Services of one environment may stand in several regions: a target for each.
pub(crate) struct Regions {
    sign_in: SignIn,
    /// What stands in files, by service.
    sources: Arc<BTreeMap<Arc<str>, Sources>>,
    targets: BTreeMap<String, EcsTarget>,
}

impl Regions {
    /// The target of a service's region.
    pub(crate) fn of(&mut self, wanted: &ServiceRequest) -> Result<&mut EcsTarget, Cause> {
        let region = EcsConfig::of(wanted)?.region;
        let (sign_in, sources) = (&self.sign_in, &self.sources);
        let opened = self.targets.entry(region.clone()).or_insert_with(|| {
            let client = cloud::client(&region, sign_in.clone());
            let (mut masker, sources) = (Masker::new(), Arc::clone(sources));
            // What cannot be read now is said when it is needed.
            for value in sources.values().filter_map(|it| it.of_files().ok()).flatten() {
                masker.add(value.1.expose());
            }
            let values = move |wanted: &ServiceRequest| {
                sources.get(&wanted.service).map_or_else(|| Ok(BTreeMap::new()), Sources::of_files)
            };
            EcsTarget::new(client, masker, Box::new(values))
        });
        Ok(opened)
    }
}

impl Performer for Regions {
    fn advance(&mut self, order: &Order<'_>) -> Progress {
        match self.of(order.service) {
            Ok(target) => target.advance(order),
            Err(cause) => Progress::Failed(cause),
        }
    }
}

impl Target for Regions {
    fn observe(&mut self, wanted: &ServiceRequest) -> Result<Observation, Cause> {
        self.of(wanted)?.observe(wanted)
    }

    fn report(&mut self, wanted: &ServiceRequest) -> Result<Vec<MaskedText>, Cause> {
        self.of(wanted)?.report(wanted)
    }

    fn printed(&mut self, ran: &StepRan<'_>) -> Result<Vec<MaskedText>, Cause> {
        self.of(ran.service)?.printed(ran)
    }

    fn propose(&self, wanted: &ServiceRequest, seen: &Observation) -> Result<Proposal, Cause> {
        let region = EcsConfig::of(wanted)?.region;
        let unseen = "nothing was looked at in that region";
        let unseen = Cause::new(CauseCode::Fault, MaskedText::without_secrets(unseen));
        self.targets.get(&region).ok_or(unseen)?.propose(wanted, seen)
    }
}

pub(super) fn open(site: Site<'_>, found: Option<&Found>) -> Result<Regions, Failure> {
    let sign_in = cloud::sign_in(site, found)?;
    let sources = found.map(|it| sources::of(it, site.environment, site.state)).transpose()?;
    let sources = Arc::new(sources.unwrap_or_default());
    Ok(Regions { sign_in, sources, targets: BTreeMap::new() })
}

/// `ServiceRequest::config`.
pub(super) fn config(
    resolved: &ServiceInEnvironment,
    target: &settings::Ecs,
    found: &Found,
) -> Result<Json, Failure> {
    let service = &resolved.service;
    let name = &service.name.value;
    if !matches!(resolved.strategy.value, settings::Strategy::Rolling) {
        let message = format!("this version deploys {name} to ECS by rolling only");
        return Err(Failure::new(Exit::Missing, message).hint("leave `strategy` out"));
    }
    let owns = |what: Owned| service.owns.iter().any(|it| it.value == what);
    if !owns(Owned::Image) {
        let message = format!("`owns` of {name} leaves out `image`: no release could be shipped");
        return Err(Failure::new(Exit::Refused, message).hint("add `image` to `owns`"));
    }
    let variables = service.env.iter();
    let environment: BTreeMap<String, String> =
        variables.map(|it| (it.name.value.to_string(), it.value.value.to_string())).collect();
    let mut secrets = BTreeMap::new();
    for it in service.secrets.iter().filter(|it| !environment.contains_key(&*it.name.value)) {
        secrets.insert(it.name.value.to_string(), reference(name, &it.value.value)?);
    }
    let is_set = |it: &str| environment.contains_key(it) || secrets.contains_key(it);
    let private = private(service, found, &is_set)?;
    let config = EcsConfig {
        region: target.region.value.to_string(),
        cluster: target.cluster.value.to_string(),
        service: target.service.value.to_string(),
        container: target.container.as_ref().map(|it| it.value.to_string()),
        account: resolved.environment.account.as_ref().map(|it| it.value.to_string()),
        within_ms: u64::try_from(target.within.value.as_millis()).unwrap_or(u64::MAX),
        environment,
        private,
        secrets,
        command: owns(Owned::Command)
            .then(|| service.run.iter().map(|it| it.value.to_string()).collect()),
        no_way_back: None,
        instances: None,
        alarms: resolved.verify.alarms.iter().map(|it| it.value.to_string()).collect(),
        texts: resolved.verify.logs.iter().map(|it| it.value.to_string()).collect(),
        even_if_scaled: false,
        owns_environment: owns(Owned::Environment),
        owns_secrets: owns(Owned::Secrets),
    };
    Ok(serde_json::to_value(config).expect("it has text keys only"))
}

fn reference(service: &str, at: &SecretReference) -> Result<Reference, Failure> {
    match at {
        SecretReference::SecretsManager { id, key } => {
            Ok(Reference::SecretsManager { id: id.clone(), key: key.clone() })
        }
        SecretReference::Ssm { name } => Ok(Reference::Ssm { name: name.clone() }),
        SecretReference::Kubernetes { .. }
        | SecretReference::Local { .. }
        | SecretReference::File { .. } => {
            let message = format!("ECS cannot read the secret {at} of {service}");
            Err(Failure::new(Exit::Refused, message)
                .hint("keep it in Secrets Manager, or in the Parameter Store"))
        }
    }
}

/// Names of the variables in files. Whoever may look at a task definition reads its variables: what
/// looks private does not go there.
fn private(
    service: &settings::Service,
    found: &Found,
    is_set: &dyn Fn(&str) -> bool,
) -> Result<Vec<String>, Failure> {
    let mut names = BTreeSet::new();
    for path in &service.settings {
        let shown = &path.value;
        let Some((file, _)) = read_env(&found.root.join(&**shown))? else {
            return Err(Failure::new(Exit::Missing, format!("{shown} is not here"))
                .hint("its example says what it holds; launchway check compares them"));
        };
        for variable in file.variables.iter().filter(|it| !is_set(&it.name.value)) {
            let name = &variable.name.value;
            if variable.looks_private() {
                let message = format!(
                    "{name} of {shown} looks private, and everybody who may look at a task \
                     definition of {} would read it",
                    service.name.value
                );
                return Err(Failure::new(Exit::Refused, message).hint(format!(
                    "put it into Secrets Manager, and where it lies under `secrets`: {name}: \
                     secretsmanager:NAME"
                )));
            }
            names.insert(name.to_string());
        }
    }
    Ok(names.into_iter().collect())
}

/// Where the service is asked how it is; nowhere, where nothing is asked.
pub(super) fn url(resolved: &ServiceInEnvironment) -> Result<String, Failure> {
    if let Some(url) = &resolved.environment.url {
        return Ok(url.value.trim_end_matches('/').to_owned());
    }
    if resolved.service.health.is_none() && resolved.verify.smoke.is_empty() {
        return Ok(String::new());
    }
    let environment = &resolved.environment.name.value;
    let message =
        format!("{environment} has no url, and its services are to be asked how they are");
    Err(Failure::new(Exit::Missing, message)
        .hint(format!("write `url` under environments.{environment}")))
}
