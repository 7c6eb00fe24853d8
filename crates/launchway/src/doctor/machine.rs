//! This machine: what every deployment needs of it.

use std::process::{Command, Stdio};

use super::{Line, State};
use crate::exit::Exit;
use crate::journal;
use crate::settings_file::Found;
use crate::state::StateFolder;

/// Below this a journal, a log or an unpacked bundle may not fit.
const ROOM_NEEDED_BYTES: u64 = 200 << 20;
/// Below this it soon will not.
const ROOM_WANTED_BYTES: u64 = 2 << 30;

pub(super) fn look(state: &StateFolder, found: Option<&Found>) -> Vec<Line> {
    vec![git(), docker(found), disk(state), journal(state)]
}

/// What a program says of its version; none where it does not answer.
fn answer(program: &str, args: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    let output = command.args(args).stdin(Stdio::null()).output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(said)
}

fn git() -> Line {
    match answer("git", &["--version"]) {
        Some(said) => Line::new(State::Fine, "git", said),
        None => Line::new(State::Error(Exit::Missing), "git", "git is not there")
            .hint("install it: what is shipped is named by its commit"),
    }
}

fn docker(found: Option<&Found>) -> Line {
    let answers = answer("docker", &["version", "--format", "{{.Server.Version}}"]);
    let builds = found.is_some_and(|it| {
        let services = it.settings.order.iter();
        let environments = &it.settings.environments;
        services.clone().any(|service| {
            environments.iter().any(|environment| {
                let resolved = it.settings.resolve(&environment.name.value, &service.value);
                resolved.is_ok_and(|it| it.service.build.is_some())
            })
        })
    });
    match answers {
        Some(version) => Line::new(State::Fine, "docker", format!("docker {version} answers")),
        None if builds => Line::new(State::Warning, "docker", "docker does not answer")
            .hint("`launchway build` needs it, or podman, or buildah"),
        None => {
            Line::new(State::Fine, "docker", "docker does not answer, and no service is built here")
        }
    }
}

fn disk(state: &StateFolder) -> Line {
    // The folder is made on first use: the one above it lies on the same disk.
    let place = state.root().ancestors().find(|it| it.exists()).unwrap_or(state.root());
    let Ok(room) = rustix::fs::statvfs(place) else {
        let said = format!("{} cannot be looked at", place.display());
        return Line::new(State::Error(Exit::Missing), "disk", said)
            .hint("name another: --state DIR");
    };
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let said = format!("{} MB are free for {}", free >> 20, state.root().display());
    let hint = "`launchway prune` deletes what is past; or name another place: --state DIR";
    match free {
        0..ROOM_NEEDED_BYTES => Line::new(State::Error(Exit::Missing), "disk", said).hint(hint),
        ROOM_NEEDED_BYTES..ROOM_WANTED_BYTES => Line::new(State::Warning, "disk", said).hint(hint),
        _ => Line::new(State::Fine, "disk", said),
    }
}

fn journal(state: &StateFolder) -> Line {
    match journal::open(state) {
        Ok(_) => Line::new(State::Fine, "journal", "it can be written"),
        Err(failure) => Line::new(State::Error(failure.exit), "journal", failure.error.to_string())
            .hint(failure.hints.join("; ")),
    }
}
