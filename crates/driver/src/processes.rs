//! Process trees, found in /proc and ended.
//!
//! A worker's processes are known by `RUNNER_TRACKING_ID`, which every step inherits
//! (conformance 116), and the worker itself by [`WORKER_VARIABLE`]. This process is a child
//! subreaper, so what a dead worker leaves behind becomes a child of ours.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

/// What a worker is known by. Its steps carry `RUNNER_TRACKING_ID`; the worker itself must not, or
/// its own sweep after the job would find it.
pub(crate) const WORKER_VARIABLE: &str = "LAUNCHWAY_WORKER";
/// What steps are known by.
const STEP_VARIABLE: &str = "RUNNER_TRACKING_ID";
/// How long processes have between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_millis(2_500);
/// How long the kernel has after SIGKILL. A process in an uninterruptible wait outlives it.
const KILLED: Duration = Duration::from_secs(5);
/// How long a program may take to begin: it is microseconds, but for a machine that is busy.
const STARTING: Duration = Duration::from_millis(50);
/// How often /proc is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// Ends every process of a tracking id, and the orphans among our children, in two steps. Gives how
/// many did not go.
pub(crate) fn end_tree(tracking: &str, workers: &dyn Fn() -> BTreeSet<u32>) -> usize {
    let find = || {
        let mut found = of_tracking(tracking);
        found.extend(orphans(workers));
        found
    };
    let mut left = find();
    // A dead process has no environment any more: it is found no second time, and still has to be
    // reaped where it is a child of ours.
    let mut signalled = BTreeSet::new();
    for (signal, patience) in [(Signal::TERM, GRACE), (Signal::KILL, KILLED)] {
        for pid in &left {
            signal_one(*pid, signal);
            signalled.insert(*pid);
        }
        let until = Instant::now() + patience;
        while !(left.is_empty() && signalled.is_empty()) && Instant::now() < until {
            signalled.retain(|pid| !reap(*pid));
            left = find();
            if signal == Signal::KILL {
                // A process that was forked while we looked.
                left.iter().for_each(|pid| signal_one(*pid, signal));
                signalled.extend(&left);
            }
            if !(left.is_empty() && signalled.is_empty()) {
                std::thread::sleep(LOOK);
            }
        }
    }
    end_containers(tracking);
    sandbox::end_bounded(tracking);
    left.len()
}

/// Takes away what a worker left with the engine of containers, if there is one: its job's own container
/// ends with it, services do not.
pub(crate) fn end_containers(tracking: &str) {
    // An engine that is away has nothing that runs; it is looked for once more with the next job.
    let _ =
        docker::Engine::of(None).map(|engine| engine.remove_labelled(docker::JOB_LABEL, tracking));
}

fn signal_one(pid: u32, signal: Signal) {
    if let Some(pid) = pid_of(pid) {
        // It may be gone already, which is as good.
        let _ = kill_process(pid, signal);
    }
}

/// Says whether there is nothing left to reap: it was reaped, or is no child of ours.
fn reap(pid: u32) -> bool {
    let waited = pid_of(pid).map(|pid| waitpid(Some(pid), WaitOptions::NOHANG));
    !matches!(waited, Some(Ok(None)))
}

fn pid_of(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

fn all() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Living processes with this tracking id in their first environment, save ourselves.
fn of_tracking(tracking: &str) -> BTreeSet<u32> {
    let wanted = [STEP_VARIABLE, WORKER_VARIABLE].map(|name| format!("{name}={tracking}"));
    let carries = |pid: &u32| {
        let environment = environment(*pid);
        environment
            .split(|byte| *byte == 0)
            .any(|entry| wanted.iter().any(|it| it.as_bytes() == entry))
    };
    let own = std::process::id();
    all().filter(|pid| *pid != own).filter(carries).collect()
}

/// What a process was started with; empty where that cannot be told. While a program takes the place
/// of the one before, the kernel shows neither words nor environment of it: it is waited for.
fn environment(pid: u32) -> Vec<u8> {
    let read = |what: &str| fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
    let until = Instant::now() + STARTING;
    loop {
        let environment = read("environ");
        // Threads of the kernel and the dead have no program; others have words.
        let has_program = || fs::read_link(format!("/proc/{pid}/exe")).is_ok();
        let is_starting = environment.is_empty() && read("cmdline").is_empty() && has_program();
        if !is_starting || Instant::now() >= until {
            return environment;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Children of ours that we did not start: what dead workers left. Each worker begins a session of its own, which nobody of
/// it can leave for ours; what else we start (a `git`, say) stays in ours, whatever its process group. The children are
/// listed first and the workers asked for then: a worker that is just being started is in both or, at worst, in the second
/// only.
pub(crate) fn orphans(workers: &dyn Fn() -> BTreeSet<u32>) -> BTreeSet<u32> {
    let own_session = session(std::process::id());
    let children = children(std::process::id());
    if children.is_empty() {
        return children;
    }
    let workers = workers();
    children
        .into_iter()
        .filter(|pid| !workers.contains(pid))
        .filter(|pid| {
            let session = session(*pid);
            session.is_some() && session != own_session
        })
        .collect()
}

/// The session of a process, from `/proc`; 0 is one of outside the PID namespace that we run in, as with `nsenter`. The
/// system call has the same answer, which its wrapper holds for impossible.
fn session(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // State, parent, group and session stand behind the name, which may hold blanks and parentheses.
    stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace().nth(3)?.parse().ok()
}

fn children(parent: u32) -> BTreeSet<u32> {
    let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let mut found = BTreeSet::new();
    for list in lists {
        found.extend(list.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_program_of_ours_with_a_group_of_its_own_is_no_orphan() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).process_group(0).spawn().unwrap();
        assert!(children(std::process::id()).contains(&child.id()));
        assert!(!orphans(&BTreeSet::new).contains(&child.id()));
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success(), "nobody ends it");
    }

    #[test]
    fn whoever_is_of_another_session_is_one() {
        let mut child = Command::new("setsid")
            .arg("cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It answers, so it is in its session.
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, b"x").unwrap();
        let mut byte = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut byte).unwrap();
        assert!(orphans(&BTreeSet::new).contains(&child.id()));
        assert!(!orphans(&|| BTreeSet::from([child.id()])).contains(&child.id()), "it is a worker");
        drop(stdin);
        child.wait().unwrap();
    }

    /// As where something enters the namespace of a container: nobody there has a number for the session.
    #[test]
    fn both_hold_where_our_own_session_cannot_be_seen() {
        let mut unshare = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            unshare.arg("--map-root-user");
        }
        let output = unshare
            .args(["--pid", "--fork", "--mount-proc"])
            .arg(std::env::current_exe().unwrap())
            .args(["a_program_of_ours_with_a_group", "whoever_is_of_another_session"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("2 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    }
}
