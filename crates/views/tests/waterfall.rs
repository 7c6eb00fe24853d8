//! Where the time of a run went. A line of a script is a job: what it needs, and at which second it was planned,
//! ready, leased, at its first step, and over; `-` where it did not come so far,
//! `40?` where its worker was lost then. `leg of build` is a leg,
//! `inner in build` a job of the workflow that it calls.

use std::fmt::Write as _;

use event::{Fact as _, RunEvent, Timestamp};
use expect_test::{Expect, expect};
use serde_json::{Value as Json, json};
use views::{Part, PartKind, RunView, Waterfall};

/// What goes on does so until now.
const NOW: u64 = 100;

/// `test needs build lint: 10 10 12 14 30`; `10 10,20 22 24 30` was lost, and started again at 20.
fn view(script: &str) -> RunView {
    let lines: Vec<&str> = script.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
    let names: Vec<(&str, &str)> = lines
        .iter()
        .map(|it| it.split_once(':').expect("a job and its times"))
        .map(|(head, times)| (head.trim(), times.trim()))
        .collect();
    let mut legs: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut calls: Vec<(&str, Vec<Json>)> = Vec::new();
    let mut declared = Vec::new();
    for (head, _) in &names {
        let mut words = head.split_whitespace();
        let name = words.next().expect("a name");
        let rest: Vec<&str> = words.collect();
        match rest.as_slice() {
            ["leg", "of", of] => match legs.iter_mut().find(|(known, _)| known == of) {
                Some((_, legs)) => legs.push(name),
                None => legs.push((of, vec![name])),
            },
            ["in", of, rest @ ..] => {
                let needs = rest.iter().filter(|it| **it != "needs").collect::<Vec<_>>();
                let inner = json!({ "key": name, "id": name, "needs": needs });
                match calls.iter_mut().find(|(known, _)| known == of) {
                    Some((_, inside)) => inside.push(inner),
                    None => calls.push((of, vec![inner])),
                }
            }
            rest => {
                let needs = rest.iter().filter(|it| **it != "needs").collect::<Vec<_>>();
                declared.push(json!({ "key": name, "id": name, "needs": needs }));
            }
        }
    }
    let mut events = vec![
        created(),
        json!({ "type": "JobsDeclared", "parent": null, "file": null, "jobs": declared }),
        json!({ "type": "RunStarted", "at": 0 }),
    ];
    for (of, legs) in legs {
        events.push(json!({ "type": "JobExpanded", "job": of, "children": legs, "at": 1 }));
    }
    for (of, jobs) in calls {
        events.push(json!({ "type": "JobsDeclared", "parent": of, "file": null, "jobs": jobs }));
    }
    for (head, times) in &names {
        let name = head.split_whitespace().next().expect("a name");
        let needs: Vec<&str> = match head.split_once(" needs ") {
            Some((_, needs)) => needs.split_whitespace().collect(),
            None => Vec::new(),
        };
        events.extend(job(name, &needs, times));
    }
    let events: Vec<RunEvent> = events
        .iter()
        .map(|it| RunEvent::decode(it.to_string().as_bytes()).expect("an event"))
        .collect();
    RunView::of(&events).expect("it begins with RunCreated")
}

fn created() -> Json {
    json!({ "type": "RunCreated", "run": 12, "attempt": 1, "run_number": 7, "carried": [],
        "repository": "octo/planner", "repository_path": "/src/planner",
        "workflow": { "path": ".github/workflows/ci.yml", "text": "on: push" }, "called": {},
        "title": "Tidy the shelves",
        "event": { "name": "push", "git_ref": "refs/heads/main", "payload": {} },
        "change": { "commit": "0123456789abcdef0123456789abcdef01234567", "authored_at": 1,
            "committed_at": 2, "uncommitted": 0 },
        "inputs": {}, "vars": {}, "secret_names": [], "actor": "octocat",
        "triggering_actor": "octocat", "at": 0 })
}

