//! Pages: made here, whole, and readable without a script.

mod approvals;
mod audit;
mod beside;
mod changes;
mod delivery;
mod deployment;
mod deployments;
mod design;
mod dispatch;
mod docs;
mod environments;
mod held;
mod images;
mod incidents;
mod insights;
mod job;
mod messages;
#[cfg(test)]
mod names;
mod onward;
mod pipelines;
mod provider;
mod repositories;
mod run;
mod run_images;
mod run_scans;
mod run_search;
mod runners;
mod runs;
mod scans;
mod secrets;
mod settings;
mod sign_in;
mod summaries;
mod test_results;
mod test_series;
mod versions;

pub(crate) use approvals::{answered, approval, approvals};
pub(crate) use audit::audit;
pub(crate) use beside::{newer, older};
pub(crate) use delivery::delivery;
pub(crate) use deployment::deployment;
pub(crate) use deployments::deployments;
pub(crate) use design::design;
pub(crate) use dispatch::{dispatch, dispatched};
pub(crate) use docs::docs;
pub(crate) use environments::environments;
pub(crate) use held::{admit, let_in};
pub(crate) use images::images;
pub(crate) use incidents::{changed, incident, incidents, opened, opened_by};
pub(crate) use job::{ShownLog, job, lines, raw, why};
pub(crate) use messages::messages;
pub(crate) use pipelines::pipelines;
pub(crate) use provider::{came_back, sent};
pub(crate) use repositories::repositories;
pub(crate) use run::{cancel, rerun, resume, run};
pub(crate) use run_search::run_search;
pub(crate) use runners::{drain_runner, resume_runner, runners};
pub(crate) use runs::runs;
pub(crate) use scans::scans;
pub(crate) use secrets::{kept, secrets};
pub(crate) use settings::{ended, settings};
pub(crate) use sign_in::{sign_in, sign_out, signed_in};
pub(crate) use test_results::{run_tests, tests};
pub(crate) use versions::{version, versions};

use askama::Template;
use axum::response::{Html, Redirect};
use event::Timestamp;
use views::length;

use crate::access::Scope;
use crate::app::App;
use crate::assets::VERSION;
use crate::guard::{STANDS_BY, Who};
use crate::problem::Problem;

/// What every page has around it.
pub(crate) struct Frame {
    who: Option<Person>,
    /// The part of the menu that it belongs to.
    here: &'static str,
    /// Where its changes are told.
    live: Option<Live>,
    /// What everybody has to know.
    notice: Option<&'static str>,
    version: &'static str,
}

/// How a page follows what happens.
struct Live {
    /// Where changes are told.
    address: String,
    /// The parts that change, as selectors between spaces; empty: all of it. What somebody writes into a form stays
    /// where the form is in none of them.
    parts: &'static str,
}

struct Person {
    name: String,
    may: String,
    /// They see some repositories, and nothing of the server's own.
    is_bound: bool,
    /// They look after the server.
    is_admin: bool,
}

impl Frame {
    fn new(who: Option<&Who>, here: &'static str) -> Frame {
        let is_standing_by = who.is_some_and(|it| it.is_standing_by);
        let notice = is_standing_by.then_some(STANDS_BY);
        let who = who.map(|it| Person {
            name: it.token.name.clone(),
            may: it.token.may(),
            is_bound: it.token.is_bound(),
            is_admin: it.may_with_server(Scope::Admin),
        });
        Frame { who, here, live: None, notice, version: &VERSION }
    }

    /// One for those who are not known yet.
    fn of_strangers(app: &App) -> Frame {
        Frame { notice: app.stands_by.then_some(STANDS_BY), ..Frame::new(None, "") }
    }

    fn live(self, address: String) -> Frame {
        self.live_in(address, "")
    }

    /// Live in these parts alone.
    fn live_in(self, address: String, parts: &'static str) -> Frame {
        Frame { live: Some(Live { address, parts }), ..self }
    }
}

type Page = Result<Html<String>, Problem>;

fn shown(template: &impl Template) -> Page {
    template.render().map(Html).map_err(|error| Problem::missing(&error))
}

/// How long something took, or takes so far.
fn took(duration_ms: Option<u64>) -> String {
    duration_ms.map(length).unwrap_or_default()
}

/// How long it waited, and how long it took since.
fn waited_and_took(
    created: Timestamp,
    started: Option<Timestamp>,
    duration_ms: Option<u64>,
) -> String {
    /// Less is no wait worth a word.
    const WAIT_MS: u64 = 2_000;
    let waited = started.map(|at| at.0.saturating_sub(created.0)).filter(|ms| *ms >= WAIT_MS);
    match (waited, duration_ms) {
        (Some(waited), Some(took)) => format!("{} after {}", length(took), length(waited)),
        (Some(waited), None) => format!("after {}", length(waited)),
        (None, took) => took.map(length).unwrap_or_default(),
    }
}

/// What people come for.
pub(crate) async fn home() -> Redirect {
    Redirect::to("/runs")
}

/// There is no such page.
pub(crate) async fn nothing() -> Problem {
    Problem::not_found("There is no such page.")
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    frame: Frame,
    title: String,
    detail: String,
}

/// A problem as a page.
pub(crate) fn problem(who: Option<&Who>, problem: &Problem) -> String {
    let mut detail = problem.detail.clone();
    if let Some(hint) = &problem.hint {
        detail.push_str(". ");
        detail.push_str(hint);
    }
    let page = ProblemPage { frame: Frame::new(who, ""), title: problem.title.clone(), detail };
    page.render().unwrap_or_else(|_| problem.detail.clone())
}
