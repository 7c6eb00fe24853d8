//! Appends a second with 1 and 8 callers beside a bare loop of the same commits, and what opening a
//! journal costs that holds 10,000 runs of which 10 are open.
//!
//! `cargo run --release -p store --example append_bench [FOLDER]`
#![expect(clippy::print_stdout, reason = "its figures are its output")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use event::{Attempt, Conclusion, Fact, JobKey, RunEvent, RunId, Seq, StreamId, Timestamp};
use ports::Journal as _;
use store::{Durability, Store};

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
        let bare = bare_loop(&folder.path().join(format!("bare-{name}.db")), name, appends)?;
        println!("{name}: bare loop of commits: {bare:.0}/s");
        for callers in [1, 8] {
            let path = folder.path().join(format!("{name}-{callers}"));
            let rate = appended(&path, durability, callers, appends)?;
            println!("{name}: {callers} callers: {rate:.0}/s, {:.2} of bare", rate / bare);
        }
    }
    opening(&folder.path().join("opening"))
}

/// The same rows with nothing around them: what SQLite and this disk can do with a commit each.
fn bare_loop(path: &Path, synchronous: &str, appends: u64) -> Result<f64, Box<dyn Error>> {
    let connection = rusqlite::Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.execute_batch(
        "CREATE TABLE event (position INTEGER PRIMARY KEY AUTOINCREMENT, stream INTEGER, seq INTEGER,
         at INTEGER, payload_digest BLOB, digest BLOB, payload TEXT, UNIQUE (stream, seq)) STRICT;
         CREATE TABLE stream (id INTEGER PRIMARY KEY, seq INTEGER, digest BLOB) STRICT;
         INSERT INTO stream VALUES (1, 0, zeroblob(32));",
    )?;
    let payload = ready().encode();
    let started = Instant::now();
    for seq in 0..appends.cast_signed() {
        let transaction = connection.unchecked_transaction()?;
        transaction
            .prepare_cached("INSERT INTO event VALUES (NULL, 1, ?1, ?2, ?3, ?3, ?4)")?
            .execute(rusqlite::params![seq, AT.0.cast_signed(), [7_u8; 32], payload])?;
        transaction
            .prepare_cached("UPDATE stream SET seq = ?1, digest = ?2 WHERE id = 1")?
            .execute(rusqlite::params![seq, [7_u8; 32]])?;
        transaction.commit()?;
    }
    Ok(appends as f64 / started.elapsed().as_secs_f64())
}

fn appended(
    path: &Path,
    durability: Durability,
    callers: u64,
    appends: u64,
) -> Result<f64, Box<dyn Error>> {
    let store = Store::open_with(path, durability)?;
    let started = Instant::now();
    std::thread::scope(|scope| {
        for caller in 1..=callers {
            let store = &store;
            scope.spawn(move || {
                let stream = StreamId::Run(RunId(caller), Attempt(1));
                let event = [ready()];
                for seq in 0..appends / callers {
                    store.append(stream, Seq(seq), AT, &event).expect("appended");
                }
            });
        }
    });
    Ok(appends as f64 / started.elapsed().as_secs_f64())
}

fn opening(path: &Path) -> Result<(), Box<dyn Error>> {
    let store = Store::open(path)?;
    let mut events = vec![ready(); RUN_EVENTS];
    events.push(RunEvent::RunCompleted { conclusion: Conclusion::Success, at: AT });
    for run in 1..=RUNS {
        let open = run > RUNS - RUNS_OPEN;
        let events = if open { &events[..RUN_EVENTS] } else { &events };
        store.append(StreamId::Run(RunId(run), Attempt(1)), Seq(0), AT, events)?;
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
