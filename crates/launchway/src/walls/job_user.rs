//! `--job-user`: whose the processes of jobs behind walls are, where they are not our own user's.
//!
//! One user for all jobs: what they share (tools, downloads of package managers) is his, and walls keep jobs apart from
//! one another. What makes him no protection at all is refused before anything begins.

use std::path::{Path, PathBuf};

use docker::Engine;
use protocol::JobUser;
use rustix::fs::{Access, access};
use sandbox::User;

use crate::exit::{Exit, Failure};

/// What a server that is not root's needs of root's: to have processes of another user, look after their files, and
/// end them, and to give each job a `/tmp` of its own.
pub(crate) const RIGHTS: [&str; 9] = [
    "CAP_SETUID",
    "CAP_SETGID",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_KILL",
    "CAP_SYS_PTRACE",
    "CAP_SYS_ADMIN",
    "CAP_SYS_CHROOT",
];

/// What belongs to nobody is not to become somebody's.
const NOBODY: u32 = 65_534;

/// Who is meant: a name of the machine's users, or `UID:GID`.
pub(crate) fn named(flag: &str, users: &str, own: u32) -> Result<JobUser, Failure> {
    let refused = |why: &str| Failure::new(Exit::Usage, format!("--job-user {flag}: {why}"));
    let numbers: Option<(u32, u32)> = flag
        .split_once(':')
        .and_then(|(user, group)| Some((user.parse().ok()?, group.parse().ok()?)));
    let found = numbers.or_else(|| {
        let mut rows = users.lines().map(|row| row.split(':').collect::<Vec<_>>());
        let row = rows.find(|row| row.len() >= 4 && row[0] == flag)?;
        Some((row[2].parse().ok()?, row[3].parse().ok()?))
    });
    let (id, group) = found.ok_or_else(|| {
        refused("/etc/passwd names no such user")
            .hint(format!(
                "make one: useradd --system --no-create-home --shell /usr/sbin/nologin {flag}"
            ))
            .hint("or say his numbers: --job-user UID:GID")
    })?;
    let other = "take a user of the jobs' own: useradd --system --no-create-home --shell /usr/sbin/nologin launchway-jobs";
    if id == own {
        return Err(refused("that is whose this process is itself").hint(other));
    }
    if id == NOBODY || group == NOBODY {
        return Err(refused("others of this machine are nobody, too").hint(other));
    }
    let called = |row: &str| {
        let (name, rest) = row.split_once(':')?;
        (rest.split(':').nth(1)? == id.to_string()).then(|| name.into())
    };
    let name = || users.lines().find_map(called).unwrap_or_else(|| id.to_string().into());
    match User::new(id, group) {
        Some(_) => Ok(JobUser { id, group, name: name() }),
        None => Err(refused("jobs are never root's, nor of root's group").hint(other)),
    }
}

/// What has to be so that he can run jobs in a folder, and is none of root's servants.
pub(crate) fn check(user: &JobUser, data: &Path, engine: Option<&Engine>) -> Result<(), Failure> {
    let JobUser { id, group, name } = user;
    let refused = |exit: Exit, why: String| Failure::new(exit, format!("--job-user {name}: {why}"));
    let failed = |error: std::io::Error| refused(Exit::Forbidden, error.to_string());
    let him = User::new(*id, *group).ok_or_else(|| refused(Exit::Usage, "is root".to_owned()))?;
    let lacking = User::lacking().map_err(failed)?;
    if !lacking.is_empty() {
        let lacking = lacking.join(" ");
        let why =
            format!("this process lacks {lacking}, and may not have processes of another user");
        return Err(refused(Exit::Forbidden, why)
            .hint("start it as root (in the unit: no User=)")
            .hint(format!("or with these rights: AmbientCapabilities={lacking}"))
            .hint("or leave --job-user out: jobs run as this user then, behind walls"));
    }
    // It may not be there yet.
    let whole = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    let data = whole.canonicalize().unwrap_or(whole);
    let mut around: Vec<PathBuf> =
        data.ancestors().skip(1).filter(|it| it.is_dir()).map(Path::to_owned).collect();
    around.reverse();
    let closed =
        him.does(move || around.into_iter().find(|it| access(it, Access::EXEC_OK).is_err()));
    if let Some(folder) = closed.map_err(failed)? {
        let folder = folder.display();
        let why = format!(
            "he may not pass {folder}, and the jobs' folders lie below it, in {}",
            data.display()
        );
        return Err(refused(Exit::Forbidden, why).hint(format!(
            "let him pass (chmod o+x {folder}), or put the folder elsewhere: --data /srv/launchway"
        )));
    }
    let Some(socket) = engine.map(|engine| engine.socket().to_owned()) else { return Ok(()) };
    let shown = socket.display().to_string();
    if him.does(move || access(&socket, Access::WRITE_OK).is_ok()).map_err(failed)? {
        let why = format!("he may speak to Docker by {shown}, and whoever may is root");
        return Err(refused(Exit::Forbidden, why).hint("take a user whose group is not docker's"));
    }
    Ok(())
}

/// What he was given by a flag, and cannot use.
pub(crate) fn notes(user: &JobUser, opened: &[(&str, &[PathBuf])]) -> Vec<String> {
    let Some(him) = User::new(user.id, user.group) else { return Vec::new() };
    let mut notes = Vec::new();
    for (flag, path) in opened.iter().flat_map(|(flag, all)| all.iter().map(move |it| (flag, it))) {
        let (needed, word) = match *flag {
            "--sandbox-write" => (Access::READ_OK | Access::WRITE_OK, "change"),
            _ => (Access::READ_OK, "read"),
        };
        let asked = path.clone();
        if him.does(move || access(&asked, needed).is_ok()).is_ok_and(|may| !may) {
            let (name, path) = (&user.name, path.display());
            notes.push(format!(
                "warning: {flag} {path}: jobs run as {name}, who may not {word} it: give it to him, or let him pass \
                 the folders around it"
            ));
        }
    }
    notes
}

/// What is said where root's jobs are root's.
pub(crate) const NOTE_OF_ROOT: &str = "note: jobs run as root here, without its rights, behind walls; so that files, sockets and \
                                       processes of root are another user's to them: --job-user NAME (docs/sandbox.md)";

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str = "root:x:0:0:root:/root:/bin/bash\nlaunchway-jobs:x:998:997::/:/usr/sbin/nologin\n\
                         nobody:x:65534:65534::/:/bin/false\noperator:x:11:0::/:/bin/false\nhalf:x:1\n";

    fn check(flag: &str, expect: &str) {
        let said = match named(flag, USERS, 500) {
            Ok(user) => format!("{} {} {}", user.name, user.id, user.group),
            Err(failure) => failure.error.to_string(),
        };
        assert_eq!(
            said.strip_prefix(&format!("--job-user {flag}: ")).unwrap_or(&said),
            expect,
            "{flag}"
        );
    }

    #[test]
    fn who_jobs_may_be() {
        check("launchway-jobs", "launchway-jobs 998 997");
        check("998:5", "launchway-jobs 998 5");
        check("20001:20002", "20001 20001 20002");
        check("500:20001", "that is whose this process is itself");
        for root in
            ["root", "0:0", "0:20001", "20001:0", "operator", "4294967295:1", "1:4294967295"]
        {
            check(root, "jobs are never root's, nor of root's group");
        }
        check("nobody", "others of this machine are nobody, too");
        for unknown in
            ["", "mona", "20001", "half", "1:2:3", "-1:5", "4294967296:1", "launchway-jobs:997"]
        {
            check(unknown, "/etc/passwd names no such user");
        }
    }
}
