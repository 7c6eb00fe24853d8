//! What the numbers say, as plain data: `launchway metrics --format json` prints it, the API gives it,
//! pages and the terminal are made from it. Fields may be added.
//!
//! A median or a rate is null where too few were measured to say one (`samples_min`). Every figure
//! names what it was counted from; `deployments` and the lists of runs say which events those are. A
//! deployment is its number; one that jobs of a run were, the run's attempt as text: `"12.1"`.

use event::{
    Attempt, DeploymentKind, IncidentId, IncidentSource, RunId, Seq, Severity, ShippedBy, StreamId,
    Timestamp, Verdict,
};
use serde::{Deserialize, Serialize};
use views::{
    COMMITS_PER_SHIPMENT_MAX, Deployed, Dora, Failed, Health, IncidentLine, LEAD_PARTS, Mended,
    Omission, SAMPLES_MIN, Share, Shipment, Spread,
};

use crate::findings::LastScan;
use crate::goals::Goal;
use crate::images::ImageSeries;
use crate::query::Asked;
use crate::series::Series;
use crate::slow_tests::SlowTest;
use crate::test_results::Flaky;

/// Evidence of one kind that is given: what is older is counted all the same.
const EVIDENCE_MAX: usize = 500;

/// All of it, over a window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Its first moment.
    pub since_ms: Timestamp,
    /// The first moment behind it.
    pub until_ms: Timestamp,
    /// It ended before now: nothing is told that is so now. A server of before knows no such time.
    #[serde(default)]
    pub is_past: bool,
    /// Of fewer measurements no median and no rate is told.
    pub samples_min: usize,
    /// Commits that are counted of one deployment; of more, the newest. A server of before did not say.
    #[serde(default)]
    pub commits_per_deployment_max: usize,
    /// Events of the journal that are not in yet; 0 nearly always.
    pub behind_events: u64,
    /// One for each service in each environment that was asked about.
    pub delivery: Vec<Delivery>,
    /// Services in environments that were asked about and are not among them: there are too many for one answer.
    #[serde(default)]
    pub delivery_left_out: usize,
    /// One for each workflow.
    pub pipelines: Vec<Pipeline>,
    /// What there is to say of goals: those that nobody knows, or that nothing was measured of.
    #[serde(default)]
    pub goal_notes: Vec<String>,
    /// How long jobs waited for a worker, by what they asked of it.
    pub queues: Vec<Queue>,
    /// How busy workers were. A server of before did not say.
    #[serde(default)]
    pub load: Load,
    /// The job that waits longest for a worker now; null where none does, and of a time that is past.
    #[serde(default)]
    pub oldest_ready: Option<OldestReady>,
    /// Jobs that took the most time in all.
    pub slow_jobs: Vec<Slow>,
    /// Steps that took the most time in all.
    pub slow_steps: Vec<Slow>,
    /// Tests that took the most time in all. A server of before did not say.
    #[serde(default)]
    pub slow_tests: Vec<SlowTest>,
    /// Tests that do not always say the same, those that failed most first.
    pub flaky: Vec<Flaky>,
    /// What the newest runs of the default branch say, for each workflow that kept a report. A server of before
    /// did not say.
    #[serde(default)]
    pub tests: Vec<Series>,
    /// How large the images of the default branch's newest runs are. A server of before did not say.
    #[serde(default)]
    pub images: Vec<ImageSeries>,
    /// What scans found on the default branch when they looked last. A server of before did not say.
    #[serde(default)]
    pub scans: Vec<LastScan>,
}

/// The part of it that is about deployments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Deliveries {
    /// One for each service in each environment that was asked about.
    pub told: Vec<Delivery>,
    /// How many more of them there are.
    pub left_out: usize,
}

