//! kill -9 at instants that a seed chooses, of real runs: of the command, of a worker, of both. After
//! each: what was shown is in the journal and its chain holds; no further step was started; nothing
//! runs on; the next start sweeps, and the run is finished or can be resumed.
//!
//! `LAUNCHWAY_SOAK_SEED` repeats a soak, `LAUNCHWAY_SOAK_ROUNDS` makes it longer. The instants are the
//! same each time, what the machine does in them is not.

#[cfg(feature = "postgres")]
mod database;
mod followers;
mod server;

use std::collections::BTreeMap;
use std::process::Child;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use event::{RunEvent, Seq, StreamId};
use ports::Journal as _;
use rustix::process::Signal;
use serde_json::Value as Json;

use crate::harness::{Place, living, wait_until};
use crate::kill::signal;

const ROUNDS: u64 = 100;
/// The run takes longer than this, so that some kills meet its beginning and some its middle.
const INSTANT_MS_MAX: u64 = 2_000;
/// Nothing may run this long after a kill.
const LEFT_MS_MAX: u128 = 15_000;
/// A step that was being started when its worker or command died may still say so.
const START_MS_MAX: u64 = 500;

/// Two jobs side by side and two behind them. Each step says when it began and of which worker, and
/// leaves a daemon.
const WORKFLOW: &str = "
on: push
jobs:
  left:
    runs-on: ubuntu-latest
    strategy: { matrix: { leg: [1, 2] } }
    outputs: { kept: '${{ steps.it.outputs.kept }}' }
    steps:
      - run: &say 'echo $(date +%s%3N) $PPID $GITHUB_JOB >> ${{ vars.SAID }}; setsid sleep 600 > /dev/null 2>&1 & sleep 0.25; echo = said'
      - { id: it, run: 'echo kept=yes >> $GITHUB_OUTPUT; sleep 0.05' }
      - run: *say
      - run: *say
      - run: *say
      - { if: always(), run: *say }
  right: { needs: left, runs-on: ubuntu-latest, steps: [{ run: *say }, { run: *say }, { run: *say }] }
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Command,
    Worker,
    Both,
}

/// What all rounds together saw.
#[derive(Debug, Default)]
struct Figures {
    kills: BTreeMap<String, u64>,
    events: u64,
    steps: u64,
    left_ms_max: u128,
    swept: u64,
    finished: u64,
    resumed: u64,
    before_the_run: u64,
}

#[test]
fn a_hundred_kills_lose_nothing_and_leave_nothing() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let clock =
        || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_nanos() as u64);
    let seed = number("LAUNCHWAY_SOAK_SEED").unwrap_or_else(clock);
    let rounds = number("LAUNCHWAY_SOAK_ROUNDS").unwrap_or(ROUNDS);
    say(&format!("seed {seed}: LAUNCHWAY_SOAK_SEED={seed} repeats it"));
    let mut random = Random(seed);
    let mut figures = Figures::default();
    for round in 0..rounds {
        let victim = [Victim::Command, Victim::Worker, Victim::Both][random.below(3) as usize];
        let after = Duration::from_millis(random.below(INSTANT_MS_MAX));
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            one(victim, after, &mut figures);
        }));
        assert!(ended.is_ok(), "seed {seed}, round {round}: {victim:?} after {after:?}");
    }
    say(&format!("{figures:?}"));
}

/// The harness of tests swallows what is printed the usual way.
fn say(line: &str) {
    use std::io::Write as _;
    // Nobody reads it any more where it cannot be written.
    let _ = writeln!(std::io::stderr(), "soak: {line}");
}

/// One run, one kill, and all that must hold afterwards.
fn one(victim: Victim, after: Duration, figures: &mut Figures) {
    let place = Place::workflow(WORKFLOW);
    let mut command = start(&place);
    std::thread::sleep(after);
    let workers = workers_of(command.id());
    let worker = workers.first().copied().filter(|_| victim != Victim::Command);
    let killed_at = now_ms();
    match (victim, worker) {
        (Victim::Worker, Some(worker)) => kill(worker),
        (Victim::Both, Some(worker)) => {
            kill(command.id());
            kill(worker);
        }
        // No worker was there yet, or none any more.
        _ => kill(command.id()),
    }
    let kind = if worker.is_some() { victim } else { Victim::Command };
    *figures.kills.entry(format!("{kind:?}")).or_default() += 1;
    let since = Instant::now();
    command.wait().expect("it was started");
    if kind == Victim::Command {
        wait_until("the end of all processes", || living(&place).is_empty());
        let left_ms = since.elapsed().as_millis();
        assert!(left_ms <= LEFT_MS_MAX, "something ran for {left_ms} ms");
        figures.left_ms_max = figures.left_ms_max.max(left_ms);
    }
    let dead = match kind {
        Victim::Worker => worker.into_iter().collect(),
        _ => workers.clone(),
    };
    no_step_after(&place, killed_at, &dead, figures);
    what_was_shown_is_there(&place, figures);
    the_next_start_goes_on(&place, figures);
    no_step_after(&place, killed_at, &dead, figures);
}

