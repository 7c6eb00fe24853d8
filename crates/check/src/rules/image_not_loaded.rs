//! An image built into the builder's cache only, then run.

use std::collections::BTreeSet;

use syntax::{Node, NodeKind};

use crate::findings::Findings;
use crate::subject::{Step, Subject};

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for job in &subject.jobs {
        let mut own_builder = false;
        let mut unloaded: BTreeSet<&str> = BTreeSet::new();
        for step in &job.steps {
            if step.is_action("docker/setup-buildx-action")
                && step.input_text("driver") != Some("docker")
            {
                own_builder = true;
            }
            if step.is_action("docker/build-push-action") && own_builder && stays_in_cache(step) {
                unloaded.extend(tags(step));
            }
            let Some(script) = &step.script else { continue };
            for command in script.commands.iter().filter(|command| command.is("docker", &[])) {
                if findings.full() {
                    return;
                }
                let runs = command.words.iter().any(|word| word == "run");
                let image = command.words.iter().find(|word| unloaded.contains(word.as_str()));
                if let (true, Some(image)) = (runs, image) {
                    let message = format!(
                        "the image {image} was built into the builder's cache only, Docker does not have it"
                    );
                    let hint = "add `load: true` to docker/build-push-action";
                    findings.warning(
                        subject.locate(script.node, command.range.clone()),
                        message,
                        hint,
                    );
                }
            }
        }
    }
}

/// Neither pushed nor loaded nor exported, as far as can be seen.
fn stays_in_cache(step: &Step<'_>) -> bool {
    let off = |name: &str| match step.input(name) {
        None => true,
        Some(node) => node.kind == NodeKind::Bool(false) || node.as_str() == Some("false"),
    };
    off("push") && off("load") && step.input("outputs").is_none()
}

fn tags<'a>(step: &Step<'a>) -> impl Iterator<Item = &'a str> {
    let text = step.input("tags").and_then(Node::as_str).unwrap_or("");
    text.split([',', '\n']).map(str::trim).filter(|tag| !tag.is_empty() && !tag.contains("${{"))
}
