//! A worker without its driver: this side of the socket gives it one job and throws away what it
//! reports.
//!
//! The message is written out as JSON and not built with the `protocol` crate, so that the chores
//! depend on nothing of the product; a worker that does not understand it ends with an error.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::{Value as Json, json};

use crate::bench::Bench;
use crate::bench::measure::quiet;
use crate::bench::output::memory::{Peaks, Watch};
use crate::bench::output::settle;

/// The step prints the input; the time is from the worker's start to its end.
pub(crate) fn alone(
    bench: &Bench,
    secrets: &[(String, String)],
    peaks: &mut Peaks,
) -> Result<Duration> {
    let job = bench.scratch.path("job");
    for folder in ["work", "temp", "home", "actions"] {
        fs::create_dir_all(job.join(folder))?;
    }
    let mut message = serde_json::to_vec(&start(bench, secrets))?;
    message.push(b'\n');
    settle(bench)?;
    let began = Instant::now();
    let (mut ours, theirs) = UnixStream::pair()?;
    let mut child = quiet(&bench.launchway)
        .arg("worker")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .current_dir(&job)
        .process_group(0)
        .spawn()?;
    let watch = Watch::of_worker(child.id());
    ours.write_all(&message)?;
    let mut said = String::new();
    ours.read_to_string(&mut said)?;
    let status = child.wait()?;
    let took = began.elapsed();
    peaks.add(watch.end());
    bench.scratch.remove("job")?;
    let last: Json = serde_json::from_str(said.lines().last().unwrap_or("null"))?;
    if !status.success() || last["report"]["conclusion"] != "success" {
        bail!("the worker ended with {status} and said at last: {last}");
    }
    Ok(took)
}

fn start(bench: &Bench, secrets: &[(String, String)]) -> Json {
    let path = |name: &str| bench.scratch.path(name).to_string_lossy().into_owned();
    let script = format!("cat \"{}\"", path("input"));
    let secrets: Json = secrets.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "type": "Start",
        "run": 1,
        "attempt": 1,
        "job": "bench",
        "fence": 1,
        "tracking_id": format!("github_bench_{}", std::process::id()),
        "name": "bench",
        "workflow_path": ".github/workflows/bench.yml",
        "definition": { "runs-on": "ubuntu-latest", "steps": [{ "run": script }] },
        "step_lines": [6],
        "workflow_env": null,
        "workflow_defaults": null,
        "contexts": { "github": { "repository": "local/bench", "job": "bench" } },
        "secrets": secrets,
        "payload": {},
        "permissions": {},
        "paths": {
            "repository": path(""),
            "job": path("job"),
            "log": path("job/log"),
            "blobs": path("job/blobs"),
            "actions": path("job/actions"),
            "caches": path("job/caches"),
            "tools": path("job/tools"),
            "lock_file": path("job/actions.lock"),
        },
        "timeout_minutes": 60.0,
        "cancel_timeout_minutes": 5.0,
        "options": {
            "offline": true,
            "no_native": false,
            "committed": false,
            "mirrors": {},
            "debug": false,
        },
    })
}
