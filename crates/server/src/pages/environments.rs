//! Environments: what ran in each last, what waits there, and the rules that guard it.

use std::collections::BTreeMap;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use figures::NewestByJobs;
use views::{DeploymentView, Ledger};

use super::onward::{Onward, onward};
use super::{Frame, Page, shown};
use crate::access::Scope;
use crate::app::{App, Shared, blocking, turn};
use crate::approvals::Waiting;
use crate::deployed;
use crate::engine::GuardedEnvironment;
use crate::environments::{KnownEnvironment, Surveyed, surveyed};
use crate::guard::Who;
use crate::links::{Address, ConsoleLink, console, environment_anchor};
use crate::problem::Problem;
use crate::words::{Moment, State as DeploymentState, percent};

#[derive(Template)]
#[template(path = "environments.html")]
struct EnvironmentsPage {
    frame: Frame,
    behind: u64,
    rows: Vec<Row>,
    problems: Vec<String>,
}

struct Row {
    repository: String,
    name: String,
    /// What its card is called in an address.
    anchor: String,
    level: String,
    url: Option<Address>,
    commit: String,
    rules: Vec<String>,
    secrets: String,
    waits: Vec<(String, String)>,
    deployment: Option<Newest>,
    /// Something was deployed there, and cannot be read any more.
    is_unread: bool,
    jobs: Option<ByJobs>,
    onward: Vec<Onward>,
}

/// What jobs did there last.
struct ByJobs {
    href: String,
    number: String,
    workflow: String,
    version: String,
    state: DeploymentState,
    at: Moment,
}

struct Newest {
    href: String,
    number: String,
    services: String,
    state: DeploymentState,
    at: Moment,
    console: Vec<ConsoleLink>,
}

/// The page.
pub(crate) async fn environments(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
) -> Page {
    let turn = turn(&app.surveying).await?;
    let page = blocking(move || {
        let _turn = turn;
        let waiting = who.seen(&app).approvals()?;
        let mut ways = Ways::begin(&app, &who)?;
        let Surveyed { known, problems, behind } = surveyed(&app, &who)?;
        let mut rows = Vec::new();
        for (repository, KnownEnvironment { environment, jobs }) in known {
            let onward = ways.of(&environment)?;
            let waits = waits(&waiting, &repository, &environment.name);
            // A deployment is a project's, and a project may say that it is any.
            let project = environment.project.as_deref().filter(|_| !who.token.is_bound());
            let newest = project.map(|it| deployed::newest(&app, it, &environment.name));
            let (newest, is_unread) = newest.transpose()?.unwrap_or_default();
            let newest = newest.map(|it| Newest::of(&app, &it));
            let row = Row::of(&repository, environment, waits, (newest, is_unread));
            rows.push(Row { onward, jobs: jobs.as_ref().map(ByJobs::of), ..row });
        }
        let frame = Frame::new(Some(&who), "environments").live("/live/runs".to_owned());
        Ok(EnvironmentsPage { frame, behind, rows, problems })
    });
    shown(&page.await?)
}

/// The jobs that wait at the gate of an environment: where they are agreed to, and what they are.
fn waits(waiting: &[Waiting], repository: &str, environment: &str) -> Vec<(String, String)> {
    let here = waiting.iter().filter(|it| {
        *it.view.header.repository == *repository
            && it.gate().asked.environment.eq_ignore_ascii_case(environment)
    });
    let told = here.map(|it| {
        let header = &it.view.header;
        let run = format!("{}.{}", header.run, header.attempt);
        let href = super::approvals::href(&run, it.job.as_str());
        (href, format!("{} of run {}", it.job().name, header.run))
    });
    told.collect()
}

impl ByJobs {
    fn of(it: &NewestByJobs) -> ByJobs {
        ByJobs {
            href: format!("/runs/{}", it.by),
            number: it.by.to_string(),
            workflow: it.workflow.to_string(),
            version: it.version.to_string(),
            state: DeploymentState::of_deployment(it.standing()),
            at: Moment::of(it.finished_at),
        }
    }
}

/// What could be shipped where. What is known of an environment is read once, however many are promoted from it.
struct Ways<'a> {
    app: &'a App,
    /// None for who sees nothing of a project's.
    state: Option<String>,
    ledgers: BTreeMap<(String, String), Ledger>,
}

impl Ways<'_> {
    fn begin<'a>(app: &'a App, who: &Who) -> Result<Ways<'a>, Problem> {
        let state = match (who.token.is_bound(), who.may_with_server(Scope::Admin)) {
            (true, _) => None,
            (false, true) => Some(app.engine.in_force()?.folder),
            // Where things lie on the machine is an administrator's to know.
            (false, false) => Some("DATA".to_owned()),
        };
        Ok(Ways { app, state, ledgers: BTreeMap::new() })
    }

    fn of(&mut self, it: &GuardedEnvironment) -> Result<Vec<Onward>, Problem> {
        let (Some(project), Some(state)) = (&it.project, self.state.clone()) else {
            return Ok(Vec::new());
        };
        for name in it.below.iter().chain([&it.name]) {
            let key = (project.clone(), name.clone());
            if !self.ledgers.contains_key(&key) {
                let ledger = deployed::ledger(self.app, project, name)?;
                self.ledgers.insert(key, ledger);
            }
        }
        let at = |name: &String| &self.ledgers[&(project.clone(), name.clone())];
        let below = it.below.as_ref().map(|name| (name.as_str(), at(name)));
        Ok(onward(&it.name, &it.services, at(&it.name), below, &state))
    }
}

impl Newest {
    fn of(app: &App, view: &DeploymentView) -> Newest {
        let request = &view.request;
        let services = request.services.iter();
        let services = services.map(|it| format!("{} {}", it.service, it.release.version));
        Newest {
            href: format!("/deployments/{}", view.id),
            number: view.id.to_string(),
            services: services.collect::<Vec<_>>().join(", "),
            state: DeploymentState::of_deployment(view.standing()),
            at: Moment::of(request.at),
            console: console(app, view),
        }
    }
}

impl Row {
    fn of(
        repository: &str,
        environment: GuardedEnvironment,
        waits: Vec<(String, String)>,
        (deployment, is_unread): (Option<Newest>, bool),
    ) -> Row {
        let GuardedEnvironment { name, level, url, rules, commit, .. } = environment;
        Row {
            repository: repository.to_owned(),
            anchor: environment_anchor(repository, &name),
            level: level.map(|it| format!("level {it}")).unwrap_or_default(),
            url: url.as_deref().map(Address::of),
            commit: commit.map(|it| it.chars().take(7).collect()).unwrap_or_default(),
            rules,
            secrets: format!("/secrets?repository={}", percent(repository)),
            waits,
            deployment,
            is_unread,
            jobs: None,
            onward: Vec::new(),
            name,
        }
    }
}
