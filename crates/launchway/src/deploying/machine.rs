//! Deployments for programs: one JSON object a line (`docs/json.md`).

use event::{Cause, DeploymentEvent, Way};
use serde_json::{Value as Json, json};
use views::{DeploymentRow, DeploymentView};

/// What is told of an event; most tell one line, the end one for each service.
pub(crate) fn lines(view: &DeploymentView, event: &DeploymentEvent) -> Vec<String> {
    use DeploymentEvent as E;
    let id = view.id.to_string();
    let line = match event {
        E::DeploymentRequested(request) => json!({
            "type": "deployment_started", "deployment": id, "environment": request.environment,
            "kind": request.kind, "services": services(view),
        }),
        E::DeploymentPlanned { plan, hash, .. } => json!({
            "type": "deployment_planned", "deployment": id, "hash": hash, "plan": plan,
        }),
        E::GateWaiting { gate, what, .. } => json!({
            "type": "gate_waiting", "deployment": id, "gate": gate, "what": what,
        }),
        E::GateOpened { gate, by, .. } => json!({
            "type": "gate_opened", "deployment": id, "gate": gate,
            "by": by.as_ref().map(|by| &by.name),
        }),
        E::StepIntended { step, way, .. } => json!({
            "type": "deployment_step_started", "deployment": id, "step": step, "way": way,
        }),
        E::StepDone { step, way, at, .. } => json!({
            "type": "deployment_step_completed", "deployment": id, "step": step, "way": way,
            "outcome": "done", "cause": null, "duration_ms": took(view, step, *way, at.0),
        }),
        E::StepFailed { step, way, cause, at } => json!({
            "type": "deployment_step_completed", "deployment": id, "step": step, "way": way,
            "outcome": "failed", "cause": cause, "duration_ms": took(view, step, *way, at.0),
        }),
        E::DeploymentNoted { text, step, .. } => json!({
            "type": "deployment_note", "deployment": id, "step": step, "text": text,
        }),
        E::TurnedBack { cause, .. } => json!({
            "type": "deployment_turned_back", "deployment": id, "cause": cause,
        }),
        E::CancelWanted { by, reason, .. } => json!({
            "type": "deployment_cancel_wanted", "deployment": id, "by": by.name, "reason": reason,
        }),
        E::DeploymentCompleted { .. } => return completed(view),
        E::GateSigned { gate, by, until, .. } => json!({
            "type": "gate_signed", "deployment": id, "gate": gate, "by": by.name,
            "proof": by.proof, "until_ms": until,
        }),
        E::GateRejected { gate, by, reason, .. } => json!({
            "type": "gate_rejected", "deployment": id, "gate": gate, "by": by.name,
            "reason": reason,
        }),
        E::ApprovalRefused { gate, by, key, why, .. } => json!({
            "type": "approval_refused", "deployment": id, "gate": gate, "by": by, "key": key,
            "why": why,
        }),
        E::RulePassed { rule, what, by, reason, .. } => json!({
            "type": "rule_passed", "deployment": id, "rule": rule, "what": what,
            "by": by.name, "reason": reason,
        }),
        E::DeploymentOwned { .. } | E::RulesConfirmed { .. } => return Vec::new(),
    };
    vec![line.to_string()]
}

fn services(view: &DeploymentView) -> Json {
    let services = view.request.services.iter();
    let service = |it: &event::ServiceRequest| {
        let release = &it.release;
        json!({
            "service": it.service, "version": release.version,
            "digest": release.digest, "commit": release.commit,
        })
    };
    services.map(service).collect()
}

fn took(view: &DeploymentView, key: &event::DeployStepKey, way: Way, at: u64) -> Option<u64> {
    let step = view.steps.iter().find(|step| step.key == *key)?;
    let deed = match way {
        Way::Forward => step.forward.as_ref(),
        Way::Back => step.back.as_ref(),
    };
    deed.map(|deed| at.saturating_sub(deed.since.0))
}