fn job(name: &str, needs: &[&str], times: &str) -> Vec<Json> {
    if times == "skipped" {
        let reason = json!({ "kind": "condition", "expression": "false" });
        return vec![json!({ "type": "JobSkipped", "job": name, "reason": reason, "at": 5 })];
    }
    let (times, again) = match times.split_once(',') {
        Some((before, rest)) => {
            let (again, rest) = rest.split_once(' ').expect("what came then");
            (format!("{before} {rest}"), again.parse::<u64>().ok())
        }
        None => (times.to_owned(), None),
    };
    let lost = times.split_whitespace().last().and_then(|it| it.strip_suffix('?'));
    let lost: Option<u64> = lost.map(|it| it.parse().expect("a time"));
    let times: Vec<Option<u64>> = times.split_whitespace().map(|it| it.parse().ok()).collect();
    let &[planned, ready, leased, step, over] = times.as_slice() else { return Vec::new() };
    let mut events = Vec::new();
    events.extend(planned.map(|at| {
        json!({ "type": "JobPlanned", "key": name, "id": name, "name": name, "parent": null,
            "file": null, "needs": needs, "matrix": null, "index": 0, "total": 1,
            "fail_fast": true, "max_parallel": null, "queued_at": at })
    }));
    events.extend(ready.map(|at| json!({ "type": "JobReady", "job": name, "at": at })));
    if let Some((ready, again)) = ready.zip(again) {
        events.push(json!({ "type": "JobLeased", "job": name, "fence": 1, "tracking_id": "t",
            "at": ready + 1 }));
        events.push(step_began(name, "0", ready + 2));
        events.push(json!({ "type": "JobLost", "job": name, "fence": 1, "reason": "gone",
            "at": again - 1 }));
        events.push(json!({ "type": "JobRequeued", "job": name, "by": null, "at": again }));
    }
    if let Some(at) = leased {
        let lease = json!({ "type": "JobLeased", "job": name, "fence": 1, "tracking_id": "t",
            "at": at });
        events.push(lease);
        events.push(step_began(name, "__setup", at));
        events.push(step_over(name, "__setup", step.or(over).unwrap_or(at)));
    }
    if let Some(at) = step {
        events.push(step_began(name, "0", at));
        events.push(step_over(name, "0", over.unwrap_or(at)));
    }
    events.extend(lost.map(|at| {
        json!({ "type": "JobLost", "job": name, "fence": 1, "reason": "its worker is gone",
            "at": at })
    }));
    events.extend(over.map(|at| {
        json!({ "type": "JobCompleted", "job": name, "fence": 1, "conclusion": "success",
            "exit": "none", "outputs": {}, "log": null, "environment_url": null, "at": at })
    }));
    events
}

fn step_began(job: &str, step: &str, at: u64) -> Json {
    json!({ "type": "StepStarted", "job": job, "fence": 1, "step": step, "name": step,
        "background": false, "at": at })
}

fn step_over(job: &str, step: &str, at: u64) -> Json {
    json!({ "type": "StepCompleted", "job": job, "fence": 1, "step": step, "outcome": "success",
        "conclusion": "success", "log": { "start_bytes": 0, "end_bytes": 0, "lines": 0 },
        "at": at })
}

fn told(waterfall: &Waterfall) -> String {
    let mut text = format!("{} to {}\n", waterfall.since, waterfall.until);
    for row in &waterfall.rows {
        let sign = if row.is_critical { "*" } else { " " };
        let _ = write!(text, "{sign} {:indent$}{}", "", row.job, indent = 2 * row.depth);
        if row.legs > 0 {
            let _ = write!(text, " x{}", row.legs);
        }
        for part in &row.parts {
            let _ = write!(text, ", {} {}-{}", named(part.kind), part.since, part.until);
        }
        if row.legs > 0 {
            let times = row.times_ms.iter().map(|(kind, ms)| format!("{} {ms}", named(*kind)));
            let _ = write!(text, "; together {}", times.collect::<Vec<_>>().join(", "));
        }
        text.push('\n');
    }
    if waterfall.left_out > 0 {
        let _ = writeln!(text, "and {} more", waterfall.left_out);
    }
    text
}

fn named(kind: PartKind) -> &'static str {
    match kind {
        PartKind::Gate => "gate",
        PartKind::Lost => "lost",
        PartKind::Queue => "queue",
        PartKind::SetUp => "set-up",
        PartKind::Steps => "steps",
    }
}

fn check(script: &str, expect: Expect) {
    let waterfall = view(script).waterfall(Timestamp(NOW));
    expect.assert_eq(&told(&waterfall));
    for row in &waterfall.rows {
        let follows = |it: &[Part]| match row.legs {
            0 => it[0].until == it[1].since,
            _ => it[0].until <= it[1].since,
        };
        assert!(row.parts.windows(2).all(follows), "{row:?}");
    }
}

