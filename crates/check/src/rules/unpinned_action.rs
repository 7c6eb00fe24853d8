//! An action named by a tag or a branch, which its owner can move.

use syntax::{Node, Span};

use crate::findings::Findings;
use crate::subject::Subject;

const BRANCHES: &[&str] =
    &["main", "master", "develop", "dev", "trunk", "HEAD", "latest", "nightly"];
/// The length of a commit's name: 40 for SHA-1, 64 for SHA-256.
const COMMIT_LENGTHS: &[usize] = &[40, 64];

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for job in &subject.jobs {
        for uses in job.steps.iter().filter_map(|step| step.uses.as_ref()) {
            report(uses.text, uses.span, findings);
        }
        if let Some(node) = job.body.get("uses")
            && let Some(text) = Node::as_str(node)
        {
            report(text, node.span, findings);
        }
    }
}

fn report(text: &str, span: Span, findings: &mut Findings<'_>) {
    if text.starts_with("./") || text.starts_with("$/") {
        return;
    }
    if let Some(image) = text.strip_prefix("docker://") {
        if !image.contains("@sha256:") {
            let message = format!("the image {image} is not pinned");
            findings.note(span, message, "name it by its digest, `image@sha256:..`");
        }
        return;
    }
    let Some((_, version)) = text.split_once('@') else { return };
    let commit =
        COMMIT_LENGTHS.contains(&version.len()) && version.bytes().all(|b| b.is_ascii_hexdigit());
    if commit || version.contains("${{") {
        return;
    }
    if BRANCHES.contains(&version) {
        let message = format!("{text} runs whatever is on that branch today");
        findings.warning(span, message, "name a release, better its full commit id");
    } else {
        let message = format!("{text} is a tag, which can be moved");
        findings.note(span, message, "name the full commit id, with the tag in a comment");
    }
}
