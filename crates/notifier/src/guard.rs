//! Where a message may go (`https::Guard`), and what is said of where it may not.

use std::net::{SocketAddr, ToSocketAddrs as _};

use https::{Forbidden, Guard};
use outbox::{Failed, Fault};

/// Resolves a host once.
pub(crate) fn resolve(guard: &Guard, host: &str, port: u16) -> Result<Vec<SocketAddr>, Failed> {
    let down = |why: String| Failed::new(Fault::Down, why);
    let found = (host.trim_matches(['[', ']']), port).to_socket_addrs();
    let found: Vec<_> = found.map_err(|_| down(format!("{host} has no address")))?.collect();
    if found.is_empty() {
        return Err(down(format!("{host} has no address")));
    }
    guard.judge(host, found).map_err(|error| Failed::new(Fault::Refused, told(&error)))
}

/// Why a host is not connected to, and what to do about it.
pub(crate) fn told(forbidden: &Forbidden) -> String {
    if forbidden.is_never() {
        return forbidden.to_string();
    }
    format!(
        "{forbidden}; allow it by its name: `private_receivers` of launchway.yml, or `serve --private-receiver`"
    )
}
