//! DORA's five figures of one service in one environment, from its shipments (control plane C.2).
//!
//! ```text
//! deployment frequency    releases and hotfixes that came to an end in the window, per day
//! change lead time        from a commit's date to the end of the first deployment that brought it
//! change fail rate        of what reached the environment: how much had to be taken back or mended
//! recovery time           from then on that users could meet it, until what runs was good again
//! rework rate             of what reached the environment: how much was unplanned, to mend a fault
//! ```
//!
//! Deployments are counted, never faults: a share is between 0 and 1. One that was taken back counts
//! as deployed, for it was. What mends (a hotfix, a rollback) says that the deployment before it
//! failed, and so does an incident that it caused, however many there are; it is mended by what comes
//! first: a deployment that mends, or the end of the last of its incidents. What is linked as made to
//! end incidents names what it mends: the deployments that brought those, and no other one. What cannot
//! be measured honestly is left out, and told: a commit that is younger than its deployment, and all
//! that came with a service's first one.
//!
//! Jobs that name an environment count as deployments. One that did not succeed is in doubt: nobody
//! knows whether users met what it changed. It counts, as failed, where somebody went back to what ran before
//! it, or says that it brought an incident; else it is told, and in no figure. Jobs do not say that nobody had
//! planned them: what they shipped was unplanned where it went back, or was made to end an incident.

use std::collections::{BTreeMap, BTreeSet};

use event::{DeploymentKind, IncidentId, ShippedBy, Timestamp, Verdict};

use crate::incident::IncidentLine;
use crate::lead::{Known, LeadTime, lead_time};
use crate::shipment::Shipment;
use crate::statistics::{Share, Spread, Window};

/// A week; what happened is shown week by week.
const WEEK_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// The five figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Dora {
    /// The window.
    pub window: Window,
    /// How often.
    pub frequency: Frequency,
    /// How long a commit takes.
    pub lead_time: LeadTime,
    /// How much fails.
    pub change_failures: ChangeFailures,
    /// How fast it is mended.
    pub recovery: Recovery,
    /// How much of the work was mending.
    pub rework: Rework,
    /// Week by week from the window's first moment on; the last one may be shorter.
    pub weeks: Vec<Week>,
    /// Everything that reached the environment in the window, oldest first.
    pub deployments: Vec<Deployed>,
    /// Jobs that did not succeed, of which nobody knows whether users met them, oldest first.
    pub in_doubt: Vec<Shipment>,
}

/// How often was deployed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frequency {
    /// Releases and hotfixes that succeeded, or were taken back: they did happen.
    pub deployments: Vec<ShippedBy>,
    /// The middle of the time between two of them that follow each other.
    pub between: Spread,
    /// What else came to an end, by its kind.
    pub others: BTreeMap<DeploymentKind, u64>,
}

/// What failed of what was deployed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangeFailures {
    /// The share.
    pub share: Share,
    /// What failed.
    pub failed: Vec<ShippedBy>,
}

/// How long users had what failed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recovery {
    /// What was mended.
    pub recovered: Vec<Recovered>,
    /// Its times.
    pub times: Spread,
    /// What failed and is not mended yet.
    pub open: Vec<ShippedBy>,
}

/// A failed deployment that was mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// What failed.
    pub deployment: ShippedBy,
    /// What mended it: itself, where it went back.
    pub by: Mended,
    /// How long it took.
    pub time_ms: u64,
}

/// What mended a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mended {
    /// This deployment.
    By(ShippedBy),
    /// Nothing that was deployed: the last of its incidents was over before that.
    Incident(IncidentId),
}

/// What was done to mend.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rework {
    /// The share.
    pub share: Share,
    /// The deployments.
    pub deployments: Vec<ShippedBy>,
}

/// A week.
#[derive(Clone, Debug, PartialEq)]
pub struct Week {
    /// When it begins.
    pub since: Timestamp,
    /// Releases and hotfixes.
    pub deployments: u64,
    /// How many of what reached the environment failed.
    pub failed: u64,
    /// Times of the commits that came.
    pub lead_time: Spread,
}

/// Something that reached the environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployed {
    /// What.
    pub shipment: Shipment,
    /// Why it counts as failed, if it does.
    pub failed: Option<Failed>,
    /// Incidents that it caused, in their order.
    pub incidents: Vec<IncidentId>,
}

/// Why a deployment counts as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// It went back by itself.
    WentBack,
    /// Going back stuck.
    Stuck,
    /// It failed after users could meet it.
    Broke,
    /// The one behind it mends it.
    MendedBy(ShippedBy),
    /// It caused incidents.
    Incident,
}

