//! `--job-user`: whose the processes of jobs behind walls are, where they are not our own user's.
//!
//! One user for all jobs: what they share (tools, downloads of package managers) is his, and walls keep jobs apart from
//! one another. What makes him no protection at all is refused before anything begins.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
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

/// Whose this process is.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    pub(crate) user: u32,
    /// Every one that it is in.
    pub(crate) groups: Vec<u32>,
}

impl Own {
    pub(crate) fn of_process() -> io::Result<Own> {
        let more = rustix::process::getgroups()?;
        let groups = more.into_iter().chain([rustix::process::getegid()]);
        let groups = groups.map(rustix::process::Gid::as_raw).collect();
        Ok(Own { user: rustix::process::geteuid().as_raw(), groups })
    }
}

/// Who is meant: a name of the machine's users, or `UID:GID`.
pub(crate) fn named(flag: &str, users: &str, own: &Own) -> Result<JobUser, Failure> {
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
    if id == own.user {
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
    if User::new(id, group).is_none() {
        return Err(refused("jobs are never root's, nor of root's group").hint(other));
    }
    if own.groups.contains(&group) {
        // What is closed to all but this process and its group would be open to jobs.
        let why = format!(
            "this process is in the group {group}, too, and what is that group's would be the jobs'"
        );
        return Err(refused(&why)
            .hint("give him a group of his own: groupadd --system launchway-jobs; usermod --gid launchway-jobs NAME")
            .hint(other));
    }
    Ok(JobUser { id, group, name: name() })
}

/// Jobs that go on below a folder as another user's would lose the way to their folders: it may be passed by one
/// group, and would be this user's.
pub(crate) fn check_jobs(user: &JobUser, own: &Own, data: &Path) -> Result<(), Failure> {
    let Some((folder, other)) = of_another(user, own, &data.join("jobs")) else { return Ok(()) };
    let why = format!(
        "the job in {} goes on as {other}, and could not reach its own folder any more",
        folder.display()
    );
    Err(Failure::new(Exit::Forbidden, format!("--job-user {}: {why}", user.name))
        .hint(format!("let it end first: start with --job-user {other}, drain this machine (launchway runners drain), and come back"))
        .hint("or come back later: a server that systemd starts again and again comes when it has ended"))
}

/// The folder of a job that goes on, and whose it is, where that is neither this user nor this process.
fn of_another(user: &JobUser, own: &Own, jobs: &Path) -> Option<(PathBuf, String)> {
    let below = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    // Of a server's each lies in one of its attempt, of a runner's it lies there itself.
    let outer = below(jobs).map(|it| it.path());
    let mut all = outer.flat_map(|it| below(&it).map(|it| it.path()).chain([it]));
    all.find_map(|folder| {
        let passed_by = fs::symlink_metadata(&folder).ok().filter(fs::Metadata::is_dir)?.gid();
        if passed_by == user.group
            || own.groups.contains(&passed_by)
            || !driver::is_at_work(&folder)
        {
            return None;
        }
        let his = fs::symlink_metadata(folder.join("home")).ok()?;
        Some((folder, format!("{}:{}", his.uid(), his.gid())))
    })
}

/// What has to be so that he can run jobs in a folder, and is none of root's servants.
pub(crate) fn check(user: &JobUser, data: &Path, engine: Option<&Engine>) -> Result<(), Failure> {
    let JobUser { id, group, name } = user;
    let refused = |exit: Exit, why: String| Failure::new(exit, format!("--job-user {name}: {why}"));
    let failed = |error: io::Error| refused(Exit::Forbidden, error.to_string());
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
                         nobody:x:65534:65534::/:/bin/false\noperator:x:11:0::/:/bin/false\nhalf:x:1\n\
                         beside:x:997:27::/:/bin/false\n";

    fn check(flag: &str, expect: &str) {
        let own = Own { user: 500, groups: vec![27, 501] };
        let said = match named(flag, USERS, &own) {
            Ok(user) => format!("{} {} {}", user.name, user.id, user.group),
            Err(failure) => failure.error.to_string(),
        };
        assert_eq!(
            said.strip_prefix(&format!("--job-user {flag}: ")).unwrap_or(&said),
            expect,
            "{flag}"
        );
    }

    /// As a worker leaves them that outlives its server: that of a server's job, and that of a runner's.
    #[test]
    fn jobs_that_go_on_keep_their_way() {
        let own = Own { user: 0, groups: vec![0] };
        let user = |group| JobUser { id: 20_001, group, name: "jobs".into() };
        for inside in ["jobs/1.1/whole.1", "jobs/key"] {
            let data = tempfile::tempdir().expect("a scratch folder");
            let folder = data.path().join(inside);
            fs::create_dir_all(folder.join("home")).expect("made");
            let report = |report: &str| {
                let text = format!("{{\"fence\":1,\"number\":0,\"report\":{report}}}\n");
                fs::write(folder.join(protocol::REPORTS_FILE), text).expect("written");
            };
            report(r#"{"type":"Started","pid":7,"at":1}"#);
            let socket = folder.join(format!("{}0", protocol::ATTACH_SOCKET));
            let worker = std::os::unix::net::UnixListener::bind(socket).expect("a place for it");
            for (path, group) in [(folder.clone(), 20_002), (folder.join("home"), 20_002)] {
                std::os::unix::fs::chown(path, Some(20_001), Some(group)).expect("we are root");
            }
            let is_refused = |group| check_jobs(&user(group), &own, data.path()).is_err();
            assert!(is_refused(20_003) && !is_refused(20_002), "{inside}");
            // Of a server without the flag each is its own.
            let ours = Own { user: 20_001, groups: vec![20_002] };
            assert!(check_jobs(&user(20_003), &ours, data.path()).is_ok());
            report(
                r#"{"type":"Completed","conclusion":"success","exit":"none","outputs":{},"environment_url":null,"at":1}"#,
            );
            assert!(!is_refused(20_003), "{inside}");
            report(r#"{"type":"Started","pid":7,"at":1}"#);
            // Not dropped: a process that another test is just starting has a copy of what is open.
            rustix::net::shutdown(&worker, rustix::net::Shutdown::Both).expect("it listens");
            assert!(!is_refused(20_003), "its worker is gone: {inside}");
        }
    }

    #[test]
    fn who_jobs_may_be() {
        check("launchway-jobs", "launchway-jobs 998 997");
        check("998:5", "launchway-jobs 998 5");
        check("20001:20002", "20001 20001 20002");
        check("500:20001", "that is whose this process is itself");
        for group in [501, 27] {
            let expect = format!(
                "this process is in the group {group}, too, and what is that group's would be the jobs'"
            );
            check(&format!("20001:{group}"), &expect);
        }
        check(
            "beside",
            "this process is in the group 27, too, and what is that group's would be the jobs'",
        );
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
