//! What GitHub is owed of a run, as its events say now: computed, never remembered. Each thing has a
//! key that is the same however often it is computed, and stands in what is sent, so that whoever
//! does not know whether it arrived can look.

use event::{AnnotationLevel, Conclusion, Status, Timestamp};
use serde_json::{Value as Json, json};
use views::{AnnotationView, JobView, RunView};

use crate::failed_tests::{self, FailedTest, FailedTests};
use crate::words;

/// What a run is about, beside what its view says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The commit that checks stand at: of a pull request the newest of its branch.
    pub head: String,
    /// The pull request.
    pub pull_request: Option<u64>,
    /// How people reach the server, `https://ci.example.com`.
    pub url: String,
}

/// A check of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// `launchway:run/12/1:build`
    pub key: String,
    /// The commit.
    pub head: String,
    /// `ci / build (push)`
    pub name: String,
    /// All of it but the commit and the annotations.
    pub body: Json,
    /// All annotations, in their order; nothing before the job is over.
    pub annotations: Vec<Json>,
}

/// A status of a commit: what somebody may make who is no app.
#[derive(Clone, Debug, PartialEq)]
pub struct CommitStatus {
    /// The commit.
    pub head: String,
    /// What is sent.
    pub body: Json,
}

/// A job's deployment to its environment.
#[derive(Clone, Debug, PartialEq)]
pub struct JobDeployment {
    /// Stands in its payload.
    pub key: String,
    /// The commit.
    pub head: String,
    /// `staging`
    pub environment: String,
    /// `in_progress`, `success`, ...
    pub state: &'static str,
    /// What is sent as the status.
    pub body: Json,
}

/// The checks of a run: one for each job that has a worker of its own. `failed` are the tests that did, as the
/// reports of a run that is over say.
pub fn checks(view: &RunView, subject: &Subject, failed: &FailedTests) -> Vec<Check> {
    let of = |job: &JobView| {
        let is_its = |it: &&FailedTest| it.job == job.key.as_str();
        let tests: Vec<&FailedTest> = failed.listed.iter().filter(is_its).collect();
        check(view, job, (subject, &tests, failed.unlisted))
    };
    own_jobs(view).map(of).collect()
}

/// The same as statuses.
pub fn statuses(view: &RunView, subject: &Subject) -> Vec<CommitStatus> {
    let of = |job: &JobView| {
        let state = match (job.status, job.conclusion) {
            (Status::Completed, Some(Conclusion::Success | Conclusion::Skipped)) => "success",
            (Status::Completed, Some(Conclusion::Failure)) => "failure",
            (Status::Completed, _) => "error",
            _ => "pending",
        };
        let body = json!({
            "state": state,
            "context": words::name(view, job),
            "description": words::cut(&words::title(job), words::DESCRIPTION_MAX),
            "target_url": words::page(subject, view, Some(job)),
        });
        CommitStatus { head: subject.head.clone(), body }
    };
    own_jobs(view).map(of).collect()
}

/// The deployments of jobs that name an environment and have begun.
pub fn deployments(view: &RunView, subject: &Subject) -> Vec<JobDeployment> {
    let of = |job: &JobView| {
        let environment = job.environment.as_ref()?.as_str().to_owned();
        job.started_at?;
        let state = match job.conclusion {
            None => "in_progress",
            Some(Conclusion::Success) => "success",
            Some(Conclusion::Failure | Conclusion::TimedOut) => "failure",
            Some(Conclusion::Cancelled | Conclusion::Skipped) => "error",
        };
        let mut body = json!({
            "state": state,
            "environment": environment,
            "log_url": words::page(subject, view, Some(job)),
            "description": words::cut(&words::title(job), words::DESCRIPTION_MAX),
        });
        // GitHub takes an address of the web, and nothing else.
        if let Some(url) = &job.environment_url
            && (url.as_str().starts_with("https://") || url.as_str().starts_with("http://"))
        {
            body["environment_url"] = url.as_str().into();
        }
        let (key, head) = (key(view, job), subject.head.clone());
        Some(JobDeployment { key, head, environment, state, body })
    };
    own_jobs(view).filter_map(of).collect()
}

/// What stands for others has no check: its legs or inner jobs have.
fn own_jobs(view: &RunView) -> impl Iterator<Item = &JobView> {
    view.jobs.iter().filter(|job| job.children.is_empty() && job.queued_at.is_some())
}

fn key(view: &RunView, job: &JobView) -> String {
    format!("launchway:run/{}/{}:{}", view.header.run, view.header.attempt, job.key)
}

fn check(
    view: &RunView,
    job: &JobView,
    (subject, tests, unlisted): (&Subject, &[&FailedTest], u64),
) -> Check {
    // Only GitHub's own app may say that one waits.
    let status = match job.status {
        Status::Queued | Status::Waiting => "queued",
        Status::InProgress => "in_progress",
        Status::Completed => "completed",
    };
    let name = words::name(view, job);
    let mut body = json!({
        "name": name,
        "external_id": key(view, job),
        "details_url": words::page(subject, view, Some(job)),
        "status": status,
        "output": {
            "title": words::cut(&words::title(job), words::TITLE_MAX),
            "summary": words::summary(view, job, (subject, tests, unlisted)),
        },
    });
    if let Some(at) = job.started_at {
        body["started_at"] = iso(at).into();
    }
    if let Some(conclusion) = job.conclusion {
        body["conclusion"] = conclusion.as_str().into();
        if let Some(at) = job.completed_at {
            body["completed_at"] = iso(at).into();
        }
    }
    let is_over = job.conclusion.is_some();
    // Those of tests come last: the run's reports are read when it is over, and what stands there stays.
    let own = job.annotations.iter().filter(|_| is_over).map(annotation);
    let annotations = own.chain(failed_tests::annotations(tests)).collect();
    Check { key: key(view, job), head: subject.head.clone(), name, body, annotations }
}

/// An annotation as checks have it. One that is about no file stands where GitHub's own do.
fn annotation(it: &AnnotationView) -> Json {
    let it = &it.annotation;
    let level = match it.level {
        AnnotationLevel::Notice => "notice",
        AnnotationLevel::Warning => "warning",
        AnnotationLevel::Error => "failure",
    };
    let line = it.line.unwrap_or(1).max(1);
    let end_line = it.end_line.unwrap_or(line).max(line);
    let path = it.file.as_ref().map_or(".github", |file| file.as_str());
    let mut json = json!({
        "path": path,
        "start_line": line,
        "end_line": end_line,
        "annotation_level": level,
        "message": words::cut(it.message.as_str(), words::MESSAGE_MAX),
    });
    if let Some(title) = &it.title {
        json["title"] = words::cut(title.as_str(), words::TITLE_MAX).into();
    }
    // GitHub refuses columns over several lines.
    if let (Some(column), true) = (it.column, line == end_line) {
        json["start_column"] = column.into();
        json["end_column"] = it.end_column.unwrap_or(column).max(column).into();
    }
    json
}

/// `2026-11-21T12:00:00Z`
pub(crate) fn iso(at: Timestamp) -> String {
    let seconds = i64::try_from(at.0 / 1000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX).to_string()
}