fn start(place: &Place) -> Child {
    let said = format!("SAID={}", place.path("said").display());
    let file = |name: &str| std::fs::File::create(place.path(name)).expect("a file of ours");
    let mut command = place.launchway(&["run", "--width", "2", "--format", "json", "--var", &said]);
    command.stdout(file("stdout")).stderr(file("stderr")).spawn().expect("the binary starts")
}

fn kill(pid: u32) {
    // It may have ended by itself in the meantime.
    if std::path::Path::new(&format!("/proc/{pid}")).exists() {
        signal(pid, Signal::KILL);
    }
}

fn workers_of(command: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{command}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<u32> = lists
        .flat_map(|list| list.split(' ').filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>())
        .collect();
    let is_worker = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).nth(1) == Some(b"worker")
    };
    children.into_iter().filter(is_worker).collect()
}

/// No worker that is dead, or whose command is, may have begun a step after the kill.
fn no_step_after(place: &Place, killed_at: u64, dead: &[u32], figures: &mut Figures) {
    let said = std::fs::read_to_string(place.path("said")).unwrap_or_default();
    for line in said.lines() {
        let mut words = line.split(' ');
        let mut number =
            || words.next().and_then(|word| word.parse::<u64>().ok()).expect("a number");
        let (at, worker) = (number(), number());
        figures.steps += 1;
        let is_dead = dead.iter().any(|pid| u64::from(*pid) == worker);
        assert!(!is_dead || at <= killed_at + START_MS_MAX, "{line} began after {killed_at}");
    }
}

/// Every line that the command showed is an event of the journal, and the journal's chain holds.
fn what_was_shown_is_there(place: &Place, figures: &mut Figures) {
    if !place.state().join("journal.db").exists() {
        return;
    }
    let store = store::Store::open(&place.state()).expect("the journal opens");
    let verified = store.verify().expect("the journal is read");
    figures.events += verified.events;
    let shown = std::fs::read_to_string(place.path("stdout")).unwrap_or_default();
    // The last line may have been cut by the kill.
    let lines = shown.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
    let mut events: BTreeMap<StreamId, Vec<RunEvent>> = BTreeMap::new();
    for line in lines {
        let run = event::RunId(line["run"].as_u64().expect("each line has its run"));
        let stream = StreamId::Run(run, event::Attempt(1));
        let events = events.entry(stream).or_insert_with(|| {
            let envelopes = store.read(stream, Seq(0)).expect("a stream that was shown is there");
            envelopes.into_iter().map(|envelope| envelope.event).collect()
        });
        assert!(events.iter().any(|event| is(event, &line)), "{line} is not in the journal");
    }
}

fn is(event: &RunEvent, line: &Json) -> bool {
    let of = |job: &event::JobKey| line["job"] == *job.as_str();
    match (line["type"].as_str().unwrap_or_default(), event) {
        ("run_created", RunEvent::RunCreated(_)) => true,
        ("job_started", RunEvent::JobStarted { job, .. })
        | ("job_lost", RunEvent::JobLost { job, .. })
        | ("job_completed", RunEvent::JobSkipped { job, .. }) => of(job),
        ("job_completed", RunEvent::JobCompleted { job, conclusion, .. }) => {
            of(job) && line["conclusion"] == conclusion.as_str()
        }
        ("step_completed", RunEvent::StepCompleted { job, step, conclusion, .. }) => {
            of(job) && line["step"] == *step.as_str() && line["conclusion"] == conclusion.as_str()
        }
        ("annotation", RunEvent::AnnotationAdded { job, annotation, .. }) => {
            of(job) && line["message"] == *annotation.message.as_str()
        }
        ("run_completed", RunEvent::RunCompleted { conclusion, .. }) => {
            line["conclusion"] == conclusion.as_str()
        }
        // Bytes of logs are no events; the job that printed them has begun.
        ("log", RunEvent::JobStarted { job, .. }) => of(job),
        _ => false,
    }
}

/// A start that runs nothing itself sweeps; then the run is over, or goes on to its end.
fn the_next_start_goes_on(place: &Place, figures: &mut Figures) {
    let next = place.run(&["run", "pull_request"]);
    assert!(living(place).is_empty(), "{:?}", living(place));
    let list = place.run(&["runs", "list", "--format", "json"]).stdout;
    let Some(run) =
        list.lines().next().map(|line| serde_json::from_str::<Json>(line).expect("JSON"))
    else {
        figures.before_the_run += 1;
        return;
    };
    let open = run["conclusion"].is_null();
    let hinted = next.stderr.contains("launchway runs resume 1 goes on with it");
    assert_eq!(open, hinted, "{run}\n{}", next.stderr);
    figures.swept += u64::from(next.stderr.contains("its processes were ended"));
    if !open {
        figures.finished += 1;
        return;
    }
    let resumed = place.run(&["runs", "resume", "1", "--format", "json"]);
    assert_eq!(resumed.exit, 0, "{}\n{}", resumed.stdout, resumed.stderr);
    figures.resumed += 1;
    assert!(living(place).is_empty(), "{:?}", living(place));
    assert_eq!(place.shown()["conclusion"], "success");
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_millis() as u64)
}

/// SplitMix64: a seed gives the same numbers everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
