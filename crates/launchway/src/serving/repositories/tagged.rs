//! The versions of a server's repositories, and what is kept of each beside the journal: what there is of it at
//! GitHub, `releases/OWNER/NAME.json`. It is GitHub's word, which no fold can tell; what it was told to do stands in
//! the audit trail.

use std::collections::BTreeMap;

use figures::Figures;
use settings::GitHubReleases;
use store::Store;
use versions::{AtGitHub, Standing, VersionLine, VersionList, VersionRecord};

use crate::exit::Failure;
use crate::serving::data::{self, DataFolder};
use crate::serving::repositories::{self, Connected};
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
    let Some(mut record) = sources(of, (store, &figures), &at_github).show(tag)? else {
        return Ok(None);
    };
    if connected.github.is_some() {
        let wanted = match &settings {
            Ok(known) => Ok(known.as_ref().map_or(GitHubReleases::None, |it| it.github_releases)),
            Err(failure) => Err(format!("{:#}", failure.error)),
        };
        record.no_release = no_release(&record.version, wanted);
    }
    Ok(Some(record))
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

/// Why there is no release at GitHub, and what to do for one; none where something is known of it there.
fn no_release(version: &VersionLine, wanted: Result<GitHubReleases, String>) -> Option<String> {
    if version.github.is_some() {
        return None;
    }
    Some(match (wanted, version.standing) {
        _ if version.gone => "The tag is gone: no release is made at GitHub.".to_owned(),
        (Err(why), _) => format!("No release is made at GitHub: {why}."),
        (Ok(GitHubReleases::None), _) => {
            "No release is made at GitHub: launchway.yml of the default \
            branch would ask for it, releases: { github: published }, or draft."
                .to_owned()
        }
        (Ok(_), Standing::Open) => {
            "A release is made at GitHub when all its runs succeeded.".to_owned()
        }
        (Ok(_), Standing::Failed) => {
            "No release is made at GitHub: not all its runs succeeded. One \
            that is run again and succeeds makes it."
                .to_owned()
        }
        (Ok(_), Standing::NoRuns) => {
            "No release is made at GitHub: no run says that this version is \
            good. A workflow on: { push: { tags: ['v*'] } } runs for the next."
                .to_owned()
        }
        (Ok(_), Standing::Succeeded) => {
            "No release was made at GitHub yet: it is told when a run of \
            the version ends. Where it was not asked for then, run one again."
                .to_owned()
        }
    })
}
