//! `3.10` without quotes is 3.1 (conformance 2, 77).

use syntax::{Entry, Node, NodeKind};

use crate::findings::Findings;
use crate::subject::{Subject, entries};

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for job in &subject.jobs {
        let matrix =
            job.body.get("strategy").and_then(Node::as_mapping).and_then(|map| map.get("matrix"));
        for entry in entries(matrix) {
            numbers(subject, &entry.value, findings);
        }
        let inputs = job.steps.iter().flat_map(|step| step.with);
        let is_version = |entry: &&Entry| entry.key.text.contains("version");
        for entry in inputs.chain(entries(job.body.get("with"))).filter(is_version) {
            numbers(subject, &entry.value, findings);
        }
    }
}

fn numbers(subject: &Subject<'_>, node: &Node, findings: &mut Findings<'_>) {
    match &node.kind {
        NodeKind::Number(number) => {
            let text = subject.source.slice(node.span);
            let decimal = text.split_once('.').is_some_and(|(whole, rest)| {
                !rest.is_empty()
                    && whole.bytes().chain(rest.bytes()).all(|byte| byte.is_ascii_digit())
            });
            let seen = syntax::yaml::number_text(*number);
            // `1.0` becomes 1, which most tools take for the same version family: only a lost digit counts.
            let lost = decimal && text.ends_with('0') && !text.ends_with(".0");
            if lost {
                let message = format!("{text} is the number {seen}");
                findings.warning(node.span, message, format!("write '{text}' with quotes"));
            }
        }
        NodeKind::Sequence(items) => items.iter().for_each(|item| numbers(subject, item, findings)),
        NodeKind::Mapping(map) => {
            map.entries.iter().for_each(|entry| numbers(subject, &entry.value, findings));
        }
        _ => {}
    }
}
