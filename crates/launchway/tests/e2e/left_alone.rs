//! A run that a server cannot take up when it starts: what it has goes on, here and on runners, for the server that can.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::harness::wait_until;
use crate::runner::{Away, takes};
use crate::serving::Serving;

const WORKFLOW: &str = "
on: push
permissions: {}
jobs:
  here:
    runs-on: ubuntu-latest
    steps: [&waits { run: 'echo x >> $MARKS/begun.$GITHUB_JOB; while ! test -e $MARKS/go; do sleep 0.02; done; echo x >> $MARKS/ended.$GITHUB_JOB' }]
  there:
    runs-on: [self-hosted, far]
    steps: [*waits]
";

/// Another process that drives the first run.
struct Driver(Child);

impl Driver {
    fn of(serving: &Serving) -> Driver {
        let mut flock = Command::new("flock");
        flock.arg(serving.place.path("data/owners/1-1.owner")).args(["sh", "-c", "echo; cat"]);
        let mut flock = flock.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("flock");
        let said = flock.stdout.as_mut().expect("piped");
        BufReader::new(said).read_line(&mut String::new()).expect("it has the run");
        Driver(flock)
    }

    fn end(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().expect("it was started").success());
    }
}

#[test]
fn its_jobs_go_on_and_are_done_once() {
    let mut serving = Serving::of(WORKFLOW);
    assert_eq!(serving.push().exit, 0);
    wait_until("the job here", || serving.mark("begun.here") == "x\n");
    let away = Away::of(&serving, "1");
    wait_until("the job there", || serving.mark("begun.there") == "x\n");
    serving.kill();
    let driver = Driver::of(&serving);
    serving.restart();
    away.relay.lead_to(&serving.url);
    wait_until("the runner", || takes(&serving) == "jobs");
    // It drives what comes now.
    serving.place.write("other.txt", "more\n");
    serving.place.commit();
    assert_eq!(serving.push().exit, 0);
    wait_until("the next run", || serving.mark("begun.here") == "x\nx\n");
    serving.kill();
    driver.end();
    serving.restart();
    away.relay.lead_to(&serving.url);
    serving.leave("go");
    for run in ["1", "2"] {
        assert_eq!(serving.ended(run)["conclusion"], "success");
        let events = serving.get(&format!("/api/v1/runs/{run}/events")).text;
        assert!(!events.contains("JobLost"), "{events}");
    }
    for job in ["here", "there"] {
        let marks = ["begun", "ended"].map(|it| serving.mark(&format!("{it}.{job}")));
        assert_eq!(marks, ["x\nx\n", "x\nx\n"], "{job}");
    }
    away.end();
    serving.end();
}
