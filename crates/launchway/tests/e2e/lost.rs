//! Jobs of a server whose worker was killed, and which nobody may start twice unasked.

use rustix::process::Signal;
use serde_json::Value as Json;

use crate::harness::{Said, wait_until};
use crate::kill::signal;
use crate::serving::Serving;

/// A job that may have had effects outside, and tells who its worker is.
const RISKY: &str = "
on: push
jobs:
  long:
    runs-on: ubuntu-latest
    env: { KEY: '${{ secrets.DEPLOY_KEY }}' }
    steps:
      - run: |
          echo $PPID > $MARKS/worker
          echo x >> $MARKS/long
          while ! test -e $MARKS/go; do sleep 0.02; done
";

/// A job whose worker was killed waits for a person, who says so from elsewhere.
#[test]
fn a_lost_job_starts_again_when_somebody_says_so() {
    let serving = Serving::of(RISKY);
    serving.push();
    wait_until("the long job", || serving.mark("long") == "x\n");
    let worker = serving.mark("worker");
    signal(worker.trim().parse().expect("a number"), Signal::KILL);
    let is_lost = |run: Json| run["jobs"][0]["lost"] == true;
    wait_until("it is lost", || is_lost(serving.get("/api/v1/runs/1").json()));
    let from_elsewhere = |words: &[&str]| {
        let mut command = serving.place.launchway(words);
        command.args(["--server", &serving.url]).env("LAUNCHWAY_TOKEN", &serving.token);
        Said::from(command.output().expect("the binary starts"))
    };
    assert_eq!(from_elsewhere(&["runs", "resume", "1"]).exit, 2);
    let resumed = from_elsewhere(&["runs", "resume", "1", "--yes", "--reason", "it only waits"]);
    assert_eq!(resumed.exit, 0, "{}", resumed.stderr);
    wait_until("it runs again", || serving.mark("long") == "x\nx\n");
    serving.leave("go");
    assert_eq!(serving.ended("1")["conclusion"], "success");
    let resumed = serving.get("/api/v1/audit?action=job.resume").json();
    let resumed = &resumed["decisions"][0];
    assert_eq!((&resumed["reason"], &resumed["source"]), (&"it only waits".into(), &"api".into()));
    serving.end();
}
