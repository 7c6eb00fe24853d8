//! Reusable workflows that call each other in a circle: a run of them has no end, so GitHub refuses
//! it (conformance 118).

use std::collections::BTreeSet;

use syntax::Node;

use crate::findings::Findings;
use crate::subject::Subject;

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for job in &subject.jobs {
        let Some(uses) = job.body.get("uses") else { continue };
        let Some(path) = local(uses) else { continue };
        if let Some(circle) = circle(subject, path) {
            let message = "this call leads back to a workflow that called it".to_owned();
            findings.error(uses.span, message, format!("{}: take one of these calls out", circle));
        }
    }
}

/// The way from a file back to itself: `a.yml calls b.yml calls a.yml`.
fn circle(subject: &Subject<'_>, start: &str) -> Option<String> {
    let mut seen = BTreeSet::new();
    let mut ways = vec![vec![start]];
    while let Some(way) = ways.pop() {
        let last = *way.last().expect("it begins somewhere");
        for next in calls(subject, last) {
            let longer = [&way[..], &[next]].concat();
            if next == start {
                let name = |path: &&str| path.rsplit('/').next().unwrap_or(path).to_owned();
                return Some(longer.iter().map(name).collect::<Vec<_>>().join(" calls "));
            }
            if seen.insert(next) {
                ways.push(longer);
            }
        }
    }
    None
}

/// The files that a file calls.
fn calls<'s>(subject: &Subject<'s>, path: &str) -> Vec<&'s str> {
    let node: Option<&'s Node> = subject.context.workflows.get(path).copied();
    let jobs = node.and_then(|it| it.as_mapping()).and_then(|it| it.get("jobs"));
    let entries = jobs.and_then(Node::as_mapping).map_or(&[][..], |jobs| &jobs.entries);
    let uses = entries.iter().filter_map(|job| job.value.as_mapping()?.get("uses"));
    uses.filter_map(local).collect()
}

/// The path of a called workflow of this repository.
fn local(uses: &Node) -> Option<&str> {
    uses.as_str()?.strip_prefix("./")
}
