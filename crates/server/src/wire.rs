//! What goes over the wire: the shapes of the API, which `runs list|show --format json` prints too.

mod deployments;
mod messages;
mod people;
mod releases;
mod waterfall;

pub use deployments::{
    ConsolePage, DeploymentEvents, DeploymentLine, DeploymentList, EnvironmentLine,
    EnvironmentList, OpenDeployment, PlaceStatus, RunningRelease, ServiceStatus, ServiceVersion,
    ShippedByJobs, StatusList,
};
pub use messages::{MessageLine, MessageList, TroubledLine};
pub use people::{PersonLine, SessionLine, TokenLine};
pub use releases::{CameRelease, PlaceReleases, ReleaseImage, ReleaseList};

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{Attempt, Conclusion, JobKey, RunEvent, RunId, Seq, Status, Timestamp};
use mask::MaskedText;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use views::{JobView, RunRow, RunView};

/// A run's line in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunLine {
    /// The run.
    pub run: RunId,
    /// Its attempt.
    pub attempt: Attempt,
    /// `github.run_number`
    pub run_number: u64,
    /// `owner/name`
    pub repository: Arc<str>,
    /// The workflow file's name.
    pub workflow: String,
    /// Display title.
    pub title: MaskedText,
    /// The event's name.
    pub event: Arc<str>,
    /// Who set it off; older servers do not say.
    #[serde(default)]
    pub actor: Arc<str>,
    /// Branch or tag.
    pub branch: String,
    /// The commit's first digits.
    pub commit: String,
    /// Where it is on its way.
    pub status: Status,
    /// How it ended.
    pub conclusion: Option<Conclusion>,
    /// Whether one of its jobs was lost and that is not settled.
    pub lost: bool,
    /// Nobody sees to it that it goes on.
    pub unattended: bool,
    /// When it was made.
    pub created_at_ms: Timestamp,
    /// When nothing stood before its jobs any more.
    pub started_at_ms: Option<Timestamp>,
    /// How long it took; none before its end.
    pub duration_ms: Option<u64>,
}

/// A part of the list of runs, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunList {
    /// The runs.
    pub runs: Vec<RunLine>,
    /// What `before` is given for the next part; none at the end.
    pub older: Option<String>,
}

/// An event as the journal has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredEvent<E = RunEvent> {
    /// Its place in its stream, from 1.
    pub seq: Seq,
    /// When it was written.
    pub at_ms: Timestamp,
    /// What happened.
    pub event: E,
}

/// The events of a run behind some number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunEvents {
    /// The run.
    pub run: RunId,
    /// The attempt that was meant.
    pub attempt: Attempt,
    /// Nobody sees to it that it goes on.
    pub unattended: bool,
    /// Why jobs that are ready have no worker, by job: the journal does not know.
    #[serde(default)]
    pub waits: BTreeMap<JobKey, String>,
    /// The events, in order.
    pub events: Vec<StoredEvent>,
}

impl RunLine {
    /// A line, with what the journal alone does not say.
    pub fn new(row: &RunRow, unattended: bool) -> RunLine {
        RunLine {
            run: row.run,
            attempt: row.attempt,
            run_number: row.run_number,
            repository: row.repository.clone(),
            workflow: row.workflow.clone(),
            title: row.title.clone(),
            event: row.event.clone(),
            actor: row.actor.clone(),
            branch: row.branch.clone(),
            commit: row.commit.clone(),
            status: row.status,
            conclusion: row.conclusion,
            lost: row.lost,
            unattended,
            created_at_ms: row.created_at,
            started_at_ms: row.started_at,
            duration_ms: row.duration_ms,
        }
    }
}

impl From<RunLine> for RunRow {
    fn from(line: RunLine) -> RunRow {
        RunRow {
            run: line.run,
            attempt: line.attempt,
            run_number: line.run_number,
            repository: line.repository,
            workflow: line.workflow,
            title: line.title,
            event: line.event,
            actor: line.actor,
            branch: line.branch,
            commit: line.commit,
            status: line.status,
            conclusion: line.conclusion,
            lost: line.lost,
            created_at: line.created_at_ms,
            started_at: line.started_at_ms,
            duration_ms: line.duration_ms,
        }
    }
}

/// A whole run, as `runs show --format json` has it. `why` says why a job does not go on; what goes on took its time
/// up to `now`.
pub fn run_details(
    view: &RunView,
    unattended: bool,
    driven_by: Option<u32>,
    why: &dyn Fn(&JobView) -> Option<String>,
    now: Timestamp,
) -> Json {
    let header = &view.header;
    json!({
        "run": header.run, "attempt": header.attempt, "run_number": header.run_number,
        "repository": header.repository, "workflow": header.workflow_path, "title": header.title,
        "event": header.event, "ref": header.git_ref, "commit": header.commit,
        "uncommitted": header.uncommitted, "actor": header.actor,
        "status": view.status, "conclusion": view.conclusion,
        "driven_by": driven_by, "unattended": unattended,
        "created_at_ms": header.created_at, "started_at_ms": view.started_at, "completed_at_ms": view.completed_at,
        "jobs": view.jobs.iter().map(|job| job_details(job, why(job))).collect::<Vec<_>>(),
        "artifacts": view.artifacts.iter().map(|(name, artifact)| json!({
            "name": name, "attempt": artifact.attempt, "job": artifact.job,
            "size_bytes": artifact.size_bytes, "expires_at_ms": artifact.expires_at,
        })).collect::<Vec<_>>(),
        "not_enforced": view.notes.iter().map(|note| &note.note).collect::<Vec<_>>(),
        "waterfall": waterfall::waterfall(view, now),
    })
}

fn job_details(job: &JobView, why: Option<String>) -> Json {
    let steps = job.steps.iter().map(|step| {
        json!({
            "step": step.key, "name": step.name, "status": step.status, "outcome": step.outcome,
            "conclusion": step.conclusion, "interrupted": step.interrupted,
            "background": step.background,
            "started_at_ms": step.started_at, "completed_at_ms": step.completed_at,
        })
    });
    json!({
        "job": job.key, "name": job.name, "needs": job.needs, "status": job.status,
        "conclusion": job.conclusion, "lost": job.lost, "outputs": job.outputs,
        "why_waiting": why,
        "environment": job.named_environment(), "environment_url": job.environment_url,
        "ready_at_ms": job.ready_at, "leased_at_ms": job.leased_at,
        "started_at_ms": job.started_at, "completed_at_ms": job.completed_at,
        "steps": steps.collect::<Vec<_>>(),
    })
}
