//! What was deployed, newest first.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use event::{Seq, StreamId};
use ports::Journal as _;
use views::{DeploymentRow, DeploymentView};

use super::{Frame, Page, shown};
use crate::app::{Shared, blocking};
use crate::guard::Who;
use crate::words::{Moment, State as DeploymentState};

/// Deployments that are shown.
const ROWS: usize = 50;

#[derive(Template)]
#[template(path = "deployments.html")]
struct DeploymentsPage {
    frame: Frame,
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
        let ledger = app.store.ledger();
        let mut rows = Vec::new();
        for id in app.store.newest_deployments(ROWS)? {
            let stream = StreamId::Deployment(id);
            // One that was only numbered, or that a newer version wrote, does not hide the others.
            let Ok(events) = ledger.read(stream, Seq(0)) else { continue };
            let events: Vec<_> = events.into_iter().map(|it| it.event).collect();
            rows.extend(DeploymentView::of(id, &events).as_ref().map(Line::of));
        }
        let frame = Frame::new(Some(&who), "deployments").live("/live/runs".to_owned());
        Ok(DeploymentsPage { frame, rows })
    });
    shown(&page.await?)
}

impl Line {
    fn of(view: &DeploymentView) -> Line {
        let row = DeploymentRow::from(view);
        let services = row.services.iter().map(|(service, version)| format!("{service} {version}"));
        let cause = row.cause.as_ref().map(|it| it.as_str().to_owned());
        Line {
            state: DeploymentState::of_deployment(row.standing),
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
