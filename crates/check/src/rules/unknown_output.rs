//! A step, or an output of a step, that is not there (conformance 13, 80).

use std::collections::BTreeMap;

use crate::findings::Findings;
use crate::subject::{Job, Reference, Subject};

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for job in &subject.jobs {
        let named = job.steps.iter().enumerate();
        let named = named.filter_map(|(at, step)| Some((step.id?.to_ascii_lowercase(), at)));
        let by_id: BTreeMap<String, usize> = named.collect();
        for reference in job.references.iter().filter(|one| one.path.begins(&["steps", "*"])) {
            if findings.full() {
                return;
            }
            if reference.path.parts[1] == "*" {
                continue;
            }
            if let Some((message, hint)) = mistake(job, &by_id, reference) {
                findings.warning(subject.place(reference), message, hint);
            }
        }
    }
}

fn mistake(
    job: &Job<'_>,
    by_id: &BTreeMap<String, usize>,
    reference: &Reference<'_>,
) -> Option<(String, String)> {
    let id = reference.path.parts[1];
    let Some(&at) = by_id.get(&id.to_ascii_lowercase()) else {
        let ids: Vec<&str> = by_id.keys().map(String::as_str).collect();
        let hint = if ids.is_empty() {
            format!("give the step that sets it `id: {id}`; until then this is an empty text")
        } else {
            format!("the job's steps have the ids {}; this is an empty text", ids.join(", "))
        };
        return Some((format!("no step of the job '{}' has the id '{id}'", job.id), hint));
    };
    if reference.step.is_some_and(|step| step < at) {
        let message = format!("the step '{id}' has not run yet");
        return Some((
            message,
            "a step sees only those before it; until then this is an empty text".into(),
        ));
    }
    let known = job.steps[at].uses.as_ref()?.manifest?;
    let output = reference.path.parts.get(3).filter(|name| **name != "*")?;
    let is_output = reference.path.parts[2].eq_ignore_ascii_case("outputs");
    if !is_output || known.outputs.iter().any(|name| name.eq_ignore_ascii_case(output)) {
        return None;
    }
    let message = format!("{} has no output '{output}'", known.name);
    let hint = match known.outputs {
        [] => "it has none; this is an empty text".into(),
        outputs => format!("it has {}; this is an empty text", outputs.join(", ")),
    };
    Some((message, hint))
}
