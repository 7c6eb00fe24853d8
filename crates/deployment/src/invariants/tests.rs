//! For each invariant a planted fault: a state that no event leads to, and that it catches.

use event::{
    Actor, By, Cause, CauseCode, DeployStepKey, DeployStepKind, DeploymentKind, DeploymentPlan,
    DeploymentRequest, Fence, GateDemand, GateKey, GoingBack, OnCancel, PlannedStep, Protection,
    Release, Rules, ServicePlan, ServiceRequest, Timestamp, Undo, Verdict,
};
use mask::MaskedText;
use serde_json::Value as Json;

use super::*;
use crate::state::Gate;

fn text(text: &str) -> MaskedText {
    MaskedText::without_secrets(text)
}

fn person(name: &str) -> Actor {
    Actor { name: text(name), proof: "local".into(), source: None, address: None }
}

fn step(name: &str, kind: DeployStepKind, undo: Undo) -> PlannedStep {
    PlannedStep {
        key: key(name),
        kind,
        what: text(name),
        calls: Vec::new(),
        undo,
        within_ms: 1_000,
        body: Json::Null,
    }
}

fn key(name: &str) -> DeployStepKey {
    DeployStepKey::new("api", name)
}

/// A deployment of one service, owned and planned: apply, switch, health, retire.
fn sound() -> State {
    use DeployStepKind::{Apply, Retire, Switch, Verify};
    let undo = || Undo::Step { what: text("it is taken back") };
    let steps = vec![
        step("apply", Apply, undo()),
        step("switch", Switch, undo()),
        step("health", Verify, Undo::Nothing),
        step("retire", Retire, Undo::Never { why: text("it is gone") }),
    ];
    let order = steps.iter().map(|step| step.key.clone()).collect();
    let service = ServicePlan {
        service: "api".into(),
        seen: Json::Null,
        running: None,
        changes: Vec::new(),
        steps,
        going_back: GoingBack::FirstDeployment,
        notes: Vec::new(),
    };
    let plan = DeploymentPlan { services: vec![service], order };
    let release =
        Release { version: "2.0".into(), digest: "sha256:2".into(), location: None, commit: None };
    let wanted = ServiceRequest {
        service: "api".into(),
        release,
        restores: None,
        last_good: None,
        target: "host".into(),
        config: Json::Null,
        around: Vec::new(),
    };
    let request = DeploymentRequest {
        project: "planner".into(),
        environment: "staging".into(),
        kind: DeploymentKind::Release,
        by: person("octocat"),
        reason: None,
        services: vec![wanted],
        gates: Vec::new(),
        force: false,
        commits: Vec::new(),
        planned: true,
        on_cancel: OnCancel::Back,
        protection: None,
        job: None,
        at: Timestamp(1),
    };
    let hash = plan.hash();
    State {
        request: Some(Box::new(request)),
        fence: Fence(1),
        plan: Some((Box::new(plan), hash)),
        moved_at: Timestamp(10),
        ..State::default()
    }
}

fn deeds(names: &[&str], last: Outcome) -> Vec<Deed> {
    let mut deeds: Vec<Deed> = names
        .iter()
        .map(|name| Deed { step: key(name), since: Timestamp(2), outcome: Outcome::Done })
        .collect();
    if let Some(deed) = deeds.last_mut() {
        deed.outcome = last;
    }
    deeds
}

fn failed() -> Outcome {
    Outcome::Failed(cause())
}

fn cause() -> Cause {
    Cause::new(CauseCode::Exited, text("it fell over"))
}

fn over(verdict: Verdict) -> Option<Ended> {
    let (vacuous, unchanged) = (false, false);
    let runs = std::collections::BTreeMap::new();
    Some(Ended { verdict, cause: None, by: By::Launchway, vacuous, unchanged, runs })
}

fn gate(demand: GateDemand, signed: &[&str], open: bool) -> (GateKey, Gate) {
    let signed = signed.iter().map(|name| person(name)).collect();
    (demand.key(), Gate { demand, announced: true, signed, until: None, open })
}

/// The sound state holds; with the fault this one breaks, and it alone is asked.
fn catches(invariant: &str, plant: impl FnOnce(&mut State)) {
    let mut state = sound();
    assert_eq!(check(&state), Ok(()));
    plant(&mut state);
    let found = INVARIANTS.iter().find(|it| it.name == invariant).expect("an invariant");
    assert!((found.rule)(&state).is_some(), "{invariant} does not catch it");
}

