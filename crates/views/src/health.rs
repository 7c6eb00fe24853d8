//! How well the pipelines do (control plane C.3): how often they succeed, how long they take, how
//! long jobs wait for a worker, and how long a broken build stays broken.
//!
//! A run counts with its final attempt. What was cancelled, superseded, or skipped says nothing about
//! the code and is left out, and told; so are runs of files that no commit has, of single jobs, and those in which
//! nothing failed but what somebody, or a rule, let nobody run: no broken build is red for that.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{Attempt, Conclusion, RunId, Seq, Timestamp};

use crate::statistics::{Share, Spread, Window};

/// An attempt of a run, as far as these figures need it.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// The run.
    pub run: RunId,
    /// Its attempt.
    pub attempt: Attempt,
    /// It is the newest one that is over.
    pub is_final: bool,
    /// What was pushed to the default branch.
    pub is_default_branch: bool,
    /// A pull request's.
    pub is_pull_request: bool,
    /// Files that no commit has, or single jobs.
    pub is_partial: bool,
    /// A newer run took its place.
    pub is_superseded: bool,
    /// Something around a job failed.
    pub is_infra: bool,
    /// Nothing failed but what a gate let nobody run.
    pub is_refused: bool,
    /// How it ended.
    pub conclusion: Conclusion,
    /// How long it ran.
    pub time_ms: Option<u64>,
    /// How long it took from its event, as the forge says when that was, until it was made.
    pub trigger_ms: Option<u64>,
    /// When it was over.
    pub completed_at: Timestamp,
    /// The event that says so.
    pub last_seq: Seq,
}

/// How well one workflow does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    /// Final attempts of runs of the default branch that succeeded.
    pub success: Share,
    /// Of the same runs: those that succeeded at once.
    pub first_try: Share,
    /// Final attempts of runs of pull requests that succeeded.
    pub pull_requests: Share,
    /// Of all attempts that say something: those that failed for what is around them.
    pub infra: Share,
    /// How long final attempts ran, of all branches.
    pub times: Spread,
    /// How long it took from events until their runs were made, whatever became of them.
    pub triggers: Spread,
    /// How long the default branch stayed red.
    pub repair: Spread,
    /// Since when it is red, if it is, with the run that made it so.
    pub red_since: Option<(RunId, Attempt, Timestamp)>,
    /// Final attempts that failed on the default branch, oldest first.
    pub failures: Vec<(RunId, Attempt, Seq)>,
    /// The times in which it was red: from the run that broke it to the one that mended it.
    pub repairs: Vec<Repair>,
    /// Runs that were left out, by why.
    pub left_out: BTreeMap<&'static str, u64>,
}

/// From red to green.
#[derive(Clone, Debug, PartialEq)]
pub struct Repair {
    /// What broke it.
    pub broken_by: (RunId, Attempt),
    /// What mended it.
    pub mended_by: (RunId, Attempt),
    /// How long it took.
    pub time_ms: u64,
}

/// A job that had a worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Waited {
    /// What it asked of its runner.
    pub labels: Arc<str>,
    /// How long it waited for a worker and nothing else.
    pub wait_ms: u64,
    /// How long it took from when it could begin until its first step did; none where it came to none.
    pub start_ms: Option<u64>,
}

/// The health of one workflow, from its attempts in the order in which they came to an end.
pub fn health(attempts: &[Finished], window: Window) -> Health {
    let mut health = Health::default();
    let (mut times, mut triggers) = (Vec::new(), Vec::new());
    for it in attempts.iter().filter(|it| window.has(it.completed_at)) {
        triggers.extend(it.trigger_ms);
        if let Some(why) = left_out(it) {
            if it.is_final {
                *health.left_out.entry(why).or_default() += 1;
            }
            continue;
        }
        let is_good = it.conclusion == Conclusion::Success;
        health.infra.count(it.is_infra && !is_good);
        if it.attempt == Attempt(1) && it.is_default_branch {
            health.first_try.count(is_good);
        }
        if !it.is_final {
            continue;
        }
        times.extend(it.time_ms);
        if it.is_pull_request {
            health.pull_requests.count(is_good);
        } else if it.is_default_branch {
            health.success.count(is_good);
            if !is_good {
                health.failures.push((it.run, it.attempt, it.last_seq));
            }
            health.turn(it, is_good);
        }
    }
    health.times = Spread::of(times);
    health.triggers = Spread::of(triggers);
    health.repair = Spread::of(health.repairs.iter().map(|it| it.time_ms).collect());
    health
}

