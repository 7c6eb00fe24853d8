//! What somebody wants of pipelines, beside what was measured.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::report::{Pipeline, Report};

/// The share of runs that is usually wanted, in percent, where nobody says another one.
const USUAL_SUCCESS: u32 = 95;

/// What is wanted of a repository's pipelines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Goals {
    /// Of all of them.
    pub all: Wanted,
    /// In place of that, by the name of a workflow's file.
    pub workflows: BTreeMap<String, Wanted>,
}

/// What is wanted; nothing of what is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// So many of a hundred final attempts on the default branch succeed.
    pub success_percent: Option<u32>,
    /// The median of how long runs take is not above it.
    pub duration_ms: Option<u64>,
    /// Nineteen in twenty jobs wait no longer for a worker.
    pub queue_ms: Option<u64>,
    /// The median of how long the default branch stays red is not above it.
    pub repair_ms: Option<u64>,
}

/// A goal, and whether it is met.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// `success`, `time`, `queue` or `repair`.
    pub figure: String,
    /// Of a rate.
    pub wanted_percent: Option<u32>,
    /// Of a time.
    pub wanted_ms: Option<u64>,
    /// Nobody wrote it: it is the usual one.
    pub is_usual: bool,
    /// Null where too few were measured to say it.
    pub is_met: Option<bool>,
    /// By so many points of a hundred it is missed.
    pub missed_by_percent: Option<f64>,
    /// By so much it is missed.
    pub missed_by_ms: Option<u64>,
}

impl Goals {
    /// What is wanted of one workflow, by its file.
    fn of(&self, file: &str) -> Wanted {
        let name = file.rsplit('/').next().unwrap_or(file);
        let own = self.workflows.get(name).copied().unwrap_or_default();
        Wanted {
            success_percent: own.success_percent.or(self.all.success_percent),
            duration_ms: own.duration_ms.or(self.all.duration_ms),
            queue_ms: own.queue_ms.or(self.all.queue_ms),
            repair_ms: own.repair_ms.or(self.all.repair_ms),
        }
    }
}

impl Report {
    /// Puts what is wanted beside what was measured. `goals` says of a repository what its settings want, or why that
    /// is not known.
    pub fn judge(&mut self, goals: &dyn Fn(&str) -> Result<Goals, String>) {
        let mut known: BTreeMap<String, Result<Goals, String>> = BTreeMap::new();
        for it in &mut self.pipelines {
            let of = known.entry(it.repository.clone()).or_insert_with(|| goals(&it.repository));
            let wanted = of.as_ref().map(|of| of.of(&it.workflow)).unwrap_or_default();
            it.goals = judged((&it.success, &it.time, &it.queue, &it.repair), &wanted);
        }
        let mut notes = Vec::new();
        // Which there were then is in no journal.
        if self.is_past && self.pipelines.iter().any(|it| !it.goals.is_empty()) {
            notes.push("the goals are those of now, not of that time".to_owned());
        }
        for (repository, of) in &known {
            match of {
                Err(why) => notes.push(format!("the goals of {repository} are not known: {why}")),
                Ok(of) => {
                    let unmeasured = of.workflows.keys().filter(|it| !self.has_run(repository, it));
                    notes.extend(unmeasured.map(|name| {
                        format!("{repository} has goals for {name}, of which no run was over in this time")
                    }));
                }
            }
        }
        self.goal_notes = notes;
    }

    fn has_run(&self, repository: &str, name: &str) -> bool {
        let file = |it: &Pipeline| it.workflow.rsplit('/').next() == Some(name);
        self.pipelines.iter().any(|it| it.repository == repository && file(it))
    }
}

