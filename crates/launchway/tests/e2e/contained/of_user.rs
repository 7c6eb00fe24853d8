//! Jobs in containers on a server whose jobs are another user's: what a container's root made is his, who works on it
//! outside and after it.

use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::Story;
use crate::containers::ALONE;
use crate::job_user::passable;
use crate::serving::{Serving, Variables};

/// The image's programs are the job's to change: `find` is what gives.
const WORKFLOW: &str = r#"
on: push
jobs:
  brings:
    runs-on: ubuntu-latest
    container: box:1
    steps:
      - run: |
          mkdir -p $RUNNER_TOOL_CACHE/own/1.0 && echo one > $RUNNER_TOOL_CACHE/own/1.0/tool
          chmod 700 $RUNNER_TOOL_CACHE/own && chmod 600 $RUNNER_TOOL_CACHE/own/1.0/tool
          echo kept > out && chmod 600 out
      - { uses: actions/upload-artifact@v4, with: { name: out, path: out } }
      - run: echo later > $RUNNER_TOOL_CACHE/own/1.0/later && chmod 600 $RUNNER_TOOL_CACHE/own/1.0/later
  finds:
    needs: brings
    runs-on: ubuntu-latest
    steps:
      - run: cd $RUNNER_TOOL_CACHE/own/1.0 && echo two >> tool && cat tool later > $MARKS/found && rm later
  stuck:
    runs-on: ubuntu-latest
    timeout-minutes: 0.1
    container: box:1
    steps:
      - run: |
          echo one > own && chmod 600 own
          printf '#!/bin/sh\n[ -e /once ] && exit 0\ntouch /once\nsleep 600\n' > /bin/find
      - { uses: actions/upload-artifact@v4, with: { name: stuck, path: own } }
  unable:
    runs-on: ubuntu-latest
    container: box:1
    steps:
      - run: |
          echo one > own && chmod 600 own
          printf '#!/bin/sh\nexit 3\n' > /bin/find
      - { uses: actions/upload-artifact@v4, continue-on-error: true, with: { name: unable, path: own } }
"#;

/// Less than whoever hears nobody waits for the engine.
const STUCK_MAX: Duration = Duration::from_secs(45);

#[test]
fn what_a_containers_root_made_is_the_jobs_users() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Story { place, daemon, .. } =
        Story::within(passable(), "docker-of-user", ("lwtest5", "172.31.248.1/24"));
    let engine = PathBuf::from(format!("unix://{}", daemon.socket().display()));
    let variables: Variables = vec![("DOCKER_HOST", engine)];
    let serving = Serving::within(place, WORKFLOW, &["--job-user", "20001:20002"], variables);
    let begin = Instant::now();
    assert_eq!(serving.push().exit, 0);
    serving.ended("1");
    let taken = begin.elapsed();
    let log = |job: &str| serving.get(&format!("/api/v1/runs/1/jobs/{job}/log")).text;
    assert_eq!(serving.mark("found"), "one\ntwo\nlater\n", "{}{}", log("brings"), log("finds"));
    assert!(!log("brings").contains("stay its own"), "{}", log("brings"));
    // A time limit is heard while what was made is given, and the action never begins.
    let stuck = log("stuck");
    assert!(stuck.contains("exceeded the maximum execution time of 0.1 minutes"), "{stuck}");
    assert!(!stuck.contains("actions/upload-artifact by Launchway"), "{stuck}");
    assert!(taken < STUCK_MAX, "{taken:?}");
    // Before the action, and after the last step.
    let unable = log("unable");
    let said =
        "may stay its own, and be out of reach of others: find and chown end with exit code 3";
    assert_eq!(unable.matches(said).count(), 2, "{unable}");
    let left = || daemon.docker(&["ps", "--all", "--quiet", "--filter", "label=launchway.job"]);
    assert_eq!(left().as_deref(), Some(""));
    serving.end();
}