/// A time: a median with what is around it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duration {
    /// Of how many.
    pub count: usize,
    /// The middle one.
    pub median_ms: Option<u64>,
    /// Three in four are not above it.
    pub p75_ms: Option<u64>,
    /// Nine in ten.
    pub p90_ms: Option<u64>,
    /// Nineteen in twenty.
    pub p95_ms: Option<u64>,
    /// Ninety-nine in a hundred.
    pub p99_ms: Option<u64>,
}

/// So many of so many.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// So many ...
    pub part: u64,
    /// ... of so many.
    pub whole: u64,
    /// Between 0 and 1.
    pub rate: Option<f64>,
}

/// DORA's five of one service in one environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// `project` of the settings; of jobs their repository.
    pub project: String,
    /// The environment.
    pub environment: String,
    /// The service; of jobs their workflow file.
    pub service: String,
    /// Jobs of runs that name the environment, and no deployments. A server of before counted none.
    #[serde(default)]
    pub by_jobs: bool,
    /// Deployment frequency.
    pub frequency: FrequencyFigure,
    /// Change lead time.
    pub lead_time: LeadTimes,
    /// Change fail rate.
    pub change_failures: Failures,
    /// Failed deployment recovery time.
    pub recovery: RecoveryFigure,
    /// Deployment rework rate.
    pub rework: ReworkFigure,
    /// Week by week.
    pub weeks: Vec<DeliveryWeek>,
    /// Everything that reached the environment, oldest first, with its events.
    pub deployments: Vec<Deployment>,
    /// Jobs that did not succeed, of which nobody knows whether users met what they did, oldest first;
    /// in no figure.
    #[serde(default)]
    pub in_doubt: Vec<Deployment>,
    /// Incidents that users met in the window, newest first, with their events, as far as whoever asks may read
    /// them; of those of which nobody knows what brought them, no failure is counted. A server that knows none
    /// says nothing of them.
    #[serde(default)]
    pub incidents: Vec<Incident>,
}

/// Deployment frequency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrequencyFigure {
    /// Releases and hotfixes.
    pub count: usize,
    /// So many a day.
    pub per_day: Option<f64>,
    /// The middle of the time between two.
    pub between_median_ms: Option<u64>,
    /// Rollbacks, redeployments, settings.
    pub others: Vec<(DeploymentKind, u64)>,
    /// What was counted.
    pub deployments: Vec<ShippedBy>,
}

/// Change lead time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeadTimes {
    /// From the commit to the end of its deployment.
    pub total: Duration,
    /// Its parts, in order; medians of parts do not add up to the median of all.
    pub parts: Vec<LeadPart>,
    /// The newest commits that were measured.
    pub commits: Vec<LedCommit>,
    /// Commits that were not, and why.
    pub left_out: Vec<LeftOutCommit>,
    /// Deployments that came with `commits_per_deployment_max` commits: what came with them besides is not counted.
    #[serde(default)]
    pub at_limit: Vec<ShippedBy>,
}

/// A part of the lead time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeadPart {
    /// `pushing` until the commit was on its branch; `waiting` until the run that ships it was made, or somebody wanted
    /// the deployment; `queue` for workers; `build` until the deployment's gate was asked; `gates`; `deploying`.
    pub part: String,
    /// How long.
    pub time: Duration,
}

/// A commit that was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedCommit {
    /// Which.
    pub commit: String,
    /// What brought it.
    pub deployment: ShippedBy,
    /// When it was committed.
    pub committed_at_ms: Timestamp,
    /// How long it took.
    pub total_ms: u64,
    /// Where that time went. A server of before did not say.
    #[serde(default)]
    pub parts: LedParts,
}

/// Where the time of a commit went, in order; together that is all of it. What nobody knows is null, its time in the next
/// one that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedParts {
    /// Until it was on the branch that it was shipped from.
    pub pushing_ms: Option<u64>,
    /// Until the run that ships it was made, or somebody wanted the deployment.
    pub waiting_ms: Option<u64>,
    /// Waiting for workers: of the run's first job, and of the one that deploys.
    pub queue_ms: Option<u64>,
    /// From the first job until the deployment's gate was asked.
    pub build_ms: Option<u64>,
    /// At the gate.
    pub gates_ms: Option<u64>,
    /// From then on that the deployment began.
    pub deploying_ms: Option<u64>,
}

