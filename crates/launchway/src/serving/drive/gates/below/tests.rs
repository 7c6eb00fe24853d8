//! What runs of a commit say of an environment, in a line each: `RUN FILE JOB@ENVIRONMENT=END ...`, newest first. An
//! end of `-` is none yet, and one with a `*` was carried over.

use event::{Fact as _, RunEvent};
use expect_test::{Expect, expect};
use serde_json::json;

use super::*;

fn decode(event: &serde_json::Value) -> RunEvent {
    RunEvent::decode(event.to_string().as_bytes()).expect("an event")
}

fn view(line: &str) -> RunView {
    let mut words = line.split_whitespace();
    let mut word = || words.next().expect("it has a run and a file");
    let (run, attempt) = word().split_once('.').expect("a run and its attempt");
    let number = |text: &str| text.parse::<u64>().expect("a number");
    let mut events =
        vec![json!({ "type": "RunCreated", "run": number(run), "attempt": number(attempt),
        "run_number": 7, "carried": [], "repository": "octo/app", "repository_path": "/srv/app.git",
        "workflow": { "path": word(), "text": "" }, "called": {}, "title": "Tidy",
        "event": { "name": "push", "git_ref": "refs/heads/main", "payload": {} },
        "change": { "commit": "0123", "authored_at": 1, "committed_at": 2, "uncommitted": 0 },
        "inputs": {}, "vars": {}, "secret_names": [], "actor": "mona", "triggering_actor": "mona",
        "at": 0 })];
    for job in words {
        let (key, rest) = job.split_once('@').expect("a job");
        let (environment, end) = rest.split_once('=').expect("its environment");
        events.push(json!({ "type": "JobPlanned", "key": key, "id": key, "name": key,
            "parent": null, "file": null, "needs": [], "matrix": null, "index": 0, "total": 1,
            "fail_fast": true, "max_parallel": null, "queued_at": 10, "environment": environment }));
        events.extend(match (end, end.strip_suffix('*')) {
            ("-", _) => None,
            ("skipped", _) => Some(json!({ "type": "JobSkipped", "job": key,
                "reason": { "kind": "caller" }, "at": 20 })),
            (_, Some(end)) => Some(json!({ "type": "JobCarried", "job": key,
                "conclusion": end, "outputs": {}, "from": 1 })),
            (end, None) => Some(json!({ "type": "JobCompleted", "job": key, "fence": null,
                "conclusion": end, "exit": "none", "outputs": {}, "log": null,
                "environment_url": null, "at": 20 })),
        });
    }
    let events: Vec<RunEvent> = events.iter().map(decode).collect();
    RunView::of(&events).expect("it begins with RunCreated")
}

fn check(runs: &[&str], expect: &Expect) {
    let views: Vec<RunView> = runs.iter().map(|it| view(it)).collect();
    expect.assert_eq(&match by_jobs(views.iter(), "staging") {
        There::Never => "never".to_owned(),
        There::Well => "well".to_owned(),
        There::Not(why) => why,
    });
}

#[test]
fn a_commit_ended_well_where_all_jobs_did_that_its_run_came_to() {
    check(&[], &expect!["never"]);
    check(&["1.1 ci.yml a@production=success"], &expect!["never"]);
    check(&["1.1 ci.yml a@staging=skipped"], &expect!["never"]);
    check(&["1.1 ci.yml a@Staging=success b@staging=skipped"], &expect!["well"]);
    check(&["1.1 ci.yml a@staging=success b@staging=-"], &expect!["is under way there (run 1.1)"]);
    check(
        &["1.1 ci.yml a@staging=success b@staging=failure c@staging=-"],
        &expect!["ended there with failure (run 1.1)"],
    );
    check(&["1.1 ci.yml a@staging=timed_out"], &expect!["ended there with timed_out (run 1.1)"]);
    check(&["1.1 ci.yml a@staging=cancelled"], &expect!["ended there with cancelled (run 1.1)"]);
}

#[test]
fn of_one_file_the_newest_run_counts_that_came_there() {
    let failed = "1.1 ci.yml a@staging=failure b@staging=success";
    check(&["1.2 ci.yml a@staging=success b@staging=success*", failed], &expect!["well"]);
    check(&["2.1 ci.yml a@staging=success", failed], &expect!["well"]);
    check(&["2.1 ci.yml t@qa=success", failed], &expect!["ended there with failure (run 1.1)"]);
    check(
        &["2.1 ci.yml a@staging=failure", "1.1 ci.yml a@staging=success"],
        &expect!["ended there with failure (run 2.1)"],
    );
    // What another file does there has to end well, too.
    check(
        &["2.1 web.yml a@staging=success", "1.1 api.yml a@staging=failure"],
        &expect!["ended there with failure (run 1.1)"],
    );
    check(&["2.1 web.yml a@staging=success", "1.1 api.yml a@staging=success"], &expect!["well"]);
}
