//! A call of a reusable workflow that does not fit its declaration (conformance 119, 120).

use syntax::{Entry, Mapping, Node, NodeKind, Span};

use crate::findings::Findings;
use crate::subject::{Job, Subject, entries, get_ignoring_case};

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for job in &subject.jobs {
        let Some(uses) = job.body.get("uses") else { continue };
        let path = uses.as_str().and_then(|text| text.strip_prefix("./"));
        let called = path.and_then(|path| subject.context.workflows.get(path));
        let Some(root) = called.and_then(|node| node.as_mapping()) else { continue };
        match declaration(root) {
            Some(declared) => compare(job, uses.span, declared, findings),
            None => {
                let message = "the called workflow has no `workflow_call` under `on`".to_owned();
                findings.error(uses.span, message, "add `workflow_call:` to its `on`");
            }
        }
    }
}

/// What stands under `workflow_call`; an empty list where it takes nothing.
fn declaration(root: &Mapping) -> Option<&[Entry]> {
    let on = root.get("on")?;
    match &on.kind {
        NodeKind::Mapping(events) => events.get("workflow_call").map(|call| entries(Some(call))),
        NodeKind::Sequence(events) => {
            events.iter().any(|event| event.as_str() == Some("workflow_call")).then_some(&[])
        }
        _ => (on.as_str() == Some("workflow_call")).then_some(&[]),
    }
}

fn compare(job: &Job<'_>, call: Span, declared: &[Entry], findings: &mut Findings<'_>) {
    let secrets = job.body.get("secrets");
    let inherits = secrets.and_then(Node::as_str).is_some();
    for (kind, given) in [("input", job.body.get("with")), ("secret", secrets)] {
        if kind == "secret" && inherits {
            continue;
        }
        let plural = if kind == "input" { "inputs" } else { "secrets" };
        let known = entries(get_ignoring_case(declared, plural));
        let given = entries(given);
        for entry in given {
            let name = &*entry.key.text;
            if !name.contains("${{") && get_ignoring_case(known, name).is_none() {
                let message = format!("the called workflow declares no {kind} '{name}'");
                let names = known.iter().map(|entry| &*entry.key.text).collect::<Vec<_>>();
                let hint = if names.is_empty() {
                    format!("it takes no {plural}")
                } else {
                    format!("it takes {}", names.join(", "))
                };
                findings.error(entry.key.span, message, hint);
            }
        }
        for entry in known.iter().filter(|entry| is_required(entry)) {
            if get_ignoring_case(given, &entry.key.text).is_none() {
                let name = &entry.key.text;
                let message = format!("the called workflow requires the {kind} '{name}'");
                let place = if kind == "input" { "with" } else { "secrets" };
                findings.error(call, message, format!("add `{name}` under `{place}`"));
            }
        }
    }
}

fn is_required(entry: &Entry) -> bool {
    let declared = entry.value.as_mapping();
    let flag = declared
        .and_then(|map| map.get("required"))
        .is_some_and(|node| node.kind == NodeKind::Bool(true));
    flag && declared.is_none_or(|map| map.get("default").is_none())
}
