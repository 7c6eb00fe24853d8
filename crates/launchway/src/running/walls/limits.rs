//! `--job-memory`, `--job-cpus`, `--job-processes`: what jobs may take of this machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::{JobLimits, MachineLimits};
use sandbox::{Bounds, BoundsError, Delegated};

use crate::cli::{Limit, LimitArgs};
use crate::exit::{Exit, Failure};
use crate::terminal::style::talk;

/// What was asked for, with what it takes of the machine. `has_images`: some of its labels mean a container, whose engine
/// keeps limits by itself.
pub(crate) fn claimed(args: &LimitArgs, has_images: bool) -> Result<MachineLimits, Failure> {
    let mut limits = read(args);
    if args.is_empty() {
        return Ok(limits);
    }
    let some = |limits: &[Limit]| limits.first().map(|it| it.amount);
    let bounds = Bounds {
        memory_bytes: some(&args.job_memory),
        cpu_thousandths: some(&args.job_cpus),
        processes: some(&args.job_processes),
    };
    match Delegated::claim(&bounds) {
        Ok(delegated) => {
            limits.every.cgroup = Some(Arc::from(delegated.folder().to_string_lossy()));
        }
        Err(error) if has_images => {
            let failure = refused(args, error);
            talk(&format!(
                "warning: {:#}; jobs that run in no container will fail before their first step",
                failure.error
            ));
            failure.hints.iter().for_each(|hint| talk(&format!("hint: {hint}")));
        }
        Err(error) => return Err(refused(args, error)),
    }
    Ok(limits)
}

fn read(args: &LimitArgs) -> MachineLimits {
    let mut limits = MachineLimits::default();
    let places: [fn(&mut JobLimits) -> &mut Option<u64>; 3] =
        [|it| &mut it.memory_bytes, |it| &mut it.cpu_thousandths, |it| &mut it.processes];
    for ((_, given), place) in args.all().into_iter().zip(places) {
        for Limit { label, amount, .. } in given {
            let of = match label {
                Some(label) => limits.labelled.entry(label.clone()).or_default(),
                None => &mut limits.every,
            };
            *place(of) = Some(*amount);
        }
    }
    limits
}

/// What is not possible here is not begun: who asks for a limit relies on it.
fn refused(args: &LimitArgs, error: BoundsError) -> Failure {
    let given = args.all().into_iter().filter(|(_, limits)| !limits.is_empty());
    let flags: Vec<&str> = given.map(|(flag, _)| flag).collect();
    let hints: &[&str] = match &error {
        BoundsError::Old(_) => &[
            "start the machine with systemd.unified_cgroup_hierarchy=1: Debian and Ubuntu have cgroup v2 by themselves",
            "or have jobs run in containers, which their engine limits: --label ubuntu-latest=IMAGE",
        ],
        _ => &[
            "in a unit of systemd: Delegate=yes and DelegateSubgroup=launchway (launchway serve --unit writes them)",
            "from a shell: systemd-run --user --scope -p Delegate=yes launchway ...",
        ],
    };
    let exit = match &error {
        BoundsError::Old(_) => Exit::Missing,
        _ => Exit::Forbidden,
    };
    let message = format!("{} cannot be kept here", flags.join(", "));
    let failure = Failure::caused(exit, anyhow::Error::new(error).context(message));
    hints.iter().fold(failure, |failure, hint| failure.hint(*hint))
}

/// What each job may take, as it is said when a machine begins to take jobs; none where there is no limit.
pub(crate) fn said(args: &LimitArgs) -> Vec<String> {
    let words = [
        ("of memory", &args.job_memory),
        ("processors", &args.job_cpus),
        ("processes", &args.job_processes),
    ];
    let mut by_label: BTreeMap<Option<&str>, Vec<String>> = BTreeMap::new();
    for (word, given) in words {
        for limit in given {
            let said = format!("{} {word}", limit.said());
            by_label.entry(limit.label.as_deref()).or_default().push(said);
        }
    }
    let line = |(label, said): (Option<&str>, Vec<String>)| match label {
        None => said.join(", "),
        Some(label) => format!("with the label {label}: {}", said.join(", ")),
    };
    by_label.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        limits: LimitArgs,
    }

    fn args(line: &str) -> LimitArgs {
        Line::try_parse_from(format!("x {line}").split_whitespace()).expect("it is right").limits
    }

    #[test]
    fn what_a_job_may_take_is_by_its_labels() {
        let limits = read(&args(
            "--job-memory 4GiB --job-memory Big=16GiB --job-memory small=1GiB --job-cpus 2 --job-cpus big=8",
        ));
        for (labels, memory_gib, cpus) in [
            (&["ubuntu-latest"][..], 4, 2),
            (&["self-hosted", "BIG"], 16, 8),
            (&["small"], 1, 2),
            // The smallest holds.
            (&["small", "big"], 1, 8),
            (&[], 4, 2),
        ] {
            let of = limits.of(labels.iter().copied());
            let found =
                (of.memory_bytes.map(|it| it >> 30), of.cpu_thousandths.map(|it| it / 1000));
            assert_eq!(found, (Some(memory_gib), Some(cpus)), "{labels:?}");
            assert_eq!(of.processes, None);
        }
        assert!(!claimed(&args(""), false).expect("nothing is asked").of(["big"]).is_any());
    }

    #[test]
    fn what_is_said_and_what_is_refused() {
        let args = args("--job-memory 4GiB --job-cpus 2 --job-cpus big=8");
        assert_eq!(
            said(&args),
            ["4GiB of memory, 2 processors", "with the label big: 8 processors"]
        );
        let failure = refused(&args, BoundsError::Old(vec!["memory", "cpu"]));
        assert_eq!(
            format!("{:#}", failure.error),
            "--job-memory, --job-cpus cannot be kept here: this machine has no cgroup v2 that keeps memory, cpu: it \
             counts by cgroup v1"
        );
        let failure = refused(&args, BoundsError::NotAlone("/sys/fs/cgroup/user.slice".into()));
        assert!(failure.hints[0].contains("Delegate=yes"), "{:?}", failure.hints);
    }
}
