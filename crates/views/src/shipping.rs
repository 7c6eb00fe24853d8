//! Jobs that name an environment, one event at a time: what they shipped is told when they are over, however
//! long the rest of their run takes.

use std::sync::Arc;

use event::{
    Attempt, Conclusion, DeploymentKind, RunEvent, RunId, RunRequest, Seq, ShippedBy,
    ShippedCommit, Timestamp, Verdict,
};

use crate::shipment::{Course, Shipment};

/// Digits of a commit by which people know what jobs shipped.
const COMMIT_DIGITS: usize = 7;

/// What the first event of an attempt says, as far as what its jobs ship needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct ShippingRun {
    /// The run.
    pub run: RunId,
    /// Its attempt.
    pub attempt: Attempt,
    /// `owner/name`
    pub repository: Arc<str>,
    /// The workflow file.
    pub workflow: Arc<str>,
    /// `github.ref`
    pub git_ref: Arc<str>,
    /// The commit, with its date.
    pub head: ShippedCommit,
    /// The work tree as a commit of its own, where it had changes that the jobs saw.
    pub snapshot: Option<Arc<str>>,
    /// `refs/heads/main`: the default branch.
    pub default_branch: Arc<str>,
    /// The newest commit of that one that is in it, where that was looked for.
    pub branched_at: Option<Arc<str>>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl ShippingRun {
    /// What a request says.
    pub fn of(request: &RunRequest) -> ShippingRun {
        ShippingRun {
            run: request.run,
            attempt: request.attempt,
            repository: request.repository.clone(),
            workflow: request.workflow.path.clone(),
            git_ref: request.event.git_ref.clone(),
            head: ShippedCommit {
                commit: request.change.commit.clone(),
                committed_at: request.change.committed_at,
            },
            snapshot: request.change.snapshot.clone(),
            default_branch: default_branch(request).into(),
            branched_at: request.change.branched_at.clone(),
            created_at: request.at,
        }
    }

    /// Whether that is the default branch.
    pub fn is_default_branch(&self, branch: &str) -> bool {
        *self.default_branch == *branch
    }
}

/// Where nothing says what it is called, it has the usual name.
fn default_branch(request: &RunRequest) -> String {
    format!("refs/heads/{}", request.event.default_branch().unwrap_or("main"))
}

/// A job that names an environment, as far as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct ShippingJob {
    /// The environment it named, as its rules call it where they were read.
    pub environment: Arc<str>,
    /// What the processes of its last worker were known by; none where it never had one.
    pub tracking_id: Option<Arc<str>>,
    /// When its gate asked for the first time; none where it has none.
    pub gated_at: Option<Timestamp>,
    /// When it could have begun: needs, gate and concurrency group behind it.
    pub ready_at: Option<Timestamp>,
    /// When that worker had it, or began.
    pub began_at: Option<Timestamp>,
    /// How it ended.
    pub over: Option<JobOver>,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobOver {
    /// How.
    pub conclusion: Conclusion,
    /// When.
    pub at: Timestamp,
    /// By which event.
    pub seq: Seq,
    /// Where that stands in the whole journal; 0 where nobody says.
    pub position: u64,
}

