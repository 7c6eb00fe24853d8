//! Ids, and the graph that `needs` makes (conformance 13, 14).

use std::collections::BTreeMap;
use std::sync::Arc;

use syntax::{Diagnostic, RuleId, Source, Span, nearest};

use crate::model::Job;

/// An id is shorter than this.
const ID_LENGTH: usize = 100;
const RULE: RuleId = "needs";

/// What is wrong with the id of a job or step, in GitHub's words.
pub(crate) fn invalid_id(id: &str) -> Option<String> {
    let mut bytes = id.bytes();
    let starts = bytes.next().is_some_and(|it| it.is_ascii_alphabetic() || it == b'_');
    let goes_on = bytes.all(|it| it.is_ascii_alphanumeric() || it == b'_' || it == b'-');
    if !starts || !goes_on || id.len() >= ID_LENGTH {
        return Some(format!(
            "The identifier '{id}' is invalid. IDs may only contain alphanumeric characters, '_', \
             and '-'. IDs must start with a letter or '_' and must be less than {ID_LENGTH} \
             characters."
        ));
    }
    id.starts_with("__")
        .then(|| format!("The identifier '{id}' is invalid. IDs starting with '__' are reserved."))
}

/// What is wrong with the graph.
pub(crate) fn check(source: &Arc<Source>, jobs: &[Job], span: Span) -> Vec<Diagnostic> {
    // Ids ignore case, as everything that is looked up by an expression does.
    let index: BTreeMap<String, usize> =
        jobs.iter().enumerate().map(|(at, job)| (job.id.value.to_lowercase(), at)).collect();
    let ids: Vec<&str> = jobs.iter().map(|job| &*job.id.value).collect();
    let mut diagnostics = Vec::new();
    let mut edges: Vec<Vec<(usize, Span)>> = vec![Vec::new(); jobs.len()];
    for (at, job) in jobs.iter().enumerate() {
        for need in &job.needs {
            if let Some(other) = index.get(&need.value.to_lowercase()) {
                edges[at].push((*other, need.span));
                continue;
            }
            let message =
                format!("Job '{}' depends on unknown job '{}'.", job.id.value, need.value);
            let hint = nearest(&need.value, &ids).map_or_else(
                || format!("the jobs are: {}", ids.join(", ")),
                |meant| format!("did you mean `{meant}`?"),
            );
            diagnostics.push(Diagnostic::error(RULE, source, need.span, message).hint(hint));
        }
    }
    if jobs.iter().all(|job| !job.needs.is_empty()) {
        let message = "The workflow must contain at least one job with no dependencies.";
        diagnostics.push(Diagnostic::error(RULE, source, span, message));
    }
    for (at, other, place) in circular(&edges) {
        let message = format!(
            "Job '{}' depends on job '{}' which creates a cycle in the dependency graph.",
            jobs[at].id.value, jobs[other].id.value
        );
        let hint = "take one of the needs of the circle away";
        diagnostics.push(Diagnostic::error(RULE, source, place, message).hint(hint));
    }
    diagnostics
}

/// The edges between jobs that can never start because each waits for another.
fn circular(edges: &[Vec<(usize, Span)>]) -> Vec<(usize, usize, Span)> {
    let mut waiting: Vec<usize> = edges.iter().map(Vec::len).collect();
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); edges.len()];
    for (at, needs) in edges.iter().enumerate() {
        for (other, _) in needs {
            dependents[*other].push(at);
        }
    }
    let mut ready: Vec<usize> = (0..edges.len()).filter(|at| waiting[*at] == 0).collect();
    while let Some(done) = ready.pop() {
        for dependent in &dependents[done] {
            waiting[*dependent] -= 1;
            if waiting[*dependent] == 0 {
                ready.push(*dependent);
            }
        }
    }
    let stuck = |at: usize| waiting[at] > 0;
    let mut found = Vec::new();
    for (at, needs) in edges.iter().enumerate().filter(|(at, _)| stuck(*at)) {
        for (other, place) in needs.iter().filter(|(other, _)| stuck(*other)) {
            found.push((at, *other, *place));
        }
    }
    found
}