/// The five figures of one service in one environment. `shipments` are all of it that ended in the
/// window or behind it, in the order in which they ended; `incidents` those of this service that are
/// linked to a deployment, in their order; `known` says what is known of a commit besides.
pub fn dora(
    shipments: &[Shipment],
    incidents: &[IncidentLine],
    window: Window,
    known: &dyn Known,
) -> Dora {
    let faults = Faults::of(incidents);
    let (reached, in_doubt) = reached(shipments, &faults);
    let taken_back = taken_back(&reached);
    let failure = |at: usize| {
        let next = reached.get(at + 1).copied();
        let next = next.filter(|it| faults.may_mend(it, reached[at].by));
        let mended_by = taken_back.get(&reached[at].by).copied().or(next);
        failed(reached[at], mended_by, !faults.caused(reached[at].by).is_empty())
    };
    let failures: Vec<Option<Failed>> = (0..reached.len()).map(failure).collect();
    let is_in = |it: &Shipment| window.has(it.finished_at);
    let mut dora = Dora {
        window,
        frequency: Frequency::default(),
        lead_time: LeadTime::default(),
        change_failures: ChangeFailures::default(),
        recovery: Recovery::default(),
        rework: Rework::default(),
        weeks: weeks(window),
        deployments: Vec::new(),
        in_doubt: in_doubt.into_iter().filter(|it| is_in(it)).cloned().collect(),
    };
    let inside = || (0..reached.len()).filter(|at| is_in(reached[*at]));
    dora.frequency = frequency(inside().map(|at| reached[at]));
    dora.lead_time = lead_time(inside().map(|at| reached[at]), known);
    let mut times = Vec::new();
    for at in inside() {
        let (shipment, failure) = (reached[at], failures[at]);
        dora.change_failures.share.count(failure.is_some());
        let caused = faults.caused(shipment.by);
        let mends = mends(shipment) || faults.fixes.contains(&shipment.by);
        let is_rework = mends && (!shipment.planned || shipment.is_by_jobs());
        dora.rework.share.count(is_rework);
        if is_rework {
            dora.rework.deployments.push(shipment.by);
        }
        if let Some(failure) = failure {
            dora.change_failures.failed.push(shipment.by);
            match recovered(shipment, failure, &reached[at + 1..], &faults) {
                Some(it) => {
                    times.push(it.time_ms);
                    dora.recovery.recovered.push(it);
                }
                None => dora.recovery.open.push(shipment.by),
            }
        }
        dora.deployments.push(Deployed {
            shipment: shipment.clone(),
            failed: failure,
            incidents: caused.iter().map(|it| it.incident).collect(),
        });
    }
    dora.recovery.times = Spread::of(times);
    fill(&mut dora);
    dora
}

/// What users met, and what is in doubt. Of what is, that counts as met from which somebody went back to
/// what ran before it, or of which they say that it brought an incident.
fn reached<'s>(
    shipments: &'s [Shipment],
    faults: &Faults<'_>,
) -> (Vec<&'s Shipment>, Vec<&'s Shipment>) {
    let good = shipments.iter().filter(|it| it.verdict == Verdict::Succeeded);
    let taken_back: BTreeSet<ShippedBy> = good.filter_map(|it| it.mends).collect();
    let told = shipments.iter().filter(|it| it.is_in_doubt() || counts(it));
    let is_met = |it: &Shipment| taken_back.contains(&it.by) || !faults.caused(it.by).is_empty();
    told.partition(|it| !it.is_in_doubt() || is_met(it))
}

/// What says itself what it took back, by that: jobs that go on by turns may have something else between the two,
/// and what was taken back may have ended behind it.
fn taken_back<'s>(reached: &[&'s Shipment]) -> BTreeMap<ShippedBy, &'s Shipment> {
    let mut found = BTreeMap::new();
    for it in reached {
        if let Some(mends) = it.mends {
            found.entry(mends).or_insert(*it);
        }
    }
    found
}

/// Whether it was a deployment as the figures mean it: users could meet it.
fn counts(shipment: &Shipment) -> bool {
    let is_kind = shipment.kind != DeploymentKind::Task;
    let is_end = !matches!(shipment.verdict, Verdict::Cancelled | Verdict::Refused);
    is_kind && is_end && shipment.has_reached()
}

fn mends(shipment: &Shipment) -> bool {
    matches!(shipment.kind, DeploymentKind::Hotfix | DeploymentKind::Rollback)
}

/// Incidents by the deployments that they are linked to.
#[derive(Default)]
struct Faults<'i> {
    causes: BTreeMap<ShippedBy, Vec<&'i IncidentLine>>,
    fixes: BTreeSet<ShippedBy>,
    /// By what was made to end incidents: what had brought those, where that is known.
    mended: BTreeMap<ShippedBy, BTreeSet<ShippedBy>>,
}

