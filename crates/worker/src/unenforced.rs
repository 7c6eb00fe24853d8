//! What a job says that has no effect here: never in silence (`docs/keys.md`).

use protocol::JobSpec;
use workflow::StepsJob;

/// More scopes than this are not listed one by one.
const LISTED_MAX: usize = 5;

/// A line for each, said in the log of the set-up and kept with the run.
pub(crate) fn of_job(spec: &JobSpec, job: &StepsJob) -> Vec<String> {
    let mut notes = Vec::new();
    notes.extend(token(spec));
    let wants_token = spec.permissions.get("id-token").is_some_and(|access| access == "write");
    if wants_token && spec.options.id_token.is_none() {
        notes.push(
            "permissions: id-token: write gives no token here: signing in to a cloud with one fails"
                .to_owned(),
        );
    }
    // Where it stood at a gate, the rules of this server were asked.
    if job.environment.is_some() && !spec.options.gated {
        notes.push(
            "environment: its reviewers, wait timer and branch rules on GitHub are not asked"
                .to_owned(),
        );
    }
    notes
}

/// A token that was given does what its owner may, whatever the job is to be limited to (conformance
/// 110); even `write-all` means this repository alone.
fn token(spec: &JobSpec) -> Option<String> {
    // The job's own may do no more than the job.
    if spec.options.github.as_ref().is_some_and(|it| it.token.is_some()) {
        return None;
    }
    spec.secrets.get("GITHUB_TOKEN").filter(|token| !token.is_empty())?;
    let granted: Vec<String> =
        spec.permissions.iter().map(|(scope, access)| format!("{scope}: {access}")).collect();
    let limit = match granted.len() {
        0 => "although the job is granted nothing".to_owned(),
        1..=LISTED_MAX => format!("not only {}", granted.join(", ")),
        _ => "not only what the job is granted".to_owned(),
    };
    Some(format!("permissions: the GITHUB_TOKEN that was given can do what its owner can, {limit}"))
}
