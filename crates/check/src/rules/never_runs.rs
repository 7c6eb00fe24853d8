//! Nothing can start the workflow, or a job of it. Filters that let nothing through (conformance 30)
//! are the reader's.

use syntax::NodeKind;

use crate::findings::Findings;
use crate::subject::Subject;

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    no_event(subject, findings);
    jobs_of_other_events(subject, findings);
}

fn no_event(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let Some(on) = subject.root.get("on") else { return };
    let empty = match &on.kind {
        NodeKind::Sequence(items) => items.is_empty(),
        NodeKind::Mapping(map) => map.entries.is_empty(),
        _ => false,
    };
    if empty {
        let message = "no event starts this workflow".to_owned();
        findings.warning(
            on.span,
            message,
            "to switch it off, disable it (`gh workflow disable`) or take the file away",
        );
    }
}

/// `if: github.event_name == 'x'` where `on` has no `x`. Conditions with `||` or `!` may be true otherwise.
fn jobs_of_other_events(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    // A called workflow has its caller's event.
    if subject.events.is_empty() || subject.has_event("workflow_call") {
        return;
    }
    for job in &subject.jobs {
        let Some(node) = job.condition() else { continue };
        let Some(text) = node.as_str() else { continue };
        if text.contains("||") || text.contains('!') || text.contains("case(") {
            continue;
        }
        if let Some(event) = asked_event(text)
            && !subject.has_event(event)
        {
            let span = node.span;
            let message = format!(
                "the job '{}' waits for the event '{event}', which does not start this workflow",
                job.id
            );
            findings.error(
                span,
                message,
                format!("add `{event}` to `on`, or take the condition away"),
            );
        }
    }
}

fn asked_event(text: &str) -> Option<&str> {
    let rest = &text[text.find("github.event_name")? + "github.event_name".len()..];
    let rest = rest.trim_start().strip_prefix("==")?.trim_start().strip_prefix('\'')?;
    rest.split('\'').next()
}
