//! A unit for systemd, for machines on which the supervisor shall come back with the machine.

use std::path::Path;

/// The text of a unit that keeps the supervisor of a folder alive. `KillMode=process`: whoever ends
/// or restarts the unit ends the supervisor alone; proxy and instances live on, and the next
/// supervisor adopts them. One that a deployment started is waited for. A supervisor that has nothing
/// to look after ends well, and stays away until the unit is started again.
pub fn systemd_unit(program: &Path, folder: &Path, user: Option<&str>) -> String {
    let user = user.map(|user| format!("User={user}\n")).unwrap_or_default();
    format!(
        "[Unit]\n\
         Description=Launchway: services of {folder}\n\
         After=network.target docker.service\n\
         \n\
         [Service]\n\
         Type=simple\n\
         {user}\
         ExecStart={program} supervise --folder {folder} --wait\n\
         # The services outlive their supervisor, and the next one adopts them.\n\
         KillMode=process\n\
         Restart=on-failure\n\
         RestartSec=1\n\
         LimitNOFILE=65536\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        folder = quoted(folder),
        program = quoted(program),
    )
}

/// What a server is given that it would not have.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnitRights<'a> {
    /// What it has of root's where it is not root's.
    pub capabilities: &'a [&'a str],
    /// Whether it divides its cgroup.
    pub divides_cgroup: bool,
}

/// The text of a unit that keeps a server alive which is started with these words. `KillMode=process`:
/// whoever restarts it restarts the server alone; its jobs go on, and the next one takes them up.
pub fn server_unit(
    program: &Path,
    words: &[String],
    user: Option<&str>,
    given: &UnitRights<'_>,
) -> String {
    let user = user.map(|user| format!("User={user}\n")).unwrap_or_default();
    let mut rights = match given.capabilities {
        [] => String::new(),
        rights => format!("AmbientCapabilities={}\n", rights.join(" ")),
    };
    if given.divides_cgroup {
        rights += "# The server keeps jobs within their limits. It is below what it divides (systemd 254 and newer), so that\n\
                   # the next one can be started there while jobs go on.\n\
                   Delegate=yes\n\
                   DelegateSubgroup=launchway\n";
    }
    let words: String = words.iter().map(|word| format!(" {}", quoted_text(word))).collect();
    format!(
        "[Unit]\n\
         Description=Launchway: the server\n\
         Wants=network-online.target\n\
         After=network-online.target\n\
         \n\
         [Service]\n\
         Type=simple\n\
         {user}{rights}\
         ExecStart={program} serve{words}\n\
         # Jobs outlive their server, and the next one takes them up.\n\
         KillMode=process\n\
         Restart=always\n\
         RestartSec=1\n\
         TimeoutStopSec=30\n\
         LimitNOFILE=65536\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n",
        program = quoted(program),
    )
}

/// As systemd reads it: quoted where a blank stands, `%` and `$` doubled.
fn quoted(path: &Path) -> String {
    quoted_text(&path.display().to_string())
}

fn quoted_text(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('%', "%%");
    let text = text.replace('$', "$$").replace('"', "\\\"");
    if text.contains(char::is_whitespace) { format!("\"{text}\"") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_ends_the_server_alone() {
        let words = ["--data", "/srv/a b", "--url", "https://ci.example.com/100%"];
        let words = words.map(str::to_owned);
        let unit = |given: &UnitRights<'_>| {
            server_unit(Path::new("/usr/bin/launchway"), &words, Some("git"), given)
        };
        let divides = unit(&UnitRights { divides_cgroup: true, ..UnitRights::default() });
        assert!(
            divides.contains("\nDelegate=yes\nDelegateSubgroup=launchway\nExecStart="),
            "{divides}"
        );
        let capabilities = &["CAP_SETUID", "CAP_SETGID"];
        let given = unit(&UnitRights { capabilities, ..UnitRights::default() });
        assert!(
            given.contains("\nUser=git\nAmbientCapabilities=CAP_SETUID CAP_SETGID\nExecStart="),
            "{given}"
        );
        let unit = unit(&UnitRights::default());
        assert!(unit.contains("\nKillMode=process\n"), "{unit}");
        assert!(
            unit.contains(
                "\nUser=git\nExecStart=/usr/bin/launchway serve --data \"/srv/a b\" --url https://ci.example.com/100%%\n"
            ),
            "{unit}"
        );
    }

    #[test]
    fn the_unit_ends_the_supervisor_alone() {
        let unit =
            systemd_unit(Path::new("/usr/bin/launchway"), Path::new("/srv/a b"), Some("www"));
        assert!(unit.contains("\nKillMode=process\n"), "{unit}");
        assert!(
            unit.contains(
                "\nUser=www\nExecStart=/usr/bin/launchway supervise --folder \"/srv/a b\" --wait\n"
            ),
            "{unit}"
        );
    }
}
