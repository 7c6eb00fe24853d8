//! Jobs claimed a second: the scheduler says who gets a lease, the journal has it on the disk, the scheduler's state
//! stands as the journal says. Nobody starts a worker.
//!
//! `cargo run --release -p store --example claim_bench FOLDER [URL]`
//!
//! As many jobs are claimed at once as there is room on runners: that many leases are one commit. Beside each a
//! bare loop of the same commits. A line of JSON for each measurement, on the folder's disk, and in the empty database
//! of PostgreSQL at URL.
#![expect(clippy::print_stdout, reason = "its figures are its output")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use event::{
    Attempt, Change, EventRef, Fence, JobKey, RunEvent, RunId, RunRequest, Selection, Seq,
    StreamId, Terms, Timestamp, WorkflowFile,
};
use mask::MaskedText;
use ports::Journal as _;
use postgres::{Client, NoTls};
use scheduler::{Decided, Definitions, Files, Input, State, decide, evolve};
use serde_json::json;
use store::{Database, Durability, Store, attach};

mod bare;

/// Jobs of a run: four matrices of 250 legs.
const MATRICES: usize = 4;
const LEGS: usize = 250;
/// Jobs that are claimed at once.
const BATCHES: [u64; 3] = [1, 8, 32];
/// Commits in each measurement.
const COMMITS: u64 = 1_000;

const AT: Timestamp = Timestamp(1_767_225_600_000);

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("a folder is wanted")?);
    let folder = tempfile::tempdir_in(folder)?;
    for (durability, synchronous) in
        [(Durability::PowerLoss, "full"), (Durability::ProcessDeath, "normal")]
    {
        for batch in BATCHES {
            let path = folder.path().join(format!("{synchronous}-{batch}"));
            let rate = claimed(&Store::open_with(&path, durability)?, batch)?;
            let file = folder.path().join(format!("bare-{synchronous}-{batch}.db"));
            let bare = bare::in_a_file(&file, synchronous, (COMMITS, batch), &lease())?;
            say("SQLite", &format!("synchronous = {synchronous}"), batch, (bare, rate));
        }
    }
    match std::env::args().nth(2) {
        Some(url) => in_database(folder.path(), &url),
        None => Ok(()),
    }
}

fn in_database(folder: &Path, url: &str) -> Result<(), Box<dyn Error>> {
    let mut client = Client::connect(url, NoTls)?;
    let fsync: String = client.query_one("SHOW fsync", &[])?.get(0);
    let durability = format!("fsync = {fsync}, synchronous_commit = on");
    for (index, batch) in BATCHES.into_iter().enumerate() {
        let schema = format!("claims{index}");
        client.batch_execute(&format!("CREATE SCHEMA {schema}"))?;
        let sign = if url.contains('?') { '&' } else { '?' };
        let own = format!("{url}{sign}options=-csearch_path%3D{schema}");
        let path = folder.join(&schema);
        attach(&path, &Database::parse(&own)?, None)?;
        let rate = claimed(&Store::open_with(&path, Durability::PowerLoss)?, batch)?;
        let bare = bare::in_a_database(&mut client, (COMMITS, batch), &lease())?;
        say("PostgreSQL", &durability, batch, (bare, rate));
    }
    Ok(())
}

fn say(engine: &str, durability: &str, batch: u64, (bare, claims): (f64, f64)) {
    let line = json!({
        "engine": engine, "durability": durability, "batch": batch,
        "claims_a_second": claims.round(), "bare_a_second": (bare * batch as f64).round(),
    });
    println!("{line}");
}

/// An event as long as those that are claimed with.
fn lease() -> String {
    let job = JobKey::new("claims-1 (125)");
    let tracking_id = "github_0123456789abcdef0123456789abcdef-1-1-125".into();
    let (fence, runner) = (Fence(125), Some("launchway".into()));
    event::Fact::encode(&RunEvent::JobLeased { job, fence, tracking_id, runner, at: AT })
}