fn left_out(it: &Finished) -> Option<&'static str> {
    if it.is_partial {
        Some("not committed, or single jobs")
    } else if it.is_superseded {
        Some("superseded")
    } else if it.is_refused {
        // Somebody said no to a deployment: the build is as good as it was.
        Some("refused")
    } else {
        match it.conclusion {
            Conclusion::Cancelled => Some("cancelled"),
            Conclusion::Skipped => Some("skipped"),
            _ => None,
        }
    }
}

impl Health {
    /// From green to red, and back.
    fn turn(&mut self, it: &Finished, is_good: bool) {
        match (self.red_since, is_good) {
            (None, false) => self.red_since = Some((it.run, it.attempt, it.completed_at)),
            (Some((run, attempt, since)), true) => {
                let time_ms = it.completed_at.0.saturating_sub(since.0);
                let mended_by = (it.run, it.attempt);
                self.repairs.push(Repair { broken_by: (run, attempt), mended_by, time_ms });
                self.red_since = None;
            }
            _ => {}
        }
    }
}

/// How long jobs waited, by what they are put together by: what they asked of their runner, or their workflow.
pub fn queues<K: Ord>(jobs: impl Iterator<Item = (K, u64)>) -> BTreeMap<K, Spread> {
    let mut waits: BTreeMap<K, Vec<u64>> = BTreeMap::new();
    for (of, wait_ms) in jobs {
        waits.entry(of).or_default().push(wait_ms);
    }
    waits.into_iter().map(|(of, waits)| (of, Spread::of(waits))).collect()
}

/// How busy workers were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Busy {
    /// How long jobs had workers in the window, together.
    pub time_ms: u64,
    /// The most jobs that had one at a time.
    pub peak: u64,
}

/// How busy workers were in a window, by when each job had its worker: from then, until then.
pub fn busy(jobs: &[(Timestamp, Timestamp)], window: Window) -> Busy {
    let mut turns: Vec<(Timestamp, bool)> = Vec::with_capacity(jobs.len() * 2);
    let mut time_ms = 0;
    for (from, until) in jobs {
        let (from, until) = (*from.max(&window.since), *until.min(&window.until));
        if from < until {
            time_ms += until.0 - from.0;
            turns.extend([(from, true), (until, false)]);
        }
    }
    // Of one moment the ends come first: the next one has the same worker.
    turns.sort_unstable();
    let (mut now, mut peak) = (0, 0_u64);
    for (_, begins) in turns {
        now = if begins { now + 1 } else { now - 1 };
        peak = peak.max(now);
    }
    Busy { time_ms, peak }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_busy_inside_of_the_window_alone() {
        let window = Window { since: Timestamp(100), until: Timestamp(200) };
        let busy = |jobs: &[(u64, u64)]| {
            let jobs: Vec<_> =
                jobs.iter().map(|(from, until)| (Timestamp(*from), Timestamp(*until))).collect();
            let Busy { time_ms, peak } = super::busy(&jobs, window);
            (time_ms, peak)
        };
        assert_eq!(busy(&[]), (0, 0));
        assert_eq!(busy(&[(0, 100), (200, 300), (150, 150)]), (0, 0));
        assert_eq!(busy(&[(0, 110), (110, 120), (190, 300)]), (30, 1));
        assert_eq!(busy(&[(0, 300), (150, 160), (155, 170)]), (125, 3));
        // A clock that was set back.
        assert_eq!(busy(&[(150, 140)]), (0, 0));
    }
}
