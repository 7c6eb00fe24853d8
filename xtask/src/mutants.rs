//! `cargo xtask mutants`: are the proofs of `docs/conformance.md` any good? Forty of the items that
//! are done, drawn by lot, are broken on purpose, one at a time, in a copy of the tree; the tests
//! of the broken crate must notice.
//!
//! ```text
//!   cargo xtask mutants --draw 20261121    forty items, by lot
//!   cargo xtask mutants                    plants, tests and heals each mutant of the table
//!   cargo xtask mutants --item 41          one of them
//!   cargo xtask mutants --deployment       those of deployments (mutants/deployment.rs)
//! ```
//!
//! The table was written for a drawing of 21 November 2026 with that seed, from the 182 items then
//! done. A later drawing gives others: the list of what is done grows.

mod deployment;
mod table;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{conformance, shell};
use deployment::DEPLOYMENT;
use table::{MUTANTS, Mutant};

/// How many items are drawn.
const DRAWN: usize = 40;
/// A mutant may loop for ever: that is noticed too.
const SECONDS_MAX: &str = "600";
/// What `timeout` says when it had to end something.
const TIMED_OUT: i32 = 124;

/// What became of a mutant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Caught,
    /// Its tests never ended.
    Hung,
    Survived,
}

/// Plants the mutants and prints what the tests made of them.
pub(crate) fn run(args: &[&str]) -> Result<()> {
    let chosen: Vec<&Mutant> = match args {
        [] => MUTANTS.iter().collect(),
        ["--draw", seed] => return draw(seed.parse().context("the seed is a number")?),
        ["--item", item] => {
            let item: u32 = item.parse().context("the item is a number")?;
            MUTANTS.iter().filter(|mutant| mutant.item == item).collect()
        }
        ["--deployment"] => DEPLOYMENT.iter().collect(),
        _ => bail!("mutants takes --draw SEED, --item NUMBER or --deployment"),
    };
    if chosen.is_empty() {
        bail!("no mutant in the table is of this item");
    }
    for mutant in &chosen {
        let text = fs::read_to_string(shell::root().join(mutant.file)).context(mutant.file)?;
        mutant.plant(&text)?;
    }
    let copy = Copy::make()?;
    copy.must_be_healthy(&chosen)?;
    let mut survivors = Vec::new();
    let mut hung = 0;
    for mutant in &chosen {
        let fate = copy.try_out(mutant)?;
        let word = match fate {
            Fate::Caught => "caught",
            Fate::Hung => "caught (it never ended)",
            Fate::Survived => "NOT CAUGHT",
        };
        shell::print(&format!("{:>3} {} {}: {word}", mutant.item, mutant.package, mutant.file))?;
        hung += usize::from(fate == Fate::Hung);
        if fate == Fate::Survived {
            survivors.push(mutant.item.to_string());
        }
    }
    let caught = chosen.len() - survivors.len();
    shell::print(&format!("\n{} planted, {hung} of them never ended", chosen.len()))?;
    // In the words of the test harness, so that the tier is counted like the others.
    shell::print(&format!("test result: {caught} passed; {} failed", survivors.len()))?;
    if survivors.is_empty() {
        return Ok(());
    }
    bail!("no test notices when these are broken: {}", survivors.join(", "))
}

/// Prints the drawing of a seed.
fn draw(seed: u64) -> Result<()> {
    let done = conformance::done()?;
    let drawn: Vec<String> = drawing(&done, seed).iter().map(u32::to_string).collect();
    shell::print(&format!("{} of {}: {}", drawn.len(), done.len(), drawn.join(" ")))
}

/// Shuffles with SplitMix64, takes the first and sorts them.
fn drawing(items: &[u32], seed: u64) -> Vec<u32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    };
    let mut items = items.to_vec();
    for last in (1..items.len()).rev() {
        let other = next() % (last as u64 + 1);
        items.swap(last, usize::try_from(other).expect("an index"));
    }
    items.truncate(DRAWN);
    items.sort_unstable();
    items
}

