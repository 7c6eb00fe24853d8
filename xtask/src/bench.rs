//! `cargo xtask bench`: what Launchway costs, each time beside the bare minimum for the same work,
//! measured in turns in one go. Ratios travel between machines; milliseconds do not.
//!
//! Nothing here runs in tests: a busy machine makes no build fail. The table says how noisy the bare
//! side was, so that a reader can tell a miss from a bad moment.

mod claims;
mod first;
mod jobs;
mod measure;
mod output;
mod peer;
mod reading;
mod scratch;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::bench::measure::{Row, table};
use crate::bench::scratch::Scratch;
use crate::shell;

/// How thorough the measurements are.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// How often short things are measured.
    pub(crate) rounds: usize,
    /// How often things of many seconds are measured.
    pub(crate) long_rounds: usize,
    /// Bytes of output; the figure is a gigabyte.
    pub(crate) output_bytes: u64,
    /// Jobs of the two runs whose cost must grow in proportion.
    pub(crate) jobs: [usize; 2],
}

const FULL: Effort =
    Effort { rounds: 11, long_rounds: 3, output_bytes: 1 << 30, jobs: [1_000, 10_000] };

/// Two minutes instead of ten, for looking at one's own change.
const QUICK: Effort =
    Effort { rounds: 5, long_rounds: 3, output_bytes: 256 << 20, jobs: [200, 1_000] };

type Chapter = fn(&Bench) -> Result<Vec<Row>>;

/// What can be asked for by name.
const CHAPTERS: &[(&str, Chapter)] = &[
    ("steps", jobs::steps),
    ("jobs", jobs::jobs),
    ("first", first::first),
    ("claims", claims::claims),
    ("check", reading::check),
    ("output", output::output),
    ("act", peer::act),
];

/// What every measurement needs.
pub(crate) struct Bench {
    /// The release build of `launchway`.
    pub(crate) launchway: PathBuf,
    /// Goes away at the end.
    pub(crate) scratch: Scratch,
    /// How thorough.
    pub(crate) effort: Effort,
}

/// Builds what is measured, measures it, prints the table.
pub(crate) fn run(args: &[&str]) -> Result<()> {
    let mut effort = FULL;
    let mut chapters: Vec<Chapter> = Vec::new();
    let mut folder = None;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match CHAPTERS.iter().find(|(name, _)| name == arg) {
            Some((_, chapter)) => chapters.push(*chapter),
            None if *arg == "--quick" => effort = QUICK,
            None if *arg == "--in" => {
                folder = Some(PathBuf::from(args.next().context("--in wants a folder")?));
            }
            None => {
                let names: Vec<&str> = CHAPTERS.iter().map(|(name, _)| *name).collect();
                let names = names.join(", ");
                bail!("bench knows --quick, --in FOLDER and the chapters {names}, not {arg}");
            }
        }
    }
    if chapters.is_empty() {
        chapters.extend(CHAPTERS.iter().map(|(_, chapter)| *chapter));
    }
    let launchway = build()?;
    // Beside the build: a disk, where the temporary folder may be memory. A disk that writes back
    // gigabytes decides more than what is measured: a folder in memory leaves it out, on both sides.
    let beside = launchway.parent().context("a build lies in a folder")?.join("bench");
    let folder = folder.unwrap_or(beside);
    let bench = Bench { launchway, scratch: Scratch::create(&folder)?, effort };
    say_machine();
    let mut rows = Vec::new();
    for chapter in chapters {
        rows.extend(chapter(&bench)?);
    }
    shell::print(&table(&rows))
}

/// The release build's path, as cargo tells it.
fn build() -> Result<PathBuf> {
    let args = ["build", "--release", "--package=launchway"];
    shell::run("cargo", &args)?;
    let told = shell::command("cargo", &[&args[..], &["--message-format=json"]].concat())
        .stderr(std::process::Stdio::null())
        .output()?;
    let told = String::from_utf8_lossy(&told.stdout);
    let path = told.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_ours = message["target"]["name"] == "launchway";
        message["executable"].as_str().filter(|_| is_ours).map(PathBuf::from)
    });
    path.context("cargo does not say where it put launchway")
}

fn say_machine() {
    let read = |path: &str| std::fs::read_to_string(Path::new(path)).unwrap_or_default();
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let information = read("/proc/cpuinfo");
    let model =
        information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown", |(_, model)| model);
    let load = read("/proc/loadavg");
    let load: Vec<&str> = load.split(' ').take(3).collect();
    shell::say(&format!(
        "{processors} processors ({model}), load {} before the first measurement",
        load.join(" ")
    ));
}