#[test]
fn every_invariant_catches_a_planted_fault() {
    catches("one step at a time", |state| {
        state.forward = deeds(&["apply", "switch"], Outcome::UnderWay);
        state.forward[0].outcome = Outcome::UnderWay;
    });
    catches("steps are done in the plan's order", |state| {
        state.forward = deeds(&["switch"], Outcome::Done);
    });
    catches("steps are done in the plan's order", |state| {
        state.forward = deeds(&["apply", "switch"], Outcome::Done);
        state.forward[0].outcome = failed();
    });
    catches("nothing is begun before every gate is open", |state| {
        state.gates = [gate(GateDemand::Wait { milliseconds: 5 }, &[], false)].into();
        state.forward = deeds(&["apply"], Outcome::UnderWay);
    });
    let approval = |count| GateDemand::Approval {
        group: "devops".into(),
        count,
        members: vec!["octocat".into(), "hubot".into()],
    };
    for (signed, count) in [(["octocat"], 1), (["stranger"], 1), (["hubot"], 2)] {
        catches("who agrees may, and agreed to this plan", |state| {
            state.gates = [gate(approval(count), &signed, true)].into();
        });
    }
    catches("who agrees may, and agreed to this plan", |state| {
        state.gates = [gate(GateDemand::Confirm { word: "DEPLOY".into() }, &[], true)].into();
    });
    catches("who agrees may, and agreed to this plan", |state| {
        state.gates = [gate(GateDemand::Wait { milliseconds: 60_000 }, &[], true)].into();
    });
    catches("nobody counts at two gates", |state| {
        let (first, devops) = gate(approval(1), &["hubot"], true);
        let mut leads = devops.clone();
        leads.demand =
            GateDemand::Approval { group: "leads".into(), count: 1, members: vec!["hubot".into()] };
        state.gates = [(first, devops), (leads.demand.key(), leads)].into();
    });
    catches("what waited is begun under rules that were read again", |state| {
        state.gates = [gate(approval(1), &["hubot"], true)].into();
        let rules = Rules {
            source: text("a remote"),
            branch: "main".into(),
            commit: "c0ffee".into(),
            digest: event::Digest::ZERO,
        };
        let protection = Protection { rules, proof: None, passed: Vec::new() };
        let request = state.request.as_mut().expect("it was requested");
        request.protection = Some(Box::new(protection));
        state.forward = deeds(&["apply"], Outcome::UnderWay);
    });
    catches("what is undone was begun, and in reverse", |state| {
        state.forward = deeds(&["apply", "switch"], failed());
        state.turned = Some(cause());
        state.back = deeds(&["apply", "switch"], Outcome::Done);
    });
    catches("what is undone was begun, and in reverse", |state| {
        state.forward = deeds(&["apply"], failed());
        state.turned = Some(cause());
        state.back = deeds(&["switch"], Outcome::Done);
    });
    catches("what cannot be undone is not undone", |state| {
        state.forward = deeds(&["apply", "switch", "health"], failed());
        state.turned = Some(cause());
        state.back = deeds(&["health"], Outcome::Done);
    });
    catches("success means that everything was done", |state| {
        state.forward = deeds(&["apply", "switch", "health"], Outcome::Done);
        state.ended = over(Verdict::Succeeded);
    });
    catches("rolled back means that everything was undone", |state| {
        state.forward = deeds(&["apply", "switch"], failed());
        state.turned = Some(cause());
        state.back = deeds(&["switch"], Outcome::Done);
        state.ended = over(Verdict::RolledBack);
    });
    for verdict in [Verdict::Cancelled, Verdict::Refused] {
        catches("who cancelled or was refused changed nothing", |state| {
            state.forward = deeds(&["apply"], Outcome::Done);
            state.ended = over(verdict);
        });
    }
    catches("a stuck rollback has a failed undo", |state| {
        state.forward = deeds(&["apply"], failed());
        state.turned = Some(cause());
        state.back = deeds(&["apply"], failed());
        state.ended = over(Verdict::RolledBack);
    });
    catches("what somebody else replaced is left alone", |state| {
        let superseded = Cause::new(CauseCode::Superseded, text("2.1 took its place"));
        state.forward = deeds(&["apply", "switch"], Outcome::Failed(superseded));
        state.turned = Some(cause());
        state.back = deeds(&["apply"], Outcome::Done);
    });
    catches("nothing happens without an owner", |state| state.fence = Fence(0));
    catches("what is taken away was replaced and verified", |state| {
        state.forward = deeds(&["apply", "switch", "health", "retire"], Outcome::Done);
        state.forward[2].outcome = failed();
    });
    catches("what is taken away was replaced and verified", |state| {
        state.forward = deeds(&["apply", "switch", "health", "retire"], failed());
        state.turned = Some(cause());
        state.back = deeds(&["switch"], Outcome::Done);
    });
}
