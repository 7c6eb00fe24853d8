//! A command that needs a sign-in, in a job that never signs in: each job is a fresh machine
//! (conformance 108, 219).

use crate::findings::Findings;
use crate::shell::Command;
use crate::subject::{Job, Step, Subject};

/// Names in `env` that hold a sign-in.
const CREDENTIALS: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_ENDPOINT_URL",
    "KUBECONFIG",
    "DOCKER_CONFIG",
    "ARM_CLIENT_ID",
    "GOOGLE_CREDENTIALS",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "TF_TOKEN_app_terraform_io",
];

/// Texts in a script that sign in, or may.
const SIGN_INS: &[&str] = &[
    "docker login",
    "aws configure",
    "aws eks update-kubeconfig",
    "aws sts assume-role",
    "az login",
    "gcloud auth",
    "GITHUB_ENV",
    "AWS_ACCESS_KEY_ID",
    "--endpoint-url",
    "KUBECONFIG",
    ".kube",
    "kind create",
    "minikube start",
    "k3d cluster",
    "localhost:5000",
];

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    let has =
        |env: &[syntax::Entry]| env.iter().any(|entry| CREDENTIALS.contains(&&*entry.key.text));
    if has(subject.env) {
        return;
    }
    for job in &subject.jobs {
        if !job.on_hosted_runner() || !job.on_host() || has(job.env) {
            continue;
        }
        for step in &job.steps {
            if has(step.env) {
                continue;
            }
            if may_sign_in(step) {
                break;
            }
            for command in step.commands() {
                report(subject, job, step, command, findings);
            }
        }
    }
}

fn may_sign_in(step: &Step<'_>) -> bool {
    if let Some(uses) = &step.uses {
        // What is not known might.
        return uses.known.map_or(!uses.is_githubs(), |known| known.signs_in);
    }
    step.script
        .as_ref()
        .is_some_and(|script| SIGN_INS.iter().any(|text| script.text.contains(text)))
}

fn report(
    subject: &Subject<'_>,
    job: &Job<'_>,
    step: &Step<'_>,
    command: &Command,
    findings: &mut Findings<'_>,
) {
    let Some((what, remedy, sure)) = needs_sign_in(command) else { return };
    let Some(script) = &step.script else { return };
    let span = subject.locate(script.node, command.range.clone());
    let message = format!("`{what}` needs a sign-in, and the job '{}' has none", job.id);
    let hint =
        format!("{remedy} before it: each job is a fresh machine, another job's sign-in is gone");
    if sure {
        findings.error(span, message, hint);
    } else {
        findings.warning(span, message, hint);
    }
}

/// What the command is called, the remedy, and whether it is sure to fail.
fn needs_sign_in(command: &Command) -> Option<(String, &'static str, bool)> {
    let (program, rest) = command.program();
    let plain: Vec<&str> =
        rest.iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    let first = plain.first().copied().unwrap_or("");
    match program {
        "aws" if !first.is_empty() && !matches!(first, "configure" | "help") => {
            let offline = rest.iter().any(|word| word == "--no-sign-request");
            let what = format!("aws {first}");
            (!offline).then_some((what, "use aws-actions/configure-aws-credentials", true))
        }
        "docker" if command.is("docker", &["push"]) => {
            let local = plain.get(1).is_some_and(|image| image.starts_with("localhost"));
            (!local).then_some(("docker push".into(), "use docker/login-action", true))
        }
        "kubectl"
            if !matches!(
                first,
                "" | "version" | "config" | "kustomize" | "completion" | "create"
            ) =>
        {
            Some((
                format!("kubectl {first}"),
                "set up a kubeconfig (`aws eks update-kubeconfig`)",
                true,
            ))
        }
        "helm"
            if matches!(
                first,
                "install" | "upgrade" | "rollback" | "uninstall" | "list" | "status"
            ) =>
        {
            Some((
                format!("helm {first}"),
                "set up a kubeconfig (`aws eks update-kubeconfig`)",
                true,
            ))
        }
        "terraform" if matches!(first, "plan" | "apply" | "destroy" | "import" | "refresh") => {
            let hint = "sign in to the cloud that its providers use";
            Some((format!("terraform {first}"), hint, false))
        }
        _ => None,
    }
}
