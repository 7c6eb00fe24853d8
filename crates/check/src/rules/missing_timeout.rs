//! A job without `timeout-minutes` may run for six hours (conformance 102).

use crate::findings::Findings;
use crate::subject::Subject;

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings<'_>) {
    for job in &subject.jobs {
        if job.steps.is_empty() || job.body.get("timeout-minutes").is_some() {
            continue;
        }
        if job.steps.iter().all(|step| step.body.get("timeout-minutes").is_some()) {
            continue;
        }
        let message = format!("the job '{}' may hang for 360 minutes", job.id);
        findings.note(
            job.id_span,
            message,
            "add `timeout-minutes`, a little more than its longest good run",
        );
    }
}
