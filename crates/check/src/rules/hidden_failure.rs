//! The only command of a step, followed by something that always ends well.

use crate::findings::Findings;
use crate::shell::{Command, Joint};
use crate::subject::Subject;

/// Commands that only tidy up, or whose status is an answer rather than a failure.
const HARMLESS: &[&str] = &[
    "rm", "kill", "pkill", "killall", "mkdir", "grep", "diff", "test", "[", "true", "umount",
    "sleep", "wait",
];

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for step in subject.jobs.iter().flat_map(|job| &job.steps) {
        let Some(script) = &step.script else { continue };
        let Some(hidden) = hidden(&script.commands) else { continue };
        let span = subject.locate(script.node, hidden.range.clone());
        let words = hidden.words.iter().take(2).map(String::as_str).collect::<Vec<_>>().join(" ");
        let message =
            format!("`|| {words}` ends well whatever the command did: this step cannot fail");
        let hint = "take it away; if a failure does not matter here, `continue-on-error: true` says so and shows it";
        findings.warning(span, message, hint);
    }
}

/// The part behind `||`, where the script is one command and that.
fn hidden(commands: &[Command]) -> Option<&Command> {
    let [rest @ .., last] = commands else { return None };
    let one = matches!(rest, [first] if first.joint == Joint::Start)
        || matches!(rest, [_, pipes @ ..] if !pipes.is_empty() && pipes.iter().all(|pipe| pipe.joint == Joint::Pipe));
    let (program, arguments) = rest.first()?.program();
    let cleans = HARMLESS.contains(&program)
        || matches!(
            arguments.first().map(String::as_str),
            Some("rm" | "stop" | "down" | "delete" | "logs" | "prune")
        );
    let (end, values) = last.program();
    let ends_well = matches!(end, "true" | ":" | "echo") || (end == "exit" && *values == ["0"]);
    (last.joint == Joint::Or && one && ends_well && !cleans).then_some(last)
}
