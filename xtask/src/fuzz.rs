//! `cargo xtask fuzz`: each target for some time, and what came of it as a table.
//!
//! What a fuzzer finds besides faults stays in cargo's folder; `--keep` puts the smallest set that
//! reaches the same code into `fuzz/corpus`, where every build replays it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::shell::{self, answers, say};

/// What every target must stand without a finding before a release.
const SECONDS: u64 = 600;
/// One input never takes this long: a hang is a finding.
const INPUT_SECONDS_MAX: u64 = 10;
/// Larger inputs find nothing that smaller ones do not, and are not kept.
const KEPT_BYTES_MAX: u64 = 1024;
/// Inputs kept for one target: what a replay in every build may cost.
const KEPT_MAX: usize = 500;

/// What one target made of its time.
#[derive(Default)]
struct Outcome {
    executions: u64,
    executions_per_second: u64,
    /// Edges of the program that were seen.
    coverage: u64,
    /// Inputs that each reach something new.
    corpus: u64,
    /// The file that breaks a promise.
    finding: Option<String>,
    succeeded: bool,
}

/// What was asked for.
struct Wish {
    seconds: u64,
    keep: bool,
    targets: Vec<String>,
}

/// Runs the targets one after the other.
pub(crate) fn run(args: &[&str]) -> Result<()> {
    let wish = wish(args)?;
    if !answers("cargo", &["+nightly", "fuzz", "--version"]) {
        say("hint: rustup toolchain install nightly, and cargo install cargo-fuzz");
        bail!("fuzzing needs the nightly toolchain and cargo-fuzz");
    }
    let built = fuzz(&["build"])?.status().context("cannot start cargo")?;
    if !built.success() {
        bail!("the targets do not build");
    }
    let mut broken = false;
    shell::print(
        "target             seconds   executions     a second  coverage    corpus  finding",
    )?;
    for target in &wish.targets {
        let outcome = run_target(target, wish.seconds)?;
        let finding = match &outcome.finding {
            Some(file) => file.as_str(),
            None if outcome.succeeded => "none",
            None => "it ended early",
        };
        shell::print(&format!(
            "{target:<18} {:>7} {:>12} {:>12} {:>9} {:>9}  {finding}",
            wish.seconds,
            outcome.executions,
            outcome.executions_per_second,
            outcome.coverage,
            outcome.corpus,
        ))?;
        broken |= !outcome.succeeded;
        if wish.keep && outcome.succeeded {
            keep(target)?;
        }
    }
    if broken {
        bail!("a promise was broken; cargo +nightly fuzz run TARGET FILE shows it again");
    }
    Ok(())
}

fn wish(args: &[&str]) -> Result<Wish> {
    let known = targets()?;
    let mut wish = Wish { seconds: SECONDS, keep: false, targets: Vec::new() };
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match *arg {
            "--keep" => wish.keep = true,
            "--seconds" => {
                let number = rest.next().context("--seconds takes a number")?;
                wish.seconds = number.parse().context("--seconds takes a number")?;
            }
            name if known.iter().any(|target| target == name) => {
                wish.targets.push(name.to_owned());
            }
            other => bail!("there is no target {other}; there are: {}", known.join(", ")),
        }
    }
    if wish.targets.is_empty() {
        wish.targets = known;
    }
    Ok(wish)
}

fn folder() -> PathBuf {
    shell::root().join("fuzz")
}

/// What the fuzzer of a target keeps between runs.
fn found(target: &str) -> PathBuf {
    shell::target().join("fuzz").join("found").join(target)
}

