//! One deployment: who wanted it, the plan field by field, what had to open, every step both ways as
//! a timeline, the verdict with its causes and what shows them.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use event::{Cause, DeploymentId, EvidenceKind, GateDemand, GoingBack, Seq, StreamId, Timestamp};
use ports::Journal as _;
use views::{DeedView, DeployStepView, DeploymentView, length};

use super::incidents::IncidentRow;
use super::onward::word;
use super::{Frame, Page, shown};
use crate::access::Scope;
use crate::app::{Shared, blocking};
use crate::guard::Who;
use crate::incidents;
use crate::links::{ConsoleLink, console};
use crate::problem::Problem;
use crate::words::{Moment, State as DeploymentState};

/// Evidence is shown up to here; the journal has all of it.
const EVIDENCE_CHARS_MAX: usize = 4_000;

#[derive(Template)]
#[template(path = "deployment.html")]
struct DeploymentPage {
    frame: Frame,
    number: String,
    environment: String,
    project: String,
    kind: &'static str,
    by: String,
    proof: String,
    reason: String,
    at: Moment,
    took: String,
    state: DeploymentState,
    notes: Vec<String>,
    causes: Vec<CauseLine>,
    hash: String,
    services: Vec<ServiceLine>,
    gates: Vec<GateLine>,
    /// How one agrees, and how one says no, where that is still asked.
    answers: Vec<String>,
    refused: Vec<SaidLine>,
    passed: Vec<(String, String)>,
    steps: Vec<StepLine>,
    incidents: Vec<IncidentRow>,
    may_open: bool,
}

