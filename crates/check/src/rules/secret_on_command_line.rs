//! A secret pasted into a script.

use crate::findings::Findings;
use crate::subject::Subject;

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for job in &subject.jobs {
        for reference in job.references.iter().filter(|one| one.key == "run" && one.step.is_some())
        {
            if findings.full() {
                return;
            }
            let token = reference.path.begins(&["github", "token"]);
            if !token && !reference.path.begins(&["secrets", "*"]) {
                continue;
            }
            let written = reference.written();
            let name = if token { "GITHUB_TOKEN" } else { reference.path.parts[1] };
            let message = format!(
                "`{written}` becomes part of the script, where other processes can read it"
            );
            let hint = format!(
                "put it into the step's `env: {{{name}: ${{{{ {written} }}}}}}` and use \"${name}\""
            );
            findings.warning(subject.place(reference), message, hint);
        }
    }
}
