//! What jobs may take of the machine that they run on.

use clap::Args;

/// The least that bash and a small program need.
const MEMORY_BYTES_MIN: u64 = 16 << 20;
/// More than any machine has.
const MEMORY_BYTES_MAX: u64 = 1 << 50;
/// The kernel gives no smaller share.
const CPU_THOUSANDTHS_MIN: u64 = 10;
/// More than any machine has.
const CPU_THOUSANDTHS_MAX: u64 = 10_000_000;
/// A step with a pipe has this many, with what Launchway needs of its own.
const PROCESSES_MIN: u64 = 16;
/// Linux has no more on 64 bits.
const PROCESSES_MAX: u64 = 4 << 20;

/// What a job may take.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct LimitArgs {
    /// Memory that each job may have, all of its processes together, such as 4GiB; with a label, each job
    /// with that label: big=16GiB; may be given several times
    #[arg(long = "job-memory", value_name = "[LABEL=]SIZE", value_parser = memory)]
    pub(crate) job_memory: Vec<Limit>,
    /// Processors that each job may use, such as 2 or 0.5; with a label: big=8; may be given several times
    #[arg(long = "job-cpus", value_name = "[LABEL=]N", value_parser = cpus)]
    pub(crate) job_cpus: Vec<Limit>,
    /// Processes and threads that each job may have at a time; with a label: big=4096; may be given several
    /// times
    #[arg(long = "job-processes", value_name = "[LABEL=]N", value_parser = processes)]
    pub(crate) job_processes: Vec<Limit>,
}

impl LimitArgs {
    /// Each flag with what it was given.
    pub(crate) fn all(&self) -> [(&'static str, &[Limit]); 3] {
        [
            ("--job-memory", &self.job_memory),
            ("--job-cpus", &self.job_cpus),
            ("--job-processes", &self.job_processes),
        ]
    }

    /// As a command line has them.
    pub(crate) fn words(&self) -> Vec<String> {
        let words = |(flag, limits): (&str, &[Limit])| -> Vec<String> {
            limits.iter().flat_map(|it| [flag.to_owned(), it.written.clone()]).collect()
        };
        self.all().into_iter().flat_map(words).collect()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.all().iter().all(|(_, limits)| limits.is_empty())
    }
}

/// One limit: of every job, or of those with a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    /// In lower case.
    pub(crate) label: Option<String>,
    /// Bytes, thousandths of a processor, or processes.
    pub(crate) amount: u64,
    written: String,
}

impl Limit {
    /// Without its label, as it was written.
    pub(crate) fn said(&self) -> &str {
        self.written.split_once('=').map_or(&self.written, |(_, said)| said)
    }

    fn read(
        text: &str,
        amount: impl FnOnce(&str) -> Option<u64>,
        takes: &str,
    ) -> Result<Limit, String> {
        let (label, said) = match text.split_once('=') {
            Some((label, said)) => (Some(label.to_lowercase()), said),
            None => (None, text),
        };
        if label.as_ref().is_some_and(|it| it.trim().is_empty()) {
            return Err(format!(
                "no label stands before the `=`; {takes}, or with one: gpu={said}"
            ));
        }
        let amount = amount(said).ok_or_else(|| takes.to_owned())?;
        Ok(Limit { label, amount, written: text.to_owned() })
    }
}

fn memory(text: &str) -> Result<Limit, String> {
    let range = MEMORY_BYTES_MIN..=MEMORY_BYTES_MAX;
    let bytes = |text: &str| settings::size(text).filter(|it| range.contains(it));
    Limit::read(text, bytes, "a size with its unit, such as 4GiB or 512MiB, of 16MiB at least")
}

fn cpus(text: &str) -> Result<Limit, String> {
    Limit::read(text, thousandths, "a number of processors, such as 2 or 0.5, of 0.01 at least")
}

fn processes(text: &str) -> Result<Limit, String> {
    let range = PROCESSES_MIN..=PROCESSES_MAX;
    let number = |text: &str| text.parse().ok().filter(|it| range.contains(it));
    Limit::read(text, number, "a number from 16 to 4194304")
}

/// `2`, `0.5`, `1.25`: no more than three places.
fn thousandths(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |it: &str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || part.len() > 3 {
        return None;
    }
    let part: u64 = format!("{part:0<3}").parse().ok()?;
    let all = whole.parse::<u64>().ok()?.checked_mul(1000)?.checked_add(part)?;
    (CPU_THOUSANDTHS_MIN..=CPU_THOUSANDTHS_MAX).contains(&all).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        read: fn(&str) -> Result<Limit, String>,
        text: &str,
        expect: Option<(Option<&str>, u64)>,
    ) {
        let read = read(text).ok();
        let read = read.as_ref().map(|it| (it.label.as_deref(), it.amount));
        assert_eq!(read, expect, "{text}");
    }

    #[test]
    fn limits_of_every_job_and_of_a_label() {
        check(memory, "4GiB", Some((None, 4 << 30)));
        check(memory, "GPU=512MiB", Some((Some("gpu"), 512 << 20)));
        check(cpus, "2", Some((None, 2000)));
        check(cpus, "0.5", Some((None, 500)));
        check(cpus, "big=1.25", Some((Some("big"), 1250)));
        check(processes, "512", Some((None, 512)));
        for wrong in ["", "4", "4 GiB", "1MiB", "=4GiB", "gpu=", "-1GiB", "9999999GiB"] {
            check(memory, wrong, None);
        }
        for wrong in ["", "0", "0.001", "1.", ".5", "-2", "1.2345", "1e3", "99999", "two"] {
            check(cpus, wrong, None);
        }
        for wrong in ["", "0", "15", "4194305", "1.5", "+16x", "99999999999999999999"] {
            check(processes, wrong, None);
        }
    }
}