impl ShippingJob {
    /// Kinds of events that say something of such a job. No other one has to be read.
    pub const KINDS: &'static [&'static str] = &[
        "JobPlanned",
        "JobGated",
        "JobReady",
        "JobLeased",
        "JobStarted",
        "JobSkipped",
        "JobCarried",
        "JobCompleted",
    ];

    /// What is known of a job behind one more of its events; none where it names no environment, was skipped, or
    /// carried over from another attempt.
    #[must_use]
    pub fn after(
        known: Option<ShippingJob>,
        (seq, position): (Seq, u64),
        event: &RunEvent,
    ) -> Option<ShippingJob> {
        let named = |environment: &str| ShippingJob {
            environment: environment.into(),
            tracking_id: None,
            gated_at: None,
            ready_at: None,
            began_at: None,
            over: None,
        };
        match event {
            RunEvent::JobPlanned(definition) => {
                definition.environment.as_ref().map(|it| named(it.as_str()))
            }
            RunEvent::JobGated { gate, at, .. } => {
                let known = known.unwrap_or_else(|| named(&gate.environment));
                let gated_at = known.gated_at.or(Some(*at));
                Some(ShippingJob { environment: gate.environment.clone(), gated_at, ..known })
            }
            RunEvent::JobReady { at, .. } => {
                known.map(|known| ShippingJob { ready_at: Some(*at), ..known })
            }
            // What an earlier worker did of it was in vain.
            RunEvent::JobLeased { at, tracking_id, .. } => known.map(|known| ShippingJob {
                tracking_id: Some(tracking_id.clone()),
                began_at: Some(*at),
                ..known
            }),
            RunEvent::JobStarted { at, .. } => {
                known.map(|known| ShippingJob { began_at: Some(*at), ..known })
            }
            RunEvent::JobSkipped { .. } | RunEvent::JobCarried { .. } => None,
            RunEvent::JobCompleted { conclusion, at, .. } => known.map(|known| ShippingJob {
                over: Some(JobOver { conclusion: *conclusion, at: *at, seq, position }),
                ..known
            }),
            _ => known,
        }
    }
}

impl Shipment {
    /// What these jobs of an attempt shipped to their environment; none while one of them is not over, or where
    /// none had a worker. Of which kind it is, and what came with it, is for whoever knows what was there
    /// before: here it is a release that brings nothing.
    pub fn of_jobs(run: &ShippingRun, jobs: &[ShippingJob]) -> Option<Shipment> {
        let over: Vec<JobOver> = jobs.iter().map(|it| it.over).collect::<Option<_>>()?;
        let last = over.iter().max_by_key(|it| it.seq)?;
        // The name is as its first job wrote it; names of environments are the same in any case.
        let first = jobs.iter().min_by_key(|it| it.over.map(|over| over.seq))?;
        let had_worker = || jobs.iter().zip(&over).filter(|(it, _)| it.tracking_id.is_some());
        let ended =
            |wanted: &[Conclusion]| had_worker().any(|(_, over)| wanted.contains(&over.conclusion));
        // Somebody said no to one that never had a worker, or stopped it.
        let is_whole = had_worker().count() == jobs.len();
        let verdict = if ended(&[Conclusion::Failure, Conclusion::TimedOut]) {
            Verdict::Failed
        } else if ended(&[Conclusion::Cancelled, Conclusion::Skipped]) || !is_whole {
            Verdict::Cancelled
        } else {
            Verdict::Succeeded
        };
        let begun = had_worker().filter(|(it, _)| it.began_at.is_some());
        let (first_begun, _) = begun.min_by_key(|(it, _)| it.began_at)?;
        let began_at = first_begun.began_at?;
        let ready_at = first_begun.ready_at.unwrap_or(began_at);
        let (finished_at, position) =
            had_worker().map(|(_, over)| (over.at, over.position)).max()?;
        let commit = run.snapshot.as_ref().unwrap_or(&run.head.commit);
        let version = match run.git_ref.strip_prefix("refs/tags/") {
            Some(tag) => tag.into(),
            None => commit.chars().take(COMMIT_DIGITS).collect::<String>().into(),
        };
        Some(Shipment {
            by: ShippedBy::Jobs(run.run, run.attempt),
            project: run.repository.clone(),
            environment: first.environment.clone(),
            service: run.workflow.clone(),
            kind: DeploymentKind::Release,
            planned: true,
            verdict,
            version,
            digest: commit.clone(),
            commit: Some(commit.clone()),
            commits: Vec::new(),
            is_first: false,
            requested_at: run.created_at,
            began_at: Some(began_at),
            reached_at: (verdict == Verdict::Succeeded).then_some(began_at),
            finished_at,
            last_seq: last.seq,
            position,
            mends: None,
            course: Some(Course {
                made_at: run.created_at,
                // Which other jobs the run had is for whoever knows them.
                leased_at: ready_at,
                asked_at: first_begun.gated_at.unwrap_or(ready_at),
                ready_at,
            }),
            jobs: jobs.iter().filter_map(|it| it.tracking_id.clone()).collect(),
        })
    }
}
