//! Which image is meant: by the commit that is checked out, a version, a tag or a digest.
//!
//! The journal is looked at first, because it knows versions and commits; then the registry, which
//! knows what others pushed. What the journal knows must still be in the registry.

use std::path::Path;
use std::sync::Arc;

use event::{Release, ReleaseRecord};
use repository::Repository;

use super::record;
use super::shelf::{self, IfMissing, Shelf};
use super::tags::COMMIT_DIGITS;
use crate::deploying::book::Book;
use crate::deploying::request::{environment, services};
use crate::deploying::targets::{Site, is_image};
use crate::deploying::wish::Given;
use crate::exit::{Exit, Failure};
use crate::settings_file::Found;
use crate::state::StateFolder;

/// How many releases of a service are looked through: older ones are found by their tags.
const RECORDS_MAX: usize = 1_000;
/// Digits that are enough to name a digest or a commit.
const DIGITS_MIN: usize = 7;

/// What somebody means.
#[derive(Clone, Copy)]
enum Meant<'a> {
    /// What was built from this commit.
    Commit(&'a str),
    /// A version, a tag, the beginning of a commit, or a digest.
    Named(&'a str),
}

impl Meant<'_> {
    fn fits(self, record: &ReleaseRecord) -> bool {
        let release = &record.release;
        match self {
            Meant::Commit(commit) => release.commit.as_deref() == Some(commit),
            Meant::Named(name) => {
                let begins = |text: &str| name.len() >= DIGITS_MIN && text.starts_with(name);
                let is_tag = |tag: &Arc<str>| **tag == *name || tag.strip_prefix('v') == Some(name);
                let version = &release.version;
                **version == *name
                    || version.strip_prefix('v') == Some(name)
                    || record.tags.iter().any(is_tag)
                    || begins(&release.digest)
                    || begins(release.digest.trim_start_matches("sha256:"))
                    || release.commit.as_deref().is_some_and(begins)
            }
        }
    }

    /// What it may be called in the registry.
    fn references(self) -> Vec<String> {
        match self {
            Meant::Commit(commit) => vec![commit.to_owned()],
            Meant::Named(name) => vec![name.to_owned(), format!("v{name}")],
        }
    }

    fn words(self) -> String {
        match self {
            Meant::Commit(commit) => {
                format!("the commit {}", commit.chars().take(COMMIT_DIGITS).collect::<String>())
            }
            Meant::Named(name) => name.to_owned(),
        }
    }
}

/// What was said of the releases to ship.
pub(crate) struct Asked<'a> {
    pub(crate) environment: &'a str,
    pub(crate) services: &'a [String],
    pub(crate) version: Option<&'a str>,
    pub(crate) from: Option<&'a Path>,
    /// `IMAGE` or `SERVICE=IMAGE`.
    pub(crate) images: &'a [String],
}

/// The releases of services that run images and for which none was named: by the version that was,
/// else by the commit that is checked out.
pub(crate) fn releases(
    found: &Found,
    book: &Book,
    state: &StateFolder,
    asked: &Asked<'_>,
) -> Result<Vec<Given>, Failure> {
    let mut given = Vec::new();
    if asked.from.is_some() || asked.images.iter().any(|it| !it.contains('=')) {
        return Ok(given);
    }
    environment(found, asked.environment)?;
    let named =
        asked.images.iter().filter_map(|it| it.split_once('=')).map(|(it, _)| it.to_owned());
    let named: Vec<String> = named.collect();
    services(found, &named)?;
    let mut head = None;
    for name in services(found, asked.services)? {
        let service = &name.value;
        let resolved = found.settings.resolve(asked.environment, service);
        let resolved = resolved.map_err(|error| Failure::new(Exit::Usage, error))?;
        let is_named = named.iter().any(|it| **it == **service);
        if is_named || !is_image(&resolved) {
            continue;
        }
        if asked.version.is_none() && head.is_none() {
            head = Some(Repository::discover(&found.root)?.head.id);
        }
        let meant = match (asked.version, &head) {
            (Some(version), _) => Meant::Named(version),
            (None, head) => Meant::Commit(head.as_deref().expect("it was just read")),
        };
        let site = Site::of(state, book, asked.environment);
        let release = release(found, book, site, &resolved, meant)?;
        given.push(Given { service: Arc::clone(service), release, copy: None, is_promoted: false });
    }
    Ok(given)
}

/// The service's release in the environment's own repository.
fn release(
    found: &Found,
    book: &Book,
    site: Site<'_>,
    resolved: &settings::ServiceInEnvironment,
    meant: Meant<'_>,
) -> Result<Release, Failure> {
    let service = &resolved.service.name.value;
    let records = book.releases(Some(service), RECORDS_MAX);
    let records = records.map_err(|error| Failure::caused(Exit::Missing, error))?;
    let mut shelf = shelf::open(found, site, resolved, IfMissing::Refuse)?;
    let location = shelf.location();
    let fitting = || records.iter().map(|(_, record)| record).filter(|it| meant.fits(it));
    let is_here = |it: &&ReleaseRecord| it.release.location.as_deref() == Some(&*location);
    if let Some(record) = fitting().find(is_here) {
        if shelf.manifest(&record.release.digest)?.is_some() {
            return Ok(record.release.clone());
        }
        let message =
            format!("{service} {} was in {location} and is there no more", record.release.version);
        return Err(Failure::new(Exit::Missing, message)
            .hint("a rule of the registry may have deleted it; build it again, or ship another"));
    }
    if let Some(release) = in_registry(&mut shelf, &location, meant)? {
        return Ok(release);
    }
    let message = format!("{location} has no image of {}", meant.words());
    let failure = Failure::new(Exit::Missing, message);
    let environment = &resolved.environment.name.value;
    Err(match fitting().next() {
        Some(elsewhere) if resolved.environment.below.is_some() => failure.hint(format!(
            "it is in the repository of {}: launchway promote {environment}",
            elsewhere.environment
        )),
        _ => failure
            .hint(format!("launchway build --push {environment}"))
            .hint(format!("or name one: --image {service}=REPOSITORY@sha256:...")),
    })
}

/// As whoever pushed it named it.
fn in_registry(
    shelf: &mut Shelf,
    location: &str,
    meant: Meant<'_>,
) -> Result<Option<Release>, Failure> {
    for reference in meant.references() {
        // A registry takes no other for a tag.
        let plain = |it: char| it.is_ascii_alphanumeric() || "._-:".contains(it);
        if !reference.chars().all(plain) {
            continue;
        }
        let Some(manifest) = shelf.manifest(&reference)? else { continue };
        let (commit, version) = record::labels(shelf, &manifest)?;
        let version = match meant {
            Meant::Named(name) if !name.starts_with("sha256:") => Some(name.to_owned()),
            Meant::Named(_) | Meant::Commit(_) => version,
        };
        let commit = match meant {
            Meant::Commit(commit) => Some(commit.to_owned()),
            Meant::Named(_) => commit,
        };
        let short = |it: &String| it.chars().take(COMMIT_DIGITS).collect::<String>();
        let version = version.or_else(|| commit.as_ref().map(short)).unwrap_or(reference);
        return Ok(Some(Release {
            version: version.into(),
            digest: manifest.digest.into(),
            location: Some(location.into()),
            commit: commit.map(Into::into),
        }));
    }
    Ok(None)
}
