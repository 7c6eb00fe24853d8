//! Text that somebody else chooses, pasted into a script.

use crate::findings::Findings;
use crate::subject::{Reference, Subject};

/// What anybody on the internet may write; `*` fits one name.
const OUTSIDERS: &[&[&str]] = &[
    &["github", "head_ref"],
    &["github", "event", "issue", "title"],
    &["github", "event", "issue", "body"],
    &["github", "event", "pull_request", "title"],
    &["github", "event", "pull_request", "body"],
    &["github", "event", "pull_request", "head", "ref"],
    &["github", "event", "pull_request", "head", "label"],
    &["github", "event", "pull_request", "head", "repo", "default_branch"],
    &["github", "event", "comment", "body"],
    &["github", "event", "review", "body"],
    &["github", "event", "review_comment", "body"],
    &["github", "event", "discussion", "title"],
    &["github", "event", "discussion", "body"],
    &["github", "event", "pages", "*", "page_name"],
    &["github", "event", "commits", "*", "message"],
    &["github", "event", "commits", "*", "author", "name"],
    &["github", "event", "commits", "*", "author", "email"],
    &["github", "event", "head_commit", "message"],
    &["github", "event", "head_commit", "author", "name"],
    &["github", "event", "head_commit", "author", "email"],
    &["github", "event", "workflow_run", "head_branch"],
    &["github", "event", "workflow_run", "display_title"],
    &["github", "event", "workflow_run", "head_commit", "message"],
];

/// What people who may push choose when they start the workflow.
const INSIDERS: &[&[&str]] = &[&["github", "event", "inputs", "*"], &["inputs", "*"]];

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let dispatched = subject.has_event("workflow_dispatch");
    for job in &subject.jobs {
        for reference in job.references.iter().filter(|one| is_script(subject, job, one)) {
            if findings.full() {
                return;
            }
            let written = reference.written();
            let hint = || {
                let name = variable(&reference.path.parts);
                format!(
                    "put it into the step's `env: {{{name}: ${{{{ {written} }}}}}}` and use \"${name}\""
                )
            };
            if OUTSIDERS.iter().any(|names| reference.path.begins(names)) {
                let message =
                    format!("anybody can write `{written}`, and here it becomes part of a script");
                findings.warning(subject.place(reference), message, hint());
            } else if dispatched && INSIDERS.iter().any(|names| reference.path.begins(names)) {
                let message = format!(
                    "whoever starts the workflow chooses `{written}`, and here it becomes part of a script"
                );
                findings.note(subject.place(reference), message, hint());
            }
        }
    }
}

fn is_script(
    subject: &Subject<'_>,
    job: &crate::subject::Job<'_>,
    reference: &Reference<'_>,
) -> bool {
    let Some(step) = reference.step else { return false };
    let inputs_are_texts = reference.key == "run" && !is_chosen_from_list(subject, reference);
    let github_script =
        reference.inner_key == "script" && job.steps[step].is_action("actions/github-script");
    inputs_are_texts || github_script
}

/// A boolean, a number, a choice or an environment cannot be any text.
fn is_chosen_from_list(subject: &Subject<'_>, reference: &Reference<'_>) -> bool {
    let parts = &reference.path.parts;
    let Some(name) =
        parts.iter().position(|part| *part == "inputs").and_then(|at| parts.get(at + 1))
    else {
        return false;
    };
    let declared = subject
        .events
        .iter()
        .filter(|event| matches!(event.name, "workflow_dispatch" | "workflow_call"));
    let kinds = declared.filter_map(|event| {
        let inputs = event.filters?.get("inputs")?.as_mapping()?;
        Some(inputs.get(name)?.as_mapping()?.get("type")?.as_str()? != "string")
    });
    kinds.into_iter().next().unwrap_or(false)
}

fn variable(parts: &[&str]) -> String {
    let last = parts.last().filter(|part| **part != "*").unwrap_or(&"text");
    last.to_ascii_uppercase().replace('-', "_")
}
