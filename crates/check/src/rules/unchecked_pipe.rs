//! `cmd | tee file` without pipefail: the failure is not seen (conformance 133, 249).

use crate::findings::Findings;
use crate::shell::Joint;
use crate::subject::Subject;

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for step in subject.jobs.iter().flat_map(|job| &job.steps) {
        let Some(script) = &step.script else { continue };
        // `shell: bash` alone brings pipefail; a longer text brings what it says.
        if script.shell.is_some_and(|shell| shell == "bash" || shell.contains("pipefail")) {
            continue;
        }
        if script.text.contains("pipefail") || script.text.contains("PIPESTATUS") {
            continue;
        }
        for pair in script.commands.windows(2) {
            if findings.full() {
                return;
            }
            let [before, tee] = pair else { continue };
            let talks = matches!(before.program().0, "echo" | "printf" | "cat");
            if tee.joint == Joint::Pipe && tee.program().0 == "tee" && !talks {
                let span = subject.locate(script.node, before.range.start..tee.range.end);
                let message = format!(
                    "a failure of `{}` is lost: the pipe's status is that of `tee`",
                    before.program().0
                );
                findings.note(
                    span,
                    message,
                    "add `shell: bash` to the step, which brings pipefail",
                );
            }
        }
    }
}
