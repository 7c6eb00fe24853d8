//! Deployments as people look at them: one of them, its line, and what an environment has.

use event::{DeploymentEvent, DeploymentId, Fact as _};
use expect_test::{Expect, expect};
use serde_json::{Value as Json, json};
use views::{DeploymentRow, DeploymentView, Ledger};

fn known(version: &str, adopted: bool) -> Json {
    json!({ "release": release(version), "handle": null, "adopted": adopted })
}

fn release(version: &str) -> Json {
    json!({ "version": version, "digest": format!("sha256:{version}") })
}

/// A deployment of `api` to that version, with these events behind its request and its plan.
fn deployment(id: u64, version: &str, running: &Json, events: &[Json]) -> DeploymentView {
    let request = json!({
        "type": "DeploymentRequested", "project": "planner", "environment": "staging",
        "kind": "release", "by": { "name": "octocat", "proof": "local" }, "reason": "release day",
        "services": [{ "service": "api", "release": release(version), "last_good": null,
            "target": "host", "config": null, "around": [] }],
        "gates": [], "force": false, "on_cancel": "back", "at": id * 1000,
    });
    let step = |name: &str, kind: &str| {
        json!({ "key": format!("api/{name}"), "kind": kind, "what": name, "calls": [],
            "undo": { "kind": "nothing" }, "within_ms": 1, "body": null })
    };
    let plan = json!({
        "services": [{ "service": "api", "seen": null, "running": running, "changes": [],
            "steps": [step("apply", "apply"), step("health", "verify")],
            "going_back": { "kind": "first_deployment" } }],
        "order": ["api/apply", "api/health"],
    });
    let owned =
        json!({ "type": "DeploymentOwned", "fence": 1, "owner": "laptop", "at": id * 1000 });
    let hash = "ab".repeat(32);
    let planned =
        json!({ "type": "DeploymentPlanned", "plan": plan, "hash": hash, "at": id * 1000 });
    let all = [&[request, owned, planned], events].concat();
    let decode = |event: &Json| {
        DeploymentEvent::decode(event.to_string().as_bytes()).expect("an event of ours")
    };
    let events: Vec<DeploymentEvent> = all.iter().map(decode).collect();
    DeploymentView::of(DeploymentId(id), &events).expect("it begins with a request")
}

fn deed(kind: &str, name: &str, way: &str, at: u64) -> Json {
    let mut event = json!({ "type": kind, "step": format!("api/{name}"), "way": way, "at": at });
    if kind == "StepDone" {
        event["effect"] = Json::Null;
    }
    if kind == "StepFailed" {
        event["cause"] = json!({ "code": "exited", "message": "it fell over" });
    }
    event
}

fn over(verdict: &str, runs: Json, at: u64) -> Json {
    let cause =
        (verdict != "succeeded").then(|| json!({ "code": "exited", "message": "it fell over" }));
    json!({ "type": "DeploymentCompleted", "verdict": verdict, "cause": cause, "by": "launchway",
        "runs": runs, "at": at })
}

fn succeeded(id: u64, version: &str, running: &Json) -> DeploymentView {
    deployment(
        id,
        version,
        running,
        &[over("succeeded", json!({ "api": known(version, false) }), id * 1000 + 500)],
    )
}

fn rolled_back(id: u64, version: &str, running: &Json) -> DeploymentView {
    let at = id * 1000;
    let events = [
        deed("StepIntended", "apply", "forward", at),
        deed("StepFailed", "apply", "forward", at + 100),
        json!({ "type": "TurnedBack", "cause": { "code": "exited", "message": "it fell over" }, "at": at }),
        deed("StepIntended", "health", "back", at + 200),
        deed("StepDone", "health", "back", at + 300),
        over("rolled_back", json!({}), at + 500),
    ];
    deployment(id, version, running, &events)
}

fn check(views: &[DeploymentView], expect: &Expect) {
    let ledger = Ledger::of(views);
    let mut text = String::new();
    for (name, service) in &ledger.services {
        let version = |it: &event::KnownRelease| it.release.version.to_string();
        let runs = service.runs.as_ref().map(|it| (version(&it.release), it.is_unsure));
        let good = service.last_good.as_ref().map(version);
        text += &format!("{name}: runs {runs:?}, goes back to {good:?}\n");
        for line in &service.releases {
            let good = if line.is_good() { "good" } else { "bad" };
            text += &format!(
                "  {good} {} {} {}\n",
                line.release.version, line.deployment, line.verdict
            );
        }
    }
    expect.assert_eq(&text);
}

#[test]
fn the_ledger_goes_back_to_what_ran_well() {
    let nothing = Json::Null;
    let first = succeeded(1, "1.0", &nothing);
    let second = rolled_back(2, "1.1", &known("1.0", false));
    let third = succeeded(3, "1.2", &known("1.0", false));
    check(&[], &expect![[""]]);
    check(
        &[first.clone(), second.clone()],
        &expect![[r#"
        api: runs Some(("1.0", false)), goes back to Some("1.0")
          bad 1.1 2 rolled_back
          good 1.0 1 succeeded
    "#]],
    );
    check(
        &[first, second, third],
        &expect![[r#"
        api: runs Some(("1.2", false)), goes back to Some("1.2")
          good 1.2 3 succeeded
          bad 1.1 2 rolled_back
          good 1.0 1 succeeded
    "#]],
    );
}

#[test]
fn what_was_found_running_is_good_once_it_was_verified() {
    let found = known("0.9", true);
    let unchanged = json!({ "type": "DeploymentCompleted", "verdict": "succeeded", "cause": null,
        "by": "launchway", "unchanged": true, "runs": { "api": found }, "at": 1500 });
    let looked_at = deployment(1, "0.9", &found, &[unchanged]);
    check(
        std::slice::from_ref(&looked_at),
        &expect![[r#"
        api: runs Some(("0.9", false)), goes back to None
    "#]],
    );
    check(
        &[looked_at, rolled_back(2, "1.0", &found)],
        &expect![[r#"
            api: runs Some(("0.9", false)), goes back to Some("0.9")
              bad 1.0 2 rolled_back
              good 0.9 1 succeeded
        "#]],
    );
}

#[test]
fn a_stuck_way_back_leaves_nobody_sure() {
    let stuck =
        deployment(2, "1.1", &known("1.0", false), &[over("rollback_stuck", json!({}), 2500)]);
    check(
        &[succeeded(1, "1.0", &Json::Null), stuck],
        &expect![[r#"
        api: runs Some(("1.0", true)), goes back to Some("1.0")
          bad 1.1 2 rollback_stuck
          good 1.0 1 succeeded
    "#]],
    );
}

#[test]
fn a_deployment_is_told_step_by_step() {
    let view = rolled_back(2, "1.1", &known("1.0", false));
    let row = DeploymentRow::from(&view);
    expect![[r#"rolled_back Some("it fell over") octocat Some(500) [("api/apply", true, None), ("api/health", false, Some(true))]"#]].assert_eq(&format!(
        "{} {:?} {} {:?} {:?}",
        row.standing,
        row.cause,
        row.by,
        row.duration_ms,
        view.steps
            .iter()
            .map(|it| (
                it.key.as_str(),
                it.forward.is_some(),
                it.back.as_ref().map(views::DeedView::is_done)
            ))
            .collect::<Vec<_>>()
    ));
    let begun =
        deployment(3, "1.1", &Json::Null, &[deed("StepIntended", "apply", "forward", 3000)]);
    let (step, way) = begun.under_way().expect("it is under way");
    assert_eq!(
        (step.key.as_str(), way, begun.standing()),
        ("api/apply", event::Way::Forward, "in progress")
    );
}
