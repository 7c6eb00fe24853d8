//! 200 people who follow live logs: how long after a job writes a line each of them has it, over real
//! connections, and that each gets every byte, once.
//!
//! `LAUNCHWAY_FOLLOWERS` says how many follow, `LAUNCHWAY_FOLLOWED_SECONDS` how long a job prints.

use std::io::{BufRead as _, BufReader};
use std::time::Duration;

use regex::Regex;
use rustix::time::{ClockId, clock_gettime};

use super::say;
use crate::harness::wait_until;
use crate::serving::Serving;

const FOLLOWERS: u64 = 200;
const SECONDS: u64 = 15;
/// Lines a second of one job.
const RATE: u64 = 50;
/// A follower reads, and does nothing else.
const STACK_BYTES: usize = 256 << 10;

/// Each job waits until its followers are there, then prints at a steady rate; a line is its number, the
/// clock that all processes of the machine share, and what fills it to a usual length.
const WORKFLOW: &str = "
on: push
permissions: {}
jobs:
  prints:
    runs-on: ubuntu-latest
    strategy: { matrix: { leg: LEGS } }
    steps:
      - shell: python3 {0}
        run: |
          import os, sys, time
          open('$MARKS/begun.${{ matrix.leg }}', 'w').write('x')
          while not os.path.exists('$MARKS/go.LEGCOUNT'):
              time.sleep(0.01)
          begin = time.monotonic()
          for number in range(RATE * SECONDS):
              time.sleep(max(0, begin + number / RATE - time.monotonic()))
              print(f'tick {number} {time.monotonic_ns()} ' + 'x' * 60, flush=True)
";

/// What one follower saw: each line, and how long after it was printed.
#[derive(Default)]
struct Seen {
    lines: Vec<String>,
    delays_ms: Vec<f64>,
    bytes: u64,
}

fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Follows a job's log to its end, as its page does.
fn follow(url: &str, token: &str, job: &str) -> Seen {
    let config = https::config().proxy(None).timeout_connect(Some(Duration::from_secs(30)));
    let agent = config.build().new_agent();
    let request = agent.get(format!("{url}/live/runs/1/jobs/{job}"));
    let response = request.header("authorization", format!("Bearer {token}")).call();
    let mut body = BufReader::new(response.expect("it answers").into_body().into_reader());
    let tick = Regex::new(r"tick \d+ (\d+) x+").expect("a pattern");
    let (mut seen, mut line) = (Seen::default(), String::new());
    loop {
        line.clear();
        let read = body.read_line(&mut line).expect("it goes on to its end");
        let now = monotonic_ns();
        assert!(read > 0, "it was cut off");
        seen.bytes += read as u64;
        for found in tick.captures_iter(&line) {
            let at: u64 = found[1].parse().expect("a number");
            seen.delays_ms.push(now.saturating_sub(at) as f64 / 1e6);
            seen.lines.push(found[0].to_owned());
        }
        if line == "event: end\n" {
            return seen;
        }
    }
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn two_hundred_follow_one_job() {
    all_follow(1);
}

#[test]
fn two_hundred_follow_two_jobs() {
    all_follow(2);
}

fn all_follow(jobs: u64) {
    let followers = number("LAUNCHWAY_FOLLOWERS", FOLLOWERS);
    let seconds = number("LAUNCHWAY_FOLLOWED_SECONDS", SECONDS);
    let legs: Vec<String> = (1..=jobs).map(|leg| leg.to_string()).collect();
    let workflow = WORKFLOW
        .replace("LEGS", &format!("[{}]", legs.join(", ")))
        .replace("LEGCOUNT", &jobs.to_string())
        .replace("RATE", &RATE.to_string())
        .replace("SECONDS", &seconds.to_string());
    let serving = Serving::of(&workflow);
    assert_eq!(serving.push().exit, 0);
    for leg in 1..=jobs {
        wait_until("the job", || serving.mark(&format!("begun.{leg}")) == "x");
    }
    let keys: Vec<String> = (1..=jobs).map(|leg| format!("prints%20({leg})")).collect();
    let mut threads = Vec::new();
    for at in 0..followers {
        let (url, token) = (serving.url.clone(), serving.token.clone());
        let key = keys[(at % jobs) as usize].clone();
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let thread = thread.spawn(move || follow(&url, &token, &key)).expect("a thread");
        threads.push((at % jobs, thread));
    }
    wait_until("all who follow", || {
        let metrics = serving.get("/metrics").text;
        metrics.contains(&format!("launchway_followers {followers}\n"))
    });
    serving.leave(&format!("go.{jobs}"));
    let seen: Vec<(u64, Seen)> = threads
        .into_iter()
        .map(|(job, thread)| (job, thread.join().expect("it followed to the end")))
        .collect();
    let printed: Vec<Vec<String>> = (0..jobs)
        .map(|job| {
            let log = serving.get(&format!("/api/v1/runs/1/jobs/{}/log", keys[job as usize])).text;
            log.lines().filter(|it| it.starts_with("tick ")).map(str::to_owned).collect()
        })
        .collect();
    for (job, seen) in &seen {
        let printed = &printed[*job as usize];
        assert_eq!(printed.len() as u64, RATE * seconds);
        assert!(seen.lines == *printed, "somebody has {} lines", seen.lines.len());
    }
    let mut delays: Vec<f64> = seen.iter().flat_map(|(_, it)| it.delays_ms.clone()).collect();
    delays.sort_by(f64::total_cmp);
    let of = |share: usize| delays[(delays.len() - 1) * share / 100];
    let bytes: u64 = seen.iter().map(|(_, it)| it.bytes).sum();
    say(&format!(
        "{followers} follow {jobs} job(s) of {RATE} lines a second for {seconds} s: {} lines had after p50 {:.0} ms, p95 {:.0} ms, at most {:.0} ms; {:.2} MB a second; each has every byte",
        delays.len(),
        of(50),
        of(95),
        of(100),
        bytes as f64 / 1e6 / seconds as f64
    ));
    serving.end();
}
