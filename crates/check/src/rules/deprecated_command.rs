//! Workflow commands that are gone or going (conformance 168).

use crate::findings::Findings;
use crate::subject::{Subject, get_ignoring_case};

/// The command, what replaces it, and whether it fails already.
const OLD: &[(&str, &str, bool)] = &[
    ("::set-output ", "echo \"name=value\" >> \"$GITHUB_OUTPUT\"", false),
    ("::save-state ", "echo \"name=value\" >> \"$GITHUB_STATE\"", false),
    ("::set-env ", "echo \"NAME=value\" >> \"$GITHUB_ENV\"", true),
    ("::add-path::", "echo \"folder\" >> \"$GITHUB_PATH\"", true),
];

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for job in &subject.jobs {
        for step in &job.steps {
            let Some(script) = &step.script else { continue };
            let allowed = [step.env, job.env, subject.env]
                .iter()
                .any(|env| get_ignoring_case(env, "ACTIONS_ALLOW_UNSECURE_COMMANDS").is_some());
            for (command, instead, fails) in OLD {
                for (at, _) in script.text.match_indices(command) {
                    if findings.full() {
                        return;
                    }
                    let span = subject.locate(script.node, at..at + command.trim_end().len());
                    let name = command.trim_matches([':', ' ']);
                    if *fails && !allowed {
                        let message = format!("the command `{name}` fails the step");
                        findings.error(span, message, format!("write `{instead}`"));
                    } else {
                        let message = format!("the command `{name}` is going away");
                        findings.warning(span, message, format!("write `{instead}`"));
                    }
                }
            }
        }
    }
}
