//! How long commits took until users met them, and where that time went.
//!
//! ```text
//! commit ─pushing─▶ on its branch ─waiting─▶ the run that ships it was made ─queue─▶ its first job has a worker
//!        ─build─▶ the gate is asked ─gates─▶ nothing stands before the job ─(queue)─▶ it begins ─deploying─▶ over
//! ```
//!
//! The parts of a commit add up to its whole: a moment that is before the one in front of it is that one.

use std::collections::BTreeSet;
use std::sync::Arc;

use event::{ShippedBy, Timestamp, Verdict};

use crate::shipment::{COMMITS_PER_SHIPMENT_MAX, Shipment};
use crate::statistics::Spread;

/// The parts of a lead time, in their order: until it came to its branch; until a run, or somebody, wanted the
/// deployment; waiting for workers; from the first job until the deployment's gate was asked; at the gate; from then
/// on that the deployment began.
pub const LEAD_PARTS: [&str; 6] = ["pushing", "waiting", "queue", "build", "gates", "deploying"];

/// What is known of commits besides their deployments.
pub trait Known {
    /// Whether an earlier deployment than this one, in the window or not, brought it.
    fn brought_before(&self, by: ShippedBy, commit: &str) -> bool;

    /// When it came to the branch that it was shipped from; none where nobody knows.
    fn pushed_at(&self, shipment: &Shipment, commit: &str) -> Option<Timestamp>;
}

/// How long it took from commits to users.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LeadTime {
    /// Commits that were measured, in the order of their deployments.
    pub commits: Vec<Led>,
    /// All of it.
    pub total: Spread,
    /// Its parts, in the order of [`LEAD_PARTS`].
    pub parts: [Spread; 6],
    /// Commits that were not measured.
    pub left_out: Vec<LeftOut>,
    /// Those that came with [`COMMITS_PER_SHIPMENT_MAX`] commits: what came with them besides is not counted.
    pub at_limit: Vec<ShippedBy>,
}

/// A commit that came to users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Led {
    /// Which.
    pub commit: Arc<str>,
    /// What brought it first.
    pub deployment: ShippedBy,
    /// When it was committed.
    pub committed_at: Timestamp,
    /// How long it took.
    pub total_ms: u64,
    /// The same by its parts, in the order of [`LEAD_PARTS`]; they add up to it. One that nobody knows is none: its
    /// time is in the next one that is known.
    pub parts: [Option<u64>; 6],
}

/// A commit that was not measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Which.
    pub commit: Arc<str>,
    /// What brought it.
    pub deployment: ShippedBy,
    /// Why not.
    pub why: Omission,
}

/// Why a commit was not measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Omission {
    /// It is younger than the deployment that brought it: a clock is wrong.
    ClockSkew,
    /// An earlier deployment brought it.
    CameBefore,
    /// Nobody told when it was committed.
    NoDate,
}

pub(crate) fn lead_time<'s>(
    shipments: impl Iterator<Item = &'s Shipment>,
    known: &dyn Known,
) -> LeadTime {
    let mut lead = LeadTime::default();
    let (mut total, mut parts): (Vec<u64>, [Vec<u64>; 6]) = Default::default();
    for shipment in shipments.filter(|it| it.verdict == Verdict::Succeeded) {
        let (deployment, finished_at) = (shipment.by, shipment.finished_at);
        if shipment.commits.len() >= COMMITS_PER_SHIPMENT_MAX {
            lead.at_limit.push(deployment);
        }
        let mut once = BTreeSet::new();
        for shipped in &shipment.commits {
            if !once.insert(&shipped.commit) {
                continue;
            }
            let (commit, committed_at) = (Arc::clone(&shipped.commit), shipped.committed_at);
            let why = if known.brought_before(deployment, &commit) {
                Some(Omission::CameBefore)
            } else if committed_at == Timestamp(0) {
                Some(Omission::NoDate)
            } else if committed_at > finished_at {
                Some(Omission::ClockSkew)
            } else {
                None
            };
            if let Some(why) = why {
                lead.left_out.push(LeftOut { commit, deployment, why });
                continue;
            }
            let split = split(shipment, committed_at, known.pushed_at(shipment, &commit));
            let total_ms = finished_at.0 - committed_at.0;
            assert_eq!(split.iter().flatten().sum::<u64>(), total_ms, "parts add up to the whole");
            total.push(total_ms);
            for (part, time) in parts.iter_mut().zip(split) {
                part.extend(time);
            }
            lead.commits.push(Led { commit, deployment, committed_at, total_ms, parts: split });
        }
    }
    lead.total = Spread::of(total);
    lead.parts = parts.map(Spread::of);
    lead
}