fn judged(
    (success, time, queue, repair): (
        &crate::report::Rate,
        &crate::report::Duration,
        &crate::report::Duration,
        &crate::report::Duration,
    ),
    wanted: &Wanted,
) -> Vec<Goal> {
    let percent = wanted.success_percent.unwrap_or(USUAL_SUCCESS);
    // In whole numbers: 57 of 100 are 57 percent, and not a little less.
    let is_met = success.part * 100 >= u64::from(percent) * success.whole;
    let is_met = success.rate.map(|_| is_met);
    let short = success.rate.map(|rate| f64::from(percent) - rate * 100.0);
    let mut goals = vec![Goal {
        figure: "success".to_owned(),
        wanted_percent: Some(percent),
        wanted_ms: None,
        is_usual: wanted.success_percent.is_none(),
        is_met,
        missed_by_percent: short.filter(|_| is_met == Some(false)),
        missed_by_ms: None,
    }];
    let times = [
        ("time", wanted.duration_ms, time.median_ms),
        ("queue", wanted.queue_ms, queue.p95_ms),
        ("repair", wanted.repair_ms, repair.median_ms),
    ];
    goals.extend(times.into_iter().filter_map(|(figure, wanted_ms, measured)| {
        let wanted_ms = wanted_ms?;
        let over = measured.map(|it| it.saturating_sub(wanted_ms));
        Some(Goal {
            figure: figure.to_owned(),
            wanted_percent: None,
            wanted_ms: Some(wanted_ms),
            is_usual: false,
            is_met: over.map(|it| it == 0),
            missed_by_percent: None,
            missed_by_ms: over.filter(|it| *it > 0),
        })
    }));
    goals
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Duration, Rate};

    fn told(part: u64, whole: u64, median_ms: Option<u64>, wanted: Wanted) -> String {
        let rate = (whole >= 5).then(|| part as f64 / whole as f64);
        let time =
            Duration { median_ms, p95_ms: median_ms.map(|it| it * 2), ..Duration::default() };
        let goals = judged((&Rate { part, whole, rate }, &time, &time, &time), &wanted);
        let line = |it: &Goal| {
            let wanted = match (it.wanted_percent, it.wanted_ms) {
                (Some(percent), _) => format!("{percent} %"),
                (None, ms) => format!("{} ms", ms.unwrap_or_default()),
            };
            let usual = if it.is_usual { " as usual" } else { "" };
            let by = it.missed_by_percent.map(|it| format!("{it:.1} points"));
            let by = by.or(it.missed_by_ms.map(|it| format!("{it} ms")));
            let by = by.map(|it| format!(" by {it}")).unwrap_or_default();
            format!("{} {wanted}{usual} {:?}{by}", it.figure, it.is_met)
        };
        goals.iter().map(line).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn a_goal_is_met_at_its_very_value_and_untold_of_too_few() {
        let nothing = Wanted::default();
        let all = Wanted {
            success_percent: Some(80),
            duration_ms: Some(100),
            queue_ms: Some(100),
            repair_ms: Some(99),
        };
        let cases = [
            (told(19, 20, None, nothing), "success 95 % as usual Some(true)"),
            (told(18, 20, None, nothing), "success 95 % as usual Some(false) by 5.0 points"),
            (
                told(57, 100, None, Wanted { success_percent: Some(57), ..nothing }),
                "success 57 % Some(true)",
            ),
            (told(4, 4, None, nothing), "success 95 % as usual None"),
            (
                told(16, 20, Some(100), all),
                "success 80 % Some(true); time 100 ms Some(true); queue 100 ms Some(false) by 100 ms; repair 99 ms Some(false) by 1 ms",
            ),
            (
                told(1, 2, None, all),
                "success 80 % None; time 100 ms None; queue 100 ms None; repair 99 ms None",
            ),
        ];
        for (told, expected) in cases {
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn a_workflow_has_its_own_goals_and_the_others_of_all() {
        let all = Wanted { success_percent: Some(90), queue_ms: Some(1), ..Wanted::default() };
        let own = Wanted { success_percent: Some(99), duration_ms: Some(7), ..Wanted::default() };
        let goals = Goals { all, workflows: BTreeMap::from([("ci.yml".to_owned(), own)]) };
        let expected = Wanted { queue_ms: Some(1), ..own };
        assert_eq!(goals.of(".github/workflows/ci.yml"), expected);
        assert_eq!((goals.of("ci.yml"), goals.of("deploy.yml")), (expected, all));
    }
}
