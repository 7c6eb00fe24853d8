//! Why a job does not run yet, or never did, as a sentence.

use event::{CancelReason, JobKey, Status, WaitReason};
use mask::MaskedText;

use crate::job::JobView;
use crate::run::RunView;

/// Needs that are named where there are more; the rest is counted.
const NAMED_MAX: usize = 3;

impl RunView {
    /// Why the job does not run yet, or never began before its run ended; none if it runs or ended by itself,
    /// or is not there.
    pub fn why_waiting(&self, key: &JobKey) -> Option<String> {
        let job = self.job(key)?;
        if job.never_began {
            return Some(format!("never started: {}", self.why_over()));
        }
        if matches!(job.status, Status::InProgress | Status::Completed) {
            return None;
        }
        if let Some(reason) = &self.waiting {
            return Some(format!("belongs to a run that {}", reason_sentence(job, reason)));
        }
        if let Some(reason) = &job.waiting {
            return Some(reason_sentence(job, reason));
        }
        if let Some(gate) = job.gate.as_ref().filter(|gate| gate.opened_at.is_none()) {
            return Some(gate.words());
        }
        if let (true, Some(loss)) = (job.lost, job.losses.last()) {
            return Some(format!("was lost: {}; nothing was decided about it yet", loss.reason));
        }
        if job.status == Status::Queued {
            let said = self.waits.get(key).cloned();
            return Some(said.unwrap_or_else(|| "is ready and waits for a worker".to_owned()));
        }
        let open: Vec<&str> = job
            .needs
            .iter()
            .filter(|need| self.job(need).is_none_or(|need| need.conclusion.is_none()))
            .map(JobKey::as_str)
            .collect();
        Some(match open[..] {
            [] if job.is_before_its_gate() => {
                let environment = job.environment.as_ref().map_or("", MaskedText::as_str);
                format!("waits until the rules of the environment `{environment}` are read")
            }
            [] => "has all it needs and is about to be decided".to_owned(),
            _ => format!("waits for {}", list(&open)),
        })
    }
}

impl RunView {
    /// Why the run ended before its jobs did.
    fn why_over(&self) -> String {
        match &self.cancel {
            Some(CancelReason::Concurrency { group }) => {
                format!("its run made way for a newer one in the concurrency group `{group}`")
            }
            Some(CancelReason::Person { by, .. } | CancelReason::Forced { by, .. }) => {
                format!("{by} cancelled its run")
            }
            Some(CancelReason::RunLimit { days }) => {
                format!("its run was {days} days old, and none may get older")
            }
            Some(CancelReason::CommandGone) => "the command that ran its run went away".to_owned(),
            Some(
                CancelReason::FailFast { .. }
                | CancelReason::Timeout { .. }
                | CancelReason::CleanUp { .. },
            )
            | None => "its run ended before it".to_owned(),
        }
    }
}

fn reason_sentence(job: &JobView, reason: &WaitReason) -> String {
    match reason {
        WaitReason::Concurrency { group, holder } => {
            format!("waits for the concurrency group `{group}`, which {holder} has")
        }
        WaitReason::MaxParallel => match job.max_parallel {
            Some(1) => "waits for another leg of its matrix: `max-parallel` is 1".to_owned(),
            Some(legs) => {
                format!(
                    "waits for one of {legs} other legs of its matrix: `max-parallel` is {legs}"
                )
            }
            None => "waits for another leg of its matrix: `max-parallel` is reached".to_owned(),
        },
        WaitReason::Person { reason } => match job.losses.last() {
            Some(loss) => {
                format!("was lost ({}) and waits for a person: {reason}", loss.reason)
            }
            None => format!("waits for a person: {reason}"),
        },
    }
}

/// `a`, `a and b`, `a, b, c and d`, `a, b, c and 2 more`.
fn list(names: &[&str]) -> String {
    // "and 1 more" would be no shorter than the name.
    if names.len() > NAMED_MAX + 1 {
        let more = names.len() - NAMED_MAX;
        return format!("{} and {more} more", names[..NAMED_MAX].join(", "));
    }
    match names {
        [before @ .., last] if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => names.concat(),
    }
}
