//! What was deployed, newest first.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use views::{DeploymentRow, DeploymentView};

use super::{Frame, Page, shown};
use crate::app::{App, Shared, blocking};
use crate::deployed;
use crate::guard::Who;
use crate::incidents::{self, Wanted};
use crate::problem::Problem;
use crate::timeline::{Band, Mark, drawn};
use crate::words::{Moment, State as DeploymentState};

/// Deployments that are shown.
const ROWS: usize = 50;
/// Bands of one incident: it can begin again without end, and each is a line of the picture.
const BANDS_OF_ONE_MAX: usize = 20;

#[derive(Template)]
#[template(path = "deployments.html")]
struct DeploymentsPage {
    frame: Frame,
    timeline: Option<String>,
    rows: Vec<Line>,
}

struct Line {
    state: DeploymentState,
    environment: String,
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
        let newest = app.store.newest_deployments(ROWS)?;
        let views = deployed::views(&app, newest)?;
        let frame = Frame::new(Some(&who), "deployments").live("/live/runs".to_owned());
        let timeline = timeline(&app, &views)?;
        Ok(DeploymentsPage { frame, timeline, rows: views.iter().map(Line::of).collect() })
    });
    shown(&page.await?)
}

/// Where a deployment went, as its lane is called.
fn lane(project: &str, environment: &str) -> String {
    format!("{environment} of {project}")
}

/// Of the times that users met one incident those that are drawn.
fn newest<T>(spans: &[T]) -> &[T] {
    &spans[spans.len().saturating_sub(BANDS_OF_ONE_MAX)..]
}

/// The deployments that are listed, with the incidents of their time.
fn timeline(app: &App, views: &[DeploymentView]) -> Result<Option<String>, Problem> {
    let now = app.now();
    let mark = |view: &DeploymentView| {
        let line = Line::of(view);
        let request = &view.request;
        let why = request.reason.as_ref().map(|it| format!(", because: {it}")).unwrap_or_default();
        Mark {
            lane: lane(&request.project, &request.environment),
            at: view.ended.as_ref().map_or(request.at, |end| end.at),
            sign: line.state.sign,
            is_bad: line.state.class == "bad",
            told: format!(
                "#{} {} {} {}, {}{why}",
                view.id, line.kind, line.services, line.state.word, line.at.text
            ),
        }
    };
    let marks: Vec<Mark> = views.iter().map(mark).collect();
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
    Ok(drawn(&marks, &bands, now, &|at| Moment::of(at).text))
}

impl Line {
    fn of(view: &DeploymentView) -> Line {
        let row = DeploymentRow::from(view);
        let services = row.services.iter().map(|(service, version)| format!("{service} {version}"));
        let cause = row.cause.as_ref().map(|it| it.as_str().to_owned());
        Line {
            state: DeploymentState::of_deployment(view.standing()),
            environment: row.environment.to_string(),
            number: row.id.to_string(),
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
