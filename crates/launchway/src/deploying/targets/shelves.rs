//! The registries that this machine pulls from: what they have, and how Docker signs in.

use base64::Engine as _;
use event::{Cause, CauseCode, ServiceRequest};
use mask::{MaskedText, Secret};
use registry::{Login, Registry, docker_folder, docker_login};
use serde_json::json;
use target_host::Registries;

use super::Site;
use crate::exit::{Exit, Failure};
use crate::images::shelf::{self, IfMissing, Shelf};
use crate::settings_file::Found;
use crate::state::StateFolder;

/// Those of an environment.
pub(super) struct Shelves {
    found: Option<Found>,
    state: StateFolder,
    project: String,
    environment: String,
}

impl Shelves {
    pub(super) fn of(site: Site<'_>, found: Option<&Found>) -> Shelves {
        Shelves {
            found: found.cloned(),
            state: site.state.clone(),
            project: site.project.to_owned(),
            environment: site.environment.to_owned(),
        }
    }

    /// The environment's own repository in ECR, where that is it.
    fn own(&self, service: &str, location: &str) -> Result<Option<Shelf>, Failure> {
        let Some(found) = &self.found else { return Ok(None) };
        let resolved = found.settings.resolve(&self.environment, service);
        let resolved = resolved.map_err(|error| Failure::new(Exit::Usage, error))?;
        let site =
            Site { state: &self.state, project: &self.project, environment: &self.environment };
        let shelf = shelf::open(found, site, &resolved, IfMissing::Refuse)?;
        Ok(Some(shelf).filter(|it| it.location() == location))
    }

    /// What lets us in, and the registry. Elsewhere than in ECR that is what Docker is signed in to.
    fn open(&self, service: &str, location: &str) -> Result<(Registry, Option<Login>), Failure> {
        let host = host_of(location);
        if shelf::is_ecr_host(host)
            && let Some(shelf) = self.own(service, location)?
        {
            return Ok((shelf.registry, shelf.login));
        }
        let login = docker_folder().and_then(|folder| docker_login(&folder, host));
        Ok((Registry::new(host, login.clone()), login))
    }
}

fn host_of(location: &str) -> &str {
    location.split('/').next().unwrap_or_default()
}

fn cause(failure: &Failure) -> Cause {
    let code = match failure.exit {
        Exit::Missing => CauseCode::Unavailable,
        _ => CauseCode::TargetRefused,
    };
    let hints = failure.hints.iter().map(|it| format!("; {it}")).collect::<String>();
    Cause::new(code, MaskedText::without_secrets(format!("{:#}{hints}", failure.error)))
}

impl Registries for Shelves {
    fn sign_in(
        &mut self,
        service: &ServiceRequest,
        location: &str,
    ) -> Result<Option<Secret>, Cause> {
        let opened = self.open(&service.service, location);
        let (_, login) = opened.map_err(|failure| cause(&failure))?;
        let header = |login: Login| {
            let body = json!({
                "username": login.username, "password": login.password.expose(),
                "serveraddress": host_of(location),
            });
            Secret::new(base64::engine::general_purpose::URL_SAFE.encode(body.to_string()))
        };
        Ok(login.map(header))
    }

    fn has(
        &mut self,
        service: &ServiceRequest,
        location: &str,
        digest: &str,
    ) -> Result<bool, Cause> {
        let opened = self.open(&service.service, location);
        let (mut registry, _) = opened.map_err(|failure| cause(&failure))?;
        let repository = location.split_once('/').map_or("", |(_, repository)| repository);
        let there = registry.manifest(repository, digest).map_err(shelf::failed);
        there.map(|it| it.is_some()).map_err(|failure| cause(&failure))
    }
}
