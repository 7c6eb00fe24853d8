//! An `if` that cannot be false, or that is true for the text 'false' (conformance 18, 73, 251).

use syntax::Node;

use crate::findings::Findings;
use crate::references::{expressions, paths};
use crate::subject::Subject;

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for job in &subject.jobs {
        let steps = job.steps.iter().filter_map(|step| step.body.get("if"));
        for node in job.condition().into_iter().chain(steps) {
            report(node, findings);
        }
    }
}

fn report(node: &Node, findings: &mut Findings<'_>) {
    let Some(text) = node.as_str() else { return };
    let text = text.trim();
    let found = expressions(text);
    let whole = match found.as_slice() {
        [] => text,
        [one] if one.start == 3 && one.end + 2 == text.len() => text[one.clone()].trim(),
        // Text around an expression: the reader reports it under this rule's name (conformance 18).
        _ => return,
    };
    if let Some(always) = ends_with_true(whole) {
        let message = format!("`{always}` makes this condition true always");
        findings.warning(node.span, message, "take it away, or the condition");
        return;
    }
    let flag = whole.strip_prefix('!').unwrap_or(whole).trim();
    let [path] = paths(flag, 0..flag.len()).try_into().unwrap_or_else(|_| [Default::default()]);
    if path.range != (0..flag.len()) {
        return;
    }
    let outputs = path.begins(&["steps", "*", "outputs", "*"])
        || path.begins(&["needs", "*", "outputs", "*"]);
    if outputs || path.begins(&["github", "event", "inputs", "*"]) {
        let message = format!("`{flag}` is a text, and the text 'false' is true");
        findings.note(node.span, message, format!("compare it: `{flag} == 'true'`"));
    }
}

/// `|| true` at the end or `true ||` at the start, outside of brackets.
fn ends_with_true(condition: &str) -> Option<&'static str> {
    let end = condition.strip_suffix("true").map(str::trim_end);
    if end.is_some_and(|rest| rest.ends_with("||")) {
        return Some("|| true");
    }
    let start = condition.strip_prefix("true").map(str::trim_start);
    let only_or = start.is_some_and(|rest| rest.starts_with("||"));
    (only_or || condition == "true").then_some(if only_or { "true ||" } else { "true" })
}
