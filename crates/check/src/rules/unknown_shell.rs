//! `shell` names no shell, and is no command line either (conformance 133).

use syntax::{Mapping, Node};

use crate::findings::Findings;
use crate::subject::{Job, Subject};

/// Names that the runner knows; `cmd` on Windows.
const KNOWN: [&str; 6] = ["bash", "sh", "pwsh", "powershell", "python", "cmd"];

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let workflow = default_shell(subject.root);
    let mut of_workflow_is_used = false;
    for job in &subject.jobs {
        let own = default_shell(job.body);
        if runs_by_default(job) {
            named(own, findings);
            of_workflow_is_used |= own.is_none();
        }
        for step in job.steps.iter().filter(|step| step.script.is_some()) {
            named(step.body.get("shell"), findings);
        }
    }
    if of_workflow_is_used {
        named(workflow, findings);
    }
}

/// Whether a step of it takes the shell that is the default. One that nobody takes does no harm.
fn runs_by_default(job: &Job<'_>) -> bool {
    job.steps.iter().any(|step| step.script.is_some() && step.body.get("shell").is_none())
}

fn default_shell(body: &Mapping) -> Option<&Node> {
    body.get("defaults")?.as_mapping()?.get("run")?.as_mapping()?.get("shell")
}

/// In the words of the run that would fail of it.
fn named(shell: Option<&Node>, findings: &mut Findings<'_>) {
    let Some((node, text)) = shell.and_then(|node| Some((node, node.as_str()?.trim()))) else {
        return;
    };
    if text.is_empty() || text.contains("${{") {
        return;
    }
    let (program, arguments) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    if arguments.contains("{0}") || KNOWN.iter().any(|known| text.eq_ignore_ascii_case(known)) {
        return;
    }
    let message = format!(
        "invalid shell option '{text}': it must be a known shell (bash, sh, pwsh, powershell, \
         python) or hold '{{0}}'"
    );
    let line = if arguments.is_empty() { program } else { text };
    findings.error(
        node.span,
        message,
        format!("for a command line write where the script's path goes: `{line} {{0}}`"),
    );
}