impl LedParts {
    fn of([pushing_ms, waiting_ms, queue_ms, build_ms, gates_ms, deploying_ms]: Parts) -> LedParts {
        LedParts { pushing_ms, waiting_ms, queue_ms, build_ms, gates_ms, deploying_ms }
    }

    /// Those that are known, with their names, in order.
    pub fn known(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let all = [
            self.pushing_ms,
            self.waiting_ms,
            self.queue_ms,
            self.build_ms,
            self.gates_ms,
            self.deploying_ms,
        ];
        LEAD_PARTS.into_iter().zip(all).filter_map(|(part, time)| Some((part, time?)))
    }
}

type Parts = [Option<u64>; 6];

/// A commit that was not measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOutCommit {
    /// Which.
    pub commit: String,
    /// What brought it.
    pub deployment: ShippedBy,
    /// `clock_skew`: it is younger than its deployment; `came_before`: an earlier one brought it;
    /// `no_date`: nobody told its date.
    pub why: String,
}

/// Change fail rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failures {
    /// The rate.
    #[serde(flatten)]
    pub rate: Rate,
    /// What failed.
    pub deployments: Vec<ShippedBy>,
}

/// Failed deployment recovery time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryFigure {
    /// How long.
    pub time: Duration,
    /// What was mended.
    pub recovered: Vec<RecoveredFrom>,
    /// What failed and is not mended.
    pub open: Vec<ShippedBy>,
}

/// A failed deployment that was mended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveredFrom {
    /// What failed.
    pub deployment: ShippedBy,
    /// What mended it: itself, where it went back. Null where `incident` was over before that.
    pub by: Option<ShippedBy>,
    /// The last of its incidents, where its end came first.
    pub incident: Option<IncidentId>,
    /// How long it took.
    pub time_ms: u64,
}

/// Deployment rework rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReworkFigure {
    /// The rate.
    #[serde(flatten)]
    pub rate: Rate,
    /// Unplanned deployments that mended a fault.
    pub deployments: Vec<ShippedBy>,
}

/// A week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryWeek {
    /// When it begins.
    pub since_ms: Timestamp,
    /// Releases and hotfixes.
    pub deployments: u64,
    /// What failed of all that reached the environment.
    pub failed: u64,
    /// The middle lead time.
    pub lead_time_median_ms: Option<u64>,
}

/// A deployment, and the events that it was counted from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Which.
    pub deployment: ShippedBy,
    /// Its stream in the journal ...
    pub stream: StreamId,
    /// ... from this event ...
    pub first_seq: Seq,
    /// ... to this one.
    pub last_seq: Seq,
    /// Of which kind.
    pub kind: DeploymentKind,
    /// How it ended.
    pub verdict: Verdict,
    /// Whether it was planned.
    pub planned: bool,
    /// What people call the release.
    pub version: String,
    /// When it was wanted.
    pub requested_at_ms: Timestamp,
    /// When it was over.
    pub finished_at_ms: Timestamp,
    /// `went_back`, `stuck`, `broke`, `mended`, `incident`; null where it did not fail.
    pub failed: Option<String>,
    /// The hotfix or rollback that says that it failed.
    pub mended_by: Option<ShippedBy>,
    /// Incidents that it caused.
    #[serde(default)]
    pub incidents: Vec<IncidentId>,
}

/// An incident, and the events that it was counted from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Which.
    pub incident: IncidentId,
    /// Its stream in the journal ...
    pub stream: StreamId,
    /// ... from this event ...
    pub first_seq: Seq,
    /// ... to this one.
    pub last_seq: Seq,
    /// What is wrong.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// Who told of it.
    pub source: IncidentSource,
    /// The service; null where it is of all.
    pub service: Option<String>,
    /// What brought it; null where nobody linked anything.
    pub caused_by: Option<ShippedBy>,
    /// What was made to end it.
    pub fixed_by: Vec<ShippedBy>,
    /// Since when users met it.
    pub opened_at_ms: Timestamp,
    /// Since when they do not; null while it is open.
    pub resolved_at_ms: Option<Timestamp>,
}

