//! Incidents: the list, and one with what can be done about it.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::{Extension, Form};
use event::{DeploymentId, IncidentId, IncidentRole, ShippedBy, StreamId};
use serde::Deserialize;
use views::{IncidentSpan, IncidentView, RunView, length};

use super::delivery::Shipped;
use super::{Frame, Page, shown};
use crate::access::Scope;
use crate::api::deed;
use crate::app::{App, Shared, blocking};
use crate::guard::Who;
use crate::incidents::{self, IncidentAsk, IncidentDeed, IncidentWish, Wanted};
use crate::problem::Problem;
use crate::words::{Moment, State as Standing};

#[derive(Template)]
#[template(path = "incidents.html")]
struct IncidentsPage {
    frame: Frame,
    open: Option<bool>,
    incidents: Vec<IncidentRow>,
}

#[derive(Template)]
#[template(path = "incident.html")]
struct IncidentPage {
    frame: Frame,
    row: IncidentRow,
    source: &'static str,
    link: String,
    is_open: bool,
    may: bool,
    spans: Vec<SpanLine>,
}

/// One incident in a list.
pub(super) struct IncidentRow {
    pub(super) state: Standing,
    pub(super) number: String,
    pub(super) title: String,
    pub(super) severity: &'static str,
    pub(super) place: String,
    pub(super) caused_by: Option<Shipped>,
    pub(super) fixed_by: Vec<Shipped>,
    pub(super) length: String,
    pub(super) at: Moment,
    pub(super) events: String,
}

struct SpanLine {
    since: Moment,
    by: String,
    reason: String,
    end: Option<Moment>,
    end_by: String,
    end_reason: String,
}

fn standing(is_open: bool) -> Standing {
    if is_open {
        Standing { sign: "\u{25cf}", word: "open", class: "bad" }
    } else {
        Standing { sign: "\u{2713}", word: "over", class: "good" }
    }
}

impl IncidentRow {
    pub(super) fn of(view: &IncidentView, now: event::Timestamp) -> IncidentRow {
        let record = &view.record;
        let service = record.service.as_ref().map(|it| format!("{it} in ")).unwrap_or_default();
        let took = length(view.length_ms(now));
        IncidentRow {
            state: standing(view.is_open()),
            number: view.id.to_string(),
            title: record.title.as_str().to_owned(),
            severity: record.severity.as_str(),
            place: format!("{service}{} of {}", record.environment, record.project),
            caused_by: view.caused_by.map(Shipped::named),
            fixed_by: view.fixed_by.iter().copied().map(Shipped::named).collect(),
            length: if view.is_open() { format!("open for {took}") } else { took },
            at: Moment::of(record.opened_at),
            events: format!("{} events 1 to {}", StreamId::Incident(view.id), view.last_seq),
        }
    }

    /// As the figures have it.
    pub(super) fn counted(it: &figures::Incident) -> IncidentRow {
        let end = it.resolved_at_ms;
        IncidentRow {
            state: standing(end.is_none()),
            number: it.incident.to_string(),
            title: it.title.clone(),
            severity: it.severity.as_str(),
            place: it.service.clone().unwrap_or_else(|| "all services".to_owned()),
            caused_by: it.caused_by.map(Shipped::named),
            fixed_by: it.fixed_by.iter().copied().map(Shipped::named).collect(),
            length: match end {
                Some(end) => length(end.0.saturating_sub(it.opened_at_ms.0)),
                None => "open".to_owned(),
            },
            at: Moment::of(it.opened_at_ms),
            events: format!("{} events {} to {}", it.stream, it.first_seq, it.last_seq),
        }
    }
}

/// What the jobs of a run brought, or ended; and where they may be said to have brought one.
pub(super) struct Brought {
    pub(super) run: String,
    pub(super) rows: Vec<IncidentRow>,
    /// In the order in which jobs began there: what comes while somebody chooses comes last.
    pub(super) environments: Vec<String>,
    pub(super) may_open: bool,
}

impl Brought {
    /// None where the jobs shipped nothing, and for who sees nothing of a project's: incidents are of those.
    pub(super) fn of(app: &App, who: &Who, view: &RunView) -> Result<Option<Brought>, Problem> {
        let there = view.shipped();
        if there.is_empty() || !who.may_with_server(Scope::Read) {
            return Ok(None);
        }
        let by = ShippedBy::Jobs(view.header.run, view.header.attempt);
        let found = incidents::of_shipped(app, by)?;
        let now = app.now();
        Ok(Some(Brought {
            run: by.to_string(),
            rows: found.iter().map(|it| IncidentRow::of(it, now)).collect(),
            environments: there.iter().map(|it| it.environment.to_string()).collect(),
            may_open: who.may_with_server(Scope::Operate),
        }))
    }
}