impl<'i> Faults<'i> {
    fn of(incidents: &'i [IncidentLine]) -> Faults<'i> {
        let mut faults = Faults::default();
        for it in incidents {
            let fixes = || it.fixed_by.iter().copied();
            faults.fixes.extend(fixes());
            if let Some(cause) = it.caused_by {
                faults.causes.entry(cause).or_default().push(it);
                for fix in fixes().filter(|fix| *fix != cause) {
                    faults.mended.entry(fix).or_default().insert(cause);
                }
            }
        }
        faults
    }

    fn caused(&self, deployment: ShippedBy) -> &[&'i IncidentLine] {
        self.causes.get(&deployment).map_or(&[], Vec::as_slice)
    }

    /// Whether a shipment was made to mend that deployment: it mends, and names no other one.
    fn may_mend(&self, shipment: &Shipment, deployment: ShippedBy) -> bool {
        let named = self.mended.get(&shipment.by);
        let takes_back = shipment.mends.is_none_or(|it| it == deployment);
        mends(shipment) && takes_back && named.is_none_or(|it| it.contains(&deployment))
    }
}

/// `mended_by` is the one right behind it, where that was made to mend it, or what took it back.
fn failed(shipment: &Shipment, mended_by: Option<&Shipment>, has_incident: bool) -> Option<Failed> {
    match shipment.verdict {
        Verdict::RolledBack => Some(Failed::WentBack),
        Verdict::RollbackStuck => Some(Failed::Stuck),
        Verdict::Failed if !shipment.is_in_doubt() => Some(Failed::Broke),
        _ => {
            mended_by.map(|it| Failed::MendedBy(it.by)).or(has_incident.then_some(Failed::Incident))
        }
    }
}

/// One that went back was met by users from the moment its change was intended; any other one since
/// it was over. It is mended by the next one that succeeds, or by the end of the last of its incidents
/// where that was before. Where nothing but an incident says that it failed, the next one may be as
/// planned and mend nothing: only one that was made to mend it counts.
fn recovered(
    shipment: &Shipment,
    failure: Failed,
    later: &[&Shipment],
    faults: &Faults<'_>,
) -> Option<Recovered> {
    let deployment = shipment.by;
    let incidents = faults.caused(deployment);
    let (since, mended) = if failure == Failed::WentBack {
        (shipment.reached_at.unwrap_or(shipment.finished_at), Some(shipment))
    } else {
        let fixes = |it: &Shipment| incidents.iter().any(|of| of.fixed_by.contains(&it.by));
        let counts = |it: &Shipment| {
            failure != Failed::Incident || faults.may_mend(it, deployment) || fixes(it)
        };
        let next = later.iter().find(|it| it.verdict == Verdict::Succeeded && counts(it));
        (shipment.finished_at, next.copied())
    };
    let mended = mended.map(|it| (it.finished_at, Mended::By(it.by)));
    let (at, by) = match (mended, over(incidents)) {
        (Some(mended), Some(over)) if over.0 < mended.0 => over,
        (Some(mended), _) => mended,
        (None, over) => over?,
    };
    Some(Recovered { deployment, by, time_ms: at.0.saturating_sub(since.0) })
}

/// When the last of these was over, and which that was; none while one of them is open.
fn over(incidents: &[&IncidentLine]) -> Option<(Timestamp, Mended)> {
    let ends: Option<Vec<_>> =
        incidents.iter().map(|it| Some((it.resolved_at?, it.incident))).collect();
    ends?.into_iter().max().map(|(at, incident)| (at, Mended::Incident(incident)))
}

fn is_headline(shipment: &Shipment) -> bool {
    matches!(shipment.kind, DeploymentKind::Release | DeploymentKind::Hotfix)
        && matches!(shipment.verdict, Verdict::Succeeded | Verdict::RolledBack)
}

fn frequency<'s>(shipments: impl Iterator<Item = &'s Shipment>) -> Frequency {
    let mut frequency = Frequency::default();
    let (mut last, mut between) = (None::<Timestamp>, Vec::new());
    for shipment in shipments {
        if is_headline(shipment) {
            frequency.deployments.push(shipment.by);
            between.extend(last.map(|last| shipment.finished_at.0.saturating_sub(last.0)));
            last = Some(shipment.finished_at);
        } else if matches!(shipment.verdict, Verdict::Succeeded | Verdict::RolledBack) {
            *frequency.others.entry(shipment.kind).or_default() += 1;
        }
    }
    frequency.between = Spread::of(between);
    frequency
}

fn weeks(window: Window) -> Vec<Week> {
    let count = window.length_ms().div_ceil(WEEK_MS);
    let week = |number: u64| Week {
        since: Timestamp(window.since.0 + number * WEEK_MS),
        deployments: 0,
        failed: 0,
        lead_time: Spread::default(),
    };
    (0..count).map(week).collect()
}

/// Puts everything into its week.
fn fill(dora: &mut Dora) {
    let since = dora.window.since.0;
    let week = |at: Timestamp| ((at.0 - since) / WEEK_MS) as usize;
    let mut times = vec![Vec::new(); dora.weeks.len()];
    let mut ended = BTreeMap::new();
    for Deployed { shipment, failed, .. } in &dora.deployments {
        let at = week(shipment.finished_at);
        ended.insert(shipment.by, at);
        dora.weeks[at].deployments += u64::from(is_headline(shipment));
        dora.weeks[at].failed += u64::from(failed.is_some());
    }
    for led in &dora.lead_time.commits {
        times[ended[&led.deployment]].push(led.total_ms);
    }
    for (week, times) in dora.weeks.iter_mut().zip(times) {
        week.lead_time = Spread::of(times);
    }
}
