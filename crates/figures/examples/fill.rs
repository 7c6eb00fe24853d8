//! Makes a journal with so many events, of runs that are over: what a server has after months. For
//! `differential/idle.py`.

use event::{Attempt, Fact as _, RunEvent, Seq, StreamId, Timestamp};
use ports::Journal as _;
use serde_json::{Value as Json, json};
use store::Store;

/// Runs have about so many jobs, of about so many steps.
const JOBS: u64 = 3;
const STEPS: u64 = 6;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (folder, events) = (args.next().ok_or("a folder")?, args.next().ok_or("how many")?);
    let events: u64 = events.parse()?;
    let store = Store::open(std::path::Path::new(&folder))?;
    let mut made = 0;
    while made < events {
        let (run, number) = store.allocate_run("octo/app", ".github/workflows/ci.yml")?;
        let told = run_of(run.0, number, 1_700_000_000_000 + run.0 * 60_000);
        let decode = |it: &Json| RunEvent::decode(it.to_string().as_bytes());
        let told = told.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
        made += told.len() as u64;
        let at = Timestamp(1_700_000_000_000);
        store.append(StreamId::Run(run, Attempt(1)), Seq(0), at, &told)?;
    }
    Ok(())
}

fn run_of(run: u64, number: u64, at: u64) -> Vec<Json> {
    let text = "on: push\njobs:\n  test: { runs-on: ubuntu-latest, steps: [{ run: make test }] }\n";
    let mut told = vec![
        json!({ "type": "RunCreated", "run": run, "attempt": 1, "run_number": number, "carried": [],
            "repository": "octo/app", "repository_path": "/srv/app",
            "workflow": { "path": ".github/workflows/ci.yml", "text": text.repeat(10) }, "called": {},
            "title": "a change", "event": { "name": "push", "git_ref": "refs/heads/main",
                "payload": { "repository": { "default_branch": "main" }, "filler": "x".repeat(2_000) } },
            "change": { "commit": format!("{run:040x}"), "authored_at": at, "committed_at": at, "uncommitted": 0 },
            "inputs": {}, "vars": {}, "secret_names": [], "actor": "mona", "triggering_actor": "mona", "at": at }),
        json!({ "type": "RunStarted", "at": at }),
    ];
    for job in 0..JOBS {
        let key = format!("job-{job}");
        told.push(json!({ "type": "JobReady", "job": key, "at": at }));
        let lease = json!({ "type": "JobLeased", "job": key, "fence": 1, "tracking_id": "x", "at": at + 5 });
        told.push(lease);
        for step in 0..STEPS {
            let step = format!("step-{step}");
            told.push(json!({ "type": "StepStarted", "job": key, "step": step, "name": step, "at": at + 10 }));
            told.push(json!({ "type": "StepCompleted", "job": key, "step": step, "outcome": "success",
                "conclusion": "success", "log": { "start_bytes": 0, "end_bytes": 0, "lines": 0 }, "at": at + 1_500 }));
        }
        told.push(json!({ "type": "JobCompleted", "job": key, "fence": 1, "conclusion": "success",
            "exit": "none", "outputs": {}, "log": null, "environment_url": null, "at": at + 9_000 }));
    }
    told.push(json!({ "type": "RunCompleted", "conclusion": "success", "at": at + 9_000 }));
    told
}