/// How well a workflow does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    /// `owner/name`
    pub repository: String,
    /// The workflow file.
    pub workflow: String,
    /// Of final attempts on the default branch: what succeeded.
    pub success: Rate,
    /// Of first attempts on the default branch.
    pub first_try: Rate,
    /// Of final attempts of pull requests.
    pub pull_requests: Rate,
    /// What failed for what is around the jobs: lost workers, set-up, the disk.
    pub infra: Rate,
    /// How long final attempts ran.
    pub time: Duration,
    /// From when the event happened, as the forge says, until its run was made; of first attempts whose payload says it.
    #[serde(default)]
    pub trigger: Duration,
    /// How long its jobs waited for a worker and nothing else. A server of before did not say.
    #[serde(default)]
    pub queue: Duration,
    /// How long the default branch stayed red.
    pub repair: Duration,
    /// What the default branch is red of at the end of the time.
    pub red: Option<Red>,
    /// The newest failures on the default branch.
    pub failures: Vec<PipelineFailure>,
    /// The newest times in which it was red.
    pub repairs: Vec<PipelineRepair>,
    /// Runs that were not counted, by why.
    pub left_out: Vec<(String, u64)>,
    /// What is wanted of it, and whether it is so.
    #[serde(default)]
    pub goals: Vec<Goal>,
}

/// A default branch that is red.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Red {
    /// What broke it.
    pub run: RunId,
    /// Its attempt.
    pub attempt: Attempt,
    /// Since when.
    pub since_ms: Timestamp,
}

/// A run that failed, and the event that says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineFailure {
    /// The run.
    pub run: RunId,
    /// Its attempt.
    pub attempt: Attempt,
    /// Its stream in the journal.
    pub stream: StreamId,
    /// The event.
    pub seq: Seq,
}

/// From red to green.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineRepair {
    /// The run that broke it, with its attempt.
    pub broken_by: (RunId, Attempt),
    /// The run that mended it.
    pub mended_by: (RunId, Attempt),
    /// How long it took.
    pub time_ms: u64,
}

/// How long jobs waited for a worker and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// What they asked of it.
    pub labels: String,
    /// How long.
    pub wait: Duration,
    /// From when they could begin until their first step did. A server of before did not say.
    #[serde(default)]
    pub start: Duration,
}

/// How busy workers were.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// How long the time is that is looked at.
    pub span_ms: u64,
    /// How long jobs of runs that are over had workers in it, together.
    pub busy_ms: u64,
    /// So many jobs had one at a time, on an average.
    pub average: Option<f64>,
    /// The most at a time.
    pub peak: u64,
    /// Jobs that may run at a time now; null where nobody serves, and of a time that is past: the journal does not say how
    /// many there were.
    pub places: Option<usize>,
    /// Of those, how much was busy, between 0 and 1.
    pub share: Option<f64>,
}

/// A job that could begin and has no worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldestReady {
    /// Its run.
    pub run: RunId,
    /// Its attempt.
    pub attempt: Attempt,
    /// The job.
    pub job: String,
    /// Since when.
    pub since_ms: Timestamp,
    /// How long ago that is.
    pub age_ms: u64,
}

/// What takes time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slow {
    /// `owner/name`
    pub repository: String,
    /// The workflow file.
    pub workflow: String,
    /// The job.
    pub job: String,
    /// The step, where it is one.
    pub step: Option<String>,
    /// In all.
    pub total_ms: u64,
    /// Each time.
    pub time: Duration,
}

