//! This machine as a target: the port, the folder and the program, or Docker.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;

use event::KnownRelease;
use settings::ServiceInEnvironment;

use super::{Line, MISSING, State};
use crate::deploying::targets::{self, Site};
use crate::settings_file::Found;

pub(super) fn look(
    found: &Found,
    site: Site<'_>,
    resolved: &ServiceInEnvironment,
    target: &settings::Host,
    last: Option<&KnownRelease>,
) -> Vec<Line> {
    let name = &*resolved.service.name.value;
    let runs = runs(found, site, resolved, last);
    let mut lines = vec![port(target, &runs)];
    lines.push(match runs {
        Ok(Some(version)) => Line::new(State::Fine, "service", format!("{version} runs")),
        Ok(None) => Line::new(State::Fine, "service", "nothing runs yet"),
        Err(why) => Line::new(State::Unseen, "service", why),
    });
    if targets::is_image(resolved) {
        lines.push(docker());
        return lines.into_iter().map(|it| it.of(name)).collect();
    }
    let path = &*resolved.service.bundle.path.value;
    let folder = found.root.join(path);
    if folder.is_dir() {
        lines.push(Line::new(State::Fine, "folder", format!("{path} is there")));
    } else {
        let said = format!("there is no folder {path}");
        let hint = "build it, correct `bundle.path`, or ship another: --from DIR";
        lines.push(Line::new(State::Warning, "folder", said).hint(hint));
    }
    lines.push(program(resolved, &folder));
    lines.into_iter().map(|it| it.of(name)).collect()
}

/// What runs of it here.
fn runs(
    found: &Found,
    site: Site<'_>,
    resolved: &ServiceInEnvironment,
    last: Option<&KnownRelease>,
) -> Result<Option<String>, String> {
    let told = |failure: crate::exit::Failure| failure.error.to_string();
    let wanted = targets::only_look(resolved, found, last).map_err(told)?;
    let mut target = targets::open("host", site, Some(found)).map_err(told)?;
    let seen = target.observe(&wanted).map_err(|cause| cause.message.to_string())?;
    Ok(seen.running.map(|it| it.release.version.to_string()))
}

/// What runs its containers.
fn docker() -> Line {
    match target_host::docker_problem() {
        None => Line::new(State::Fine, "docker", "it answers".to_owned()),
        Some(why) => Line::new(MISSING, "docker", why)
            .hint("start it, or say where it is: DOCKER_HOST=unix:///PATH")
            .hint("without it: `as: process` runs the files of the repository"),
    }
}

/// Free, or held by our own proxy.
fn port(target: &settings::Host, runs: &Result<Option<String>, String>) -> Line {
    let address = target.listen.value;
    match TcpListener::bind(address) {
        Ok(_) => Line::new(State::Fine, "port", format!("{address} is free")),
        Err(_) if matches!(runs, Ok(Some(_))) => {
            Line::new(State::Fine, "port", format!("{address} is this service's own"))
        }
        Err(error) => {
            let said = match error.kind() {
                ErrorKind::AddrInUse => format!("something else listens on {address}"),
                ErrorKind::PermissionDenied => format!("{address} may not be listened on"),
                _ => format!("{address} cannot be listened on: {error}"),
            };
            Line::new(MISSING, "port", said).hint("end it, or correct `targets.host.listen`")
        }
    }
}

/// A path in the bundle, or a name to be found where programs are.
fn program(resolved: &ServiceInEnvironment, folder: &Path) -> Line {
    let Some(program) = resolved.service.run.first() else {
        let said = "nothing says how it is started";
        return Line::new(MISSING, "program", said).hint("write `run` under the service");
    };
    let name = &*program.value;
    let is_there = if name.contains('/') {
        folder.join(name).is_file()
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|it| it.join(name).is_file())
    };
    if is_there {
        return Line::new(State::Fine, "program", format!("{name} is there"));
    }
    let said = format!("{name}, which starts it, is not there");
    let hint = "install it; a program of the bundle is named with a slash: ./server";
    Line::new(if name.contains('/') { State::Warning } else { MISSING }, "program", said).hint(hint)
}