impl SpanLine {
    fn of(span: &IncidentSpan) -> SpanLine {
        let text = |it: &Option<mask::MaskedText>| {
            it.as_ref().map(|it| it.as_str().to_owned()).unwrap_or_default()
        };
        let end = span.end.as_ref();
        SpanLine {
            since: Moment::of(span.since),
            by: span.by.name.as_str().to_owned(),
            reason: text(&span.reason),
            end: end.map(|it| Moment::of(it.at)),
            end_by: end.map(|it| it.by.name.as_str().to_owned()).unwrap_or_default(),
            end_reason: end.map(|it| text(&it.reason)).unwrap_or_default(),
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Filter {
    state: Option<String>,
}

/// The list.
pub(crate) async fn incidents(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Query(filter): Query<Filter>,
) -> Page {
    let page = blocking(move || {
        let open = match filter.state.as_deref() {
            Some("open") => Some(true),
            Some("resolved") => Some(false),
            _ => None,
        };
        let now = app.now();
        let found = incidents::newest(&app, &Wanted { open, ..Wanted::default() })?;
        let incidents = found.iter().map(|it| IncidentRow::of(it, now)).collect();
        Ok(IncidentsPage { frame: Frame::new(Some(&who), "deployments"), open, incidents })
    });
    shown(&page.await?)
}

/// One of them.
pub(crate) async fn incident(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(id): Path<u64>,
) -> Page {
    let page = blocking(move || {
        let view = incidents::find(&app, IncidentId(id))?;
        // What others wrote is followed only where it is an address of the web.
        let link = view.record.link.as_deref().filter(|it| it.starts_with("https://"));
        Ok(IncidentPage {
            row: IncidentRow::of(&view, app.now()),
            source: view.record.source.as_str(),
            link: link.unwrap_or_default().to_owned(),
            is_open: view.is_open(),
            may: who.may(Scope::Operate).is_ok(),
            spans: view.spans.iter().map(SpanLine::of).collect(),
            frame: Frame::new(Some(&who), "deployments"),
        })
    });
    shown(&page.await?)
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    r#do: String,
    reason: Option<String>,
    shipped: Option<String>,
    role: Option<IncidentRole>,
}

/// What a form names: `41`, `12.1`.
fn named(text: &str) -> Result<ShippedBy, Problem> {
    text.trim().parse().map_err(|error: event::NotShippedBy| Problem::bad(format!("{error}.")))
}

/// Somebody does something about one.
pub(crate) async fn changed(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(id): Path<u64>,
    Form(asked): Form<Asked>,
) -> Result<Response, Problem> {
    who.may(Scope::Operate)?;
    let by = asked.shipped.as_deref().map(named).transpose()?;
    let deed = deed(&asked.r#do, IncidentId(id), (by, asked.role))?;
    let ask = IncidentAsk { deed, reason: asked.reason, at: None, by: who.actor() };
    blocking(move || Ok(app.engine.incident(&ask)?)).await?;
    Ok(Redirect::to(&format!("/incidents/{id}")).into_response())
}

#[derive(Deserialize)]
pub(crate) struct Opened {
    title: String,
    severity: event::Severity,
    service: Option<String>,
    /// The run whose jobs brought it, on its page; a deployment's says which it is by itself.
    run: Option<String>,
    /// Of the environments that those jobs shipped to.
    environment: Option<String>,
}

/// Somebody says on a deployment's page that it brought one.
pub(crate) async fn opened_by(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(deployment): Path<u64>,
    Form(form): Form<Opened>,
) -> Result<Response, Problem> {
    begin(app, who, DeploymentId(deployment).into(), form).await
}

/// Somebody says on a run's page that its jobs brought one.
pub(crate) async fn opened(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Form(form): Form<Opened>,
) -> Result<Response, Problem> {
    let run = form.run.as_deref().unwrap_or_default();
    let by = named(run)?;
    begin(app, who, by, form).await
}

async fn begin(
    app: Shared,
    who: Who,
    caused_by: ShippedBy,
    form: Opened,
) -> Result<Response, Problem> {
    who.may(Scope::Operate)?;
    let deed = IncidentDeed::Open(IncidentWish {
        title: form.title,
        severity: form.severity,
        project: None,
        environment: form.environment,
        service: form.service,
        caused_by: Some(caused_by),
        key: None,
    });
    let ask = IncidentAsk { deed, reason: None, at: None, by: who.actor() };
    let id = blocking(move || Ok(app.engine.incident(&ask)?)).await?;
    Ok(Redirect::to(&format!("/incidents/{id}")).into_response())
}
