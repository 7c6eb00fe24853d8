//! What waits for people, and the page on which they agree or say no.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use event::{Actor, GateDemand, GateKey, StreamId};
use mask::MaskedText;
use serde::Deserialize;
use views::{DeploymentRow, DeploymentView, length};

use super::changes::Brought;
use super::{Frame, Page, shown};
use crate::api::given;
use crate::app::{Shared, blocking};
use crate::approvals::{self, GateAnswer, Waiting, as_member, is_asked, opens_at, person};
use crate::guard::Who;
use crate::problem::Problem;
use crate::words::{Moment, percent, run_href};

#[derive(Template)]
#[template(path = "approvals.html")]
struct ApprovalsPage {
    frame: Frame,
    rows: Vec<Row>,
    person: Option<String>,
}

/// What waits.
enum Row {
    Job(Line),
    Deployment(DeploymentLine),
}

impl Row {
    fn is_asked(&self) -> bool {
        match self {
            Row::Job(it) => it.is_asked,
            Row::Deployment(it) => it.is_asked,
        }
    }

    fn since(&self) -> u64 {
        match self {
            Row::Job(it) => it.since.ms,
            Row::Deployment(it) => it.since.ms,
        }
    }
}

/// A deployment by `launchway deploy`.
struct DeploymentLine {
    number: String,
    environment: String,
    project: String,
    services: String,
    kind: &'static str,
    asked_by: String,
    since: Moment,
    wants: Vec<String>,
    is_asked: bool,
}

struct Line {
    href: String,
    environment: String,
    job: String,
    title: String,
    repository: String,
    branch: String,
    commit: String,
    asked_by: String,
    since: Moment,
    wants: Vec<String>,
    is_asked: bool,
}

#[derive(Template)]
#[template(path = "approval.html")]
struct ApprovalPage {
    frame: Frame,
    line: Line,
    /// What it brings, as long as it waits.
    brought: Option<Brought>,
    run_href: String,
    job_href: String,
    workflow: String,
    workflow_text: String,
    what: String,
    rules: String,
    gates: Vec<GateLine>,
    answers: Vec<AnswerLine>,
    opens_at: Option<Moment>,
    shut: Option<String>,
    opened_at: Option<Moment>,
    state: &'static str,
    said: Option<&'static str>,
    /// Why nothing can be said by whoever looks.
    silent: Option<&'static str>,
}

struct GateLine {
    key: String,
    words: String,
    agreed: Vec<String>,
    is_open: bool,
    is_asked: bool,
    wants_word: bool,
}

struct AnswerLine {
    by: String,
    said: &'static str,
    class: &'static str,
    sign: &'static str,
    gate: String,
    reason: String,
    at: Moment,
}

/// Everything that waits.
pub(crate) async fn approvals(State(app): State<Shared>, Extension(who): Extension<Who>) -> Page {
    let page = blocking(move || {
        let (jobs, person) = (who.seen(&app).approvals()?, who.token.person.clone());
        let jobs = jobs.iter().map(|it| Row::Job(Line::of(it, person.as_deref())));
        let deployments = who.seen(&app).waiting_deployments()?;
        let deployments = deployments.iter().map(|it| DeploymentLine::of(it, person.as_deref()));
        let mut rows: Vec<Row> = jobs.chain(deployments.map(Row::Deployment)).collect();
        // Who looks sees first what waits for them, then what waits longest.
        rows.sort_by_key(|row| (!row.is_asked(), row.since()));
        let frame = Frame::new(Some(&who), "approvals").live("/live/runs".to_owned());
        Ok(ApprovalsPage { frame, rows, person })
    });
    shown(&page.await?)
}

/// Where a job's gate has its page.
pub(super) fn href(run: &str, job: &str) -> String {
    format!("/approvals/{run}/{}", percent(job))
}

impl Line {
    fn of(waiting: &Waiting, person: Option<&str>) -> Line {
        let (view, gate) = (&waiting.view, waiting.gate());
        let header = &view.header;
        let all = approvals::wanted(gate);
        let open = all.iter().filter(|it| !is_full(it));
        Line {
            href: href(&format!("{}.{}", header.run, header.attempt), waiting.job.as_str()),
            environment: gate.asked.environment.to_string(),
            job: waiting.job().name.as_str().to_owned(),
            title: header.title.as_str().to_owned(),
            repository: header.repository.to_string(),
            branch: super::run::branch(&header.git_ref),
            commit: header.commit.chars().take(7).collect(),
            asked_by: header.triggering_actor.to_string(),
            since: Moment::of(gate.since),
            wants: open.map(|it| words(it.demand)).collect(),
            is_asked: all.iter().any(|it| is_asked(it, gate, person)),
        }
    }
}

