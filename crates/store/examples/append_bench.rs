//! Appends a second with 1 and 8 callers beside a bare loop of the same commits, and what opening a
//! journal costs that holds 10,000 runs of which 10 are open.
//!
//! `cargo run --release -p store --example append_bench [FOLDER [URL]]`
//!
//! With the address of an empty database of PostgreSQL the same there, with 32 callers besides.
#![expect(clippy::print_stdout, reason = "its figures are its output")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use event::{Attempt, Conclusion, Fact, JobKey, RunEvent, RunId, Seq, StreamId, Timestamp};
use ports::Journal as _;
use postgres::{Client, NoTls};
use store::{Database, Durability, Store, attach};

mod bare;

/// Appends in each measurement.
const APPENDS: u64 = 8_000;
/// Runs in the journal that is opened; the last ones are open.
const RUNS: u64 = 10_000;
const RUNS_OPEN: u64 = 10;
/// Events of one of them: a run of one job with two steps has about as many.
const RUN_EVENTS: usize = 10;

const AT: Timestamp = Timestamp(1_767_225_600_000);

fn ready() -> RunEvent {
    RunEvent::JobReady { job: JobKey::new("test (3.12, ubuntu-latest)"), at: AT }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = match std::env::args_os().nth(1) {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    for (name, durability) in
        [("normal", Durability::ProcessDeath), ("full", Durability::PowerLoss)]
    {
        let appends = if durability == Durability::PowerLoss { APPENDS / 8 } else { APPENDS };
        let file = folder.path().join(format!("bare-{name}.db"));
        let bare = bare::in_a_file(&file, name, (appends, 1), &ready().encode())?;
        println!("{name}: bare loop of commits: {bare:.0}/s");
        for callers in [1, 8] {
            let path = folder.path().join(format!("{name}-{callers}"));
            let rate = appended(&path, durability, callers, appends)?;
            println!("{name}: {callers} callers: {rate:.0}/s, {:.2} of bare", rate / bare);
        }
    }
    opening(&folder.path().join("opening"))?;
    match std::env::args().nth(2) {
        Some(url) => in_database(folder.path(), &url),
        None => Ok(()),
    }
}

/// Every commit waits for the database's log, whatever its own settings make of that.
fn in_database(folder: &Path, url: &str) -> Result<(), Box<dyn Error>> {
    let mut client = Client::connect(url, NoTls)?;
    let fsync: String = client.query_one("SHOW fsync", &[])?.get(0);
    let bare = bare::in_a_database(&mut client, (APPENDS / 4, 1), &ready().encode())?;
    println!("postgresql, fsync {fsync}: bare loop of commits: {bare:.0}/s");
    for (index, callers) in [1, 8, 32].into_iter().enumerate() {
        let folder = folder.join(format!("postgresql-{callers}"));
        attach(&folder, &Database::parse(url)?, None)?;
        let store = Store::open_with(&folder, Durability::PowerLoss)?;
        let rate = append_from(&store, (index as u64 * 1_000, callers), APPENDS / 2);
        println!(
            "postgresql, fsync {fsync}: {callers} callers: {rate:.0}/s, {:.2} of bare",
            rate / bare
        );
    }
    opening_of(&folder.join("postgresql-1"), 100_000)
}

fn appended(
    path: &Path,
    durability: Durability,
    callers: u64,
    appends: u64,
) -> Result<f64, Box<dyn Error>> {
    Ok(append_from(&Store::open_with(path, durability)?, (0, callers), appends))
}

/// Appends to so many streams at once, whose runs are those behind a number.
fn append_from(store: &Store, (behind, callers): (u64, u64), appends: u64) -> f64 {
    let started = Instant::now();
    std::thread::scope(|scope| {
        for caller in 1..=callers {
            scope.spawn(move || {
                let stream = StreamId::Run(RunId(behind + caller), Attempt(1));
                let event = [ready()];
                for seq in 0..appends / callers {
                    store.append(stream, Seq(seq), AT, &event).expect("appended");
                }
            });
        }
    });
    appends as f64 / started.elapsed().as_secs_f64()
}

fn opening(path: &Path) -> Result<(), Box<dyn Error>> {
    opening_of(path, 0)
}

/// With runs whose numbers stand behind another.
fn opening_of(path: &Path, behind: u64) -> Result<(), Box<dyn Error>> {
    let store = Store::open(path)?;
    let mut events = vec![ready(); RUN_EVENTS];
    events.push(RunEvent::RunCompleted { conclusion: Conclusion::Success, at: AT });
    for run in 1..=RUNS {
        let open = run > RUNS - RUNS_OPEN;
        let events = if open { &events[..RUN_EVENTS] } else { &events };
        store.append(StreamId::Run(RunId(behind + run), Attempt(1)), Seq(0), AT, events)?;
    }
    drop(store);
    let started = Instant::now();
    let store = Store::open(path)?;
    let opened = started.elapsed();
    let streams = store.open_streams()?;
    let mut read = 0;
    for stream in &streams {
        read += store.read(*stream, Seq(0))?.len();
    }
    println!(
        "open: {RUNS} runs, {} open: store {:.1} ms, with their {read} events {:.1} ms",
        streams.len(),
        opened.as_secs_f64() * 1e3,
        started.elapsed().as_secs_f64() * 1e3
    );
    let started = Instant::now();
    let verified = store.verify()?;
    println!(
        "verify: {} events in {:.0} ms",
        verified.events,
        started.elapsed().as_secs_f64() * 1e3
    );
    Ok(())
}
