//! A secret scan from the default branch to HEAD: one commit after a push to it, and no such branch in
//! a shallow checkout.

use crate::findings::Findings;
use crate::references::{expressions, paths};
use crate::subject::Subject;

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for step in subject.jobs.iter().flat_map(|job| &job.steps) {
        if !step.is_action("trufflesecurity/trufflehog") {
            continue;
        }
        let Some(base) = step.input("base") else { continue };
        let text = base.as_str().unwrap_or("");
        let default_branch = expressions(text)
            .into_iter()
            .flat_map(|range| paths(text, range))
            .any(|path| path.begins(&["github", "event", "repository", "default_branch"]));
        let by_name = default_branch || matches!(text, "main" | "master");
        let to_head = step.input_text("head").is_none_or(|head| matches!(head, "HEAD" | ""));
        if by_name && to_head {
            let message = "this scans nothing: after a push to the default branch base and head are one commit, and a checkout of depth 1 has no such branch".to_owned();
            let hint = "leave `base` and `head` out, the action takes the event's commits; give the checkout `fetch-depth: 0`";
            findings.warning(base.span, message, hint);
        }
    }
}
