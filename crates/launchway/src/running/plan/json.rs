//! The plan for programs: one JSON object a line, documented in `docs/json.md`.

use event::{ConcurrencyClaim, JobDefinition, JobKey};
use serde_json::{Value as Json, json};
use syntax::Diagnostic;

use super::card::Card;
use super::rehearsal::Later;
use super::{Decision, Fate, Missing, Plan, PlannedFile, PlannedRun, Rehearsed, reason};

/// The lines: the plan, then each workflow with its jobs and what stands in their way.
pub(crate) fn lines(plan: &Plan) -> Vec<String> {
    let mut lines = vec![json!({
        "type": "plan",
        "repository": plan.repository,
        "event": plan.event,
        "ref": plan.git_ref,
        "commit": plan.commit,
        "uncommitted": plan.uncommitted,
    })];
    lines.extend(plan.note.iter().map(|note| json!({ "type": "note", "message": note })));
    for file in &plan.files {
        lines.push(workflow(file));
        match &file.decision {
            Decision::Not(_) => {}
            Decision::Broken(found) => {
                lines.extend(found.iter().map(|it| finding("finding", &file.path, None, it)));
            }
            Decision::Runs(run) => {
                for job in &run.rehearsal.jobs {
                    jobs(&file.path, run, job, &mut lines);
                    let refusals = run.refusals_of(job);
                    let line = |it| finding("refusal", &file.path, Some(&job.key), it);
                    lines.extend(refusals.map(line));
                    lines.extend(run.matters_of(job).into_iter().map(|matter| {
                        json!({
                            "type": "agreement", "workflow": file.path, "job": job.key,
                            "message": matter,
                        })
                    }));
                }
            }
        }
    }
    lines.iter().map(Json::to_string).collect()
}

fn workflow(file: &PlannedFile) -> Json {
    let mut line = json!({
        "type": "workflow", "path": file.path, "name": file.name, "decision": "broken",
        "reason": null, "title": null, "concurrency": null, "later": [], "missing_secrets": [],
        "missing_vars": [],
    });
    match &file.decision {
        Decision::Broken(_) => {}
        Decision::Not(reason) => {
            line["decision"] = json!("does_not_run");
            line["reason"] = json!(reason);
        }
        Decision::Runs(run) => {
            let request = &run.rehearsal.request;
            let names = |all: &[Missing]| all.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
            line["decision"] = json!("runs");
            line["title"] = json!(request.title.as_str());
            match &run.rehearsal.group_later {
                Some(later) => line["later"] = json!([later_of(later)]),
                None => line["concurrency"] = group(request.concurrency.as_ref()),
            }
            line["missing_secrets"] = json!(names(&run.missing_secrets));
            line["missing_vars"] = json!(names(&run.missing_vars));
        }
    }
    line
}

/// A job; for a matrix whose legs are known the job, then each leg.
fn jobs(workflow: &str, run: &PlannedRun, job: &Rehearsed, lines: &mut Vec<Json>) {
    let plain = job.legs.first().filter(|_| !job.is_matrix);
    lines.push(line(workflow, run, job, plain));
    if job.is_matrix {
        lines.extend(job.legs.iter().map(|leg| line(workflow, run, job, Some(leg))));
    }
}

fn line(workflow: &str, run: &PlannedRun, job: &Rehearsed, leg: Option<&JobDefinition>) -> Json {
    let (_, text) = run.rehearsal.text(job);
    let card = Card::of(&run.rehearsal, job, leg);
    let name = |key: &JobKey| key.to_string();
    let (decision, why, after) = match &job.fate {
        Fate::Runs => ("runs", None, None),
        Fate::Later(after) => ("later", None, Some(after)),
        Fate::Skipped(skipped) => ("skipped", Some(reason(skipped, name)), None),
        Fate::Fails(message) => ("fails", Some(message.clone()), None),
    };
    let is_leg = job.is_matrix && leg.is_some();
    let key = leg.map_or(&job.key, |leg| &leg.key);
    let services: serde_json::Map<String, Json> =
        card.services.into_iter().map(|(name, image)| (name, json!(image))).collect();
    json!({
        "type": "job",
        "workflow": workflow,
        "job": key,
        "id": job.id,
        "name": leg.map_or(&*job.id, |leg| leg.name.as_str()),
        "leg_of": is_leg.then_some(&job.key),
        "legs": (job.is_matrix && !is_leg).then_some(job.legs.len()),
        "called_by": job.parent,
        "file": job.file,
        "needs": job.needs,
        "decision": decision,
        "reason": why,
        "if": text.condition.as_ref().map(|it| &*it.text.value),
        "after": after.into_iter().flatten().collect::<Vec<_>>(),
        "matrix": leg.map(|leg| &leg.matrix),
        "max_parallel": job.legs.first().and_then(|leg| leg.max_parallel),
        "fail_fast": job.is_matrix.then(|| job.legs[0].fail_fast),
        "runs_on": card.labels,
        "runner_group": card.runner_group,
        "environment": card.environment,
        "container": card.container,
        "services": services,
        "concurrency": group(card.concurrency.as_ref()),
        "permissions": card.permissions,
        "timeout_minutes": card.timeout_minutes,
        "continue_on_error": card.continue_on_error,
        "steps": card.steps,
        "calls": card.calls,
        "later": job.later.iter().map(later_of).collect::<Vec<_>>(),
    })
}

fn later_of(later: &Later) -> Json {
    json!({ "field": later.field, "written": later.written, "after": later.after })
}

fn group(claim: Option<&ConcurrencyClaim>) -> Json {
    claim.map_or(Json::Null, |claim| {
        json!({
            "group": claim.group.as_str(),
            "cancel_in_progress": claim.cancel_in_progress,
            "queue": if claim.queue_max { "max" } else { "single" },
        })
    })
}

fn finding(kind: &str, workflow: &str, job: Option<&JobKey>, found: &Diagnostic) -> Json {
    let mut line = json!({
        "type": kind, "workflow": workflow, "job": job, "rule": found.rule,
        "severity": found.severity.to_string(), "message": found.message, "hint": found.hint,
        "file": null, "line": null, "column": null,
    });
    if let Some(label) = found.labels.first() {
        let place = label.source.place(label.span.start);
        line["file"] = json!(label.source.name());
        line["line"] = json!(place.line);
        line["column"] = json!(place.column);
    }
    line
}
