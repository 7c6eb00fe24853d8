//! Writing down that a release came to a repository.

use std::sync::Arc;

use event::{Release, ReleaseOrigin, ReleaseRecord};
use registry::Manifest;

use super::shelf::{Shelf, failed};
use crate::deploying::book::Book;
use crate::deploying::person;
use crate::exit::Failure;
use crate::terminal::time::now;

/// What an image says of itself: the labels that builds of ours carry.
pub(crate) const REVISION: &str = "org.opencontainers.image.revision";
pub(crate) const VERSION: &str = "org.opencontainers.image.version";

/// What came where, and how.
pub(crate) struct Came<'a> {
    pub(crate) service: &'a str,
    pub(crate) environment: &'a str,
    pub(crate) version: &'a str,
    pub(crate) commit: Option<&'a str>,
    pub(crate) tags: Vec<String>,
    pub(crate) origin: ReleaseOrigin,
    pub(crate) platform: Option<&'a str>,
    pub(crate) took_ms: u64,
}

/// Appends it to the journal.
pub(crate) fn record(
    book: &Book,
    location: &str,
    manifest: &Manifest,
    came: Came<'_>,
) -> Result<ReleaseRecord, Failure> {
    let record = ReleaseRecord {
        project: Arc::clone(&book.project),
        service: came.service.into(),
        environment: came.environment.into(),
        release: Release {
            version: came.version.into(),
            digest: manifest.digest.as_str().into(),
            location: Some(location.into()),
            commit: came.commit.map(Into::into),
        },
        tags: came.tags.into_iter().map(Into::into).collect(),
        platform: came.platform.map(Into::into),
        origin: came.origin,
        size_bytes: manifest.size_bytes(),
        took_ms: came.took_ms,
        by: person(),
        at: now(),
    };
    book.record_release(record.clone())?;
    Ok(record)
}

/// The commit and the version that an image carries as labels.
pub(crate) fn labels(
    shelf: &mut Shelf,
    manifest: &Manifest,
) -> Result<(Option<String>, Option<String>), Failure> {
    let Some(config) = manifest.config() else { return Ok((None, None)) };
    let repository = shelf.repository.clone();
    let said = shelf.registry.description(&repository, &config.digest).map_err(failed)?;
    let label = |name: &str| said["config"]["Labels"][name].as_str().map(str::to_owned);
    Ok((label(REVISION), label(VERSION)))
}
