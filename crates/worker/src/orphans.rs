//! What a job leaves running, and its end (conformance 116).
//!
//! The worker is a child subreaper, so whoever loses its parent becomes the worker's child,
//! `setsid` or not. A process that a workflow detached on purpose, by changing
//! `RUNNER_TRACKING_ID`, is left alone, as on GitHub; but behind walls: what is kept in ends with its job.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions};

/// Rounds of looking and killing. Each round a process may have forked before it died; nothing
/// that is killed with SIGKILL keeps that up for long.
const ROUNDS_MAX: usize = 100;

/// The variable that a job's processes are known by.
pub(crate) const TRACKING_VARIABLE: &str = "RUNNER_TRACKING_ID";

/// A process that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Orphan {
    /// Its process id.
    pub(crate) pid: Pid,
    /// Its name, as the kernel knows it.
    pub(crate) name: String,
}

/// What becomes of processes that a workflow detached on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detached {
    /// They outlive the job.
    Stay,
    /// They end with it.
    End,
}

/// Kills every descendant, but for those detached on purpose where they stay, and gives the names of those that
/// steps left. Whoever bears no mark is our own (what git started while it fetched an action) or
/// cleared its environment; it goes without a word.
pub(crate) fn sweep(tracking_id: &str, detached: Detached) -> Vec<Orphan> {
    let mut swept: BTreeMap<i32, Orphan> = BTreeMap::new();
    for _ in 0..ROUNDS_MAX {
        reap();
        let left: Vec<(Mark, Orphan)> = descendants()
            .into_iter()
            .map(|orphan| (mark(orphan.pid, tracking_id), orphan))
            .filter(|(mark, _)| *mark != Mark::Detached || detached == Detached::End)
            .collect();
        if left.is_empty() {
            break;
        }
        for (mark, orphan) in left {
            end(orphan.pid);
            if mark != Mark::None {
                swept.insert(orphan.pid.as_raw_nonzero().get(), orphan);
            }
        }
    }
    swept.into_values().collect()
}

/// The living members of a process group, as handles that become readable when they end.
pub(crate) fn members(group: Pid) -> Vec<OwnedFd> {
    // One call answers the common case: nobody is left.
    if rustix::process::test_kill_process_group(group).is_err() {
        return Vec::new();
    }
    processes()
        .filter(|process| process.group == group.as_raw_nonzero().get() && !process.is_dead)
        .filter_map(|process| Pid::from_raw(process.pid))
        .filter_map(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok())
        .collect()
}

/// Kills one process and waits until it is dead, so that the next look does not find it again.
fn end(pid: Pid) {
    // The handle keeps the number from meaning somebody else between look and kill.
    let Ok(handle) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else { return };
    if rustix::process::pidfd_send_signal(&handle, Signal::KILL).is_ok() {
        let mut fds = [rustix::event::PollFd::new(&handle, rustix::event::PollFlags::IN)];
        let patience = rustix::event::Timespec { tv_sec: 1, tv_nsec: 0 };
        // A process in an uninterruptible sleep dies when that ends; it is looked for again.
        let _ = rustix::event::poll(&mut fds, Some(&patience));
    }
}

/// Takes the status of every dead child.
fn reap() {
    while let Ok(Some(_)) =
        rustix::process::waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
    {}
}

/// Whether nobody is left of what was started. `false` where the kernel does not tell.
pub(crate) fn has_no_children() -> bool {
    // The worker has one thread that starts processes, and orphans come to it.
    fs::read_to_string(format!("/proc/self/task/{}/children", std::process::id()))
        .is_ok_and(|children| children.trim().is_empty())
}

/// All living processes below this one.
fn descendants() -> Vec<Orphan> {
    // Most jobs leave nothing: one look at the own children instead of the whole table.
    if has_no_children() {
        return Vec::new();
    }
    let own = std::process::id();
    let all: Vec<Entry> = processes().collect();
    let mut found: Vec<Orphan> = Vec::new();
    let mut parents = vec![own.cast_signed()];
    while let Some(parent) = parents.pop() {
        for process in all.iter().filter(|process| process.parent == parent) {
            parents.push(process.pid);
            if let Some(pid) = Pid::from_raw(process.pid).filter(|_| !process.is_dead) {
                found.push(Orphan { pid, name: process.name.clone() });
            }
        }
    }
    found
}

/// What the tracking variable of a process says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// It belongs to this job's steps.
    Ours,
    /// It was changed: a workflow detached the process.
    Detached,
    /// It is not there.
    None,
}

fn mark(pid: Pid, tracking_id: &str) -> Mark {
    let Ok(env) = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())) else {
        return Mark::None;
    };
    let mut values = env
        .split(|byte| *byte == 0)
        .filter_map(|entry| entry.strip_prefix(TRACKING_VARIABLE.as_bytes())?.strip_prefix(b"="));
    match values.next() {
        None => Mark::None,
        Some(value) if value == tracking_id.as_bytes() => Mark::Ours,
        Some(_) => Mark::Detached,
    }
}

/// What `/proc/<pid>/stat` says.
struct Entry {
    pid: i32,
    parent: i32,
    group: i32,
    is_dead: bool,
    name: String,
}

fn processes() -> impl Iterator<Item = Entry> {
    let folder = fs::read_dir("/proc").into_iter().flatten().flatten();
    folder.filter_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        parse_stat(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    })
}

/// The process group of a process; none where it cannot be seen from here: one of outside the PID namespace that we run
/// in, as with `nsenter`, reads as 0.
pub(crate) fn group_of(pid: Pid) -> Option<Pid> {
    let pid = pid.as_raw_nonzero().get();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Pid::from_raw(parse_stat(pid, &stat)?.group)
}

/// `12 (name) S parent group ...`; the name may hold blanks and parentheses.
fn parse_stat(pid: i32, stat: &str) -> Option<Entry> {
    let (name, rest) = (stat.find('(')?, stat.rfind(')')?);
    let mut fields = stat.get(rest + 1..)?.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let name = stat.get(name + 1..rest)?.to_owned();
    Some(Entry { pid, parent, group, is_dead: matches!(state, "Z" | "X"), name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_with_a_hostile_name() {
        let entry = parse_stat(7, "7 (a) Z 9 (b) S 3 7 7 0 -1").expect("a valid line");
        assert_eq!((entry.parent, entry.group, entry.is_dead), (3, 7, false));
        assert_eq!(entry.name, "a) Z 9 (b");
    }
}
