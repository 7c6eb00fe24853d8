//! `launchway doctor`: is everything there that a deployment needs? It looks, and changes nothing.
//!
//! ```text
//!   backup.rs    what a dump needs: programs, database, bucket
//!   journal.rs   where deployments are written down, where that is a bucket
//!   machine.rs   git, docker, room on the disk, the journal
//!   host.rs      this machine as a target: the port, the folder, the program
//!   ecs.rs       AWS: who we are, the account, the role's trust, each service as a plan would see it
//! ```

mod backup;
mod ecs;
mod host;
mod journal;
mod machine;

use crate::deploying::book::Book;
use crate::deploying::request;
use crate::deploying::targets::Site;
use crate::exit::{Exit, Failure};
use crate::settings_file::Found;
use crate::state::StateFolder;

/// The lowest level at which anything is deployed.
const LEVEL_BY_HAND: u32 = 4;

/// A deployment could not begin.
const MISSING: State = State::Error(Exit::Missing);
/// A deployment would be refused.
const FORBIDDEN: State = State::Error(Exit::Forbidden);

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Fine,
    /// It could not be looked at.
    Unseen,
    Warning,
    /// A deployment would fail, or be refused: with this exit code.
    Error(Exit),
}

impl State {
    pub(crate) fn word(self) -> &'static str {
        match self {
            State::Fine => "ok",
            State::Unseen => "unseen",
            State::Warning => "warning",
            State::Error(_) => "error",
        }
    }
}

/// Something that was looked at.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) state: State,
    /// What was looked at: `git`, `circuit breaker`.
    pub(crate) check: String,
    /// Of which service; empty where it is of all.
    pub(crate) service: String,
    pub(crate) said: String,
    pub(crate) hint: String,
}

impl Line {
    pub(crate) fn new(state: State, check: &str, said: impl Into<String>) -> Line {
        let (check, said) = (check.to_owned(), said.into());
        Line { state, check, service: String::new(), said, hint: String::new() }
    }

    pub(crate) fn of(mut self, service: &str) -> Line {
        service.clone_into(&mut self.service);
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Line {
        self.hint = hint.into();
        self
    }
}

/// Looks at this machine.
pub(crate) fn machine(state: &StateFolder, found: Option<&Found>) -> Vec<Line> {
    machine::look(state, found)
}

/// Looks at an environment.
pub(crate) fn environment(
    state: &StateFolder,
    found: &Found,
    name: &str,
) -> Result<Vec<Line>, Failure> {
    let environment = request::environment(found, name)?;
    let opened = Book::of(found, state);
    let mut lines = journal::look(found, environment, opened.as_ref().map(|(book, _)| book));
    // What cannot be reached was said; all else is looked at without it.
    let (book, state) = match opened {
        Ok(opened) => opened,
        Err(_) => (Book::of_this_machine(found, state)?, state.clone()),
    };
    let state = &state;
    let ledger = book.ledger(name)?;
    let site = Site { state, project: &found.settings.project.value, environment: name };
    let level = environment.level.value;
    if level < LEVEL_BY_HAND {
        let said = format!("level {level}: nothing is deployed to {name}");
        let hint = "from level 4 on a person may deploy";
        lines.push(Line::new(State::Warning, "level", said).hint(hint));
    }
    let mut cloud = ecs::Cloud::new(found, site, environment);
    let mut backups = Vec::new();
    for service in request::services(found, &[])? {
        let resolved = found.settings.resolve(name, &service.value);
        let resolved = resolved.map_err(|error| Failure::new(Exit::Usage, error))?;
        if let Some(first) = resolved.not_yet.first() {
            let said = format!("`{}` is written, and nothing acts on it yet", first.key);
            let line = Line::new(State::Error(Exit::Missing), "settings", said);
            lines.push(line.of(&service.value).hint("take it out"));
        }
        // All services share one; where its name has gaps, each has its own.
        for line in backup::look(found, site, &resolved) {
            if !backups.contains(&line.said) {
                backups.push(line.said.clone());
                lines.push(line);
            }
        }
        let last = ledger.last_good(&service.value);
        match &resolved.target {
            settings::Target::Ecs(_) => lines.extend(cloud.look(&resolved, last)),
            settings::Target::Host(target) => {
                lines.extend(host::look(found, site, &resolved, target, last));
            }
            settings::Target::Kubernetes(_) => {
                let said = "this version cannot deploy to Kubernetes";
                let line = Line::new(State::Error(Exit::Missing), "target", said);
                lines.push(line.of(&service.value));
            }
        }
    }
    Ok(lines)
}

/// The exit code of all lines: what is missing weighs more than what is forbidden.
pub(crate) fn exit_of(lines: &[Line]) -> Exit {
    let has = |exit: Exit| lines.iter().any(|it| it.state == State::Error(exit));
    match () {
        () if has(Exit::Missing) => Exit::Missing,
        () if has(Exit::Forbidden) => Exit::Forbidden,
        () => Exit::Done,
    }
}
