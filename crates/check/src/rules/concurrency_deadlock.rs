//! A job, or a called workflow, that waits for the group its own run holds (conformance 40, 43, 125).

use syntax::{Mapping, Node};

use crate::findings::Findings;
use crate::subject::Subject;

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let of_workflow = group(subject.root);
    for job in &subject.jobs {
        let of_job = group(job.body);
        let held = [of_workflow, of_job];
        if let (Some(outer), Some(inner)) = (of_workflow, of_job)
            && same(outer, inner)
        {
            let message =
                format!("the job '{}' waits for the group that its own workflow holds", job.id);
            findings.error(
                inner.span,
                message,
                "give the job a group of its own, or leave one of the two out",
            );
        }
        let Some(uses) = job.body.get("uses") else { continue };
        let path = uses.as_str().and_then(|text| text.strip_prefix("./"));
        let called = path.and_then(|path| subject.context.workflows.get(path));
        let Some(inner) = called.and_then(|node| group(node.as_mapping()?)) else { continue };
        if held.iter().flatten().any(|outer| same(outer, inner)) {
            let message = "the called workflow waits for the group that this run holds".to_owned();
            let hint = "give it another group: in a called workflow `github.workflow` is the caller's name";
            findings.error(uses.span, message, hint);
        }
    }
}

fn group(body: &Mapping) -> Option<&Node> {
    let node = body.get("concurrency")?;
    let group = node.as_mapping().map_or(Some(node), |map| map.get("group"))?;
    group.as_str().map(|_| group)
}

/// The same text gives the same group; expressions over the job itself differ from place to place.
fn same(outer: &Node, inner: &Node) -> bool {
    let words = |node: &Node| {
        let text = node.as_str().unwrap_or("").to_ascii_lowercase();
        text.split_whitespace().collect::<String>()
    };
    words(outer) == words(inner)
}
