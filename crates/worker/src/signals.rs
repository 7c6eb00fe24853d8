//! Signals that whoever started us ignores: a shell without job control does so with SIGINT and SIGQUIT
//! for what it puts behind `&`, `nohup` with SIGHUP. Ignored signals stay so across an exec, and then
//! no step could be interrupted, whatever handler it wants: shells do not take over what was ignored
//! when they began.
//!
//! A signal that has a handler is reset to its default by an exec. So what is ignored gets a handler
//! here that does nothing: to us it stays ignored, and whatever we start begins with the default.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{FORBIDDEN, SIGPIPE};

/// Signals behind these are for real time, and nobody ignores them for others.
const CLASSIC: std::ops::Range<i32> = 1..32;

/// Gives every ignored signal a handler. Before any thread and any process is started.
pub(crate) fn answer_ignored() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = ignored(&status);
    for signal in CLASSIC.filter(|signal| ignored & (1 << (signal - 1)) != 0) {
        // SIGPIPE is ignored by the standard library, which resets it itself for what it starts.
        if signal != SIGPIPE && !FORBIDDEN.contains(&signal) {
            // One that cannot be had stays as it is.
            let _ = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)));
        }
    }
}

/// The mask of ignored signals in the text of `/proc/PID/status`; none where it does not say.
fn ignored(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_is_read() {
        assert_eq!(
            ignored("Name:\tsh\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001006\n"),
            0x1006
        );
        assert_eq!(ignored("SigIgn:\tnothing\n"), 0);
        assert_eq!(ignored(""), 0);
    }
}
