//! `cargo xtask test`: tier by tier, each with what it needs. A tier whose needs are missing is
//! skipped by name with the reason; in CI a skip is a failure.

use anyhow::{Result, bail};

use crate::shell::{self, answers, command, say, watch};

/// A group of tests that need the same things.
struct Tier {
    name: &'static str,
    /// Programs that must answer, each with the Debian package that brings it.
    needs: &'static [Need],
    /// What is run, one command a line.
    commands: &'static [&'static str],
    /// Whether it runs without being asked for.
    usual: bool,
}

struct Need {
    program: &'static str,
    args: &'static [&'static str],
    package: &'static str,
}

const GIT: Need = Need { program: "git", args: &["--version"], package: "git" };
const BASH: Need = Need { program: "bash", args: &["--version"], package: "bash" };

const TIMEOUT: Need = Need { program: "timeout", args: &["--version"], package: "coreutils" };

const TIERS: &[Tier] = &[
    Tier {
        name: "crates",
        needs: &[GIT, BASH],
        commands: &["cargo test --workspace --quiet"],
        usual: true,
    },
    // Half an hour: the tests themselves are tested.
    Tier {
        name: "soak",
        needs: &[GIT, BASH, TIMEOUT],
        commands: &["cargo xtask mutants"],
        usual: false,
    },
];

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
    say(&format!("\n== {} ==", tier.name));
    let missing = |need: &&Need| !answers(need.program, need.args);
    if install {
        let packages: Vec<&str> =
            tier.needs.iter().filter(missing).map(|need| need.package).collect();
        install_packages(&packages)?;
    }
    let missing: Vec<&Need> = tier.needs.iter().filter(missing).collect();
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|need| need.program).collect();
        let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
        say(&format!("skipped: {} is missing", names.join(", ")));
        say(&format!("hint: apt-get install {}, or pass --install", packages.join(" ")));
        counts.skipped += 1;
        return Ok(());
    }
    for line in tier.commands {
        run_counted(line, counts)?;
    }
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

fn run_counted(line: &str, counts: &mut Counts) -> Result<()> {
    say(&format!("$ {line}"));
    let mut words = line.split(' ');
    let program = words.next().unwrap_or_default();
    let args: Vec<&str> = words.collect();
    let before = counts.failed;
    let succeeded = watch(command(program, &args), |line| {
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
