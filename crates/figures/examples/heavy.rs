//! What views take of a journal that has a lot: `cargo run --release -p figures --example heavy`, with other sizes
//! behind it (`-- WORKFLOWS TOOLS RUNS FINDINGS TESTS`, the findings and tests of each tool and each run).
//!
//! Nothing here runs in tests: a busy machine makes no build fail.
#![expect(clippy::print_stdout, reason = "its numbers are for a person at a terminal")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Instant;

use event::{Attempt, Fact as _, RunEvent, Seq, StreamId, Timestamp};
use figures::{Asked, Figures, ReportPart};
use ports::Journal as _;
use serde_json::{Value as Json, json};
use store::Store;
use views::{RunView, Window};
use zip::write::SimpleFileOptions;

/// Fifty scans of 5,000 findings are the newest of theirs, and as many tests are counted in all as two years have.
const USUAL: [usize; 5] = [10, 5, 3, 5_000, 10_000];
/// How often a view is taken.
const ROUNDS: usize = 5;
/// Who look at once.
const READERS: usize = 4;

type Failed = Box<dyn std::error::Error>;

fn main() -> Result<(), Failed> {
    let mut sizes = USUAL;
    for (size, text) in sizes.iter_mut().zip(std::env::args().skip(1)) {
        *size = text.parse()?;
    }
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path())?;
    let [workflows, tools, runs, findings, tests] = sizes;
    let mut newest = None;
    for run in 0..runs {
        let files = [("scan.sarif", sarif(tools, findings, run)), ("tests.xml", junit(tests))];
        let archive = archive(&files)?;
        for workflow in 0..workflows {
            newest = Some(append(&store, &format!("ci-{workflow}.yml"), &archive)?);
        }
    }
    let figures = Figures::open(folder.path())?;
    let began = Instant::now();
    figures.catch_up(&store, &mut |_| true)?;
    say("all is taken in", began);
    println!(
        "{:>10} KB of rows",
        std::fs::metadata(folder.path().join("figures.db"))?.len() / 1000
    );
    let newest = newest.ok_or("no run was asked for")?;
    let events = store.events::<RunEvent>(newest, Seq(0))?;
    let view = RunView::of(events.iter().map(|it| &it.event)).ok_or("a run begins")?;
    views(&figures, &store, &view)
}

fn views(figures: &Figures, store: &Store, run: &RunView) -> Result<(), Failed> {
    let all = Window { since: Timestamp(0), until: Timestamp(u64::MAX >> 1) };
    let asked = Asked::everything(all);
    median("a report", &|| figures.report(store, &asked, ReportPart::ALL).map(drop))?;
    for part in ReportPart::ALL {
        let report = || figures.report(store, &asked, &[*part]).map(drop);
        median(&format!("a report of {part}"), &report)?;
    }
    median("scans of a run", &|| figures.run_scans(store, run).map(drop))?;
    let began = Instant::now();
    let figures = &figures;
    let scans = || figures.last_scans(&asked).map(drop);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..READERS).map(|_| scope.spawn(scans)).collect();
        all.into_iter().try_for_each(|it| it.join().expect("nobody panics"))
    })?;
    say(&format!("{READERS} of them at once"), began);
    Ok(())
}

fn median(what: &str, view: &dyn Fn() -> Result<(), figures::FiguresError>) -> Result<(), Failed> {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        view()?;
        times.push(began.elapsed());
    }
    times.sort();
    println!("{:>10.1} ms  {what}", times[ROUNDS / 2].as_secs_f64() * 1000.0);
    Ok(())
}

fn say(what: &str, since: Instant) {
    println!("{:>10.1} ms  {what}", since.elapsed().as_secs_f64() * 1000.0);
}

/// Each run finds a little that the one before it did not.
fn sarif(tools: usize, findings: usize, run: usize) -> String {
    let tool = |tool: usize| {
        let result = |it: usize| {
            let level = ["error", "warning", "note"][it % 3];
            let file = format!("src/module{}/file{}.rs", it % 50, it / 10 + run * findings / 200);
            json!({ "ruleId": format!("rule-{}", it % 200), "level": level, "message": { "text": "it" },
                "partialFingerprints": { "primaryLocationLineHash": format!("{it:016x}:1") },
                "locations": [{ "physicalLocation": { "artifactLocation": { "uri": file } } }] })
        };
        let results: Vec<Json> = (0..findings).map(result).collect();
        json!({ "tool": { "driver": { "name": format!("Tool {tool}") } }, "results": results })
    };
    let runs: Vec<Json> = (0..tools).map(tool).collect();
    json!({ "version": "2.1.0", "runs": runs }).to_string()
}

fn junit(tests: usize) -> String {
    let mut text = "<testsuite name=\"all\">".to_owned();
    for it in 0..tests {
        let _ = write!(
            text,
            "<testcase classname=\"c{}\" name=\"t{it}\" time=\"0.{:03}\"/>",
            it / 100,
            it % 1000
        );
    }
    text + "</testsuite>"
}

fn archive(files: &[(&str, String)]) -> Result<Vec<u8>, Failed> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in files {
        archive.start_file(*name, SimpleFileOptions::default())?;
        archive.write_all(text.as_bytes())?;
    }
    Ok(archive.finish()?.into_inner())
}

/// A run of the default branch that kept this.
fn append(store: &Store, workflow: &str, archive: &[u8]) -> Result<StreamId, Failed> {
    let (run, number) = store.allocate_run("octo/app", workflow)?;
    let at = 1_700_000_000_000 + run.0 * 1000;
    let blob = store.blobs().put_bytes(archive)?;
    let events = [
        json!({ "type": "RunCreated", "run": run, "attempt": 1, "run_number": number, "carried": [],
            "repository": "octo/app", "repository_path": "/srv/app",
            "workflow": { "path": workflow, "text": "" }, "called": {}, "title": "a change",
            "event": { "name": "push", "git_ref": "refs/heads/main",
                "payload": { "repository": { "default_branch": "main" } } },
            "change": { "commit": format!("{run:040x}", run = run.0), "authored_at": at,
                "committed_at": at, "uncommitted": 0 },
            "inputs": {}, "vars": {}, "secret_names": [], "actor": "mona",
            "triggering_actor": "mona", "at": at }),
        json!({ "type": "JobReady", "job": "scan", "at": at }),
        json!({ "type": "JobLeased", "job": "scan", "fence": 1, "tracking_id": "x", "at": at }),
        json!({ "type": "ArtifactUploaded", "job": "scan", "name": "scan", "blob": blob,
            "size_bytes": archive.len(), "expires_at": 9_000_000_000_000_u64 }),
        json!({ "type": "JobCompleted", "job": "scan", "fence": 1, "conclusion": "success",
            "exit": "none", "outputs": {}, "log": null, "environment_url": null, "at": at + 1 }),
        json!({ "type": "RunCompleted", "conclusion": "success", "at": at + 1 }),
    ];
    let decode = |it: &Json| RunEvent::decode(it.to_string().as_bytes());
    let events = events.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
    let stream = StreamId::Run(run, Attempt(1));
    store.append(stream, Seq(0), Timestamp(at), &events)?;
    Ok(stream)
}