/// Claims so many jobs at a time, until there were so many commits; claims a second.
fn claimed(store: &Store, batch: u64) -> Result<f64, Box<dyn Error>> {
    let (state, definitions) = (State::new(), Definitions::new());
    let mut world = World { store, state, definitions, seqs: BTreeMap::new() };
    let (mut run, mut left, mut width, mut claims) = (0, 0, 0_usize, 0_u64);
    let mut took = std::time::Duration::ZERO;
    for _ in 0..COMMITS {
        if left < batch as usize {
            // What makes jobs ready is no part of claiming them.
            run += 1;
            world.make(run)?;
            left += MATRICES * LEGS;
        }
        width += batch as usize;
        left -= batch as usize;
        let began = Instant::now();
        let tracking = "github_0123456789abcdef0123456789abcdef".into();
        let lease = Input::Lease { width, tracking, at: AT };
        let events =
            decide(&world.state, &world.definitions, lease).map_err(|it| it.to_string())?;
        claims += world.append(events)?;
        took += began.elapsed();
    }
    if claims != COMMITS * batch {
        return Err(format!("{claims} of {} jobs were claimed", COMMITS * batch).into());
    }
    Ok(claims as f64 / took.as_secs_f64())
}

struct World<'s> {
    store: &'s Store,
    state: State,
    definitions: Definitions,
    seqs: BTreeMap<StreamId, Seq>,
}

impl World<'_> {
    /// A run whose jobs are all ready.
    fn make(&mut self, run: u64) -> Result<(), Box<dyn Error>> {
        let request = request(run);
        let (files, _) = Files::read(&request);
        let files = files.ok_or("the workflow is right")?;
        self.definitions.insert(StreamId::Run(request.run, request.attempt), files);
        let mut input = Input::CreateRun { request: Box::new(request), carried: Vec::new() };
        loop {
            let events = decide(&self.state, &self.definitions, input);
            let events = events.map_err(|refusal| refusal.to_string())?;
            if events.is_empty() {
                return Ok(());
            }
            self.append(events)?;
            input = Input::Advance { at: AT };
        }
    }

    /// As the driver does: one append for each stretch of one stream; then the state follows.
    fn append(&mut self, events: Decided) -> Result<u64, Box<dyn Error>> {
        let count = events.len() as u64;
        for stretch in events.chunk_by(|(one, _), (next, _)| one == next) {
            let stream = stretch[0].0;
            let events: Vec<RunEvent> = stretch.iter().map(|(_, event)| event.clone()).collect();
            let expected = self.seqs.get(&stream).copied().unwrap_or(Seq(0));
            let seq = self.store.append(stream, expected, AT, &events)?;
            self.seqs.insert(stream, seq);
        }
        for (stream, event) in &events {
            evolve(&mut self.state, *stream, event).map_err(|illegal| illegal.to_string())?;
        }
        Ok(count)
    }
}

fn request(run: u64) -> RunRequest {
    let legs: Vec<String> = (0..LEGS).map(|it| it.to_string()).collect();
    let mut text = "on: push\njobs:\n".to_owned();
    for matrix in 0..MATRICES {
        text += &format!(
            "  claims-{matrix}:\n    runs-on: ubuntu-latest\n    strategy: {{ matrix: {{ leg: [{}] }} }}\n    steps: [{{ run: make }}]\n",
            legs.join(", ")
        );
    }
    let commit = "0123456789abcdef0123456789abcdef01234567";
    RunRequest {
        run: RunId(run),
        attempt: Attempt(1),
        run_number: run,
        carried: Vec::new(),
        repository: "octo/planner".into(),
        repository_path: "/srv/planner".into(),
        workflow: WorkflowFile { path: ".github/workflows/ci.yml".into(), text: text.into() },
        called: Default::default(),
        title: MaskedText::without_secrets("a title"),
        event: EventRef {
            name: "push".into(),
            git_ref: "refs/heads/main".into(),
            payload: json!({}),
        },
        change: Change {
            commit: commit.into(),
            authored_at: AT,
            committed_at: AT,
            uncommitted: 0,
            snapshot: None,
            store: None,
            branched_at: None,
        },
        concurrency: None,
        selection: Selection::default(),
        terms: Terms::default(),
        inputs: json!(null),
        vars: json!({}),
        secret_names: Vec::new(),
        actor: "octocat".into(),
        triggering_actor: "octocat".into(),
        asked: None,
        at: AT,
    }
}
