//! Two runs in, what differs out. Each run is a few values over a run that is equal but for them.

use event::{Fact, RunEvent, RunRequest};
use expect_test::{Expect, expect};
use serde_json::{Value as Json, json};
use views::{Compared, RunView, compare, take_in};

/// A run of two jobs: `lint` with one step, and `test` with two. `change` alters its events.
fn run(change: impl Fn(&mut Vec<Json>)) -> (RunRequest, RunView) {
    let planned = |key: &str| {
        json!({ "type": "JobPlanned", "key": key, "id": key, "name": key, "parent": null,
            "file": null, "needs": [], "matrix": null, "index": 0, "total": 1, "fail_fast": true,
            "max_parallel": null, "queued_at": 10 })
    };
    let step = |key: &str, outcome: &str, from: u64, to: u64| {
        [
            json!({ "type": "StepStarted", "job": "test", "step": key, "name": key, "at": from }),
            json!({ "type": "StepCompleted", "job": "test", "step": key, "outcome": outcome,
                "conclusion": outcome, "log": { "start_bytes": 0, "end_bytes": 9, "lines": 1 },
                "at": to }),
        ]
    };
    let mut events = vec![
        json!({ "type": "RunCreated", "run": 12, "attempt": 1, "run_number": 7, "carried": [],
            "repository": "octo/planner", "repository_path": "/src/planner",
            "workflow": { "path": ".github/workflows/ci.yml", "text": "on: push\njobs: {}\n" },
            "called": {}, "title": "Tidy", "event": { "name": "push", "git_ref": "refs/heads/main",
            "payload": {} }, "change": { "commit": "0123", "authored_at": 1, "committed_at": 2,
            "uncommitted": 0 }, "inputs": { "level": "low" }, "vars": {}, "secret_names": ["TOKEN"],
            "actor": "octocat", "triggering_actor": "octocat", "at": 0 }),
        json!({ "type": "RunStarted", "at": 10 }),
        planned("lint"),
        planned("test"),
        json!({ "type": "JobLeased", "job": "test", "fence": 1, "tracking_id": "t", "at": 20 }),
        json!({ "type": "JobStarted", "job": "test", "fence": 1, "pid": 5, "runner": "here",
            "at": 20 }),
    ];
    events.extend(step("install", "success", 1000, 2000));
    events.extend(step("unit", "success", 2000, 3000));
    events.push(
        json!({ "type": "JobCompleted", "job": "test", "fence": 1, "conclusion": "success",
        "exit": "none", "outputs": { "version": "1.0" }, "log": null, "environment_url": null,
        "at": 3000 }),
    );
    change(&mut events);
    let decode = |event: &Json| {
        let bytes = event.to_string().into_bytes();
        RunEvent::decode(&bytes).unwrap_or_else(|error| panic!("{event}: {error:?}"))
    };
    let events: Vec<RunEvent> = events.iter().map(decode).collect();
    let Some(RunEvent::RunCreated(request)) = events.first().cloned() else { panic!("a run") };
    let view = RunView::of(&events).expect("it begins with RunCreated");
    (*request, view)
}

fn check(change: impl Fn(&mut Vec<Json>), expect: Expect) {
    told(&run(|_| {}), &run(change), expect);
}

fn told(first: &(RunRequest, RunView), second: &(RunRequest, RunView), expect: Expect) {
    let found = compare(
        Compared { request: &first.0, view: &first.1 },
        Compared { request: &second.0, view: &second.1 },
    );
    let lines = found.iter().map(|it| {
        let place =
            [it.job.as_ref().map(ToString::to_string), it.step.as_ref().map(ToString::to_string)];
        let place: Vec<String> = place.into_iter().flatten().collect();
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "(none)".to_owned());
        format!("{}: {}: {} / {}\n", place.join(" › "), it.what, text(&it.first), text(&it.second))
    });
    expect.assert_eq(&lines.collect::<String>());
}

#[test]
fn what_is_equal_is_not_said() {
    check(|_| {}, expect![[""]]);
    // Numbers, times of the day and short times vary by themselves.
    check(
        |events| {
            events[0]["run"] = json!(13);
            events[0]["at"] = json!(500);
            events[9]["at"] = json!(2500);
        },
        expect![[""]],
    );
}

#[test]
fn causes_come_first() {
    check(
        |events| {
            events[0]["change"] =
                json!({ "commit": "4567", "authored_at": 1, "committed_at": 2, "uncommitted": 3 });
            events[0]["workflow"]["text"] = json!("on: push\njobs: {a: b}\n");
            events[0]["inputs"] = json!({ "level": "high", "dry": true });
            events[0]["secret_names"] = json!([]);
        },
        expect![[r#"
            : commit: 0123 / 4567
            : uncommitted files: 0 / 3
            : workflow file, line 2: jobs: {} / jobs: {a: b}
            : input dry: (none) / true
            : input level: low / high
            : secret TOKEN: set / not set
        "#]],
    );
}

#[test]
fn then_jobs_steps_and_artifacts() {
    check(
        |events| {
            events[9]["outcome"] = json!("failure");
            events[9]["conclusion"] = json!("failure");
            events[9]["at"] = json!(9000);
            events[10]["conclusion"] = json!("failure");
            events[10]["outputs"] = json!({});
            events[10]["at"] = json!(9000);
            events.insert(
                10,
                json!({ "type": "AnnotationAdded", "job": "test", "step": "unit",
                "annotation": { "level": "error", "message": "assertion failed" } }),
            );
            events.insert(
                4,
                json!({ "type": "JobPlanned", "key": "docs", "id": "docs", "name": "docs",
                "parent": null, "file": null, "needs": [], "matrix": null, "index": 0, "total": 1,
                "fail_fast": true, "max_parallel": null, "queued_at": 10 }),
            );
        },
        expect![[r#"
            test: conclusion: success / failure
            test: output version: 1.0 / (none)
            test: time: 2.9 s / 8.9 s
            test › unit: outcome: success / failure
            test › unit: time: 1.0 s / 7.0 s
            test: annotation: (none) / assertion failed
            docs: job: (none) / waiting
        "#]],
    );
    check(
        |events| drop(events.drain(8..10)),
        expect![[r#"
        test › unit: step: success / (none)
    "#]],
    );
}

#[test]
fn what_was_carried_over_is_what_it_was() {
    let uploaded = json!({ "type": "ArtifactUploaded", "job": "test", "name": "report", "blob": "0".repeat(64),
        "size_bytes": 5, "expires_at": 90_000 });
    let first = run(|events| events.insert(10, uploaded.clone()));
    let mut again = run(|events| {
        events[0]["attempt"] = json!(2);
        events[0]["carried"] = json!(["test"]);
        events.truncate(4);
        events
            .push(json!({ "type": "JobCarried", "job": "test", "from": 1, "conclusion": "success",
            "outputs": { "version": "1.0" }, "at": 20 }));
    });
    told(
        &first,
        &again,
        expect![[r#"
            test: runner: here / (none)
            test › install: step: success / (none)
            test › unit: step: success / (none)
            : artifact report: 0000000000000000000000000000000000000000000000000000000000000000 / (none)
        "#]],
    );
    take_in(&mut again.1, std::slice::from_ref(&first.1));
    told(&first, &again, expect![[r#""#]]);
}