impl DeploymentLine {
    fn of(view: &DeploymentView, person: Option<&str>) -> DeploymentLine {
        let row = DeploymentRow::from(view);
        let services = row.services.iter().map(|(service, version)| format!("{service} {version}"));
        let open: Vec<_> = view.open_approvals().collect();
        let is = |name: &str| person.is_some_and(|it| name.eq_ignore_ascii_case(it));
        let asks = |demand: &GateDemand| match demand {
            GateDemand::Approval { members, .. } => members.iter().any(|it| is(it)),
            GateDemand::Wait { .. } | GateDemand::Confirm { .. } | GateDemand::Start => false,
        };
        // Nobody counts twice, for whichever group.
        let has_agreed =
            view.gates.iter().flat_map(|it| &it.signed).any(|it| is(it.by.name.as_str()));
        let since = open.iter().map(|(_, gate)| gate.waiting_at).min().unwrap_or(view.request.at);
        let wants = open.iter().map(|(demand, gate)| {
            let signed = gate.signed.iter().map(|it| it.by.name.as_str()).collect::<Vec<_>>();
            match signed.is_empty() {
                true => words(demand),
                false => format!("{}; agreed: {}", words(demand), signed.join(", ")),
            }
        });
        DeploymentLine {
            number: row.id.to_string(),
            environment: row.environment.to_string(),
            project: view.request.project.to_string(),
            services: services.collect::<Vec<_>>().join(", "),
            kind: row.kind.as_str(),
            asked_by: row.by.as_str().to_owned(),
            since: Moment::of(since),
            wants: wants.collect(),
            is_asked: !has_agreed && open.iter().any(|(demand, _)| asks(demand)),
        }
    }
}

fn is_full(wanted: &approvals::Wanted<'_>) -> bool {
    let count = match wanted.demand {
        GateDemand::Approval { count, .. } => *count as usize,
        GateDemand::Confirm { .. } | GateDemand::Start => 1,
        GateDemand::Wait { .. } => 0,
    };
    wanted.agreed.len() >= count
}

/// What a gate wants, for people.
pub(super) fn words(demand: &GateDemand) -> String {
    match demand {
        GateDemand::Approval { group, count, members } => {
            format!("{count} of {group} ({})", members.join(", "))
        }
        GateDemand::Wait { milliseconds } => {
            format!("{} after it was asked for", length(*milliseconds))
        }
        GateDemand::Confirm { word } => format!("whoever started it types {word}"),
        GateDemand::Start => "a person who may deploy or approve there starts it".to_owned(),
    }
}

#[derive(Deserialize)]
pub(crate) struct SaidBefore {
    said: Option<String>,
}

/// One job at its gate.
pub(crate) async fn approval(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path((run, job)): Path<(String, String)>,
    Query(SaidBefore { said }): Query<SaidBefore>,
) -> Page {
    let page = blocking(move || {
        let waiting = approvals::find(&app, &run, &job)?;
        let text = workflow_text(&app, &waiting)?;
        let brought = Brought::of(&app, &waiting);
        Ok(ApprovalPage::of((&waiting, brought), &who, said.as_deref(), text, app.now()))
    });
    shown(&page.await?)
}

fn workflow_text(app: &crate::app::App, waiting: &Waiting) -> Result<String, Problem> {
    use ports::Journal as _;
    let header = &waiting.view.header;
    let events = app.store.read(StreamId::Run(header.run, header.attempt), event::Seq(0))?;
    Ok(match events.first().map(|it| &it.event) {
        Some(event::RunEvent::RunCreated(request)) => request.workflow.text.to_string(),
        _ => String::new(),
    })
}

/// Where rules were read.
fn source_of(rules: &event::Rules) -> String {
    match rules.commit.chars().take(7).collect::<String>() {
        commit if commit.is_empty() => {
            "that somebody agreed when the repository was connected".to_owned()
        }
        commit => format!("launchway.yml of {} at {commit}", rules.branch),
    }
}

