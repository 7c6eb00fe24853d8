//! Processes as this crate needs them: started to outlive us, found again, ended whole.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, PidfdFlags, Signal};

use crate::config::HostConfig;
use crate::folder::{self, Folder};
use crate::wanted::{ProcessId, Set};

/// The variable that processes of a folder are known by.
pub(crate) const TRACKING: &str = "LAUNCHWAY_TRACKING";
/// What a workflow's runner ends its leftovers by. Changed, it says that a process is meant to stay.
const RUNNER_TRACKING: &str = "RUNNER_TRACKING_ID";
/// What is passed on of our own environment. Everything else is the settings' to say.
const PASSED_ON: [&str; 9] =
    ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "LOGNAME", "SSL_CERT_FILE"];

/// A process that was started or found.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) id: ProcessId,
    /// Readable when it has ended.
    pub(crate) pidfd: OwnedFd,
    /// It is our child; of others nobody tells us how they ended.
    pub(crate) child: Option<Child>,
}

impl Handle {
    pub(crate) fn of_child(child: Child) -> io::Result<Handle> {
        let pid = Pid::from_child(&child);
        let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
        let pid = pid.as_raw_nonzero().get();
        let start = stat(pid).map_or(0, |stat| stat.start);
        Ok(Handle { id: ProcessId { pid, start }, pidfd, child: Some(child) })
    }

    /// The process that was known before, if it lives and is the same.
    pub(crate) fn find(id: ProcessId) -> Option<Handle> {
        let pid = Pid::from_raw(id.pid)?;
        // First the handle, then the look: from here on the number means nobody else.
        let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok()?;
        let stat = stat(id.pid).filter(|stat| !stat.is_dead)?;
        (stat.start == id.start).then_some(Handle { id, pidfd, child: None })
    }

    pub(crate) fn signal_group(&self, signal: Signal) {
        // Whoever is gone needs no signal.
        let Some(pid) = Pid::from_raw(self.id.pid) else { return };
        let _ = rustix::process::kill_process_group(pid, signal);
    }
}

/// What the kernel says of a process.
struct Stat {
    start: u64,
    group: i32,
    is_dead: bool,
}

fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold some itself.
    let mut fields = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?;
    let group = fields.nth(1)?.parse().ok()?;
    // The 22nd field of all; the third one was the first here.
    let start = fields.nth(16)?.parse().ok()?;
    Some(Stat { start, group, is_dead: matches!(state, "Z" | "X") })
}

/// Which start of the machine this is.
pub(crate) fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// Every living process that carries a mark of this folder, with the rest of the mark.
pub(crate) fn marked(prefix: &str) -> Vec<(ProcessId, bool, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let Ok(environ) = fs::read(format!("/proc/{pid}/environ")) else { continue };
        let wanted = format!("{TRACKING}={prefix}");
        let mut variables = environ.split(|byte| *byte == 0);
        let Some(rest) = variables.find_map(|it| it.strip_prefix(wanted.as_bytes())) else {
            continue;
        };
        let Some(stat) = stat(pid).filter(|stat| !stat.is_dead) else { continue };
        let id = ProcessId { pid, start: stat.start };
        found.push((id, stat.group == pid, String::from_utf8_lossy(rest).into_owned()));
    }
    found
}

/// Ends what carries exactly this mark: what an instance left behind.
pub(crate) fn sweep(mark: &str) {
    for (id, _, rest) in marked(mark) {
        if rest.is_empty()
            && let Some(handle) = Handle::find(id)
        {
            let _ = rustix::process::pidfd_send_signal(&handle.pidfd, Signal::KILL);
        }
    }
}

/// The mark of a folder, before what is special to one process.
pub(crate) fn mark(folder: &Path, rest: &str) -> String {
    format!("{}#{rest}", folder.display())
}

