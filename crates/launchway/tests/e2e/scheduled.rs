//! Schedules: what came due while the server was away runs once where that is not long ago, and is said where it is.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::harness::wait_until;
use crate::serving::Serving;

const SCHEDULED: &str = "
on: { schedule: [{ cron: '*/5 * * * *' }] }
jobs:
  sweep:
    runs-on: ubuntu-latest
    steps:
      - run: echo $GITHUB_EVENT_NAME $GITHUB_REF '${{ github.event.schedule }}' >> $MARKS/swept
";

/// The server's own note of how far it looked.
fn looked_until(serving: &Serving, minutes_ago: u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let note = format!(r#"{{"minute":{}}}"#, now / 60 - minutes_ago);
    std::fs::write(serving.place.path("data/clock.json"), note).expect("a file of ours");
}

fn told(serving: &Serving) -> String {
    let folder = serving.place.path("data/pushes");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let texts = entries.flatten().map(|it| std::fs::read_to_string(it.path()).unwrap_or_default());
    texts.collect()
}

// proves: conformance 25
#[test]
fn what_came_due_while_the_server_was_away_runs_once_and_what_is_long_over_is_said() {
    let mut serving = Serving::of(SCHEDULED);
    let pushed = serving.push();
    assert_eq!(pushed.exit, 0, "{}", pushed.stderr);
    serving.kill();
    // Five of them: one of any five minutes is due.
    looked_until(&serving, 5);
    serving.restart();
    wait_until("the schedule's run", || !serving.mark("swept").is_empty());
    let first = serving.mark("swept");
    let line = first.lines().next().unwrap_or_default();
    assert_eq!(line, "schedule refs/heads/main */5 * * * *");
    assert!(!told(&serving).contains("did not run"));
    serving.kill();

    looked_until(&serving, 60);
    serving.restart();
    wait_until("what was missed is said", || told(&serving).contains("did not run"));
    let told = told(&serving);
    let said = "ci.yml did not run: `*/5 * * * *` came due 1";
    assert!(told.contains(said) && told.contains("while the server was away"), "{told}");
    serving.end();
}
