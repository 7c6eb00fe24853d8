//! What the commands around deployments share: the request from the settings, the doors, what the
//! journal knows, and how it is driven and shown.

pub(crate) mod access;
pub(crate) mod book;
pub(crate) mod by_itself;
mod by_job;
pub(crate) mod checks;
pub(crate) mod cloud;
pub(crate) mod console;
pub(crate) mod doors;
pub(crate) mod drive;
pub(crate) mod dumps;
pub(crate) mod foresee;
pub(crate) mod gates;
mod held;
pub(crate) mod inbox;
mod kind;
pub(crate) mod live;
pub(crate) mod machine;
pub(crate) mod people;
mod places;
pub(crate) mod request;
pub(crate) mod rules;
pub(crate) mod shared;
pub(crate) mod show;
mod signals;
pub(crate) mod signing;
mod steps;
pub(crate) mod stop;
pub(crate) mod targets;
mod watching;
pub(crate) mod wish;
pub(crate) mod workflow;

use event::{Actor, Asked, Verdict};
use mask::MaskedText;
use server::Reason;
use views::EndView;

use crate::exit::Exit;

/// The person at this machine, as the system knows them.
pub(crate) fn person() -> Actor {
    let name = ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    let name = name.filter(|name| !name.is_empty());
    let name = name.unwrap_or_else(account);
    Actor {
        name: MaskedText::without_secrets(name),
        proof: "local".into(),
        source: None,
        address: None,
    }
}

/// How somebody asks who uses a command on this machine.
pub(crate) fn here() -> Asked {
    Asked { source: "command".into(), ..person().asked() }
}

/// The same, and why they do.
pub(crate) fn here_because(reason: &Reason) -> Asked {
    Asked { reason: reason.text(), ..here() }
}

/// Where the environment does not say: the name of the account, else its number.
fn account() -> String {
    let number = crate::state::acting::began_as().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?);
        (id == number).then(|| name.to_owned())
    });
    name.unwrap_or(number)
}

/// This process, as an owner.
pub(crate) fn owner() -> MaskedText {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    MaskedText::without_secrets(format!("{host}, process {}", std::process::id()))
}

/// The exit code of a verdict (`docs/exit-codes.md`).
pub(crate) fn exit_of(end: &EndView) -> Exit {
    use event::CauseCode::Unavailable;
    let is_missing = end.cause.as_ref().is_some_and(|cause| cause.code == Unavailable);
    match end.verdict {
        Verdict::Succeeded => Exit::Done,
        Verdict::Failed if is_missing => Exit::Missing,
        Verdict::Failed | Verdict::Superseded => Exit::Failed,
        Verdict::Refused => Exit::Forbidden,
        Verdict::RolledBack => Exit::RolledBack,
        Verdict::RollbackStuck => Exit::RollbackStuck,
        Verdict::Cancelled => Exit::Cancelled,
    }
}
