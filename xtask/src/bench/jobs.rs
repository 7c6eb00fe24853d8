//! What a step costs, what a run costs, what a job costs: beside `bash -e FILE` alone.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::bench::Bench;
use crate::bench::measure::{Row, alone, in_turns, milliseconds, quiet, time};

/// GitHub's limit for the legs of one matrix is 256.
const LEGS_MAX: usize = 250;

/// Jobs in one file.
const FILE_JOBS_MAX: usize = 5_000;

/// The steps of the long job.
const STEPS: usize = 200;

/// 200 steps in one job, and one step in one run; both behind walls, too.
pub(crate) fn steps(bench: &Bench) -> Result<Vec<Row>> {
    let rounds = bench.effort.rounds;
    let many = bench.scratch.repository("steps", &[one_job(STEPS, "true")])?;
    let one = bench.scratch.repository("step", &[one_job(1, "true")])?;
    let (bare, ours) =
        in_turns(rounds, &mut || bare_loop(bench, STEPS), &mut || run(bench, &many))?;
    let many = Row::times(format!("{STEPS} steps of true in one job"), &bare, &ours, 1.5);
    let (bare, ours) = in_turns(2 * rounds, &mut || bare_loop(bench, 1), &mut || run(bench, &one))?;
    let one_run = Row::over("a run of one step", &bare, &ours, 40.0);
    let mut rows = vec![many, one_run];
    rows.extend(behind_walls(bench, [("steps", STEPS), ("step", 1)])?);
    Ok(rows)
}

/// The same runs with `--executor sandbox`, beside those without.
fn behind_walls(bench: &Bench, runs: [(&str, usize); 2]) -> Result<Vec<Row>> {
    let rows = runs.map(|(name, steps)| {
        let repository = bench.scratch.path(name);
        let walled = || time(run_command(bench, &repository).args(["--executor", "sandbox"]));
        let rounds = bench.effort.rounds;
        let (free, walled) = in_turns(rounds, &mut || run(bench, &repository), &mut || walled())?;
        let what = format!("a run behind walls, beside one without; steps: {steps}");
        // A process may begin 20 ms later than without; a step that waits half a millisecond waits for nothing.
        Ok(Row::over(what, &free, &walled, 20.0 + 0.5 * steps as f64))
    });
    rows.into_iter().collect()
}

/// Jobs without work, two at a time, and how their cost grows.
pub(crate) fn jobs(bench: &Bench) -> Result<Vec<Row>> {
    let [few, many] = bench.effort.jobs;
    let mut rows = Vec::new();
    let mut costs = Vec::new();
    for count in [few, many] {
        let root = bench.scratch.repository(&format!("jobs-{count}"), &matrices(count))?;
        let rounds = if count == few { bench.effort.long_rounds } else { 1 };
        let bare = alone(rounds, &mut || bare_loop(bench, count))?;
        let ours = alone(rounds, &mut || run(bench, &root))?;
        let each = |time: Duration| milliseconds(time) / count as f64;
        let over = each(ours.median()) - each(bare.median());
        costs.push(each(ours.median()));
        let what = format!("{count} jobs without work, two at a time");
        rows.push(Row::of(what, Some(&bare), &ours).judged(
            format!("{over:.2} ms more a job"),
            "at most 8 ms more a job".to_owned(),
            over <= 8.0,
        ));
        if let [first, last] = costs[..] {
            let growth = last / first;
            let what = format!("a job of {many} against a job of {few}");
            // A fifth is what caches and the noise of one machine may take.
            rows.push(Row::of(what, None, &ours).judged(
                format!("{growth:.2} times"),
                "linear: at most 1.2 times".to_owned(),
                growth <= 1.2,
            ));
        }
    }
    Ok(rows)
}

/// A workflow of one job.
pub(crate) fn one_job(steps: usize, script: &str) -> String {
    let mut text = "on: push\njobs:\n  bench:\n    runs-on: ubuntu-latest\n    steps:\n".to_owned();
    for _ in 0..steps {
        writeln!(text, "      - run: '{script}'").expect("writing to a text does not fail");
    }
    text
}

/// So many jobs: a matrix for each 250 of them, a file for each 5,000. (A run has at most 10,000, and
/// the matrices count.)
fn matrices(jobs: usize) -> Vec<String> {
    let numbers: Vec<String> = (0..jobs).map(|it| it.to_string()).collect();
    numbers.chunks(FILE_JOBS_MAX).map(file_of_matrices).collect()
}

fn file_of_matrices(numbers: &[String]) -> String {
    let mut text = "on: push\njobs:\n".to_owned();
    for (at, legs) in numbers.chunks(LEGS_MAX).enumerate() {
        let legs = legs.join(", ");
        write!(
            text,
            "  job-{at}:\n    runs-on: ubuntu-latest\n    strategy:\n      matrix:\n        \
             leg: [{legs}]\n    steps:\n      - run: 'true'\n"
        )
        .expect("writing to a text does not fail");
    }
    text
}

/// `bash -e FILE`, again and again, from a shell that does nothing else.
fn bare_loop(bench: &Bench, times: usize) -> Result<Duration> {
    let file = bench.scratch.path("bare.sh");
    fs::write(&file, "true\n")?;
    let script = format!("for ((i = 0; i < {times}; i++)); do bash -e \"$0\"; done");
    time(quiet("bash").arg("-c").arg(script).arg(&file))
}

/// `launchway run`, its output thrown away.
pub(crate) fn run(bench: &Bench, repository: &Path) -> Result<Duration> {
    time(&mut run_command(bench, repository))
}

/// `launchway run` in a repository, two jobs at a time. Each has a new state folder: what a past
/// leaves is not what is measured, and neither is what removing it costs: ext4 makes new files slowly
/// for a minute after old ones went.
pub(crate) fn run_command(bench: &Bench, repository: &Path) -> Command {
    let mut command = quiet(&bench.launchway);
    command.arg("run").arg("--state").arg(bench.scratch.next("state"));
    command.args(["--width", "2"]).current_dir(repository);
    command
}
