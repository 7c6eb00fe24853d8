//! `terraform plan` after `init -backend=false`.

use crate::findings::Findings;
use crate::subject::Subject;

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for job in &subject.jobs {
        let mut without_backend = false;
        for step in &job.steps {
            let Some(script) = &step.script else { continue };
            for command in &script.commands {
                if findings.full() {
                    return;
                }
                let (_, rest) = command.program();
                if command.is("terraform", &["init"]) {
                    without_backend =
                        rest.iter().any(|word| word.trim_start_matches('-') == "backend=false");
                }
                let verb = ["plan", "apply", "destroy", "import"]
                    .into_iter()
                    .find(|verb| command.is("terraform", &[verb]));
                if let (true, Some(verb)) = (without_backend, verb) {
                    let message = format!(
                        "`terraform {verb}` after `init -backend=false` does not know the state"
                    );
                    let hint = "run `terraform init` with the backend and its credentials before it; `-backend=false` is for validate";
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