impl From<&Spread> for Duration {
    fn from(spread: &Spread) -> Duration {
        Duration {
            count: spread.count(),
            median_ms: spread.median(),
            p75_ms: spread.percentile(75),
            p90_ms: spread.percentile(90),
            p95_ms: spread.percentile(95),
            p99_ms: spread.percentile(99),
        }
    }
}

impl From<Share> for Rate {
    fn from(share: Share) -> Rate {
        Rate { part: share.part, whole: share.whole, rate: share.value() }
    }
}

impl Report {
    pub(crate) fn of(asked: &Asked, behind_events: u64) -> Report {
        Report {
            since_ms: asked.window.since,
            until_ms: asked.window.until,
            is_past: asked.is_past,
            samples_min: SAMPLES_MIN,
            commits_per_deployment_max: COMMITS_PER_SHIPMENT_MAX,
            behind_events,
            delivery: Vec::new(),
            delivery_left_out: 0,
            pipelines: Vec::new(),
            goal_notes: Vec::new(),
            queues: Vec::new(),
            load: Load::default(),
            oldest_ready: None,
            slow_jobs: Vec::new(),
            slow_steps: Vec::new(),
            slow_tests: Vec::new(),
            flaky: Vec::new(),
            tests: Vec::new(),
            images: Vec::new(),
            scans: Vec::new(),
        }
    }
}

/// The newest of them.
fn newest<T, U>(all: &[T], convert: impl Fn(&T) -> U) -> Vec<U> {
    all[all.len().saturating_sub(EVIDENCE_MAX)..].iter().map(convert).collect()
}

impl Delivery {
    pub(crate) fn of(
        (project, environment, service): (&str, &str, &str),
        by_jobs: bool,
        dora: &Dora,
        incidents: &[IncidentLine],
    ) -> Delivery {
        Delivery {
            project: project.to_owned(),
            environment: environment.to_owned(),
            service: service.to_owned(),
            by_jobs,
            frequency: frequency(dora),
            lead_time: lead_times(dora),
            change_failures: Failures {
                rate: dora.change_failures.share.into(),
                deployments: dora.change_failures.failed.clone(),
            },
            recovery: RecoveryFigure {
                time: (&dora.recovery.times).into(),
                recovered: newest(&dora.recovery.recovered, |it| RecoveredFrom {
                    deployment: it.deployment,
                    by: match it.by {
                        Mended::By(by) => Some(by),
                        Mended::Incident(_) => None,
                    },
                    incident: match it.by {
                        Mended::By(_) => None,
                        Mended::Incident(incident) => Some(incident),
                    },
                    time_ms: it.time_ms,
                }),
                open: dora.recovery.open.clone(),
            },
            rework: ReworkFigure {
                rate: dora.rework.share.into(),
                deployments: dora.rework.deployments.clone(),
            },
            weeks: dora.weeks.iter().map(DeliveryWeek::of).collect(),
            deployments: newest(&dora.deployments, Deployment::of),
            in_doubt: newest(&dora.in_doubt, Deployment::in_doubt),
            incidents: incidents.iter().take(EVIDENCE_MAX).map(Incident::of).collect(),
        }
    }
}

fn frequency(dora: &Dora) -> FrequencyFigure {
    const DAY_MS: f64 = 24.0 * 60.0 * 60.0 * 1000.0;
    let it = &dora.frequency;
    let count = it.deployments.len();
    let days = dora.window.length_ms() as f64 / DAY_MS;
    FrequencyFigure {
        count,
        per_day: (count >= SAMPLES_MIN && days > 0.0).then(|| count as f64 / days),
        between_median_ms: it.between.median(),
        others: it.others.iter().map(|(kind, count)| (*kind, *count)).collect(),
        deployments: it.deployments.clone(),
    }
}