#[test]
fn parts_follow_each_other() {
    check(
        "build: 0 5 7 9 30",
        expect![[r#"
        0 to 100
        * build, gate 0-5, queue 5-7, set-up 7-9, steps 9-30
    "#]],
    );
    // What took no time is not there; what goes on does so until now.
    check(
        "build: 0 0 0 0 30",
        expect![[r#"
        0 to 100
        * build, steps 0-30
    "#]],
    );
    check(
        "build: 0 5 7 - -",
        expect![[r#"
        0 to 100
        * build, gate 0-5, queue 5-7, set-up 7-100
    "#]],
    );
    check(
        "build: 0 - - - -",
        expect![[r#"
        0 to 100
        * build, gate 0-100
    "#]],
    );
    // Its worker was lost, and it waited for another one.
    check(
        "build: 0 5,20 27 29 50",
        expect![[r#"
        0 to 100
        * build, gate 0-5, lost 5-20, queue 20-27, set-up 27-29, steps 29-50
    "#]],
    );
    check(
        "build: 0 5,20 - - -",
        expect![[r#"
        0 to 100
        * build, gate 0-5, lost 5-20, queue 20-100
    "#]],
    );
    // It failed before its first step; a clock was set back.
    check(
        "build: 0 5 7 - 30",
        expect![[r#"
        0 to 100
        * build, gate 0-5, queue 5-7, set-up 7-30
    "#]],
    );
    check(
        "build: 9 5 7 6 30",
        expect![[r#"
        0 to 100
        * build, steps 9-30
    "#]],
    );
}

#[test]
fn what_ended_last_and_what_it_needed_is_the_critical_path() {
    check(
        "lint: 0 0 1 2 10
         build: 0 0 1 2 20
         docs needs lint: 10 10 11 12 15
         test needs lint build: 20 20 22 23 40",
        expect![[r#"
            0 to 100
              lint, queue 0-1, set-up 1-2, steps 2-10
            * build, queue 0-1, set-up 1-2, steps 2-20
              docs, queue 10-11, set-up 11-12, steps 12-15
            * test, queue 20-22, set-up 22-23, steps 23-40
        "#]],
    );
    // One that goes on ends last; one that was skipped took no time.
    check(
        "lint: 0 0 1 2 10
         build needs lint: skipped
         test needs lint: 10 10 11 12 -
         docs needs lint: 10 10 11 12 90",
        expect![[r#"
            0 to 100
            * lint, queue 0-1, set-up 1-2, steps 2-10
            * test, queue 10-11, set-up 11-12, steps 12-100
              docs, queue 10-11, set-up 11-12, steps 12-90
        "#]],
    );
    // What was skipped stands for what it needed, and so does what it needed where that was skipped, too.
    check(
        "lint: 0 0 1 2 10
         build: 0 0 1 2 20
         sign needs build lint: skipped
         deploy needs sign: skipped
         notify needs deploy: 20 20 21 22 30",
        expect![[r#"
            0 to 100
              lint, queue 0-1, set-up 1-2, steps 2-10
            * build, queue 0-1, set-up 1-2, steps 2-20
            * notify, queue 20-21, set-up 21-22, steps 22-30
        "#]],
    );
}

#[test]
fn layers_of_jobs_that_were_skipped_are_walked_once() {
    let name = |layer: usize, at: usize| format!("job-{layer}-{at}");
    let mut lines = vec!["first: 0 0 1 2 10".to_owned()];
    for layer in 0..20 {
        let before = (0..layer).flat_map(|it| (0..3).map(move |at| name(it, at)));
        let needs: Vec<String> = ["first".to_owned()].into_iter().chain(before).collect();
        let jobs =
            (0..3).map(|at| format!("{} needs {}: skipped", name(layer, at), needs.join(" ")));
        lines.extend(jobs);
    }
    lines.push(format!("last needs {}: 20 20 21 22 30", name(19, 0)));
    let path = view(&lines.join("\n")).waterfall(Timestamp(NOW)).critical;
    assert_eq!(path.iter().map(event::JobKey::as_str).collect::<Vec<_>>(), ["first", "last"]);
}

#[test]
fn the_critical_path_leads_through_jobs_that_did_not_run() {
    let check = |script: &str, expect: &[&str]| {
        let needs = view(script).waterfall(Timestamp(NOW)).critical_needs;
        let needs: Vec<String> = needs.iter().map(|(need, job)| format!("{need} {job}")).collect();
        assert_eq!(needs, expect, "{script}");
    };
    check(
        "lint: 0 0 1 2 10
         build: 0 0 1 2 20
         test needs lint build: 20 20 22 23 40",
        &["build test"],
    );
    check(
        "lint: 0 0 1 2 10
         build needs lint: skipped
         test needs build: 10 10 11 12 40",
        &["build test", "lint build"],
    );
    // Every way from one to the other, and none that leads elsewhere.
    check(
        "docs: 0 0 1 2 5
         lint: 0 0 1 2 10
         build needs lint: skipped
         scan needs docs lint: skipped
         sign needs build docs: skipped
         test needs lint scan sign: 10 10 11 12 40",
        &["build sign", "lint build", "lint scan", "lint test", "scan test", "sign test"],
    );
    check("lint: 0 0 1 2 10", &[]);
}

#[test]
fn what_the_run_itself_waited_for_is_told() {
    let check = |started: Option<u64>, expect: Option<(u64, u64)>| {
        let mut events = vec![created()];
        events.extend(started.map(|at| json!({ "type": "RunStarted", "at": at })));
        let decode = |it: &Json| RunEvent::decode(it.to_string().as_bytes()).expect("an event");
        let events: Vec<RunEvent> = events.iter().map(decode).collect();
        let view = RunView::of(&events).expect("it begins with RunCreated");
        let waited = view.waterfall(Timestamp(NOW)).waited;
        assert_eq!(waited.map(|it| (it.since.0, it.until.0)), expect, "{started:?}");
    };
    check(Some(0), None);
    check(Some(40), Some((0, 40)));
    check(None, Some((0, NOW)));
}

#[test]
fn a_job_that_waits_for_a_person_goes_on() {
    check(
        "build: 0 0 1 2 20?
         lint: 0 0 1 2 30
         sign: 0 0 1 - 40?",
        expect![[r#"
            0 to 100
              build, queue 0-1, set-up 1-2, steps 2-20, lost 20-100
              lint, queue 0-1, set-up 1-2, steps 2-30
            * sign, queue 0-1, set-up 1-40, lost 40-100
        "#]],
    );
    check(
        "test: - - - - -
         test-1 leg of test: 0 0 1 2 20?
         test-2 leg of test: 0 0 1 2 30
         lint: 0 0 1 2 40",
        expect![[r#"
            0 to 100
            * test x2, queue 0-1, set-up 1-2, steps 2-30, lost 30-100; together lost 80, queue 2, set-up 2, steps 46
              lint, queue 0-1, set-up 1-2, steps 2-40
        "#]],
    );
}

#[test]
fn legs_are_one_row_that_says_what_the_furthest_did() {
    check(
        "test: - - - - -
         test-1 leg of test: 0 0 1 2 10
         test-2 leg of test: 0 4 8 9 30
         test-3 leg of test: 0 - - - -
         ship needs test: - - - - -",
        expect![[r#"
            0 to 100
            * test x3, queue 0-1, set-up 1-2, steps 2-30, gate 30-100; together gate 104, queue 5, set-up 2, steps 29
        "#]],
    );
    // One after the other; what one waits for while another works is counted, and not drawn.
    check(
        "test: - - - - -
         test-1 leg of test: 0 0 1 2 10
         test-2 leg of test: 0 10 20 22 30",
        expect![[r#"
            0 to 100
            * test x2, queue 0-1, set-up 1-2, steps 2-10, queue 10-20, set-up 20-22, steps 22-30; together gate 10, queue 11, set-up 3, steps 16
        "#]],
    );
}

#[test]
fn inner_jobs_have_rows_of_their_own() {
    // The gate of an inner job is no step of the one that calls it.
    check(
        "ship: - - - - -
         build in ship: 0 0 1 2 10
         deploy in ship needs build: 10 50 52 53 60
         notify needs ship: 60 60 60 60 70",
        expect![[r#"
            0 to 100
            * ship x2, queue 0-1, set-up 1-2, steps 2-10, gate 10-50, queue 50-52, set-up 52-53, steps 53-60; together gate 40, queue 3, set-up 2, steps 15
                build, queue 0-1, set-up 1-2, steps 2-10
                deploy, gate 10-50, queue 50-52, set-up 52-53, steps 53-60
            * notify, steps 60-70
        "#]],
    );
    // A matrix of calls: each of its legs is one.
    check(
        "ship: - - - - -
         ship-1 leg of ship: - - - - -
         ship-2 leg of ship: - - - - -
         build-1 in ship-1: 0 0 1 2 10
         build-2 in ship-2: 0 0 1 2 20
         deploy-2 in ship-2 needs build-2: 20 - - - -",
        expect![[r#"
            0 to 100
            * ship x3, queue 0-1, set-up 1-2, steps 2-20, gate 20-100; together gate 80, queue 2, set-up 2, steps 26
                ship-1 x1, queue 0-1, set-up 1-2, steps 2-10; together queue 1, set-up 1, steps 8
                  build-1, queue 0-1, set-up 1-2, steps 2-10
                ship-2 x2, queue 0-1, set-up 1-2, steps 2-20, gate 20-100; together gate 80, queue 1, set-up 1, steps 18
                  build-2, queue 0-1, set-up 1-2, steps 2-20
                  deploy-2, gate 20-100
        "#]],
    );
}

#[test]
fn of_many_jobs_the_critical_ones_and_the_first_ones_stand_there() {
    let jobs: Vec<String> =
        (0..150).map(|at| format!("job-{at}: {at} {at} {at} {at} {}", at + 1)).collect();
    let waterfall = view(&jobs.join("\n")).waterfall(Timestamp(NOW));
    assert_eq!((waterfall.rows.len(), waterfall.left_out), (100, 50));
    assert_eq!(waterfall.rows[98].job.as_str(), "job-98");
    assert_eq!(waterfall.rows[99].job.as_str(), "job-149");
}
