//! Jobs that wait at the gate of an environment, and what people say there.

use event::{Actor, Digest, GateDemand, GateKey, JobKey, Seq, StreamId, Timestamp};
use ports::Journal as _;
use views::{AnswerKind, JobGateView, JobView, RunView};

use crate::access::Scope;
use crate::app::App;
use crate::engine::{Changes, Refused};
use crate::guard::Who;
use crate::problem::Problem;

/// What a person says at a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateAnswer {
    /// The run.
    pub stream: StreamId,
    /// The job.
    pub job: JobKey,
    /// Which gate.
    pub gate: GateKey,
    /// Of what they were shown.
    pub what: Digest,
    /// What they say.
    pub said: AnswerSaid,
    /// Why, in their words.
    pub reason: Option<String>,
    /// Who, and how they came.
    pub by: Actor,
}

/// Yes, no, or the word that whoever started it types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerSaid {
    /// They agree.
    Approve,
    /// They say no.
    Reject,
    /// The word.
    Confirm(String),
}

/// A job at its gate, with its run.
pub(crate) struct Waiting {
    pub(crate) view: RunView,
    pub(crate) job: JobKey,
}

impl Waiting {
    pub(crate) fn job(&self) -> &JobView {
        self.view.job(&self.job).expect("it was found in this run")
    }

    pub(crate) fn gate(&self) -> &JobGateView {
        self.job().gate.as_ref().expect("only what waits at one is listed")
    }

    /// What it brings, as long as it waits: of one that went on, what ran there then is not what runs there now.
    pub(crate) fn brings(&self, app: &App) -> Option<Result<Changes, Refused>> {
        let (header, environment) = (&self.view.header, &self.gate().asked.environment);
        let changes = || app.engine.changes(&header.repository, environment, &header.commit);
        is_waiting(&self.view, self.job()).then(changes)
    }
}

/// Every job that waits at a gate, the oldest first.
pub(crate) fn waiting(app: &App) -> Result<Vec<Waiting>, Problem> {
    let mut all = Vec::new();
    for stream in app.store.open_streams()? {
        // A run that cannot be read does not hide the others.
        let Ok(events) = app.store.read(stream, Seq(0)) else { continue };
        let Some(view) = RunView::of(events.iter().map(|it| &it.event)) else { continue };
        let waits = view.jobs.iter().filter(|job| is_waiting(&view, job));
        let jobs: Vec<JobKey> = waits.map(|job| job.key.clone()).collect();
        all.extend(jobs.into_iter().map(|job| Waiting { view: view.clone(), job }));
    }
    all.sort_by_key(|it| it.gate().since);
    Ok(all)
}

fn is_waiting(view: &RunView, job: &JobView) -> bool {
    let is_open = view.conclusion.is_none() && job.conclusion.is_none();
    is_open && job.gate.as_ref().is_some_and(|gate| gate.opened_at.is_none())
}

/// A job that waits.
pub(crate) fn find(app: &App, run: &str, job: &str) -> Result<Waiting, Problem> {
    let stream = app.stream(run)?;
    let view = app.view(stream)?;
    let job = JobKey::new(job);
    let missing = || Problem::not_found("There is no such job in this run.");
    let found = view.job(&job).ok_or_else(missing)?;
    if found.gate.is_none() {
        return Err(Problem::not_found("That job stood at no gate."));
    }
    Ok(Waiting { view, job })
}

/// What is still wanted at one gate of a job.
pub(crate) struct Wanted<'g> {
    pub(crate) key: GateKey,
    pub(crate) demand: &'g GateDemand,
    /// Who agreed, of those that count.
    pub(crate) agreed: Vec<&'g str>,
}

/// The gates of a job, each with who agreed.
pub(crate) fn wanted(gate: &JobGateView) -> Vec<Wanted<'_>> {
    let one = |demand| {
        let key = GateDemand::key(demand);
        let agreed = gate.agreed(&key).map(|it| it.by.name.as_str()).collect();
        Wanted { key, demand, agreed }
    };
    gate.asked.demands.iter().map(one).collect()
}

/// The person behind a request: a token that belongs to nobody by name agrees to nothing.
pub(crate) fn person(who: &Who) -> Result<String, Problem> {
    let is_proven = who.token.proof.is_some();
    who.token.person.clone().ok_or_else(|| {
        if is_proven {
            let detail = "Nobody said which claim of the provider is your name in groups; only people agree.";
            let hint = "launchway serve --sign-in-person CLAIM says it";
            return Problem { hint: Some(hint.to_owned()), ..Problem::of_scope(detail) };
        }
        let detail = "This token belongs to nobody by name; only people agree.";
        let hint =
            "launchway tokens create NAME --scope approve --person LOGIN --data DIR, where the server runs, makes one that does";
        Problem { hint: Some(hint.to_owned()), ..Problem::of_scope(detail) }
    })
}

/// Whether somebody could still say something at a gate.
pub(crate) fn is_asked(wanted: &Wanted<'_>, gate: &JobGateView, person: Option<&str>) -> bool {
    let Some(person) = person else { return false };
    let is = |name: &str| name.eq_ignore_ascii_case(person);
    match wanted.demand {
        GateDemand::Approval { members, count, .. } => {
            let is_full = wanted.agreed.len() as u64 >= u64::from(*count);
            // Nobody counts twice, for whichever group.
            let mut said = gate.answers.iter().filter(|it| !it.is_void);
            let has_agreed =
                said.any(|it| it.said == AnswerKind::Approved && is(it.by.name.as_str()));
            !is_full && !has_agreed && members.iter().any(|it| is(it))
        }
        GateDemand::Confirm { .. } => {
            wanted.agreed.is_empty() && gate.asked.asked_by.iter().any(|it| is(it))
        }
        GateDemand::Start => wanted.agreed.is_empty(),
        GateDemand::Wait { .. } => false,
    }
}

/// Refuses who may not speak at a gate. Whoever may deploy in an environment starts what runs there, too: the
/// gate that asks for that alone hears them.
pub(crate) fn may_speak(who: &Who, waiting: &Waiting, gate: &GateKey) -> Result<(), Problem> {
    let asked = &waiting.gate().asked;
    let refused = match who.may_in(Scope::Approve, &asked.environment) {
        Ok(()) => return Ok(()),
        Err(refused) => refused,
    };
    match asked.demand(gate) {
        Some(GateDemand::Start) => who.may_in(Scope::Deploy, &asked.environment),
        _ => Err(refused),
    }
}

/// Refuses who may speak at no gate.
pub(crate) fn may_speak_somewhere(who: &Who) -> Result<(), Problem> {
    who.may(Scope::Approve).or_else(|refused| who.may(Scope::Deploy).map_err(|_| refused))
}

/// The name as the gate knows it, where it knows the person.
pub(crate) fn as_member(gate: &JobGateView, key: &GateKey, person: &str) -> String {
    let known = match gate.asked.demand(key) {
        Some(GateDemand::Approval { members, .. }) => members.as_slice(),
        Some(GateDemand::Confirm { .. }) => gate.asked.asked_by.as_slice(),
        _ => &[],
    };
    let found = known.iter().find(|it| it.eq_ignore_ascii_case(person));
    found.map_or_else(|| person.to_owned(), ToString::to_string)
}

/// When the clock lets it through, where that is still to come.
pub(crate) fn opens_at(gate: &JobGateView, now: Timestamp) -> Option<Timestamp> {
    gate.asked.opens_at.filter(|at| *at > now)
}
