//! act beside ours, on what both do without Docker: `run` steps of jobs on this machine.
//!
//! It is looked for on the path, else built with Go into the build's folder. Where neither works the
//! table says so; nothing fails for it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::bench::Bench;
use crate::bench::jobs::{one_job, run};
use crate::bench::measure::{Row, in_turns, quiet, time};
use crate::shell;

/// The module, as Go's proxy knows it.
const MODULE: &str = "github.com/nektos/act@latest";

/// The same workflows with both.
pub(crate) fn act(bench: &Bench) -> Result<Vec<Row>> {
    let act = match find(bench) {
        Ok(act) => act,
        Err(why) => return Ok(vec![Row::missing("act beside ours", format!("no act: {why:#}"))]),
    };
    let mut rows = Vec::new();
    for (name, what, text) in [
        ("act-jobs", "10 jobs of 5 steps of echo, beside act", ten_jobs()),
        ("act-steps", "200 steps of true in one job, beside act", one_job(200, "true")),
    ] {
        let root = bench.scratch.repository(name, &[text])?;
        let rounds = bench.effort.rounds.div_ceil(2);
        let measured =
            in_turns(rounds, &mut || run_act(bench, &act, &root), &mut || run(bench, &root));
        rows.push(match measured {
            Ok((theirs, ours)) => {
                let ratio = theirs.median().as_secs_f64() / ours.median().as_secs_f64();
                Row::of(what, Some(&theirs), &ours).told(format!("act takes {ratio:.2} times ours"))
            }
            Err(why) => Row::missing(what, format!("{why:#}")),
        });
    }
    Ok(rows)
}

fn ten_jobs() -> String {
    let mut text = "on: push\njobs:\n".to_owned();
    for at in 0..10 {
        text += &format!("  job-{at}:\n    runs-on: ubuntu-latest\n    steps:\n");
        text += &"      - run: echo hello\n".repeat(5);
    }
    text
}

fn run_act(bench: &Bench, act: &Path, repository: &Path) -> Result<Duration> {
    // Its own home: it asks the first time what to do without a settings file.
    let home = bench.scratch.path("act-home");
    std::fs::create_dir_all(&home)?;
    time(
        quiet(act)
            .args(["push", "--platform", "ubuntu-latest=-self-hosted"])
            .args(["--concurrent-jobs", "2"])
            .env("HOME", &home)
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .current_dir(repository),
    )
}

fn find(bench: &Bench) -> Result<PathBuf> {
    if shell::answers("act", &["--version"]) {
        return Ok("act".into());
    }
    // Beside the scratch folder: the next benchmark finds it there.
    let tools = bench.launchway.with_file_name("bench").join("tools");
    let act = tools.join("act");
    if act.is_file() {
        return Ok(act);
    }
    if !shell::answers("go", &["version"]) {
        bail!("it is not on the path, and there is no go to build it with");
    }
    shell::say(&format!("$ go install {MODULE}"));
    std::fs::create_dir_all(&tools)?;
    time(quiet("go").args(["install", MODULE]).env("GOBIN", &tools))?;
    Ok(act)
}
