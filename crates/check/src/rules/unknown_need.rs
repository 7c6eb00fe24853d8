//! A job that is not needed, or an output that the needed job does not declare (conformance 69, 80).

use std::collections::BTreeSet;

use crate::findings::Findings;
use crate::subject::{Job, Reference, Subject, entries, get_ignoring_case};

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for job in &subject.jobs {
        let needs = job.needs();
        for reference in job.references.iter().filter(|one| one.path.begins(&["needs", "*"])) {
            if findings.full() {
                return;
            }
            if reference.path.parts[1] == "*" {
                continue;
            }
            if let Some((message, hint)) = mistake(subject, job, &needs, reference) {
                findings.warning(subject.place(reference), message, hint);
            }
        }
    }
}

fn mistake(
    subject: &Subject<'_>,
    job: &Job<'_>,
    needs: &BTreeSet<String>,
    reference: &Reference<'_>,
) -> Option<(String, String)> {
    let id = reference.path.parts[1];
    if !needs.contains(&id.to_ascii_lowercase()) {
        let message =
            format!("the job '{}' does not need '{id}', so nothing of it is known here", job.id);
        let hint = match subject.job(id) {
            Some(_) => format!("add '{id}' to `needs`; until then this is an empty text"),
            None => "there is no such job; this is an empty text".into(),
        };
        return Some((message, hint));
    }
    let output = reference.path.parts.get(3).filter(|name| **name != "*")?;
    let needed = subject.job(id)?;
    // A called workflow declares its outputs in its own file; an expression may hold any.
    let declared_here = needed.body.get("uses").is_none()
        && needed.body.get("outputs").is_none_or(|outputs| outputs.as_mapping().is_some());
    let outputs = entries(needed.body.get("outputs"));
    let is_output = reference.path.parts[2].eq_ignore_ascii_case("outputs");
    if !is_output || !declared_here || get_ignoring_case(outputs, output).is_some() {
        return None;
    }
    let message = format!("the job '{id}' declares no output '{output}'");
    let hint = match outputs {
        [] => format!("add it under `outputs` of '{id}'; until then this is an empty text"),
        _ => {
            let names = outputs.iter().map(|entry| &*entry.key.text).collect::<Vec<_>>();
            format!("it declares {}; this is an empty text", names.join(", "))
        }
    };
    Some((message, hint))
}
