//! `cargo xtask test`: tier by tier, each with what it needs. A tier whose needs are missing is
//! skipped by name with the reason; in CI a skip is a failure.

mod tiers;

use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};

pub(crate) use self::tiers::REAL;
use self::tiers::{BROWSER, MINISTACK, Need, Step, TIERS, Tier};
use crate::shell::{self, answers, command, say, watch};

/// What the tests said, over all tiers.
#[derive(Default)]
struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
}

/// Runs the tiers and prints what was counted.
pub(crate) fn run(args: &[&str]) -> Result<()> {
    let mut install = false;
    let mut only = None;
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match (*arg, arg.strip_prefix("--only=")) {
            ("--install", _) => install = true,
            ("--only", _) => only = rest.next().copied(),
            (_, Some(name)) => only = Some(name),
            _ => bail!("unknown argument {arg}; see cargo xtask"),
        }
    }
    let mut counts = Counts::default();
    for tier in chosen(only)? {
        run_tier(tier, install, &mut counts)?;
    }
    // The plain closing line that continuous integration reads.
    let Counts { passed, failed, skipped } = counts;
    shell::print(&format!("\n{passed} passed, {failed} failed, {skipped} skipped"))?;
    let strict = std::env::var_os("CI").is_some();
    match counts {
        Counts { failed: 1.., .. } => bail!("tests failed"),
        Counts { skipped: 1.., .. } if strict => bail!("a tier was skipped, and CI skips none"),
        Counts { passed: 0, .. } => bail!("no test ran"),
        _ => Ok(()),
    }
}

/// Has Chromium's driver installed, for whoever wants pages as pictures.
pub(crate) fn ready_browser() -> Result<()> {
    for line in ["mkdir -p {target}/browser", BROWSER] {
        if !run_plain(line)? {
            bail!("the browser's driver cannot be installed");
        }
    }
    Ok(())
}

/// What a developer has at hand and is never committed: unmodified actions of others, run beside ours.
/// The figures are printed; nothing is asserted of theirs.
pub(crate) fn real_actions(folder: &str) -> Result<()> {
    let folder = std::fs::canonicalize(folder)?;
    for line in ["python3.11 -m venv {target}/ministack", MINISTACK] {
        if !run_plain(line)? {
            bail!("ministack cannot be made ready");
        }
    }
    let mut tests = command_of(concat!(
        "cargo test --quiet -p launchway --features ministack,real-actions --test ministack ",
        "official:: -- --nocapture"
    ));
    tests.env("LAUNCHWAY_REAL_ACTIONS", folder);
    if !watch(tests, |_| {})? {
        bail!("tests failed");
    }
    Ok(())
}

fn chosen(only: Option<&str>) -> Result<Vec<&'static Tier>> {
    let Some(name) = only else {
        return Ok(TIERS.iter().filter(|tier| tier.usual).collect());
    };
    match TIERS.iter().find(|tier| tier.name == name) {
        Some(tier) => Ok(vec![tier]),
        None => {
            let known: Vec<&str> = TIERS.iter().map(|tier| tier.name).collect();
            bail!("there is no tier {name}; there are: {}", known.join(", "))
        }
    }
}

fn run_tier(tier: &Tier, install: bool, counts: &mut Counts) -> Result<()> {
    let begun = Instant::now();
    say(&format!("\n== {} ==", tier.name));
    let missing = |need: &&Need| !answers(need.program, need.args);
    if install {
        let packages: Vec<&str> =
            tier.needs.iter().filter(missing).map(|need| need.package).collect();
        install_packages(&packages)?;
    }
    let missing: Vec<&Need> = tier.needs.iter().filter(missing).collect();
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|need| need.name).collect();
        let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
        say(&format!("skipped: {} is missing", names.join(", ")));
        say(&format!("hint: apt-get install {}, or pass --install", packages.join(" ")));
        counts.skipped += 1;
        return Ok(());
    }
    for step in tier.steps {
        match step {
            Step::Tests(line) => run_counted(line, counts)?,
            Step::One(line) if run_plain(line)? => counts.passed += 1,
            Step::One(_) => counts.failed += 1,
            Step::Ready(line) => {
                if !run_plain(line)? {
                    counts.failed += 1;
                    break;
                }
            }
        }
    }
    say(&format!("{}: {} s", tier.name, begun.elapsed().as_secs()));
    Ok(())
}

fn install_packages(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    if !answers("sh", &["-c", "test \"$(id -u)\" = 0"]) {
        bail!("--install needs root: apt-get install {}", packages.join(" "));
    }
    shell::run("apt-get", &["update", "-qq"])?;
    shell::run(
        "apt-get",
        &[&["install", "-y", "-qq", "--no-install-recommends"], packages].concat(),
    )
}

/// A step's command, shown as it is started.
fn command_of(line: &str) -> Command {
    let target = shell::target();
    let words: Vec<String> =
        line.split(' ').map(|word| word.replace("{target}", &target.to_string_lossy())).collect();
    say(&format!("$ {}", words.join(" ")));
    let args: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    command(&words[0], &args)
}

/// Whether a command succeeds that counts nothing by itself.
fn run_plain(line: &str) -> Result<bool> {
    watch(command_of(line), |_| {})
}

fn run_counted(line: &str, counts: &mut Counts) -> Result<()> {
    let before = counts.failed;
    let succeeded = watch(command_of(line), |line| {
        if let Some(result) = line.strip_prefix("test result: ") {
            counts.passed += number_before(result, " passed");
            counts.failed += number_before(result, " failed");
        }
    })?;
    // A build that broke, or a test process that died, has no failing test to count.
    if !succeeded && counts.failed == before {
        counts.failed += 1;
    }
    Ok(())
}

/// The number that stands before `word` in cargo's result line.
fn number_before(line: &str, word: &str) -> u64 {
    let before = line.split(word).next().unwrap_or_default();
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_result_line_is_counted() {
        let line =
            "ok. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(number_before(line, " passed"), 12);
        assert_eq!(number_before(line, " failed"), 3);
        assert_eq!(number_before("nothing", " passed"), 0);
    }
}
