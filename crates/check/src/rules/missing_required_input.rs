//! An input, or an environment variable, that a well-known action cannot do without.

use crate::findings::Findings;
use crate::subject::{Subject, get_ignoring_case};

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for job in &subject.jobs {
        for step in &job.steps {
            let Some(uses) = &step.uses else { continue };
            let Some(known) = uses.manifest else { continue };
            let whole = step
                .body
                .get("with")
                .is_some_and(|with| with.as_mapping().is_none() && with.as_str().is_some());
            for input in known.required.iter().filter(|_| !whole) {
                let given = step.input(input).is_some_and(|node| node.as_str() != Some(""));
                if !given {
                    let message = format!("{} needs the input '{input}'", uses.text);
                    let hint =
                        format!("its code stops with \"Input required and not supplied: {input}\"");
                    findings.error(uses.span, message, hint);
                }
            }
            let set = |name: &&str| {
                [step.env, job.env, subject.env]
                    .iter()
                    .any(|env| get_ignoring_case(env, name).is_some())
            };
            if !known.required_env.is_empty() && !known.required_env.iter().any(set) {
                let names = known.required_env.join(" or ");
                let message = format!("{} needs {names} in its environment", uses.text);
                let hint = format!(
                    "set `env: {{{}: ..}}` on the step: this version reads no input for it",
                    known.required_env[0]
                );
                findings.error(uses.span, message, hint);
            }
        }
    }
}
