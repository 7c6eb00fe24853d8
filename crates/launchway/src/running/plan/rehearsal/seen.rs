//! What the expressions of a job can be told while its run is played.

use std::collections::{BTreeMap, BTreeSet};

use event::{Conclusion, JobDefinition, JobKey, RunRequest};
use expr::Value;
use workflow::Workflow;

use super::{Fate, Rehearsed};
use crate::running::plan::foresight::{After, Foresight, Need};

/// What is known of a run while it is played.
pub(super) struct Seen<'s> {
    pub(super) request: &'s RunRequest,
    pub(super) jobs: &'s [Rehearsed],
    pub(super) index: &'s BTreeMap<JobKey, usize>,
    pub(super) workflow: &'s Workflow,
}

impl Seen<'_> {
    pub(super) fn of_run(&self) -> Foresight {
        Foresight {
            github: scheduler::github_context(self.request, self.workflow),
            vars: Value::from_json(&self.request.vars),
            inputs: Value::from_json(&self.request.inputs),
            matrix: Value::Null,
            strategy: Value::Null,
            needs: Vec::new(),
            inputs_later: BTreeMap::new(),
            matrix_later: None,
            fails_before: false,
            skips_before: false,
            open_before: false,
        }
    }

    fn find(&self, key: &JobKey) -> Option<&Rehearsed> {
        self.index.get(key).map(|at| &self.jobs[*at])
    }

    pub(super) fn of(&self, job: &Rehearsed, leg: Option<&JobDefinition>) -> Foresight {
        let mut foresight = self.of_run();
        if let Some(parent) = &job.parent {
            let (caller, call) = self.caller(parent);
            foresight.inputs = Value::from_json(&call.call.as_ref().expect("it calls").inputs);
            foresight.inputs_later = self.inputs_later(caller);
        }
        foresight.needs = job
            .needs
            .iter()
            .filter_map(|key| self.find(key))
            .map(|need| Need {
                id: need.id.to_string(),
                key: need.key.clone(),
                certain: certain(need),
            })
            .collect();
        let mut before: Vec<&JobKey> = job.needs.iter().collect();
        let mut seen = BTreeSet::new();
        while let Some(key) = before.pop() {
            let Some(need) = self.find(key).filter(|_| seen.insert(key)) else { continue };
            foresight.fails_before |= certain(need) == Some(Conclusion::Failure);
            foresight.skips_before |= certain(need) == Some(Conclusion::Skipped);
            foresight.open_before |= certain(need).is_none();
            before.extend(&need.needs);
        }
        if let Some(leg) = leg {
            foresight.matrix = Value::from_json(&leg.matrix);
            foresight.strategy = Value::from_json(&serde_json::json!({
                "fail-fast": leg.fail_fast,
                "job-index": leg.index,
                "job-total": leg.total,
                "max-parallel": leg.max_parallel.unwrap_or(leg.total),
            }));
        } else if let Some(strategy) = job.later.iter().find(|it| it.field == "strategy") {
            foresight.matrix_later = Some(strategy.after.clone());
        }
        foresight
    }

    /// The job behind a key that opened a scope, and the leg of it that did.
    fn caller(&self, key: &JobKey) -> (&Rehearsed, &JobDefinition) {
        let plain = || JobKey::new(without_leg(key.as_str()));
        let job = self.find(key).or_else(|| self.find(&plain())).expect("a caller is declared");
        let leg = job.legs.iter().find(|leg| leg.key == *key);
        (job, leg.expect("who opened a scope was planned"))
    }

    /// The inputs whose values hang on what the caller is told later.
    fn inputs_later(&self, caller: &Rehearsed) -> BTreeMap<String, After> {
        let later = caller.later.iter().filter_map(|it| {
            let name = it.field.strip_prefix("with.")?;
            Some((name.to_lowercase(), it.after.clone()))
        });
        later.collect()
    }
}

/// How a job is certain to end; none where it runs, or may run.
fn certain(job: &Rehearsed) -> Option<Conclusion> {
    match job.fate {
        Fate::Skipped(_) => Some(Conclusion::Skipped),
        Fate::Fails(_) => Some(Conclusion::Failure),
        Fate::Runs | Fate::Later(_) => None,
    }
}

/// `test (2)` is a leg of `test`.
pub(super) fn without_leg(key: &str) -> &str {
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match key.strip_suffix(')').and_then(|key| key.rsplit_once(" (")) {
        Some((job, number)) if is_number(number) => job,
        _ => key,
    }
}
