//! What root may, part by part (`CAP_*`): what jobs of another user take, who has it, and who does not.
//!
//! A service manager that gives rights to somebody who is not root has them go on to whatever that process starts
//! (`AmbientCapabilities=`). A process of ours keeps them to itself ([`keep_rights`]), so that nothing that it starts has
//! any, and names the few that do ([`with_rights`]). Root has no use for either: to Linux whatever root starts has
//! every right, but behind walls.

use std::io;
use std::thread;

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, configure_capability_in_ambient_set,
    set_capabilities,
};

/// What it takes to start processes of another user, to make folders his and look after what he leaves there, to find
/// his processes by what they were started with, and to end them.
pub(crate) const NEEDED: [(CapabilitySet, &str); 7] = [
    (CapabilitySet::SETUID, "CAP_SETUID"),
    (CapabilitySet::SETGID, "CAP_SETGID"),
    (CapabilitySet::CHOWN, "CAP_CHOWN"),
    (CapabilitySet::DAC_OVERRIDE, "CAP_DAC_OVERRIDE"),
    (CapabilitySet::FOWNER, "CAP_FOWNER"),
    (CapabilitySet::KILL, "CAP_KILL"),
    (CapabilitySet::SYS_PTRACE, "CAP_SYS_PTRACE"),
];

/// What it takes to become another user.
pub(crate) const CHANGING: [CapabilitySet; 2] = [CapabilitySet::SETUID, CapabilitySet::SETGID];

/// What it takes to lay something over a folder of the machine.
const LAYING: [CapabilitySet; 2] = [CapabilitySet::SYS_ADMIN, CapabilitySet::SYS_CHROOT];

/// All that is asked of whoever gives rights to us. Others are not ours to withhold: a server that may listen on port
/// 443 has what is deployed from it do so, too.
fn asked_for() -> CapabilitySet {
    NEEDED.iter().map(|(right, _)| *right).chain(LAYING).collect()
}

/// Gives up all rights but the one to read any file; what this thread starts has none.
pub(crate) fn keep_reading() -> io::Result<()> {
    let kept = capabilities(None)?.permitted & CapabilitySet::DAC_READ_SEARCH;
    let inheritable = CapabilitySet::empty();
    Ok(set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable })?)
}

/// Keeps the rights that are asked of whoever starts us from what this thread starts, and from threads that begin
/// after it: so it is done first of all. This process has them as before.
///
/// # Errors
/// Where the kernel refuses: then they may go on.
pub fn keep_rights() -> io::Result<()> {
    let sets = capabilities(None)?;
    // What goes on by itself has to be inheritable, and ceases to go on with that.
    let inheritable = sets.inheritable - asked_for();
    if inheritable == sets.inheritable {
        return Ok(());
    }
    Ok(set_capabilities(None, CapabilitySets { inheritable, ..sets })?)
}

/// Starts something of ours that has those of these rights that this process has: what looks after jobs, and runs
/// nothing of others' as itself.
///
/// # Errors
/// Where the kernel refuses: then nothing was done.
///
/// # Panics
/// When the deed does.
pub fn with_rights<T: Send>(start: impl FnOnce() -> T + Send) -> io::Result<T> {
    let sets = capabilities(None)?;
    let kept = sets.permitted & asked_for();
    if kept.is_empty() || rustix::process::geteuid().is_root() {
        return Ok(start());
    }
    // A thread's rights are its own, and this one goes.
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("rights".to_owned());
        let running = thread.spawn_scoped(scope, move || {
            let inheritable = sets.inheritable | kept;
            set_capabilities(None, CapabilitySets { inheritable, ..sets })?;
            have_go_on(kept)?;
            Ok(start())
        })?;
        running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Root's rights reach through walls. Without them root is a user like others; programs that it starts get
/// none back, because nothing gains rights behind walls.
///
/// Those that are kept a program keeps that is started then, whoever it is that starts it.
pub(crate) fn give_up_rights(but: &[CapabilitySet]) -> io::Result<()> {
    let asked = but.iter().fold(CapabilitySet::empty(), |all, it| all | *it);
    let kept = capabilities(None)?.permitted & asked;
    set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable: kept })?;
    have_go_on(kept)
}

/// To what this thread starts, whatever program that is.
fn have_go_on(rights: CapabilitySet) -> io::Result<()> {
    for right in rights.iter() {
        configure_capability_in_ambient_set(right, true)?;
    }
    Ok(())
}
