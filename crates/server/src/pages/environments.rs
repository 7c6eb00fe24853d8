//! Environments: what ran in each last, what waits there, and the rules that guard it.

use askama::Template;
use axum::Extension;
use axum::extract::State;

use super::{Frame, Page, shown};
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
        // A deployment is a project's, and a project may say that it is any.
        let newest = if who.token.is_bound() { Vec::new() } else { newest(&app)? };
        let (mut rows, mut problems) = (Vec::new(), Vec::new());
        for repository in who.seen(&app).repositories()? {
            match app.engine.environments(&repository.name) {
                Ok(all) => rows.extend(all.into_iter().map(|it| {
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
                    Row::of(&repository.name, it, waits, &newest)
                })),
                Err(refused) => problems.push(format!("{}: {}", repository.name, refused.message)),
            }
        }
        let frame = Frame::new(Some(&who), "environments").live("/live/runs".to_owned());
        Ok(EnvironmentsPage { frame, rows, problems })
    });
    shown(&page.await?)
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
        let GuardedEnvironment { name, project, level, url, rules, commit } = environment;
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
            name,
        }
    }
}
