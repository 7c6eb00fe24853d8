//! What jobs deploy is counted: runs in, figures out. A line of a script is a run, ten hours behind the one
//! before it: what made it, where, its commits (each two hours older than the run), and how each job
//! ended, by its environment.

mod asked;
mod before;
mod commits;
mod ends;
mod journal;

use expect_test::expect;
use serde_json::json;

use crate::journal::{Journal, check};

#[test]
fn jobs_that_name_an_environment_are_deployments() {
    check(
        "push main c1: -=success production=success production=success staging=success
         push main c2 c3: production=success
         push main c4: -=success",
        expect![[r#"
            production deploy.yml: 2 deployed, failed 0/2, rework 0
              run/1/1 release succeeded of c1
              run/2/1 release succeeded of c3 +c2 2.75h +c3 2.75h
        "#]],
    );
}

#[test]
fn a_job_that_ran_the_command_is_counted_once() {
    let mut journal = Journal::of("");
    journal.deployed_by_a_job(10);
    journal.line("push main c1: production=success staging=success");
    let told = journal.told();
    let expect = expect![[r#"
        production api: 1 deployed, failed 0/1, rework 0
          deployment/1 release succeeded of 1
        staging deploy.yml: 1 deployed, failed 0/1, rework 0
          run/1/1 release succeeded of c1
    "#]];
    expect.assert_eq(&told);
}

#[test]
fn a_job_whose_command_changed_nothing_shipped_nothing() {
    let mut journal = Journal::of("");
    journal.deployed(10, json!({ "job": "track-10-job-0" }), true);
    journal.line("push main c1: production=success");
    assert_eq!(journal.told(), "");
    // A task is none: what ran beside it counts.
    let mut journal = Journal::of("");
    journal.deployed(10, json!({ "job": "track-10-job-0", "kind": "task" }), false);
    journal.line("push main c1: production=success");
    let expect = expect![[r#"
        production deploy.yml: 1 deployed, failed 0/1, rework 0
          run/1/1 release succeeded of c1
    "#]];
    expect.assert_eq(&journal.told());
}

#[test]
fn an_environment_is_the_same_in_any_case() {
    check(
        "push main c1: Production=success
         push main c2: production=success",
        expect![[r#"
            Production deploy.yml: 2 deployed, failed 0/2, rework 0
              run/1/1 release succeeded of c1
              run/2/1 release succeeded of c2 +c2 2.75h
        "#]],
    );
}
