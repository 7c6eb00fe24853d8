//! Scripts that the machine's owner has run around every job (conformance 115): named by variables
//! of the machine, run as steps of their own before and after all others.

use sequencer::Hooks;
use serde_json::json;
use workflow::{JobBody, Step};

use crate::setup::SetupError;

/// The hooks that the variables of the machine name.
pub(crate) fn read(machine: &dyn Fn(&str) -> Option<String>) -> Result<Hooks, SetupError> {
    let hook = |variable: &str, id: &str, name: &str, what: &str| {
        let path = machine(variable).filter(|path| !path.is_empty());
        path.map(|path| step(&path, id, name, what)).transpose()
    };
    Ok(Hooks {
        started: hook(
            "ACTIONS_RUNNER_HOOK_JOB_STARTED",
            "job_started",
            "Set up runner",
            "A job started hook",
        )?,
        completed: hook(
            "ACTIONS_RUNNER_HOOK_JOB_COMPLETED",
            "job_completed",
            "Complete runner",
            "A job completed hook",
        )?,
    })
}

/// A step that runs the script with the shell that its name asks for.
fn step(path: &str, id: &str, name: &str, what: &str) -> Result<Step, SetupError> {
    let quoted = format!("'{}'", path.replace('\'', r"'\''"));
    let run = match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("sh") => format!("bash --noprofile --norc -e -o pipefail {quoted}"),
        Some("js") => format!("node {quoted}"),
        Some("ps1") => format!("pwsh -command \". {quoted}\""),
        _ => {
            return Err(SetupError::Refused(format!(
                "the hook '{path}' is not a path to a script: it must end in .sh, .ps1 or .js"
            )));
        }
    };
    let script = format!(
        "echo '{what} has been configured by the owner of this machine'\n\
         [ -f {quoted} ] || {{ echo \"::error::the hook\" {quoted} \"does not exist\"; exit 1; }}\n\
         {run}\n"
    );
    // It is read as a workflow's step is, and a path is no expression.
    let script = script.replace("${{", "${{ '${{' }}");
    let job = json!({
        "runs-on": "self-hosted",
        "steps": [{ "id": id, "name": name, "run": script, "shell": "sh" }],
    });
    let (job, _) = workflow::job_from_json(id, &job);
    match job.map(|job| job.body) {
        Some(JobBody::Steps(mut job)) if job.steps.len() == 1 => Ok(job.steps.remove(0)),
        _ => Err(SetupError::Refused(format!("the hook '{path}' cannot be run as a step"))),
    }
}
