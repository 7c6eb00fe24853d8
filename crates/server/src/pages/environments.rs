//! Environments: what ran in each last, what waits there, and the rules that guard it.

use std::collections::BTreeMap;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use figures::NewestByJobs;
use views::Ledger;

use super::onward::{Onward, onward};
use super::{Frame, Page, shown};
use crate::access::Scope;
use crate::app::{App, Shared, blocking};
use crate::deployed;
use crate::engine::GuardedEnvironment;
use crate::guard::Who;
use crate::problem::Problem;
use crate::words::{Moment, State as DeploymentState, percent};

/// Deployments that are looked through for the newest of each environment.
const DEPLOYMENTS: usize = 200;

#[derive(Template)]
#[template(path = "environments.html")]
struct EnvironmentsPage {
    frame: Frame,
    rows: Vec<Row>,
    problems: Vec<String>,
}

struct Row {
    repository: String,
    name: String,
    level: String,
    url: String,
    commit: String,
    rules: Vec<String>,
    secrets: String,
    waits: Vec<(String, String)>,
    deployment: Option<Newest>,
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

#[derive(Clone)]
struct Newest {
    href: String,
    number: String,
    services: String,
    state: DeploymentState,
    at: Moment,
    key: (String, String),
}

/// The page.
pub(crate) async fn environments(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
) -> Page {
    let page = blocking(move || {
        let waiting = who.seen(&app).approvals()?;
        // A page that follows is asked for as soon as something happens: what the figures do not have yet would stay
        // away until the next thing does.
        app.figures.catch_up(&app.store, &mut |_| false)?;
        // A deployment is a project's, and a project may say that it is any.
        let newest = if who.token.is_bound() { Vec::new() } else { newest(&app)? };
        let mut ways = Ways::begin(&app, &who)?;
        let (mut rows, mut problems) = (Vec::new(), Vec::new());
        for repository in who.seen(&app).repositories()? {
            let known = rows.len();
            let by_jobs = app.figures.newest_by_jobs(&repository.name)?;
            if by_jobs.is_cut {
                let few = by_jobs.newest.len();
                problems.push(format!(
                    "{}: its jobs named more environments than are shown; these are the {few} that they named last.",
                    repository.name
                ));
            }
            match app.engine.environments(&repository.name) {
                Ok(all) => {
                    for it in all {
                        let onward = ways.of(&it)?;
                        let here = waiting.iter().filter(|waiting| {
                            let gate = waiting.gate();
                            *waiting.view.header.repository == *repository.name
                                && gate.asked.environment.eq_ignore_ascii_case(&it.name)
                        });
                        let waits = here.map(|waiting| {
                            let header = &waiting.view.header;
                            let run = format!("{}.{}", header.run, header.attempt);
                            let href = super::approvals::href(&run, waiting.job.as_str());
                            (href, format!("{} of run {}", waiting.job().name, header.run))
                        });
                        let waits = waits.collect();
                        rows.push(Row { onward, ..Row::of(&repository.name, it, waits, &newest) });
                    }
                }
                Err(refused) => problems.push(format!("{}: {}", repository.name, refused.message)),
            }
            by_jobs.newest.iter().for_each(|it| beside(&mut rows, known, it));
        }
        let frame = Frame::new(Some(&who), "environments").live("/live/runs".to_owned());
        Ok(EnvironmentsPage { frame, rows, problems })
    });
    shown(&page.await?)
}

/// Puts what jobs did last to the environment that it is of, among the rows of its repository; one that
/// nothing but jobs names gets its own.
fn beside(rows: &mut Vec<Row>, known: usize, newest: &NewestByJobs) {
    let name = &newest.environment;
    let jobs = Some(ByJobs::of(newest));
    if let Some(row) = rows[known..].iter_mut().find(|it| it.name.eq_ignore_ascii_case(name)) {
        row.jobs = jobs;
        return;
    }
    let environment = GuardedEnvironment {
        name: name.to_string(),
        rules: vec!["Jobs name it; no rule of it is known.".to_owned()],
        ..GuardedEnvironment::default()
    };
    rows.push(Row { jobs, ..Row::of(&newest.repository, environment, Vec::new(), &[]) });
}

impl ByJobs {
    fn of(it: &NewestByJobs) -> ByJobs {
        ByJobs {
            href: format!("/runs/{}", it.by),
            number: it.by.to_string(),
            workflow: it.workflow.to_string(),
            version: it.version.to_string(),
            state: DeploymentState::of_deployment(it.verdict.as_str()),
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
        Ok(onward(&it.name, at(&it.name), below, &state))
    }
}

/// The newest deployment of each project to each environment.
fn newest(app: &App) -> Result<Vec<Newest>, Problem> {
    let mut found: Vec<Newest> = Vec::new();
    for id in app.store.newest_deployments(DEPLOYMENTS)? {
        let Some(view) = deployed::view(app, id) else { continue };
        let request = &view.request;
        let key = (request.project.to_string(), request.environment.to_string());
        if found.iter().any(|it| it.key == key) {
            continue;
        }
        let services = request.services.iter();
        let services = services.map(|it| format!("{} {}", it.service, it.release.version));
        found.push(Newest {
            href: format!("/deployments/{id}"),
            number: id.to_string(),
            services: services.collect::<Vec<_>>().join(", "),
            state: DeploymentState::of_deployment(view.standing()),
            at: Moment::of(request.at),
            key,
        });
    }
    Ok(found)
}

impl Row {
    fn of(
        repository: &str,
        environment: GuardedEnvironment,
        waits: Vec<(String, String)>,
        newest: &[Newest],
    ) -> Row {
        let GuardedEnvironment { name, project, level, url, rules, commit, below: _ } = environment;
        let deployment = newest
            .iter()
            .find(|it| Some(&it.key.0) == project.as_ref() && it.key.1.eq_ignore_ascii_case(&name));
        Row {
            repository: repository.to_owned(),
            level: level.map(|it| format!("level {it}")).unwrap_or_default(),
            url: url.unwrap_or_default(),
            commit: commit.map(|it| it.chars().take(7).collect()).unwrap_or_default(),
            rules,
            secrets: format!("/secrets?repository={}", percent(repository)),
            waits,
            deployment: deployment.cloned(),
            jobs: None,
            onward: Vec::new(),
            name,
        }
    }
}
