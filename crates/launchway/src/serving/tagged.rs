//! The versions of a server's repositories, and what is kept of each beside the journal: what there is of it at
//! GitHub, `releases/OWNER/NAME.json`. It is GitHub's word, which no fold can tell; what it was told to do stands in
//! the audit trail.

use std::collections::BTreeMap;

use figures::Figures;
use store::Store;
use versions::{AtGitHub, VersionList, VersionRecord};

use super::data::{self, DataFolder};
use super::repositories::{self, Connected};
use crate::exit::Failure;
use crate::versions::{Sources, failed};

/// What there is at GitHub, by tag.
pub(crate) type Releases = BTreeMap<String, AtGitHub>;

/// All versions of a repository.
pub(crate) fn list(
    data: &DataFolder,
    store: &Store,
    connected: &Connected,
) -> Result<VersionList, Failure> {
    let figures = caught_up(data, store)?;
    let at_github = kept(data, &connected.name)?;
    sources((connected, None), (store, &figures), &at_github).list()
}

/// One of them; none where there is no such version.
pub(crate) fn show(
    data: &DataFolder,
    store: &Store,
    (connected, tag): (&Connected, &str),
) -> Result<Option<VersionRecord>, Failure> {
    let figures = caught_up(data, store)?;
    let at_github = kept(data, &connected.name)?;
    // Mistakes in the settings hide no version; which project its deployments are of nobody knows then.
    let settings = repositories::settings_at_tip(connected);
    let known = settings.as_ref().ok().and_then(Option::as_ref);
    let project = known.map(|it| it.project.value.to_string());
    let of = (connected, project.as_deref());
    sources(of, (store, &figures), &at_github).show(tag)
}

/// What is said of one that there is not.
pub(crate) fn no_such(repository: &str, tag: &str) -> String {
    format!("{repository} has no version {tag}: versions are tags that are valid semver, as v1.2.3")
}

/// What there is at GitHub of a repository's versions, as it said last.
pub(crate) fn kept(data: &DataFolder, repository: &str) -> Result<Releases, Failure> {
    Ok(data::read(&data.releases(repository))?.unwrap_or_default())
}

/// The figures, with what ended until now; where that is very much, with a part of it.
pub(crate) fn caught_up(data: &DataFolder, store: &Store) -> Result<Figures, Failure> {
    let figures = Figures::open(data.state.root()).map_err(failed)?;
    figures.catch_up(store, &mut |_| false).map_err(failed)?;
    Ok(figures)
}

pub(crate) fn sources<'s>(
    (connected, project): (&'s Connected, Option<&'s str>),
    (store, figures): (&'s Store, &'s Figures),
    at_github: &'s Releases,
) -> Sources<'s> {
    let (path, name) = (&*connected.path, &*connected.name);
    Sources { path, name, project, store, figures, at_github }
}
