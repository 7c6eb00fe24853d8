//! Deployments, what runs where, and environments, as programs get them.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{DeploymentEvent, DeploymentId, DeploymentKind, Timestamp};
use figures::NewestByJobs;
use mask::MaskedText;
use serde::{Deserialize, Serialize};
use views::{DeploymentRow, Running, ServiceLedger};

use super::StoredEvent;

/// A page of the console of a cloud about what was deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsolePage {
    /// The service.
    pub service: Arc<str>,
    /// Of what it is: `ecs_service`, `log_group`.
    pub what: String,
    /// What that is called there.
    pub name: String,
    /// Where it is.
    pub url: String,
}

/// A service in a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceVersion {
    /// The service.
    pub service: Arc<str>,
    /// The version that was wanted.
    pub version: Arc<str>,
}

/// A deployment's line in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeploymentLine {
    /// Which.
    pub deployment: DeploymentId,
    /// `project` of the settings.
    pub project: Arc<str>,
    /// Where to.
    pub environment: Arc<str>,
    /// What was brought.
    pub services: Vec<ServiceVersion>,
    /// Of which kind.
    pub kind: DeploymentKind,
    /// Who wanted it.
    pub by: MaskedText,
    /// Why, in their words.
    pub reason: Option<MaskedText>,
    /// Where it stands, or the verdict.
    pub standing: String,
    /// Why it did not simply end well.
    pub cause: Option<MaskedText>,
    /// When it was wanted.
    pub requested_at_ms: Timestamp,
    /// How long it took; none before its end.
    pub duration_ms: Option<u64>,
    /// Where the cloud shows what was deployed; a server of an earlier version does not say so.
    #[serde(default)]
    pub console: Vec<ConsolePage>,
}

/// A part of the list of deployments, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeploymentList {
    /// The deployments.
    pub deployments: Vec<DeploymentLine>,
    /// What `before` is given for the next part; none at the end.
    pub older: Option<DeploymentId>,
}

/// The events of a deployment behind some number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeploymentEvents {
    /// Which.
    pub deployment: DeploymentId,
    /// The events, in order.
    pub events: Vec<StoredEvent<DeploymentEvent>>,
}

/// What runs in the environments of the projects that were deployed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusList {
    /// Each environment of each project, by their names.
    pub environments: Vec<PlaceStatus>,
}

/// What runs in an environment of a project, as the journal knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlaceStatus {
    /// `project` of the settings.
    pub project: Arc<str>,
    /// Where.
    pub environment: Arc<str>,
    /// Its services, by their names.
    pub services: Vec<ServiceStatus>,
    /// Deployments that are not over, oldest first.
    pub open: Vec<OpenDeployment>,
}

/// What runs of a service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// The service.
    pub service: Arc<str>,
    /// What runs; none where nothing does.
    pub runs: Option<RunningRelease>,
    /// The deployment that left nothing running, where one did: the wanted number was 0.
    pub emptied_by: Option<DeploymentId>,
}

/// What runs, and since when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunningRelease {
    /// Its version.
    pub version: Arc<str>,
    /// Its digest.
    pub digest: Arc<str>,
    /// Since which deployment.
    pub deployment: DeploymentId,
    /// Since when.
    pub since_ms: Timestamp,
    /// A person has to look: a way back stuck, and nobody knows.
    pub unsure: bool,
    /// It was found running, and not brought.
    pub adopted: bool,
}

/// A deployment that is not over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenDeployment {
    /// Which.
    pub deployment: DeploymentId,
    /// Where it stands.
    pub standing: String,
}

/// The environments of the repositories that somebody sees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnvironmentList {
    /// Each environment of each repository.
    pub environments: Vec<EnvironmentLine>,
    /// Why those of a repository are not told.
    pub problems: Vec<String>,
    /// Events of the journal that what jobs did does not count yet; a server of an earlier version does not say so.
    #[serde(default)]
    pub behind_events: u64,
}

/// An environment, with what guards it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EnvironmentLine {
    /// `owner/name`
    pub repository: String,
    /// `project` of the settings; none where no settings name it.
    pub project: Option<String>,
    /// Its name.
    pub environment: String,
    /// How much happens without a person.
    pub level: Option<u32>,
    /// Where it is reached.
    pub url: Option<String>,
    /// What guards it, a sentence each.
    pub guards: Vec<String>,
    /// Services with the versions that run; none for whoever is bound to repositories, of which
    /// deployments are not.
    pub runs: Option<BTreeMap<Arc<str>, Arc<str>>>,
    /// What jobs of workflows that name it did there last; none where none did.
    pub by_jobs: Option<ShippedByJobs>,
    /// Where the cloud shows what was deployed there last; a server of an earlier version does not say so.
    #[serde(default)]
    pub console: Vec<ConsolePage>,
}

/// What jobs of a workflow did in an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippedByJobs {
    /// The run's attempt: `12.1`.
    pub run: String,
    /// The workflow file.
    pub workflow: Arc<str>,
    /// A tag, or a short commit.
    pub version: Arc<str>,
    /// How it ended, in the words of deployments; `running` while a further job of it is not over.
    pub verdict: String,
    /// When it was over; of one that runs, when its last job was until now.
    pub finished_at_ms: Timestamp,
}

impl From<NewestByJobs> for ShippedByJobs {
    fn from(it: NewestByJobs) -> ShippedByJobs {
        ShippedByJobs {
            run: it.by.to_string(),
            verdict: it.standing().to_owned(),
            workflow: it.workflow,
            version: it.version,
            finished_at_ms: it.finished_at,
        }
    }
}

impl From<DeploymentRow> for DeploymentLine {
    fn from(row: DeploymentRow) -> DeploymentLine {
        let services = row.services.into_iter();
        DeploymentLine {
            deployment: row.id,
            project: row.project,
            environment: row.environment,
            services: services
                .map(|(service, version)| ServiceVersion { service, version })
                .collect(),
            kind: row.kind,
            by: row.by,
            reason: row.reason,
            standing: row.standing.into_owned(),
            cause: row.cause,
            requested_at_ms: row.requested_at,
            duration_ms: row.duration_ms,
            console: Vec::new(),
        }
    }
}

impl From<DeploymentLine> for DeploymentRow {
    fn from(line: DeploymentLine) -> DeploymentRow {
        let services = line.services.into_iter();
        DeploymentRow {
            id: line.deployment,
            project: line.project,
            environment: line.environment,
            services: services.map(|it| (it.service, it.version)).collect(),
            kind: line.kind,
            by: line.by,
            reason: line.reason,
            standing: line.standing.into(),
            cause: line.cause,
            requested_at: line.requested_at_ms,
            duration_ms: line.duration_ms,
        }
    }
}

impl ServiceStatus {
    /// What the journal knows of a service; nothing where it was never deployed.
    pub fn of(service: &Arc<str>, ledger: Option<&ServiceLedger>) -> ServiceStatus {
        ServiceStatus {
            service: Arc::clone(service),
            runs: ledger.and_then(|it| it.runs.as_ref()).map(RunningRelease::of),
            emptied_by: ledger.and_then(|it| it.emptied_by),
        }
    }
}

impl RunningRelease {
    fn of(it: &Running) -> RunningRelease {
        let release = &it.release.release;
        RunningRelease {
            version: Arc::clone(&release.version),
            digest: Arc::clone(&release.digest),
            deployment: it.deployment,
            since_ms: it.since,
            unsure: it.is_unsure,
            adopted: it.release.adopted,
        }
    }
}