fn lead_times(dora: &Dora) -> LeadTimes {
    let it = &dora.lead_time;
    let part =
        |(part, spread): (&str, &Spread)| LeadPart { part: part.to_owned(), time: spread.into() };
    LeadTimes {
        total: (&it.total).into(),
        parts: LEAD_PARTS.into_iter().zip(&it.parts).map(part).collect(),
        commits: newest(&it.commits, |it| LedCommit {
            commit: it.commit.to_string(),
            deployment: it.deployment,
            committed_at_ms: it.committed_at,
            total_ms: it.total_ms,
            parts: LedParts::of(it.parts),
        }),
        left_out: newest(&it.left_out, |it| LeftOutCommit {
            commit: it.commit.to_string(),
            deployment: it.deployment,
            why: match it.why {
                Omission::ClockSkew => "clock_skew",
                Omission::CameBefore => "came_before",
                Omission::NoDate => "no_date",
            }
            .to_owned(),
        }),
        at_limit: newest(&it.at_limit, |by| *by),
    }
}

impl DeliveryWeek {
    fn of(week: &views::Week) -> DeliveryWeek {
        DeliveryWeek {
            since_ms: week.since,
            deployments: week.deployments,
            failed: week.failed,
            lead_time_median_ms: week.lead_time.median(),
        }
    }
}

impl Deployment {
    fn in_doubt(shipment: &Shipment) -> Deployment {
        let shipment = shipment.clone();
        Deployment::of(&Deployed { shipment, failed: None, incidents: Vec::new() })
    }

    fn of(deployed: &Deployed) -> Deployment {
        let Deployed { shipment: it, failed, incidents } = deployed;
        let failed_word = failed.map(|why| match why {
            Failed::WentBack => "went_back",
            Failed::Stuck => "stuck",
            Failed::Broke => "broke",
            Failed::MendedBy(_) => "mended",
            Failed::Incident => "incident",
        });
        Deployment {
            deployment: it.by,
            stream: it.stream(),
            first_seq: Seq(1),
            last_seq: it.last_seq,
            kind: it.kind,
            verdict: it.verdict,
            planned: it.planned,
            version: it.version.to_string(),
            requested_at_ms: it.requested_at,
            finished_at_ms: it.finished_at,
            failed: failed_word.map(str::to_owned),
            mended_by: match failed {
                Some(Failed::MendedBy(by)) => Some(*by),
                _ => None,
            },
            incidents: incidents.clone(),
        }
    }
}

impl Incident {
    fn of(it: &IncidentLine) -> Incident {
        Incident {
            incident: it.incident,
            stream: it.stream(),
            first_seq: Seq(1),
            last_seq: it.last_seq,
            title: it.title.to_string(),
            severity: it.severity,
            source: it.source,
            service: it.service.as_ref().map(ToString::to_string),
            caused_by: it.caused_by,
            fixed_by: it.fixed_by.iter().copied().collect(),
            opened_at_ms: it.opened_at,
            resolved_at_ms: it.resolved_at,
        }
    }
}

impl Pipeline {
    pub(crate) fn of(
        (repository, workflow): (String, String),
        health: &Health,
        queue: &Spread,
    ) -> Pipeline {
        let left_out = health.left_out.iter().map(|(why, count)| ((*why).to_owned(), *count));
        Pipeline {
            repository,
            workflow,
            success: health.success.into(),
            first_try: health.first_try.into(),
            pull_requests: health.pull_requests.into(),
            infra: health.infra.into(),
            time: (&health.times).into(),
            trigger: (&health.triggers).into(),
            queue: queue.into(),
            repair: (&health.repair).into(),
            red: health.red_since.map(|(run, attempt, since_ms)| Red { run, attempt, since_ms }),
            failures: newest(&health.failures, |(run, attempt, seq)| PipelineFailure {
                run: *run,
                attempt: *attempt,
                stream: StreamId::Run(*run, *attempt),
                seq: *seq,
            }),
            repairs: newest(&health.repairs, |it| PipelineRepair {
                broken_by: it.broken_by,
                mended_by: it.mended_by,
                time_ms: it.time_ms,
            }),
            left_out: left_out.collect(),
            goals: Vec::new(),
        }
    }
}
