//! What the processes of a job take together (`protocol::JobLimits`): kept by the kernel, in a container by its engine.
//!
//! The worker itself is not among them: it lives to say what was too much.

use std::io;
use std::path::Path;

use protocol::{JobLimits, JobSpec};
use sandbox::{Bounded, Exceeded};

use crate::setup::SetupError;

/// As a shell and a container say it of what was killed.
const KILLED: i32 = 128 + 9;

/// Why that is so.
const ALLOWED: &str = "that is what a job may have on this machine";

/// The bounds of a job that has some.
#[derive(Debug)]
pub(crate) struct Bounds {
    limits: JobLimits,
    /// None where the machine lets nobody divide its own: the job is in a container then.
    bounded: Option<Bounded>,
    /// What was said.
    told: Exceeded,
}

impl Bounds {
    /// Around the processes of a job, before there are any.
    pub(crate) fn around(spec: &JobSpec) -> Result<Option<Bounds>, SetupError> {
        let limits = spec.options.limits.clone();
        if !limits.is_any() {
            return Ok(None);
        }
        let bounds = sandbox::Bounds {
            memory_bytes: limits.memory_bytes,
            cpu_thousandths: limits.cpu_thousandths,
            processes: limits.processes,
        };
        let make = |divided: &str| Bounded::make(Path::new(divided), &spec.tracking_id, &bounds);
        let bounded = limits.cgroup.as_deref().map(make).transpose().map_err(SetupError::Bounds)?;
        Ok(Some(Bounds { limits, bounded, told: Exceeded::default() }))
    }

    /// What cannot be kept is not begun.
    pub(crate) fn check(&self, is_in_container: bool) -> Result<(), SetupError> {
        if is_in_container || self.bounded.is_some() {
            return Ok(());
        }
        Err(SetupError::Refused(
            "this machine limits what jobs take, and can do so for jobs in containers alone: whoever started it was told \
             why (docs/runners.md)"
                .to_owned(),
        ))
    }

    /// Does something that starts a process of the job.
    pub(crate) fn within<T>(&self, start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match &self.bounded {
            Some(bounded) => bounded.within(start)?,
            None => start(),
        }
    }

    /// What was too much since this was asked for the last time, in words; a process has just ended with this code.
    pub(crate) fn exceeded(&mut self, code: i32, is_in_container: bool) -> Vec<String> {
        let memory = self.limits.memory_bytes.map(size);
        if is_in_container {
            // The engine does not say of a program what it says of a container's first.
            let memory = memory.filter(|_| code == KILLED);
            let said = |it| {
                format!(
                    "a process was killed, as they are where a job's have more than {it} of memory together: {ALLOWED}"
                )
            };
            return memory.map(said).into_iter().collect();
        }
        let now = self.bounded.as_ref().map_or(self.told, Bounded::exceeded);
        let told = std::mem::replace(&mut self.told, now);
        let memory = memory.filter(|_| now.memory > told.memory).map(|it| {
            format!("the job's processes had more than {it} of memory together, and were ended: {ALLOWED}")
        });
        let most = self.limits.processes.filter(|_| now.processes > told.processes);
        let most = most.map(|it| {
            format!("the job had {it} processes and threads, and could not begin more: {ALLOWED}")
        });
        memory.into_iter().chain(most).collect()
    }

    /// With what is left of the job, or without it where it may stay, as on GitHub.
    pub(crate) fn end(self, may_stay: bool) {
        match self.bounded {
            Some(bounded) if may_stay => bounded.leave(),
            Some(bounded) => bounded.end(),
            None => {}
        }
    }
}

/// For the engine.
pub(crate) fn of_containers(spec: &JobSpec) -> docker::Limits {
    let JobLimits { memory_bytes, cpu_thousandths, processes, .. } = spec.options.limits;
    docker::Limits { memory_bytes, cpu_thousandths, processes }
}

/// As people say it, exactly.
fn size(bytes: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let fits = |(_, unit): &(&str, u64)| bytes >= *unit && bytes.is_multiple_of(*unit);
    match units.into_iter().find(fits) {
        Some((name, unit)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_exactly() {
        for (bytes, expect) in [
            (4 << 30, "4 GiB"),
            (1536 << 20, "1536 MiB"),
            (10 << 10, "10 KiB"),
            (1_000_000_000, "1000000000 bytes"),
        ] {
            assert_eq!(size(bytes), expect);
        }
    }
}