/// Where the time of a commit went, in the order of [`LEAD_PARTS`].
fn split(it: &Shipment, committed_at: Timestamp, pushed_at: Option<Timestamp>) -> [Option<u64>; 6] {
    let finished_at = it.finished_at;
    let wanted_at = it.course.map_or(it.requested_at, |course| course.made_at);
    let wanted_at = wanted_at.clamp(committed_at, finished_at);
    let pushed_at = pushed_at.map(|at| at.clamp(committed_at, wanted_at));
    let began_at = it.began_at.unwrap_or(wanted_at).clamp(wanted_at, finished_at);
    let between = |from: Timestamp, to: Timestamp| Some(to.0 - from.0);
    let pushing = pushed_at.and_then(|at| between(committed_at, at));
    let waiting = between(pushed_at.unwrap_or(committed_at), wanted_at);
    let deploying = between(began_at, finished_at);
    let Some(course) = it.course else {
        return [pushing, waiting, None, None, between(wanted_at, began_at), deploying];
    };
    let ready_at = course.ready_at.clamp(wanted_at, began_at);
    let asked_at = course.asked_at.clamp(wanted_at, ready_at);
    let leased_at = course.leased_at.clamp(wanted_at, asked_at);
    let queue = (leased_at.0 - wanted_at.0) + (began_at.0 - ready_at.0);
    let (build, gates) = (between(leased_at, asked_at), between(asked_at, ready_at));
    [pushing, waiting, Some(queue), build, gates, deploying]
}

#[cfg(test)]
mod tests {
    use event::{Attempt, DeploymentKind, RunId};

    use super::*;
    use crate::shipment::Course;

    /// A shipment that was wanted, began and was over, with how its run came to it.
    fn told(
        (wanted, began, over): (u64, u64, u64),
        course: Option<(u64, u64, u64, u64)>,
        (committed, pushed): (u64, Option<u64>),
    ) -> String {
        let course = course.map(|(made, leased, asked, ready)| Course {
            made_at: Timestamp(made),
            leased_at: Timestamp(leased),
            asked_at: Timestamp(asked),
            ready_at: Timestamp(ready),
        });
        let shipment = Shipment {
            by: ShippedBy::Jobs(RunId(1), Attempt(1)),
            project: "octo/app".into(),
            environment: "production".into(),
            service: "deploy.yml".into(),
            kind: DeploymentKind::Release,
            planned: true,
            verdict: Verdict::Succeeded,
            version: "1".into(),
            digest: "1".into(),
            commit: None,
            commits: Vec::new(),
            is_first: false,
            requested_at: Timestamp(wanted),
            began_at: Some(Timestamp(began)),
            reached_at: Some(Timestamp(began)),
            finished_at: Timestamp(over),
            last_seq: event::Seq(1),
            position: 0,
            mends: None,
            course,
            jobs: Vec::new(),
        };
        let parts = split(&shipment, Timestamp(committed), pushed.map(Timestamp));
        assert_eq!(parts.iter().flatten().sum::<u64>(), over - committed);
        let part = |(name, time): (&str, Option<u64>)| time.map(|time| format!("{name} {time}"));
        LEAD_PARTS.into_iter().zip(parts).filter_map(part).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn the_parts_of_a_commit_add_up_whatever_is_known() {
        let check = |told: String, expected: &str| assert_eq!(told, expected);
        // A run with a build, a gate, and a wait for a worker behind it.
        check(
            told((100, 180, 200), Some((100, 105, 140, 170)), (10, Some(90))),
            "pushing 80, waiting 10, queue 15, build 35, gates 30, deploying 20",
        );
        // One job alone, gated: what stands before its worker is no build.
        check(
            told((100, 180, 200), Some((100, 180, 101, 170)), (10, Some(100))),
            "pushing 90, waiting 0, queue 11, build 0, gates 69, deploying 20",
        );
        // By a tag, behind the push; nobody saw that.
        check(
            told((100, 110, 200), Some((100, 102, 105, 105)), (10, None)),
            "waiting 90, queue 7, build 3, gates 0, deploying 90",
        );
        // A laptop's deployment.
        check(told((100, 110, 200), None, (10, None)), "waiting 90, gates 10, deploying 90");
        // Clocks: committed behind the request, pushed behind the run, and behind everything but the end.
        check(
            told((100, 110, 200), Some((100, 102, 105, 105)), (104, Some(300))),
            "pushing 0, waiting 0, queue 5, build 1, gates 0, deploying 90",
        );
        check(
            told((100, 110, 200), Some((100, 102, 105, 105)), (200, None)),
            "waiting 0, queue 0, build 0, gates 0, deploying 0",
        );
    }
}
