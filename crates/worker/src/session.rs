//! A session of the worker's own, so that nobody of this worker is ever taken for a program of the driver's: a session is
//! left for no other.
//!
//! Whoever leads a group, as the driver has it so that no Ctrl-C reaches it while it begins, begins no session: the group
//! is left first.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use rustix::process::{Pid, getppid, setpgid, setsid};

use crate::orphans::group_of;

/// Begins it. Where that is refused all goes on, and the driver knows what a step leaves by its mark alone.
pub(crate) fn begin() {
    let parents = getppid().and_then(group_of);
    if parents.is_none_or(|group| setpgid(None, Some(group)).is_err()) {
        join_a_childs_group();
    }
    let _ = setsid();
}

/// For a parent that is gone, and one whose group cannot be seen from here. A group is there until its last process is
/// waited for, so the child need not live.
fn join_a_childs_group() {
    let mut nothing = Command::new("/bin/sh");
    nothing.args(["-c", ":"]).process_group(0);
    nothing.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(mut child) = nothing.spawn() else { return };
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let _ = setpgid(None, group);
    let _ = child.wait();
}