/// The tree again, with a target folder of its own, so that a mutant never touches the real one.
struct Copy {
    tree: PathBuf,
    target: PathBuf,
}

impl Copy {
    fn make() -> Result<Copy> {
        let home = shell::root().join("target/mutants");
        let copy = Copy { tree: home.join("tree"), target: home.join("target") };
        if copy.tree.exists() {
            fs::remove_dir_all(&copy.tree).context("the old copy of the tree")?;
        }
        let listed = shell::command("git", &["ls-files", "-z"]).output().context("git")?;
        let names = String::from_utf8(listed.stdout).context("file names")?;
        for name in names.split('\0').filter(|name| !name.is_empty()) {
            let from = shell::root().join(name);
            // A file that was deleted and not committed yet.
            if !from.is_file() {
                continue;
            }
            let to = copy.tree.join(name);
            fs::create_dir_all(to.parent().expect("it has a folder")).context("a folder")?;
            fs::copy(&from, &to).with_context(|| format!("copying {name}"))?;
        }
        Ok(copy)
    }

    /// A test that fails anyway would catch everything.
    fn must_be_healthy(&self, mutants: &[&Mutant]) -> Result<()> {
        let mut packages: Vec<&str> = mutants.iter().map(|mutant| mutant.package).collect();
        packages.sort_unstable();
        packages.dedup();
        for package in packages {
            shell::say(&format!("the tests of {package} without a mutant"));
            if self.cargo(package, &[])? != Some(0) {
                bail!("the tests of {package} fail without any mutant");
            }
        }
        Ok(())
    }

    fn try_out(&self, mutant: &Mutant) -> Result<Fate> {
        let path = self.tree.join(mutant.file);
        let healthy = fs::read_to_string(&path).with_context(|| mutant.file.to_owned())?;
        let planted = mutant.plant(&healthy)?;
        fs::write(&path, planted).with_context(|| mutant.file.to_owned())?;
        let fate = self.fate(mutant);
        fs::write(&path, healthy).with_context(|| mutant.file.to_owned())?;
        fate
    }

    fn fate(&self, mutant: &Mutant) -> Result<Fate> {
        // What does not even compile proves nothing about the tests.
        if self.cargo(mutant.package, &["--no-run"])? != Some(0) {
            bail!("the mutant of item {} does not compile", mutant.item);
        }
        Ok(match self.cargo(mutant.package, &[])? {
            Some(0) => Fate::Survived,
            Some(TIMED_OUT) => Fate::Hung,
            _ => Fate::Caught,
        })
    }

    fn cargo(&self, package: &str, more: &[&str]) -> Result<Option<i32>> {
        let status = Command::new("timeout")
            .args([SECONDS_MAX, "cargo", "test", "--quiet", "--package", package])
            .args(more)
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.target)
            // The caller's cargo has set these for the real tree.
            .env_remove("CARGO_MANIFEST_DIR")
            .env_remove("CARGO_PKG_NAME")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .context("cannot start timeout")?;
        Ok(status.code())
    }
}

impl Mutant {
    /// The text with the mutant in it. Its place must be there exactly once: a table that has
    /// fallen behind the code says so.
    fn plant(&self, healthy: &str) -> Result<String> {
        let places = healthy.matches(self.find).count();
        if places != 1 {
            bail!("item {}: the text to break is {places} times in {}", self.item, self.file);
        }
        Ok(healthy.replacen(self.find, self.replace, 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_is_decided_by_its_seed() {
        let items: Vec<u32> = (1..=100).collect();
        let first = drawing(&items, 7);
        assert_eq!(first, drawing(&items, 7));
        assert_ne!(first, drawing(&items, 8));
        assert!(first.len() == DRAWN && first.is_sorted());
    }

    #[test]
    fn the_table_has_one_mutant_for_each_of_forty_items() {
        let mut items: Vec<u32> = MUTANTS.iter().map(|mutant| mutant.item).collect();
        items.dedup();
        assert_eq!(items.len(), DRAWN);
        assert!(items.is_sorted());
    }
}