impl ApprovalPage {
    fn of(
        (waiting, brought): (&Waiting, Option<Brought>),
        who: &Who,
        said: Option<&str>,
        workflow_text: String,
        now: event::Timestamp,
    ) -> ApprovalPage {
        let (view, gate, job) = (&waiting.view, waiting.gate(), waiting.job());
        let header = &view.header;
        let is_over = view.conclusion.is_some() || job.conclusion.is_some();
        let is_open = gate.opened_at.is_some();
        let person = who.token.person.as_deref();
        let may = |key: &GateKey| approvals::may_speak(who, waiting, key).is_ok();
        let gates: Vec<GateLine> = approvals::wanted(gate)
            .into_iter()
            .map(|it| GateLine {
                key: it.key.as_str().to_owned(),
                words: words(it.demand),
                agreed: it.agreed.iter().map(ToString::to_string).collect(),
                is_open: is_full(&it) && !matches!(it.demand, GateDemand::Wait { .. })
                    || matches!(it.demand, GateDemand::Wait { .. })
                        && opens_at(gate, now).is_none(),
                is_asked: may(&it.key) && !is_over && !is_open && is_asked(&it, gate, person),
                wants_word: matches!(it.demand, GateDemand::Confirm { .. }),
            })
            .collect();
        let silent = match (is_over || is_open, gates.iter().any(|it| it.is_asked)) {
            (true, _) | (_, true) => None,
            _ if person.is_none() => {
                Some("You are signed in as nobody by name; only people agree.")
            }
            _ if !approvals::wanted(gate).iter().any(|it| may(&it.key)) => {
                Some("You may look here, and not agree.")
            }
            _ => Some("It waits for others: you are not asked, or you agreed already."),
        };
        let run = format!("{}.{}", header.run, header.attempt);
        ApprovalPage {
            frame: Frame::new(Some(who), "approvals").live(format!("/live/runs/{run}")),
            line: Line::of(waiting, person),
            brought,
            run_href: run_href(header.run, header.attempt),
            job_href: super::job::href(view, job),
            workflow: header.workflow_path.to_string(),
            workflow_text,
            what: gate.asked.what.to_string(),
            rules: source_of(&gate.asked.rules),
            gates,
            answers: gate.answers.iter().rev().map(AnswerLine::of).collect(),
            opens_at: opens_at(gate, now).map(Moment::of),
            shut: gate.asked.shut.as_ref().map(|it| it.as_str().to_owned()),
            opened_at: gate.opened_at.map(Moment::of),
            state: match (is_open, is_over) {
                (true, _) => "open",
                (false, true) => "over",
                (false, false) => "waiting",
            },
            said: match said {
                Some("approve") => Some("You agreed. It is written down."),
                Some("reject") => Some("You said no. The job does not run."),
                Some("confirm") => Some("The word is right. It is written down."),
                _ => None,
            },
            silent,
        }
    }
}

impl AnswerLine {
    fn of(answer: &views::AnswerView) -> AnswerLine {
        use views::AnswerKind::{Approved, Refused, Rejected};
        let (said, sign, class) = match (answer.said, answer.is_void) {
            (Approved, true) => ("agreed, void since", "–", "off"),
            (Approved, false) => ("agreed", "✓", "good"),
            (Rejected, _) => ("said no", "✗", "bad"),
            (Refused, _) => ("was refused", "⊘", "off"),
        };
        let text = |it: &Option<mask::MaskedText>| it.as_ref().map(|it| it.as_str().to_owned());
        AnswerLine {
            by: answer.by.name.as_str().to_owned(),
            said,
            class,
            sign,
            gate: answer.gate.as_ref().map(|it| it.as_str().to_owned()).unwrap_or_default(),
            reason: text(&answer.why).or_else(|| text(&answer.reason)).unwrap_or_default(),
            at: Moment::of(answer.at),
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Said {
    decision: String,
    gate: String,
    what: String,
    reason: Option<String>,
    word: Option<String>,
}

/// Somebody agrees, or says no.
pub(crate) async fn answered(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path((run, job)): Path<(String, String)>,
    Form(form): Form<Said>,
) -> Result<Response, Problem> {
    approvals::may_speak_somewhere(&who)?;
    let by = person(&who)?;
    let word = form.word.filter(|_| form.decision == "confirm");
    let (what, said, reason) = given(&form.decision, (&form.what, word, form.reason))?;
    let href = blocking(move || {
        let waiting = approvals::find(&app, &run, &job)?;
        let gate = GateKey::new(form.gate);
        approvals::may_speak(&who, &waiting, &gate)?;
        let header = &waiting.view.header;
        let stream = StreamId::Run(header.run, header.attempt);
        let by = as_member(waiting.gate(), &gate, &by);
        let by = Actor { name: MaskedText::without_secrets(by), ..who.actor() };
        let job = waiting.job.clone();
        app.engine.answer(&GateAnswer { stream, job, gate, what, said, reason, by })?;
        let run = format!("{}.{}", header.run, header.attempt);
        Ok(format!("{}?said={}", href(&run, waiting.job.as_str()), form.decision))
    });
    Ok(Redirect::to(&href.await?).into_response())
}
