//! A gigabyte of output, beside `cat | tee FILE`: what masking, the log and the screen cost.

mod memory;
mod worker;

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::bench::measure::{Row, in_turns, quiet, time};
use crate::bench::output::memory::Peaks;
use crate::bench::{Bench, jobs};

/// How long the lines are.
const LINE_BYTES: [usize; 3] = [20, 80, 10_000_000];

/// How many secrets are masked.
const SECRETS: [usize; 2] = [0, 50];

/// What a process may take at most, in KiB.
const MEMORY_KIB_MAX: u64 = 64 << 10;

/// Every kind of line, with and without secrets, for the worker alone and for a run that is seen.
pub(crate) fn output(bench: &Bench) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut peaks = Peaks::default();
    for line_bytes in LINE_BYTES {
        generate(bench, line_bytes)?;
        for secrets in SECRETS {
            let about = format!("{line_bytes}-byte lines, {secrets} secrets");
            let (bare, ours) =
                in_turns(bench.effort.long_rounds, &mut || tee(bench, "/dev/null"), &mut || {
                    worker::alone(bench, &given(secrets), &mut peaks)
                })?;
            rows.push(Row::times(format!("worker alone, {about}"), &bare, &ours, 2.0));
            let (bare, ours) =
                in_turns(bench.effort.long_rounds, &mut || tee(bench, "seen"), &mut || {
                    seen(bench, &given(secrets), &mut peaks)
                })?;
            rows.push(Row::times(format!("run that is seen, {about}"), &bare, &ours, 2.0));
        }
        bench.scratch.remove("input")?;
    }
    rows.push(memory("most memory of a worker", peaks.worker));
    rows.push(memory("most memory of launchway run", peaks.command));
    Ok(rows)
}

fn memory(what: &str, kib: u64) -> Row {
    Row::missing(what, String::new()).judged(
        format!("{:.1} MiB", kib as f64 / 1024.0),
        "at most 64 MiB".to_owned(),
        kib <= MEMORY_KIB_MAX,
    )
}

/// The file that is printed: letters that no compression makes smaller, newlines at a distance.
fn generate(bench: &Bench, line_bytes: usize) -> Result<()> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
    let mut file = BufWriter::with_capacity(1 << 20, File::create(bench.scratch.path("input"))?);
    // Marsaglia's xorshift: the same bytes every time.
    let mut state: u64 = 0x9E37_79B9_7F4A_7C15;
    let (mut written, mut column) = (0, 0);
    while written < bench.effort.output_bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let mut word = state.to_le_bytes().map(|byte| LETTERS[usize::from(byte % 64)]);
        for letter in &mut word {
            column += 1;
            if column == line_bytes {
                *letter = b'\n';
                column = 0;
            }
        }
        file.write_all(&word)?;
        written += word.len() as u64;
    }
    Ok(file.flush()?)
}

/// Names and values of so many secrets, none of which is printed: what looking for them costs.
fn given(count: usize) -> Vec<(String, String)> {
    (0..count)
        .map(|at| (format!("SECRET_{at}"), format!("{:032x}", (at as u128 + 7).pow(15))))
        .collect()
}

/// `cat INPUT | tee COPY > SEEN`
fn tee(bench: &Bench, seen: &str) -> Result<Duration> {
    let path = |name: &str| bench.scratch.path(name);
    settle(bench)?;
    let took = time(quiet("sh").args(["-c", "cat \"$0\" | tee \"$1\" > \"$2\""]).args([
        path("input"),
        path("copy"),
        // An absolute path stays what it is.
        path(seen),
    ]));
    bench.scratch.remove("copy")?;
    bench.scratch.remove("seen")?;
    took
}

/// `launchway run` into a file, as a person sees it.
fn seen(bench: &Bench, secrets: &[(String, String)], peaks: &mut Peaks) -> Result<Duration> {
    let input = bench.scratch.path("input");
    let script = format!("cat \"{}\"", input.display());
    bench.scratch.remove("output")?;
    let root = bench.scratch.repository("output", &[jobs::one_job(1, &script)])?;
    let mut command = jobs::run_command(bench, &root);
    for (name, value) in secrets {
        command.arg("--secret").arg(format!("{name}={value}"));
    }
    settle(bench)?;
    command.stdout(File::create(bench.scratch.path("seen"))?);
    let took = watched(&mut command, peaks);
    bench.scratch.remove("state")?;
    bench.scratch.remove("seen")?;
    took
}

/// How long it takes, with an eye on its memory and on that of its workers.
fn watched(command: &mut Command, peaks: &mut Peaks) -> Result<Duration> {
    let began = Instant::now();
    let mut child = command.stderr(Stdio::null()).spawn()?;
    let watch = memory::Watch::of_command(child.id());
    let status = child.wait()?;
    let took = began.elapsed();
    peaks.add(watch.end());
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(took)
}

/// Bytes that the one before left to be written must not slow the next.
fn settle(bench: &Bench) -> Result<()> {
    time(quiet("sync").arg("--file-system").arg(bench.scratch.path("input"))).map(drop)
}
