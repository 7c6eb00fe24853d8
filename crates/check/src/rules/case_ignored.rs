//! A typed confirmation, compared without regard to case (conformance 74).

use crate::findings::Findings;
use crate::subject::Subject;

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for job in &subject.jobs {
        let conditions = job.references.iter().filter(|one| one.key == "if");
        for reference in conditions {
            if findings.full() {
                return;
            }
            let input = reference.path.begins(&["inputs", "*"])
                || reference.path.begins(&["github", "event", "inputs", "*"]);
            let Some(text) = reference.node.as_str().filter(|_| input) else { continue };
            let Some(wanted) = compared_with(&text[reference.path.range.end..]) else { continue };
            // A word in capitals is meant to be typed with care.
            if wanted.len() > 1
                && wanted
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte == b'-')
            {
                let message = format!(
                    "'{}' passes for '{wanted}': `==` ignores case",
                    wanted.to_ascii_lowercase()
                );
                let hint = format!(
                    "where the exact word matters, compare it in a step: `test \"$CONFIRM\" = {wanted}`"
                );
                findings.note(subject.place(reference), message, hint);
            }
        }
    }
}

fn compared_with(rest: &str) -> Option<&str> {
    let rest = rest.trim_start();
    let rest = rest.strip_prefix("==").or_else(|| rest.strip_prefix("!="))?;
    rest.trim_start().strip_prefix('\'')?.split('\'').next()
}