struct CauseLine {
    depth: usize,
    message: String,
    evidence: Vec<(&'static str, String)>,
}

struct ServiceLine {
    name: String,
    version: String,
    digest: String,
    runs: String,
    changes: Vec<ChangeLine>,
    going_back: String,
    notes: Vec<String>,
    console: Vec<ConsoleLink>,
}

struct ChangeLine {
    field: String,
    before: String,
    after: String,
}

struct GateLine {
    key: String,
    what: String,
    signed: Vec<String>,
    rejected: String,
    is_open: bool,
}

struct SaidLine {
    by: String,
    why: String,
    at: Moment,
}

struct StepLine {
    key: String,
    what: String,
    forward: DeploymentState,
    forward_took: String,
    back: Option<DeploymentState>,
    back_took: String,
    why: String,
}

/// The page.
pub(crate) async fn deployment(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(id): Path<u64>,
    headers: HeaderMap,
) -> Page {
    let host = headers.get(header::HOST).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let server = app.place.named(host);
    let page = blocking(move || {
        let id = DeploymentId(id);
        let events = app.store.ledger().read(StreamId::Deployment(id), Seq(0))?;
        let events: Vec<_> = events.into_iter().map(|it| it.event).collect();
        let view = DeploymentView::of(id, &events);
        let view = view.ok_or_else(|| Problem::not_found("There is no such deployment."))?;
        let frame = Frame::new(Some(&who), "deployments");
        // What is over changes no more.
        let frame = if view.ended.is_none() { frame.live("/live/runs".to_owned()) } else { frame };
        let now = app.now();
        let mut page = DeploymentPage::of(&view, frame, now);
        let found = incidents::of_shipped(&app, id.into())?;
        page.incidents = found.iter().map(|it| IncidentRow::of(it, now)).collect();
        page.answers = answers(&view, &server);
        for link in console(&app, &view) {
            if let Some(of) = page.services.iter_mut().find(|it| *it.name == *link.service) {
                of.console.push(link);
            }
        }
        page.may_open = who.may(Scope::Operate).is_ok();
        Ok(page)
    });
    shown(&page.await?)
}

impl DeploymentPage {
    fn of(view: &DeploymentView, frame: Frame, now: Timestamp) -> DeploymentPage {
        let request = &view.request;
        let until = view.ended.as_ref().map_or(now, |end| end.at);
        let mut causes = Vec::new();
        let cause = view.ended.as_ref().and_then(|end| end.cause.as_ref());
        let cause = cause.or(view.turned.as_ref().map(|(cause, _)| cause));
        cause.into_iter().for_each(|cause| add(&mut causes, cause, 0));
        let refused = view.refused.iter().map(|it| SaidLine {
            by: it.by.as_ref().map(|it| it.as_str().to_owned()).unwrap_or_default(),
            why: it.why.as_str().to_owned(),
            at: Moment::of(it.at),
        });
        DeploymentPage {
            frame,
            number: view.id.to_string(),
            environment: request.environment.to_string(),
            project: request.project.to_string(),
            kind: request.kind.as_str(),
            by: request.by.name.as_str().to_owned(),
            proof: request.by.proof.to_string(),
            reason: request.reason.as_ref().map(|it| it.as_str().to_owned()).unwrap_or_default(),
            at: Moment::of(request.at),
            took: length(until.0.saturating_sub(request.at.0)),
            state: DeploymentState::of_deployment(view.standing()),
            notes: view.notes.iter().map(|it| it.as_str().to_owned()).collect(),
            causes,
            hash: view.plan.as_ref().map(|(_, hash)| hash.to_string()).unwrap_or_default(),
            services: services(view),
            gates: view.gates.iter().map(GateLine::of).collect(),
            answers: Vec::new(),
            refused: refused.collect(),
            passed: view
                .passed
                .iter()
                .map(|(rule, what)| (rule.to_string(), what.as_str().to_owned()))
                .collect(),
            steps: view.steps.iter().map(|step| StepLine::of(step, now)).collect(),
            incidents: Vec::new(),
            may_open: false,
        }
    }
}

/// The commands by which people answer what a deployment still asks: a signature by their own key says who agrees, so
/// no button does it.
fn answers(view: &DeploymentView, server: &str) -> Vec<String> {
    let is_approval = |it: &&GateDemand| matches!(it, GateDemand::Approval { .. });
    let is_one = view.request.gates.iter().filter(is_approval).count() == 1;
    let open: Vec<&GateDemand> = view.open_approvals().map(|(demand, _)| demand).collect();
    let command = |verb: &str, of: String, reason: &str| {
        let server = word(server);
        format!("launchway approvals {verb} {}{of} --deployment{reason} --server {server}", view.id)
    };
    let of_group = |demand: &&GateDemand| match demand {
        // Where one group alone was ever asked the command finds it.
        GateDemand::Approval { .. } if is_one => Some(String::new()),
        GateDemand::Approval { group, .. } => Some(format!(" --group {}", word(group))),
        GateDemand::Wait { .. } | GateDemand::Confirm { .. } | GateDemand::Start => None,
    };
    let yes = open.iter().filter_map(of_group).map(|of| command("approve", of, ""));
    let no = open.iter().filter_map(of_group).next();
    yes.chain(no.map(|of| command("reject", of, " --reason \"...\""))).collect()
}

/// A cause and what it came from, with what shows each.
fn add(lines: &mut Vec<CauseLine>, cause: &Cause, depth: usize) {
    let evidence = cause.evidence.iter().map(|it| {
        let kind = match it.kind {
            EvidenceKind::Exit => "how it ended",
            EvidenceKind::Log => "what it printed last",
            EvidenceKind::Probe => "what it answered",
            EvidenceKind::Platform => "what the platform says",
        };
        (kind, it.text.as_str().chars().take(EVIDENCE_CHARS_MAX).collect())
    });
    let message = cause.message.as_str().to_owned();
    lines.push(CauseLine { depth: depth.min(4), message, evidence: evidence.collect() });
    cause.because.iter().for_each(|because| add(lines, because, depth + 1));
}

fn services(view: &DeploymentView) -> Vec<ServiceLine> {
    let text = |it: &Option<mask::MaskedText>| {
        it.as_ref().map_or_else(|| "–".to_owned(), |it| it.as_str().to_owned())
    };
    let line = |wanted: &event::ServiceRequest| {
        let plan = view.plan.as_ref().map(|(plan, _)| plan);
        let planned =
            plan.and_then(|plan| plan.services.iter().find(|it| it.service == wanted.service));
        let changes = planned.into_iter().flat_map(|it| &it.changes);
        let running = planned.and_then(|it| it.running.as_ref());
        ServiceLine {
            name: wanted.service.to_string(),
            version: wanted.release.version.to_string(),
            digest: wanted.release.digest.chars().take(19).collect(),
            runs: running.map(|it| it.release.version.to_string()).unwrap_or_default(),
            changes: changes
                .map(|it| ChangeLine {
                    field: it.field.to_string(),
                    before: text(&it.before),
                    after: text(&it.after),
                })
                .collect(),
            going_back: planned.map(|it| going_back(&it.going_back)).unwrap_or_default(),
            notes: planned
                .into_iter()
                .flat_map(|it| &it.notes)
                .map(|it| it.as_str().to_owned())
                .collect(),
            console: Vec::new(),
        }
    };
    view.request.services.iter().map(line).collect()
}

fn going_back(going_back: &GoingBack) -> String {
    match going_back {
        GoingBack::Possible { to } => format!("going back would bring {}", to.release.version),
        GoingBack::FirstDeployment => "nothing ran before: going back takes it away".to_owned(),
        GoingBack::Impossible { reasons } => {
            let reasons: Vec<&str> = reasons.iter().map(mask::MaskedText::as_str).collect();
            format!("there would be no way back: {}", reasons.join("; "))
        }
    }
}

impl GateLine {
    fn of(gate: &views::GateView) -> GateLine {
        let signed = gate.signed.iter().map(|it| format!("{} by {}", it.by.name, it.by.proof));
        let rejected = gate.rejected.as_ref().map(|it| it.by.name.as_str().to_owned());
        GateLine {
            key: gate.gate.as_str().to_owned(),
            what: gate.what.as_str().to_owned(),
            signed: signed.collect(),
            rejected: rejected.unwrap_or_default(),
            is_open: gate.opened_at.is_some(),
        }
    }
}

impl StepLine {
    fn of(step: &DeployStepView, now: Timestamp) -> StepLine {
        let took = |deed: &Option<DeedView>| {
            let deed = deed.as_ref();
            deed.map(|it| length(it.over_at.unwrap_or(now).0.saturating_sub(it.since.0)))
                .unwrap_or_default()
        };
        let deeds = [&step.forward, &step.back];
        let why = deeds.into_iter().flatten().find_map(|it| it.cause.as_ref());
        StepLine {
            key: step.key.as_str().to_owned(),
            what: step.what.as_str().to_owned(),
            forward: state(step.forward.as_ref(), "done"),
            forward_took: took(&step.forward),
            back: step.back.as_ref().map(|deed| state(Some(deed), "undone")),
            back_took: took(&step.back),
            why: why.map(|it| it.message.as_str().to_owned()).unwrap_or_default(),
        }
    }
}

fn state(deed: Option<&DeedView>, done: &'static str) -> DeploymentState {
    let (sign, word, class) = match deed {
        None => ("○", "not begun", "off"),
        Some(deed) if deed.is_done() => ("✓", done, "good"),
        Some(deed) if deed.over_at.is_some() => ("✗", "failed", "bad"),
        Some(_) => ("●", "under way", "runs"),
    };
    DeploymentState { sign, word, class }
}
