//! `env.X` that nobody sets: an empty text (conformance 69, 80).

use crate::findings::Findings;
use crate::subject::{Job, Reference, Step, Subject, get_ignoring_case};

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let computed = |node: Option<&syntax::Node>| node.is_some_and(|env| env.as_mapping().is_none());
    if computed(subject.root.get("env")) {
        return;
    }
    for job in &subject.jobs {
        let may_be_set = computed(job.body.get("env")) || job.steps.iter().any(sets_variables);
        if may_be_set {
            continue;
        }
        for reference in job.references.iter().filter(|one| one.path.begins(&["env", "*"])) {
            if findings.full() {
                return;
            }
            let name = reference.path.parts[1];
            if name == "*" || is_set(subject, job, reference, name) {
                continue;
            }
            let message = format!("nobody sets the variable '{name}'");
            let hint = "this is an empty text: set it in `env` of the workflow, the job or the step; variables of the machine are not in `env`, those of the repository are in `vars`";
            findings.warning(subject.place(reference), message, hint);
        }
    }
}

/// Whether a step may set variables for those behind it.
fn sets_variables(step: &Step<'_>) -> bool {
    match &step.uses {
        // What is not known might.
        Some(uses) => uses.known.map_or(!uses.is_githubs(), |known| {
            matches!(known.name, "azure/login" | "google-github-actions/auth")
        }),
        None => step.script.as_ref().is_some_and(|script| {
            script.text.contains("GITHUB_ENV") || script.text.contains("::set-env")
        }),
    }
}

fn is_set(subject: &Subject<'_>, job: &Job<'_>, reference: &Reference<'_>, name: &str) -> bool {
    let step = reference.step.map(|at| &job.steps[at]);
    let of_step = step.map_or(&[][..], |step| step.env);
    let computed =
        step.and_then(|step| step.body.get("env")).is_some_and(|env| env.as_mapping().is_none());
    // Left by configure-aws-credentials, setup-python, setup-node, setup-java and setup-terraform.
    let by_action = [
        "AWS_",
        "python",
        "Python",
        "PKG_CONFIG_PATH",
        "NODE_AUTH_TOKEN",
        "JAVA_HOME",
        "TERRAFORM_",
    ];
    computed
        || by_action.iter().any(|start| name.starts_with(start))
        || [of_step, job.env, subject.env].iter().any(|env| get_ignoring_case(env, name).is_some())
}
