//! Versions of a server's repositories.

use versions::{VersionList, VersionRecord};

use super::kept::of;
use super::{Client, percent};
use crate::exit::Failure;

impl Client {
    /// The versions of a repository.
    pub(crate) fn versions(&self, repository: &str) -> Result<VersionList, Failure> {
        self.get(&format!("{}/versions", of(repository)?))
    }

    /// One of them.
    pub(crate) fn version(&self, repository: &str, tag: &str) -> Result<VersionRecord, Failure> {
        self.get(&format!("{}/versions/{}", of(repository)?, percent(tag)))
    }
}