/// A command of a release: its program, its folder, its environment and nothing else.
pub(crate) fn command(
    set: &Set,
    run: &[String],
    release: &Path,
    private: &BTreeMap<String, String>,
) -> io::Result<Command> {
    let (program, arguments) = run.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut env: BTreeMap<String, String> = PASSED_ON
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
        .collect();
    let account = account(&set.config)?;
    if let Some(account) = &account {
        for name in ["USER", "LOGNAME"] {
            env.insert(name.to_owned(), account.name.clone());
        }
        env.insert("HOME".to_owned(), account.home.clone());
    }
    env.extend(set.config.env.clone());
    env.extend(private.clone());
    let version = set.release.version.to_string();
    env.insert("LAUNCHWAY_RELEASE".to_owned(), version);
    env.insert("LAUNCHWAY_DIGEST".to_owned(), set.release.digest.to_string());
    if let Some(commit) = &set.release.commit {
        env.insert("LAUNCHWAY_COMMIT".to_owned(), commit.to_string());
    }
    let path = env.get("PATH").map(String::as_str).unwrap_or_default();
    let program = find_program(program, path, release).ok_or_else(|| {
        let what = format!("`{program}` is neither in the release nor on the PATH");
        io::Error::new(io::ErrorKind::NotFound, what)
    })?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(&env).current_dir(release).stdin(Stdio::null());
    if let Some(account) = account {
        use std::os::unix::process::CommandExt as _;
        command.uid(account.user).gid(account.group);
    }
    Ok(command)
}

/// The program that a name means: in the release where it has a slash, else on the PATH.
fn find_program(name: &str, path: &str, release: &Path) -> Option<PathBuf> {
    let is_program = |path: &PathBuf| {
        path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
    };
    if name.contains('/') {
        return Some(release.join(name)).filter(is_program);
    }
    path.split(':').filter(|it| !it.is_empty()).map(|it| Path::new(it).join(name)).find(is_program)
}

struct Account {
    name: String,
    home: String,
    user: u32,
    group: u32,
}

/// Whose process it shall be; none for our own.
fn account(config: &HostConfig) -> io::Result<Option<Account>> {
    let Some(name) = &config.user else { return Ok(None) };
    let users = fs::read_to_string("/etc/passwd")?;
    let row = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let account = row.filter(|row| row.len() >= 6 && row[0] == name).find_map(|row| {
        let (user, group) = (row[2].parse().ok()?, row[3].parse().ok()?);
        Some(Account { name: name.clone(), home: row[5].to_owned(), user, group })
    });
    let account = account.ok_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, format!("this machine has no user `{name}`"))
    })?;
    let own = rustix::process::geteuid();
    if own.as_raw() == account.user {
        return Ok(None);
    }
    if !own.is_root() {
        let what = format!(
            "only root can start processes of `{name}`: deploy as root, as `{name}`, or take `user` out"
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    Ok(Some(account))
}

/// Why processes cannot be those of the user that the settings name; none where they can, or name none.
pub(crate) fn user_problem(config: &HostConfig, folder: &Folder) -> Option<String> {
    let account = match account(config) {
        Ok(account) => account?,
        Err(error) => return Some(error.to_string()),
    };
    // Every folder on the way to a release must let him pass.
    let releases = folder.releases();
    let closed = releases.ancestors().find(|it| {
        fs::metadata(it).is_ok_and(|found| {
            let mode = found.mode();
            let bit = match () {
                () if found.uid() == account.user => 0o100,
                () if found.gid() == account.group => 0o010,
                () => 0o001,
            };
            mode & bit == 0
        })
    });
    closed.map(|closed| {
        format!(
            "{} may not pass through {}, where its releases lie: deploy with --state DIR, a folder \
             that everybody may pass through",
            account.name,
            closed.display()
        )
    })
}

/// Private values of a set, as they were when it was brought.
pub(crate) fn private_values(path: &Path) -> io::Result<BTreeMap<String, String>> {
    Ok(folder::read(path)?.unwrap_or_default())
}

/// A file that is only ever added to, as a process's output.
pub(crate) fn output(path: &Path) -> io::Result<(File, File)> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
    let second = file.try_clone()?;
    Ok((file, second))
}

/// Starts one of our own programs so that it outlives us. Somebody must hear of its end: a thread.
pub(crate) fn start_detached(
    program: &[std::ffi::OsString],
    arguments: &[&std::ffi::OsStr],
    log: &Path,
) -> io::Result<()> {
    let (first, rest) = program.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let (out, errors) = output(log)?;
    let mut child = Command::new(first)
        .args(rest)
        .args(arguments)
        .env(RUNNER_TRACKING, "launchway")
        .env_remove(TRACKING)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(errors)
        .current_dir("/")
        .spawn()?;
    std::thread::spawn(move || child.wait());
    Ok(())
}

/// Leaves the terminal and the process group that we were started in.
pub(crate) fn leave_session() {
    // Refused to the leader of a group, who was started on purpose by somebody.
    let _ = rustix::process::setsid();
}
