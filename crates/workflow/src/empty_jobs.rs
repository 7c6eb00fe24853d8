//! Jobs that do nothing. GitHub's grammar allows them, and its parsers (so [`crate::read`] does too);
//! the service refuses a file with one when it is to run.

use crate::model::{JobBody, Workflow};
use syntax::{Diagnostic, Severity};

/// A finding for each job without a step, in GitHub's words: for whoever runs a file, or says whether
/// it would run. None where reading `found` an error: the service looks no further either, and a
/// mistyped `steps` is told once.
pub fn empty_jobs(workflow: &Workflow, found: &[Diagnostic]) -> Vec<Diagnostic> {
    if found.iter().any(|finding| finding.severity == Severity::Error) {
        return Vec::new();
    }
    let jobs = workflow.jobs.iter();
    let empty =
        jobs.filter(|job| matches!(&job.body, JobBody::Steps(body) if body.steps.is_empty()));
    empty
        .map(|job| {
            let message = format!(
                "No steps defined in `steps` and no workflow called in `uses` for the following \
                 jobs: {}",
                job.id.value
            );
            Diagnostic::error("job-without-steps", &workflow.source, job.id.span, message)
                .hint("give it a step (`steps: [{ run: \"true\" }]`), or take it away")
        })
        .collect()
}
