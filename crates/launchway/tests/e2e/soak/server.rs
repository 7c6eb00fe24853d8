//! A server and a runner on another machine; either is killed, the server is told to end, their
//! connection is cut, at instants that a seed chooses, while thousands of jobs run on both: each job runs
//! once, and its log is, byte for byte, what its steps wrote into a file of theirs. The journal is a file, or in
//! PostgreSQL, which is killed, too, ends its connections, or is cut off.
//!
//! `LAUNCHWAY_CHAOS_JOBS` says how many jobs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Random, say};
use crate::harness::wait_until;
use crate::runner::Away;
use crate::serving::Serving;

const JOBS: u64 = 2_000;
/// Jobs of one push.
const LEGS: u64 = 20;
/// The longest that a server lives.
const INSTANT_MS_MAX: u64 = 1_500;

const WORKFLOW: &str = "
on: push
permissions: {}
jobs:
  counts:
    runs-on: ubuntu-latest
    strategy: { fail-fast: false, matrix: { leg: LEGS } }
    steps:
      - run: |
          echo x >> $MARKS/begun.$GITHUB_RUN_NUMBER.${{ matrix.leg }}
          for line in 1 2 3 4 5; do
            echo \"line $line of $GITHUB_RUN_NUMBER.${{ matrix.leg }}\" | tee -a $MARKS/copy.$GITHUB_RUN_NUMBER.${{ matrix.leg }}
            sleep 0.01
          done
      - run: echo x >> $MARKS/ended.$GITHUB_RUN_NUMBER.${{ matrix.leg }}
";

/// What else is in trouble.
trait Trouble {
    /// Makes some; what kind.
    fn make(&mut self, random: &mut Random) -> &'static str;
}

#[test]
fn whoever_dies_again_and_again_nothing_is_lost() {
    play(&[], None);
}

#[cfg(feature = "postgres")]
impl Trouble for super::database::Cluster {
    fn make(&mut self, random: &mut Random) -> &'static str {
        match random.below(3) {
            0 => {
                self.crash();
                "database killed"
            }
            1 => {
                self.terminate();
                "connections ended by the database"
            }
            _ => {
                self.cut();
                "network cut before the database"
            }
        }
    }
}

#[cfg(feature = "postgres")]
#[test]
fn whoever_dies_and_the_database_too_nothing_is_lost() {
    let mut cluster = super::database::Cluster::start();
    let folder = tempfile::tempdir().expect("a scratch folder");
    let address = folder.path().join("address");
    std::fs::write(&address, cluster.url()).expect("a file of ours");
    let address = address.display().to_string();
    play(&["--database-file", &address], Some(&mut cluster));
}

fn play(more: &[&str], mut trouble: Option<&mut dyn Trouble>) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("LAUNCHWAY_SOAK_SEED").unwrap_or_else(|| std::process::id().into());
    let pushes = number("LAUNCHWAY_CHAOS_JOBS").unwrap_or(JOBS).div_ceil(LEGS);
    say(&format!("seed {seed}: LAUNCHWAY_SOAK_SEED={seed} repeats it"));
    let mut random = Random(seed);
    let legs: Vec<String> = (1..=LEGS).map(|leg| leg.to_string()).collect();
    let workflow = WORKFLOW.replace("LEGS", &format!("[{}]", legs.join(", ")));
    let mut serving = Serving::with(&workflow, more);
    let mut away = Away::of(&serving, "2");
    let (began, mut kills, mut stops, mut pushed) = (Instant::now(), 0_u64, 0_u64, 0_u64);
    let (mut runner_kills, mut cuts) = (0_u64, 0_u64);
    let mut troubles: BTreeMap<&'static str, u64> = BTreeMap::new();
    loop {
        if pushed < pushes {
            serving.place.write("other.txt", &pushed.to_string());
            serving.place.commit();
            assert_eq!(serving.push().exit, 0);
            pushed += 1;
        }
        // Not a wait for something: the instant of the kill is what is tried.
        std::thread::sleep(Duration::from_millis(random.below(INSTANT_MS_MAX)));
        let last = serving.get(&format!("/api/v1/runs/{pushes}"));
        if pushed == pushes && last.status == 200 && !last.json()["conclusion"].is_null() {
            break;
        }
        let most = if trouble.is_some() { 12 } else { 8 };
        match random.below(most) {
            8.. => {
                let kind = trouble.as_mut().map(|it| it.make(&mut random));
                *troubles.entry(kind.expect("there is some")).or_default() += 1;
                continue;
            }
            0 => {
                serving.stop();
                stops += 1;
            }
            1..=3 => {
                serving.kill();
                kills += 1;
            }
            4..=5 => {
                away.kill();
                runner_kills += 1;
                away.restart(&serving, "2");
                continue;
            }
            _ => {
                away.relay.cut();
                cuts += 1;
                continue;
            }
        }
        serving.restart();
        away.relay.lead_to(&serving.url);
    }
    let (mut lost, mut twice, mut different, mut elsewhere) = (0, 0, 0, 0);
    for run in 1..=pushes {
        let ended = serving.ended(&run.to_string());
        let events = serving.get(&format!("/api/v1/runs/{run}/events")).text;
        elsewhere += events.matches(r#""runner":"far-1","at""#).count();
        for leg in 1..=LEGS {
            let name = format!("counts ({leg})");
            let jobs = ended["jobs"].as_array().into_iter().flatten();
            let job = jobs.into_iter().find(|job| job["name"] == *name);
            lost += u64::from(job.is_none_or(|job| job["conclusion"] != "success"));
            let marks = ["begun", "ended"].map(|it| serving.mark(&format!("{it}.{run}.{leg}")));
            lost += u64::from(marks.iter().any(String::is_empty));
            twice += u64::from(marks.iter().any(|mark| mark.lines().count() > 1));
            let log = serving.get(&format!("/api/v1/runs/{run}/jobs/counts%20({leg})/log")).text;
            let lines: Vec<&str> = log.lines().filter(|line| line.starts_with("line ")).collect();
            let copy = serving.mark(&format!("copy.{run}.{leg}"));
            different += u64::from(lines != copy.lines().collect::<Vec<_>>());
        }
    }
    let seconds = began.elapsed().as_secs();
    say(&format!(
        "{} jobs in {seconds} s, {elsewhere} of them on the runner; the server was killed {kills} times \
         and told to end {stops} times, the runner killed {runner_kills} times, the connection cut \
         {cuts} times; {troubles:?}: lost {lost}, done twice {twice}, logs that differ {different}",
        pushes * LEGS
    ));
    assert_eq!((lost, twice, different), (0, 0, 0));
    wait_until("the queue's end", || {
        serving.get("/api/v1/runners").json()["queue"].as_array().is_some_and(Vec::is_empty)
    });
    away.end();
    serving.end();
}