/// Every target: a file of `fuzz/targets`.
fn targets() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for path in files(&folder().join("targets"))? {
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = folder.read_dir().with_context(|| format!("cannot read {}", folder.display()))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

/// `cargo fuzz`, in a folder of its own: the sanitizer's flags rebuild everything.
fn fuzz(args: &[&str]) -> Result<Command> {
    let built = shell::target().join("fuzz");
    std::fs::create_dir_all(&built).with_context(|| format!("cannot make {}", built.display()))?;
    let mut command = shell::command("cargo", &["+nightly", "fuzz"]);
    command.args(args).current_dir(folder()).env("CARGO_TARGET_DIR", built);
    Ok(command)
}

fn run_target(target: &str, seconds: u64) -> Result<Outcome> {
    let found = found(target);
    std::fs::create_dir_all(&found).with_context(|| format!("cannot make {}", found.display()))?;
    let mut command = fuzz(&["run", target])?;
    command.arg(&found).arg(format!("corpus/{target}")).arg("--");
    command.arg(format!("-max_total_time={seconds}")).arg("-print_final_stats=1");
    command.arg(format!("-timeout={INPUT_SECONDS_MAX}"));
    let dictionary = format!("dictionaries/{target}.dict");
    if folder().join(&dictionary).exists() {
        command.arg(format!("-dict={dictionary}"));
    }
    let mut child = command.stderr(Stdio::piped()).spawn().context("cannot start cargo")?;
    let talk = child.stderr.take().expect("stderr is piped");
    let mut outcome = Outcome::default();
    let mut shown = false;
    for line in BufReader::new(talk).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        outcome.read(&line);
        // From a fault on everything is of interest.
        shown |= line.contains("panicked at") || line.contains("ERROR: ");
        if shown {
            say(&line);
        }
    }
    outcome.succeeded = child.wait()?.success();
    Ok(outcome)
}

impl Outcome {
    /// One line of what libFuzzer says.
    fn read(&mut self, line: &str) {
        let number = |text: &str| {
            let text = text.trim_start();
            let end = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
            text[..end].parse().ok()
        };
        let after = |word: &str| line.split_once(word).and_then(|(_, rest)| number(rest));
        if line.starts_with('#') {
            self.coverage = after(" cov: ").unwrap_or(self.coverage);
            self.corpus = after(" corp: ").unwrap_or(self.corpus);
        }
        self.executions = after("stat::number_of_executed_units:").unwrap_or(self.executions);
        self.executions_per_second =
            after("stat::average_exec_per_sec:").unwrap_or(self.executions_per_second);
        if let Some((_, file)) = line.split_once("Test unit written to ") {
            self.finding = Some(file.trim().to_owned());
        }
    }
}

/// Adds the fewest inputs that reach what was reached to the corpus that every build replays.
fn keep(target: &str) -> Result<()> {
    let chosen = found(target).with_extension("kept");
    drop(std::fs::remove_dir_all(&chosen));
    std::fs::create_dir_all(&chosen)?;
    let corpus = folder().join("corpus").join(target);
    let mut command = fuzz(&["run", target])?;
    command.arg(&chosen).arg(&corpus).arg(found(target)).arg("--");
    command.args(["-set_cover_merge=1", "-use_counters=0"]);
    command.arg(format!("-max_len={KEPT_BYTES_MAX}"));
    let merged = command.stderr(Stdio::null()).status().context("cannot start cargo")?;
    if !merged.success() {
        bail!("the corpus of {target} cannot be merged");
    }
    let mut inputs = Vec::new();
    for path in files(&chosen)? {
        inputs.push((std::fs::metadata(&path)?.len(), path));
    }
    inputs.sort();
    let has = files(&corpus)?.len();
    for (_, path) in inputs.iter().take(KEPT_MAX.saturating_sub(has)) {
        let name = path.file_name().expect("libFuzzer names its files");
        std::fs::copy(path, corpus.join(name))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_fuzzer_says_is_counted() {
        let mut outcome = Outcome::default();
        for line in [
            "#12\tNEW    cov: 90 ft: 100 corp: 7/1b lim: 4 exec/s: 0 rss: 40Mb L: 3/3 MS: 1 A-",
            "stat::number_of_executed_units: 4711",
            "stat::average_exec_per_sec:     815",
            "artifact_prefix='a/'; Test unit written to a/crash-1",
        ] {
            outcome.read(line);
        }
        let Outcome { executions, executions_per_second, coverage, corpus, finding, .. } = outcome;
        assert_eq!((executions, executions_per_second, coverage, corpus), (4711, 815, 90, 7));
        assert_eq!(finding.as_deref(), Some("a/crash-1"));
    }

    #[test]
    fn a_wish_is_for_targets_that_exist() {
        let one = wish(&["--seconds", "5", "yaml", "--keep"]).expect("there is such a target");
        assert_eq!((one.seconds, one.keep, one.targets), (5, true, vec!["yaml".to_owned()]));
        assert!(wish(&["nope"]).is_err());
        assert!(wish(&[]).expect("all of them").targets.len() > 1);
    }
}
