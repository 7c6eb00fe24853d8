//! What came to environments and which images there are for them, as programs get it and `launchway releases`
//! writes it.

use std::sync::Arc;

use event::{DeploymentId, ReleaseOrigin, ReleaseRecord, Timestamp, Verdict};
use serde::{Deserialize, Serialize};
use views::{Ledger, ServiceLedger};

/// Releases of the environments of the projects that a journal knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReleaseList {
    /// Each environment of each project, by their names.
    pub environments: Vec<PlaceReleases>,
}

/// Releases of an environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlaceReleases {
    /// `project` of the settings.
    pub project: Arc<str>,
    /// Where.
    pub environment: Arc<str>,
    /// What came there, service by service, newest first, each once.
    pub releases: Vec<CameRelease>,
    /// The newest images of its repositories, newest first, each digest once.
    pub images: Vec<ReleaseImage>,
}

/// A release that came to an environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CameRelease {
    /// The service.
    pub service: Arc<str>,
    /// Its version.
    pub version: Arc<str>,
    /// Its digest.
    pub digest: Arc<str>,
    /// The commit that it was made of, where that is known.
    pub commit: Option<Arc<str>>,
    /// It ran well, and can be gone back to.
    pub good: bool,
    /// It runs now.
    pub running: bool,
    /// By which deployment it came last.
    pub deployment: DeploymentId,
    /// How that ended.
    pub verdict: Verdict,
    /// When.
    pub at_ms: Timestamp,
}

/// An image in a repository of an environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReleaseImage {
    /// The service.
    pub service: Arc<str>,
    /// Its version.
    pub version: Arc<str>,
    /// Its digest.
    pub digest: Arc<str>,
    /// The commit that it was made of, where that is known.
    pub commit: Option<Arc<str>>,
    /// Where it is, where that is known.
    pub repository: Option<Arc<str>>,
    /// The tags that name it there.
    pub tags: Vec<Arc<str>>,
    /// How it came there.
    pub origin: ReleaseOrigin,
    /// The bytes of its layers.
    pub size_bytes: u64,
    /// When it came.
    pub at_ms: Timestamp,
}

impl PlaceReleases {
    /// What a journal knows of an environment: what was brought there, and the images of `records`, newest first,
    /// that are in its repositories.
    pub fn of(
        (project, environment): (&Arc<str>, &Arc<str>),
        ledger: &Ledger,
        records: &[ReleaseRecord],
    ) -> PlaceReleases {
        let mut images: Vec<ReleaseImage> = Vec::new();
        let is_here =
            |it: &&ReleaseRecord| it.project == *project && it.environment == *environment;
        for record in records.iter().filter(is_here) {
            let is_known = |it: &ReleaseImage| {
                it.service == record.service && it.digest == record.release.digest
            };
            if !images.iter().any(is_known) {
                images.push(ReleaseImage::of(record));
            }
        }
        let came = ledger.services.iter().flat_map(|(name, it)| CameRelease::all_of(name, it));
        PlaceReleases {
            project: Arc::clone(project),
            environment: Arc::clone(environment),
            releases: came.collect(),
            images,
        }
    }
}

impl CameRelease {
    fn all_of(service: &Arc<str>, ledger: &ServiceLedger) -> Vec<CameRelease> {
        let running = ledger.runs.as_ref().map(|it| &it.release.release.digest);
        let line = |it: &views::ReleaseLine| CameRelease {
            service: Arc::clone(service),
            version: Arc::clone(&it.release.version),
            digest: Arc::clone(&it.release.digest),
            commit: it.release.commit.clone(),
            good: it.is_good(),
            running: Some(&it.release.digest) == running,
            deployment: it.deployment,
            verdict: it.verdict,
            at_ms: it.at,
        };
        ledger.releases.iter().map(line).collect()
    }
}

impl ReleaseImage {
    fn of(record: &ReleaseRecord) -> ReleaseImage {
        let release = &record.release;
        ReleaseImage {
            service: Arc::clone(&record.service),
            version: Arc::clone(&release.version),
            digest: Arc::clone(&release.digest),
            commit: release.commit.clone(),
            repository: release.location.clone(),
            tags: record.tags.clone(),
            origin: record.origin.clone(),
            size_bytes: record.size_bytes,
            at_ms: record.at,
        }
    }
}
