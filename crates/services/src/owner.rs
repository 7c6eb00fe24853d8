//! Who has a port of this machine: for a message that names a program rather than a number.

use std::net::TcpListener;
use std::path::Path;

/// Whether a port can be listened on, on the loopback interface.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// Who listens on a port of this machine, where somebody does: a service could not have it.
pub fn port_owner(port: u16) -> Option<String> {
    (!is_free(port)).then(|| of_port(port))
}

/// A free port, as the kernel gives it.
pub(crate) fn any_free() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// The program that listens on `port`, with its process id where it may be known.
pub(crate) fn of_port(port: u16) -> String {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .find_map(|table| listening_inode(&table, port));
    inode
        .and_then(|inode| process_with_socket(&inode))
        .unwrap_or_else(|| "a program of another user".to_owned())
}

/// The socket's inode, from a row of the kernel's table whose state is LISTEN (0A).
fn listening_inode(table: &str, port: u16) -> Option<String> {
    let wanted = format!(":{port:04X}");
    table.lines().skip(1).find_map(|row| {
        let fields: Vec<&str> = row.split_whitespace().collect();
        let listens = fields.get(1)?.ends_with(&wanted) && *fields.get(3)? == "0A";
        listens.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
    })
}

/// Children inherit sockets, if only until they begin their own program: the oldest has it.
fn process_with_socket(inode: &str) -> Option<String> {
    let target = format!("socket:[{inode}]");
    let has_it = |process: &Path| {
        let descriptors = std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        let mut links = descriptors.filter_map(|it| std::fs::read_link(it.path()).ok());
        links.any(|link| link == Path::new(&target))
    };
    let entries = std::fs::read_dir("/proc").ok()?.flatten();
    let processes = entries.map(|it| it.path()).filter(|path| {
        let name = path.file_name().and_then(|it| it.to_str()).unwrap_or_default();
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
    });
    let oldest = processes.filter(|it| has_it(it)).min_by_key(|it| started(it))?;
    let command = std::fs::read_to_string(oldest.join("comm")).unwrap_or_default();
    let pid = oldest.file_name()?.to_string_lossy().into_owned();
    Some(format!("{} (process {pid})", command.trim()))
}

/// When a process began, in the kernel's ticks since it started; one that is gone came last.
fn started(process: &Path) -> u64 {
    let stat = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
    // Behind the program's name, which may hold anything, the 20th.
    let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
    behind.split_whitespace().nth(19).and_then(|it| it.parse().ok()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_of_a_port_is_named() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        assert!(!is_free(port));
        let owner = of_port(port);
        assert!(owner.contains(&format!("(process {})", std::process::id())), "{owner}");
    }
}
