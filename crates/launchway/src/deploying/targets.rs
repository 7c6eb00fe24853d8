//! The kinds of targets that this version knows: opened, told what the settings say, given releases.

mod ecs;
mod host;
mod image;
mod shelves;
mod sources;

use std::path::Path;
use std::sync::Arc;

use backup::Backups;
use event::{KnownRelease, Release, ServiceRequest};
use ports::Target;
use serde_json::Value as Json;
use settings::ServiceInEnvironment;

pub(crate) use image::is_image;

use super::book::Book;
use super::cloud;
use super::dumps::Here;
use crate::exit::{Exit, Failure};
use crate::settings_file::Found;
use crate::state::StateFolder;

/// What somebody wants to ship.
pub(crate) struct Shipped<'a> {
    /// What it is called.
    pub(crate) version: &'a str,
    /// The commit it comes from, where there is a repository.
    pub(crate) commit: Option<&'a str>,
    /// The folder it is made of, where the settings' own is not meant.
    pub(crate) from: Option<&'a Path>,
    /// The image that it is, where it is one.
    pub(crate) image: Option<&'a str>,
}

/// An environment of a project on this machine.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) state: &'a StateFolder,
    pub(crate) project: &'a str,
    pub(crate) environment: &'a str,
}

impl<'a> Site<'a> {
    /// Of a project.
    pub(crate) fn of(state: &'a StateFolder, book: &'a Book, environment: &'a str) -> Site<'a> {
        Site { state, project: &book.project, environment }
    }
}

/// The target of a kind. `root` is where the settings lie, where they are at hand: what is private is
/// read from there when it is needed.
pub(crate) fn open(
    kind: &str,
    site: Site<'_>,
    found: Option<&Found>,
) -> Result<Box<dyn Target>, Failure> {
    match kind {
        "ecs" => Ok(Box::new(ecs::open(site, found)?)),
        "host" => Ok(Box::new(host::open(site, found)?)),
        _ => Err(unknown(kind)),
    }
}

/// This machine as the target of an environment.
pub(crate) fn this_machine(
    site: Site<'_>,
    found: &Found,
) -> Result<target_host::HostTarget, Failure> {
    host::open(site, Some(found))
}

/// Brings the bundle of a release from one environment of this machine to another.
pub(crate) fn bring_bundle(from: Site<'_>, to: Site<'_>, digest: &str) -> Result<(), Failure> {
    host::bring_bundle(from, to, digest)
}

/// Whoever takes backups of an environment's databases.
pub(crate) fn backups(site: Site<'_>, found: Option<&Found>) -> Result<Backups, Failure> {
    let sign_in = cloud::sign_in(site, found)?;
    let backups = Backups::new(Box::new(move |region| cloud::client(region, sign_in.clone())));
    Ok(backups.with_dumps(Here::of(site, found)))
}

/// Services of ECS, of an environment.
pub(crate) fn services_of_ecs(site: Site<'_>, found: &Found) -> Result<ecs::Regions, Failure> {
    ecs::open(site, Some(found))
}

/// What the target needs to know of a service.
pub(crate) fn config(service: &ServiceInEnvironment, found: &Found) -> Result<Json, Failure> {
    match &service.target {
        settings::Target::Ecs(target) => ecs::config(service, target, found),
        settings::Target::Host(target) => host::config(service, target, found),
        settings::Target::Kubernetes(_) => Err(unknown(service.target.kind())),
    }
}

/// Why the release before could not run behind the migration of this one.
pub(crate) fn no_way_back(service: &ServiceInEnvironment) -> Option<String> {
    let migrate = service.service.migrate.as_ref().filter(|it| !it.compatible.value)?;
    Some(format!(
        "the settings say that the release before does not work behind `{}` (`compatible: \
         false`): ship one that does before it, or restore the backup if it must be",
        migrate.run.iter().map(|it| &*it.value).collect::<Vec<_>>().join(" ")
    ))
}

/// The release that is made of what lies here.
pub(crate) fn release(
    service: &ServiceInEnvironment,
    found: &Found,
    site: Site<'_>,
    shipped: &Shipped<'_>,
) -> Result<Release, Failure> {
    match &service.target {
        settings::Target::Ecs(_) => image::release(service, shipped),
        settings::Target::Host(_) => host::release(service, found, site, shipped),
        settings::Target::Kubernetes(_) => Err(unknown(service.target.kind())),
    }
}

/// What is said to a target that is only to be looked at.
pub(crate) fn only_look(
    service: &ServiceInEnvironment,
    found: &Found,
    last_good: Option<&KnownRelease>,
) -> Result<ServiceRequest, Failure> {
    let nothing =
        || Release { version: "".into(), digest: "".into(), location: None, commit: None };
    Ok(ServiceRequest {
        service: Arc::clone(&service.service.name.value),
        release: last_good.map_or_else(nothing, |known| known.release.clone()),
        restores: None,
        last_good: last_good.cloned(),
        target: service.target.kind().into(),
        config: config(service, found)?,
        around: Vec::new(),
    })
}

/// What cannot even be planned is not begun: containers of this machine need its Docker.
pub(crate) fn refuse_without_docker(services: &[ServiceRequest]) -> Result<(), Failure> {
    let is_here = |it: &&ServiceRequest| &*it.target == "host" && it.release.location.is_some();
    let Some(service) = services.iter().find(is_here) else { return Ok(()) };
    let Some(why) = target_host::docker_problem() else { return Ok(()) };
    let message = format!("{} runs as containers, and {why}", service.service);
    Err(Failure::new(Exit::Missing, message)
        .hint("start it, or say where it is: DOCKER_HOST=unix:///PATH")
        .hint("without Docker: `as: process`, and `run`, ship the files of the repository"))
}

/// Where a service is asked how it is.
pub(crate) fn url(service: &ServiceInEnvironment) -> Result<String, Failure> {
    match &service.target {
        settings::Target::Host(host) => {
            let mut address = host.listen.value;
            if address.ip().is_unspecified() {
                address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
            }
            Ok(format!("http://{address}"))
        }
        settings::Target::Ecs(_) => ecs::url(service),
        settings::Target::Kubernetes(_) => Err(unknown(service.target.kind())),
    }
}

fn unknown(kind: &str) -> Failure {
    Failure::new(
        Exit::Missing,
        format!("this version cannot deploy to a target of the kind {kind}"),
    )
}
