//! The most memory that processes had, read while they live. The kernel keeps the peak (`VmHWM`), so
//! looking now and then is enough; only the last few milliseconds can be missed.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often one looks.
const LOOK: Duration = Duration::from_millis(10);

/// The peaks, in KiB.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Peaks {
    /// Of a worker.
    pub(crate) worker: u64,
    /// Of the command that starts workers.
    pub(crate) command: u64,
}

impl Peaks {
    /// The larger of each.
    pub(crate) fn add(&mut self, other: Peaks) {
        self.worker = self.worker.max(other.worker);
        self.command = self.command.max(other.command);
    }
}

/// Somebody who looks until told to end.
pub(crate) struct Watch {
    is_over: Arc<AtomicBool>,
    looker: JoinHandle<Peaks>,
}

impl Watch {
    /// Looks at a command and at the workers among its children.
    pub(crate) fn of_command(pid: u32) -> Watch {
        Watch::with(move || {
            let workers = children(pid).into_iter().filter(|pid| is_worker(*pid));
            let worker = workers.map(peak).max().unwrap_or_default();
            Peaks { worker, command: peak(pid) }
        })
    }

    /// Looks at a worker.
    pub(crate) fn of_worker(pid: u32) -> Watch {
        Watch::with(move || Peaks { worker: peak(pid), command: 0 })
    }

    fn with(look: impl Fn() -> Peaks + Send + 'static) -> Watch {
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let looker = thread::spawn(move || {
            let mut peaks = Peaks::default();
            while !told.load(Ordering::Relaxed) {
                peaks.add(look());
                thread::sleep(LOOK);
            }
            peaks
        });
        Watch { is_over, looker }
    }

    /// What was seen.
    pub(crate) fn end(self) -> Peaks {
        self.is_over.store(true, Ordering::Relaxed);
        self.looker.join().unwrap_or_default()
    }
}

fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or_default()
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| numbers(&list)).collect()
}

fn numbers(list: &str) -> Vec<u32> {
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

/// Between fork and exec a child has its parent's peak; only its own name tells that it began anew.
fn is_worker(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.ends_with(b"\0worker\0"))
}
