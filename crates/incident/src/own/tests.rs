//! Deployments one behind the other, and the incidents that they open and end.

use event::{
    DeploymentEvent, Digest, Envelope, Fact as _, IncidentEvent, IncidentId, Seq, StreamId,
};
use expect_test::{Expect, expect};
use serde_json::{Value as Json, json};

use super::*;

/// A deployment of these services that changed all but the last ones, which it did not come to.
fn deployment(
    id: u64,
    kind: &str,
    services: &[&str],
    missed: &[&str],
    end: &Json,
) -> DeploymentView {
    let release = json!({ "version": "1", "digest": "sha256:1" });
    let service = |name: &&str| {
        json!({ "service": name, "release": release, "last_good": null, "target": "host",
            "config": null, "around": [] })
    };
    let step = |name: &str| {
        json!({ "key": format!("{name}/apply"), "kind": "apply", "what": "does it", "calls": [],
            "undo": { "kind": "nothing" }, "within_ms": 1, "body": null })
    };
    let planned = |name: &&str| {
        json!({ "service": name, "seen": null, "running": null, "changes": [],
            "steps": [step(name)], "going_back": { "kind": "first_deployment" } })
    };
    let all = [services, missed].concat();
    let order: Vec<_> = all.iter().map(|it| format!("{it}/apply")).collect();
    let at = id * 1000;
    let mut events = vec![
        json!({ "type": "DeploymentRequested", "project": "planner", "environment": "production",
            "kind": kind, "by": { "name": "octocat", "proof": "local" }, "reason": null,
            "services": all.iter().map(service).collect::<Vec<_>>(), "gates": [], "force": false,
            "on_cancel": "back", "at": at }),
        json!({ "type": "DeploymentPlanned", "hash": "ab".repeat(32), "at": at, "plan": {
            "services": all.iter().map(planned).collect::<Vec<_>>(), "order": order } }),
    ];
    events.extend(services.iter().map(|it| {
        json!({ "type": "StepIntended", "step": format!("{it}/apply"), "way": "forward",
            "at": at + 1 })
    }));
    events.push(json!({ "type": "DeploymentCompleted", "verdict": end["verdict"], "cause": null,
        "by": "launchway", "unchanged": end["unchanged"] == true, "runs": {}, "at": at + 500 }));
    let decode = |event: &Json| {
        DeploymentEvent::decode(event.to_string().as_bytes()).expect("an event of ours")
    };
    let events: Vec<DeploymentEvent> = events.iter().map(decode).collect();
    DeploymentView::of(DeploymentId(id), &events).expect("it begins with a request")
}

fn failed(id: u64, services: &[&str], missed: &[&str]) -> DeploymentView {
    deployment(id, "release", services, missed, &json!({ "verdict": "failed" }))
}

fn succeeded(id: u64, kind: &str, services: &[&str]) -> DeploymentView {
    deployment(id, kind, services, &[], &json!({ "verdict": "succeeded" }))
}

/// What the second and all that follow say of the incident that the first one opens.
fn check(deployments: &[DeploymentView], expected: &Expect) {
    let (first, rest) = deployments.split_first().expect("one that broke something");
    let opened = own(first, &mut [], Timestamp(1_000_000)).remove(0);
    let mut events: Vec<Envelope<IncidentEvent>> = Vec::new();
    let take = |own: &Own, events: &mut Vec<Envelope<IncidentEvent>>| {
        let mut said = String::new();
        for (wish, told) in &own.told {
            let known = IncidentView::of(IncidentId(1), events);
            for event in crate::decide(known.as_ref(), wish, told).expect("it can be so") {
                said.push_str(&format!(" {}", event.kind()));
                events.push(Envelope {
                    stream: StreamId::Incident(IncidentId(1)),
                    seq: Seq(events.len() as u64 + 1),
                    at: Timestamp(0),
                    digest: Digest::ZERO,
                    event,
                });
            }
        }
        said
    };
    let mut said = format!("{}:{}\n", first.id, take(&opened, &mut events));
    let incident = IncidentView::of(IncidentId(1), &events).expect("it is opened");
    let mut open = vec![Broken::of(incident, first)];
    for view in rest {
        let told: String = own(view, &mut open, Timestamp(1_000_000))
            .iter()
            .map(|it| take(it, &mut events))
            .collect();
        said.push_str(&format!("{}:{told}\n", view.id));
    }
    let view = IncidentView::of(IncidentId(1), &events).expect("it is opened");
    let over = if view.is_open() { "open" } else { "over" };
    said.push_str(&format!("{over}, fixed by {:?}\n", view.fixed_by));
    expected.assert_eq(&said);
}

#[test]
fn what_ships_another_service_ends_nothing() {
    check(
        &[
            failed(1, &["web"], &[]),
            succeeded(2, "release", &["worker"]),
            succeeded(3, "release", &["web", "worker"]),
        ],
        &expect![[r#"
            1: IncidentOpened
            2:
            3: IncidentResolved
            over, fixed by {}
        "#]],
    );
}

#[test]
fn what_changes_nothing_ends_nothing() {
    let same = json!({ "verdict": "succeeded", "unchanged": true });
    check(
        &[failed(1, &["web"], &[]), deployment(2, "redeploy", &["web"], &[], &same)],
        &expect![[r#"
            1: IncidentOpened
            2:
            open, fixed by {}
        "#]],
    );
}

#[test]
fn it_is_over_with_the_last_of_what_was_changed() {
    check(
        &[
            failed(1, &["web", "worker"], &["mailer"]),
            succeeded(2, "hotfix", &["worker"]),
            succeeded(3, "hotfix", &["worker"]),
            succeeded(4, "release", &["web"]),
        ],
        &expect![[r#"
            1: IncidentOpened
            2:
            3:
            4: IncidentLinked IncidentResolved
            over, fixed by {Deployment(DeploymentId(2))}
        "#]],
    );
}
