//! What was deployed, by `launchway deploy` and by jobs that name an environment, newest first.

use std::cmp::Reverse;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use figures::NewestByJobs;
use views::{DeploymentRow, DeploymentView};

use super::{Frame, Page, shown};
use crate::app::{App, Shared, blocking};
use crate::deployed;
use crate::guard::Who;
use crate::incidents::{self, Wanted};
use crate::numbers;
use crate::problem::Problem;
use crate::timeline::{Band, Mark, drawn};
use crate::words::{Moment, State as DeploymentState};

/// Lines that are shown: the newest of deployments and of what jobs shipped.
const ROWS: usize = 50;
/// Bands of one incident: it can begin again without end, and each is a line of the picture.
const BANDS_OF_ONE_MAX: usize = 20;

#[derive(Template)]
#[template(path = "deployments.html")]
struct DeploymentsPage {
    frame: Frame,
    behind: u64,
    timeline: Option<String>,
    rows: Vec<Line>,
}

/// What was shipped somewhere, by `launchway deploy` or by a job.
struct Line {
    state: DeploymentState,
    href: String,
    environment: String,
    /// `#12`, or of a job `run 12.1`.
    number: String,
    project: String,
    services: String,
    kind: &'static str,
    by: String,
    at: Moment,
    cause: String,
}

/// The page.
pub(crate) async fn deployments(State(app): State<Shared>, Extension(who): Extension<Who>) -> Page {
    let page = blocking(move || {
        let behind = numbers::behind(&app)?;
        let newest = app.store.newest_deployments(ROWS)?;
        let views = deployed::views(&app, newest)?;
        let by_jobs = app.figures.last_by_jobs(ROWS)?;
        let (rows, marks) = newest_of(&views, &by_jobs);
        let frame = Frame::new(Some(&who), "deployments").live("/live/runs".to_owned());
        let timeline = timeline(&app, &marks)?;
        Ok(DeploymentsPage { frame, behind, timeline, rows })
    });
    shown(&page.await?)
}

/// The newest of both, as lines and as marks of the picture.
fn newest_of(views: &[DeploymentView], by_jobs: &[NewestByJobs]) -> (Vec<Line>, Vec<Mark>) {
    let commanded = views.iter().map(|it| (Line::of(it), Mark::of(it)));
    let shipped = by_jobs.iter().map(|it| (Line::of_jobs(it), Mark::of_jobs(it)));
    let mut all: Vec<(Line, Mark)> = commanded.chain(shipped).collect();
    all.sort_by_key(|(line, _)| Reverse(line.at.ms));
    all.truncate(ROWS);
    all.into_iter().unzip()
}

/// Where a deployment went, as its lane is called.
fn lane(project: &str, environment: &str) -> String {
    format!("{environment} of {project}")
}

/// Of the times that users met one incident those that are drawn.
fn newest<T>(spans: &[T]) -> &[T] {
    &spans[spans.len().saturating_sub(BANDS_OF_ONE_MAX)..]
}

/// What is listed, with the incidents of its time.
fn timeline(app: &App, marks: &[Mark]) -> Result<Option<String>, Problem> {
    let now = app.now();
    let mut bands = Vec::new();
    for view in incidents::newest(app, &Wanted::default())? {
        let record = &view.record;
        bands.extend(newest(&view.spans).iter().map(|span| Band {
            lane: lane(&record.project, &record.environment),
            since: span.since,
            until: span.end.as_ref().map_or(now, |end| end.at),
            told: format!("incident {}, {}: {}", view.id, record.severity, record.title),
        }));
    }
    Ok(drawn(marks, &bands, now, &|at| Moment::of(at).text))
}

impl Mark {
    fn of(view: &DeploymentView) -> Mark {
        let line = Line::of(view);
        let request = &view.request;
        let why = request.reason.as_ref().map(|it| format!(", because: {it}")).unwrap_or_default();
        Mark {
            lane: lane(&request.project, &request.environment),
            at: view.ended.as_ref().map_or(request.at, |end| end.at),
            sign: line.state.sign,
            is_bad: line.state.class == "bad",
            told: format!("{}{why}", line.told()),
        }
    }

    fn of_jobs(it: &NewestByJobs) -> Mark {
        let line = Line::of_jobs(it);
        Mark {
            lane: lane(&it.repository, &it.environment),
            at: it.finished_at,
            sign: line.state.sign,
            is_bad: line.state.class == "bad",
            told: format!("{}, by a job", line.told()),
        }
    }
}

impl Line {
    fn told(&self) -> String {
        let Line { number, kind, services, state, at, .. } = self;
        format!("{number} {kind} {services} {}, {}", state.word, at.text)
    }

    fn of_jobs(it: &NewestByJobs) -> Line {
        Line {
            state: DeploymentState::of_deployment(it.standing()),
            href: format!("/runs/{}", it.by),
            environment: it.environment.to_string(),
            number: format!("run {}", it.by),
            project: it.repository.to_string(),
            services: format!("{} {}", it.workflow, it.version),
            kind: it.kind.as_str(),
            by: "a job".to_owned(),
            at: Moment::of(it.finished_at),
            cause: String::new(),
        }
    }

    fn of(view: &DeploymentView) -> Line {
        let row = DeploymentRow::from(view);
        let services = row.services.iter().map(|(service, version)| format!("{service} {version}"));
        let cause = row.cause.as_ref().map(|it| it.as_str().to_owned());
        Line {
            state: DeploymentState::of_deployment(view.standing()),
            environment: row.environment.to_string(),
            href: format!("/deployments/{}", row.id),
            number: format!("#{}", row.id),
            project: view.request.project.to_string(),
            services: services.collect::<Vec<_>>().join(", "),
            kind: row.kind.as_str(),
            by: row.by.as_str().to_owned(),
            at: Moment::of(row.requested_at),
            cause: cause.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_that_comes_back_for_ever_has_its_newest_bands() {
        let spans: Vec<usize> = (0..1_000).collect();
        assert_eq!(newest(&spans), (1_000 - BANDS_OF_ONE_MAX..1_000).collect::<Vec<_>>());
        assert_eq!(newest(&spans[..3]), [0, 1, 2]);
    }
}
