//! A permission that an action needs and the job's token does not have (conformance 110, 111).

use syntax::Node;

use crate::findings::Findings;
use crate::known_actions::scopes_to_write;
use crate::subject::{Job, Step, Subject};

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for job in &subject.jobs {
        let permissions = subject.permissions(job);
        if permissions.is_none() && subject.has_event("workflow_call") {
            continue; // The caller's job decides.
        }
        for step in &job.steps {
            let Some(uses) = &step.uses else { continue };
            if wants_oidc(step, uses.name) && !grants_write(permissions, "id-token") {
                let message = format!(
                    "{} signs in by OIDC, but the job's token has no `id-token: write`",
                    uses.name
                );
                findings.error(uses.span, message, oidc_remedy(job));
            }
            if permissions.is_none() || has_own_token(step) {
                continue; // The repository's setting, or another token, may allow it.
            }
            for scope in scopes_to_write(uses.name, uses.known) {
                if !grants_write(permissions, scope) {
                    let message = format!("{} needs `{scope}: write`", uses.name);
                    let hint = format!(
                        "add `{scope}: write` to the permissions: what is not listed is none"
                    );
                    findings.warning(uses.span, message, hint);
                }
            }
        }
    }
}

fn wants_oidc(step: &Step<'_>, name: &str) -> bool {
    let given = |input: &str| step.input(input).is_some_and(|node| node.as_str() != Some(""));
    match name {
        "aws-actions/configure-aws-credentials" => {
            let other_ways = [
                "aws-access-key-id",
                "web-identity-token-file",
                "role-chaining",
                "use-existing-credentials",
                "force-skip-oidc",
                "aws-profile",
            ];
            given("role-to-assume") && !other_ways.iter().any(|input| given(input))
        }
        "google-github-actions/auth" => given("workload_identity_provider"),
        "azure/login" => given("client-id") && !given("creds"),
        _ => false,
    }
}

fn has_own_token(step: &Step<'_>) -> bool {
    let token = |name: &str| name.to_ascii_lowercase().contains("token");
    step.with.iter().chain(step.env).any(|entry| token(&entry.key.text))
}

fn grants_write(permissions: Option<&Node>, scope: &str) -> bool {
    let Some(permissions) = permissions else { return false };
    match permissions.as_mapping() {
        Some(scopes) => scopes.get(scope).and_then(Node::as_str) == Some("write"),
        None => permissions.as_str() == Some("write-all"),
    }
}

fn oidc_remedy(job: &Job<'_>) -> String {
    format!(
        "give the job '{}' `permissions: {{id-token: write, contents: read}}`; without it the sign-in ends with \"Could not load credentials from any providers\"",
        job.id
    )
}
