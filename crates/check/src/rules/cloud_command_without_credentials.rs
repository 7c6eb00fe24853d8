//! A command that needs a sign-in, in a job that never signs in: each job is a fresh machine
//! (conformance 108, 219).

use syntax::Severity;

use crate::findings::Findings;
use crate::shell::{Command, Joint};
use crate::subject::{Job, Script, Step, Subject};

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
            if let Some(script) = &step.script {
                report(subject, job, script, findings);
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

fn report(subject: &Subject<'_>, job: &Job<'_>, script: &Script<'_>, findings: &mut Findings<'_>) {
    for (at, command) in script.commands.iter().enumerate() {
        if findings.full() {
            return;
        }
        let Some((what, remedy, severity)) = needs_sign_in(command) else { continue };
        // Where the script asks whether it worked, the step may go on.
        let asked = script.commands.get(at + 1).is_some_and(|next| next.joint == Joint::Or)
            || matches!(command.words[0].as_str(), "if" | "elif" | "while" | "until" | "!");
        let severity = if asked { Severity::Warning } else { severity };
        let message = format!("`{what}` needs a sign-in, and the job '{}' has none", job.id);
        let hint = format!(
            "{remedy} before it: each job is a fresh machine, another job's sign-in is gone"
        );
        findings.add(severity, subject.locate(script.node, command.range.clone()), message, hint);
    }
}

/// What the command is called, the remedy, and how bad it is.
fn needs_sign_in(command: &Command) -> Option<(String, &'static str, Severity)> {
    let (program, rest) = command.program();
    let plain: Vec<&str> =
        rest.iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    let first = plain.first().copied().unwrap_or("");
    match program {
        "aws" if !first.is_empty() && !matches!(first, "configure" | "help") => {
            let offline = rest.iter().any(|word| word == "--no-sign-request");
            let what = format!("aws {first}");
            (!offline).then_some((
                what,
                "use aws-actions/configure-aws-credentials",
                Severity::Error,
            ))
        }
        "docker" if command.is("docker", &["push"]) => {
            let local = plain.get(1).is_some_and(|image| image.starts_with("localhost"));
            (!local).then_some(("docker push".into(), "use docker/login-action", Severity::Error))
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
                Severity::Error,
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
                Severity::Error,
            ))
        }
        "terraform" if matches!(first, "plan" | "apply" | "destroy" | "import" | "refresh") => {
            let hint = "sign in to the cloud that its providers use";
            Some((format!("terraform {first}"), hint, Severity::Warning))
        }
        _ => None,
    }
}
