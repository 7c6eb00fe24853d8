//! What the numbers need of a deployment that is over: one line for each of its services; and one for
//! each environment that jobs of a run named.
//!
//! All jobs of one attempt that name an environment, and had a worker, are one shipment: legs of a matrix
//! and jobs of called workflows among them, none that was carried over from another attempt. It is told once
//! all that are planned are over, and told again where one is planned later. It succeeded where all of them did.
//! What they changed is known to nobody: one that succeeded counts as having reached users since its first job
//! began, and one that did not is *in doubt*.

use std::sync::Arc;

use event::{
    DeployStepKey, DeployStepKind, DeploymentEvent, DeploymentKind, Envelope, Seq, ShippedBy,
    ShippedCommit, StreamId, Timestamp, Verdict, Way,
};

/// Commits that are counted of one shipment; of more, the newest. A team that ships so seldom has other figures to
/// look at first, and nobody reads so long a list.
pub const COMMITS_PER_SHIPMENT_MAX: usize = 1_000;

/// One service of a deployment that is over, or what jobs of a run did in one environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Shipment {
    /// What shipped it.
    pub by: ShippedBy,
    /// `project` of the settings; of jobs the repository.
    pub project: Arc<str>,
    /// The environment.
    pub environment: Arc<str>,
    /// The service; of jobs the workflow file.
    pub service: Arc<str>,
    /// Of which kind the deployment was.
    pub kind: DeploymentKind,
    /// It was meant to happen: no answer to a fault that users saw.
    pub planned: bool,
    /// How it ended.
    pub verdict: Verdict,
    /// What people call the release.
    pub version: Arc<str>,
    /// The release's digest.
    pub digest: Arc<str>,
    /// What the release was made from.
    pub commit: Option<Arc<str>>,
    /// What came here for the first time; nothing where nothing ran well here before.
    pub commits: Vec<ShippedCommit>,
    /// Nothing ran well here before.
    pub is_first: bool,
    /// When it was wanted.
    pub requested_at: Timestamp,
    /// When its first step was intended: every gate was open.
    pub began_at: Option<Timestamp>,
    /// When what runs of this service was about to change. None: it never reached anybody.
    pub reached_at: Option<Timestamp>,
    /// When it was over.
    pub finished_at: Timestamp,
    /// The events that say so: from the request to the end.
    pub last_seq: Seq,
    /// Of jobs where in the whole journal the last one ended, which is the order of what ended in the same
    /// millisecond; 0 of deployments, and where nobody says.
    pub position: u64,
    /// What it took back, where that is known: of jobs that went back.
    pub mends: Option<ShippedBy>,
    /// How its run came to it; none where no run did, or nobody knows.
    pub course: Option<Course>,
    /// The jobs that it was done by, or that ran the command, by what their processes were known by.
    pub jobs: Vec<Arc<str>>,
}

/// How a run came to what it shipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Course {
    /// When the run was made.
    pub made_at: Timestamp,
    /// When a worker was to have the first of all its jobs.
    pub leased_at: Timestamp,
    /// When the gate was asked, of a deployment by the command when that was wanted; without a gate `ready_at`.
    pub asked_at: Timestamp,
    /// When nothing stood before it any more but the wait for a worker.
    pub ready_at: Timestamp,
}

impl Shipment {
    /// The stream that it was told by.
    pub fn stream(&self) -> StreamId {
        self.by.stream()
    }

    /// Whether jobs of a run shipped it.
    pub fn is_by_jobs(&self) -> bool {
        matches!(self.by, ShippedBy::Jobs(..))
    }

    /// Whether nobody knows what became of it: jobs that did not succeed may have changed what runs, or not.
    pub fn is_in_doubt(&self) -> bool {
        self.is_by_jobs() && self.verdict != Verdict::Succeeded
    }

    /// The services of a deployment; none while it is open, where it was a task, or where nothing
    /// of it is known.
    pub fn of(events: &[Envelope<DeploymentEvent>]) -> Vec<Shipment> {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return Vec::new() };
        let StreamId::Deployment(deployment) = first.stream else { return Vec::new() };
        let DeploymentEvent::DeploymentRequested(request) = &first.event else { return Vec::new() };
        let told = events.iter().find_map(|it| match &it.event {
            DeploymentEvent::DeploymentCompleted { verdict, unchanged, at, .. } => {
                Some((*verdict, *unchanged, *at))
            }
            _ => None,
        });
        let Some((verdict, unchanged, finished_at)) = told else { return Vec::new() };
        if request.kind == DeploymentKind::Task || unchanged {
            return Vec::new();
        }
        let steps = Steps::of(events);
        let shipment = |wanted: &event::ServiceRequest| {
            let is_first = wanted.last_good.is_none();
            Shipment {
                by: deployment.into(),
                project: Arc::clone(&request.project),
                environment: Arc::clone(&request.environment),
                service: Arc::clone(&wanted.service),
                kind: request.kind,
                planned: request.planned,
                verdict,
                version: Arc::clone(&wanted.release.version),
                digest: Arc::clone(&wanted.release.digest),
                commit: wanted.release.commit.clone(),
                commits: if is_first { Vec::new() } else { request.commits.clone() },
                is_first,
                requested_at: request.at,
                began_at: steps.began_at,
                reached_at: steps.reached(&wanted.service),
                finished_at,
                last_seq: last.seq,
                position: 0,
                mends: None,
                course: None,
                jobs: request.job.iter().cloned().collect(),
            }
        };
        request.services.iter().map(shipment).collect()
    }

    /// Whether what users meet was changed by it.
    pub fn has_reached(&self) -> bool {
        self.reached_at.is_some()
    }
}

/// When steps were intended.
struct Steps<'e> {
    began_at: Option<Timestamp>,
    /// The first step of each service that changes what runs.
    changes: Vec<(&'e str, Timestamp)>,
}

impl Steps<'_> {
    fn of(events: &[Envelope<DeploymentEvent>]) -> Steps<'_> {
        let plan = events.iter().rev().find_map(|it| match &it.event {
            DeploymentEvent::DeploymentPlanned { plan, .. } => Some(&**plan),
            _ => None,
        });
        let intended = events.iter().filter_map(|it| match &it.event {
            DeploymentEvent::StepIntended { step, way: Way::Forward, at } => Some((step, *at)),
            _ => None,
        });
        let intended: Vec<(&DeployStepKey, Timestamp)> = intended.collect();
        let changing = |(key, at): &(&DeployStepKey, Timestamp)| {
            let plan = plan?;
            let kind = plan.step(key)?.kind;
            let is_seen = matches!(kind, DeployStepKind::Apply | DeployStepKind::Switch);
            is_seen.then(|| plan.service_of(key).map(|it| (&*it.service, *at))).flatten()
        };
        Steps {
            began_at: intended.first().map(|(_, at)| *at),
            changes: intended.iter().filter_map(changing).collect(),
        }
    }

    fn reached(&self, service: &str) -> Option<Timestamp> {
        self.changes.iter().find(|(of, _)| *of == service).map(|(_, at)| *at)
    }
}