/// The end: a line for each service.
fn completed(view: &DeploymentView) -> Vec<String> {
    let Some(end) = &view.ended else { return Vec::new() };
    let services = view.request.services.iter();
    let line = |it: &event::ServiceRequest| {
        json!({
            "type": "deployment_completed", "deployment": view.id.to_string(),
            "service": it.service, "environment": view.request.environment,
            "version": it.release.version, "digest": it.release.digest,
            "verdict": end.verdict, "by": end.by,
            "cause": end.cause.as_ref().map(|cause| &cause.message),
            "causes": end.cause, "vacuous": end.vacuous, "unchanged": end.unchanged,
            "duration_ms": end.at.0.saturating_sub(view.request.at.0),
        })
        .to_string()
    };
    services.map(line).collect()
}

/// A deployment's line in a list.
pub(crate) fn row(row: &DeploymentRow) -> String {
    let services = row.services.iter();
    let services: Json = services
        .map(|(service, version)| json!({ "service": service, "version": version }))
        .collect();
    json!({
        "deployment": row.id.to_string(), "project": row.project, "environment": row.environment,
        "services": services,
        "kind": row.kind, "by": row.by, "reason": row.reason, "standing": row.standing,
        "cause": row.cause, "requested_at_ms": row.requested_at, "duration_ms": row.duration_ms,
    })
    .to_string()
}

/// Everything of one.
pub(crate) fn page(view: &DeploymentView) -> String {
    let deed = |deed: &Option<views::DeedView>| {
        deed.as_ref()
            .map(|it| json!({ "since_ms": it.since, "over_at_ms": it.over_at, "cause": it.cause }))
    };
    let step = |it: &views::DeployStepView| {
        json!({
            "step": it.key, "service": it.service, "kind": it.kind, "what": it.what,
            "forward": deed(&it.forward), "back": deed(&it.back),
        })
    };
    let causes: Option<&Cause> = view.ended.as_ref().and_then(|end| end.cause.as_ref());
    json!({
        "deployment": view.id.to_string(), "project": view.request.project,
        "environment": view.request.environment,
        "kind": view.request.kind, "by": view.request.by.name, "reason": view.request.reason,
        "services": services(view), "commits": view.request.commits, "standing": view.standing(),
        "hash": view.plan.as_ref().map(|(_, hash)| hash),
        "steps": view.steps.iter().map(step).collect::<Json>(),
        "rules": view.request.protection.as_ref().map(|it| &it.rules),
        "approvals": approvals(view), "passed": passed(view), "refused": refused(view),
        "notes": view.notes, "causes": causes, "requested_at_ms": view.request.at,
        "over_at_ms": view.ended.as_ref().map(|end| end.at),
        "owners": view.owners.len(), "console": super::console::pages(view),
    })
    .to_string()
}

/// Who agreed or said no; whether the signature is what it should be, verified now.
fn approvals(view: &DeploymentView) -> Json {
    let word = |signature: &views::SignatureView, gate: &event::GateKey, decision: &str| {
        let verified = signature
            .proof
            .as_ref()
            .map(|proof| super::inbox::verified(view, gate, proof, signature.until).is_ok());
        json!({
            "gate": gate, "by": signature.by.name, "decision": decision, "at_ms": signature.at,
            "until_ms": signature.until, "verified": verified,
            "signature": signature.proof.as_ref(),
        })
    };
    let all = view.gates.iter().flat_map(|gate| {
        let signed = gate.signed.iter().map(|it| word(it, &gate.gate, "approve"));
        signed.chain(gate.rejected.iter().map(|it| word(it, &gate.gate, "reject")))
    });
    all.collect()
}

fn passed(view: &DeploymentView) -> Json {
    view.passed.iter().map(|(rule, what)| json!({ "rule": rule, "what": what })).collect()
}

fn refused(view: &DeploymentView) -> Json {
    let line = |it: &views::RefusedApproval| {
        json!({
            "gate": it.gate, "by": it.by, "key": it.key, "why": it.why, "at_ms": it.at,
        })
    };
    view.refused.iter().map(line).collect()
}
