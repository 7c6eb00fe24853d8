//! Repositories whose pushes are run, and the pushes that came.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use event::StreamId;

use super::{Frame, Page, shown};
use crate::access::Scope;
use crate::app::{Shared, blocking};
use crate::engine::Push;
use crate::guard::Who;
use crate::words::{Moment, percent, run_href};

/// Pushes that are shown.
const PUSHES: usize = 30;

#[derive(Template)]
#[template(path = "repositories.html")]
struct RepositoriesPage {
    frame: Frame,
    repositories: Vec<RepositoryLine>,
    held: Vec<HeldLine>,
    /// Whether they may let in some of it, and whether some is left to others.
    may_let_in: bool,
    is_left: bool,
    pushes: Vec<PushLine>,
}

/// Code of a fork that waits.
struct HeldLine {
    branch: String,
    commit: String,
    repository: String,
    by: String,
    workflows: String,
    href: String,
    may_let_in: bool,
}

struct RepositoryLine {
    name: String,
    href: String,
    kept: String,
    versions: String,
    path: String,
    trouble: Option<String>,
    environments: String,
    switched_off: String,
}

struct PushLine {
    repository: String,
    branch: String,
    commit: String,
    pusher: String,
    at: Moment,
    runs: Vec<RunLink>,
    said: Vec<String>,
}

struct RunLink {
    name: String,
    workflow: String,
    href: String,
}

/// The page.
pub(crate) async fn repositories(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
) -> Page {
    let page = blocking(move || {
        let connected = who.seen(&app).repositories()?.into_iter().map(|it| RepositoryLine {
            href: format!("/runs?repository={}", percent(&it.name)),
            kept: format!("/secrets?repository={}", percent(&it.name)),
            versions: format!("/repositories/{}/versions", it.name),
            name: it.name,
            path: it.elsewhere.as_ref().map_or(it.path, |elsewhere| {
                format!("{}, looked at every {} s", elsewhere.url, elsewhere.every_seconds)
            }),
            trouble: it.elsewhere.and_then(|it| it.trouble),
            environments: it.environments.join(", "),
            switched_off: it.switched_off.join(", "),
        });
        let held = who.seen(&app).held()?.into_iter().map(|it| HeldLine {
            may_let_in: who.may_within(&it.repository, Scope::Operate),
            href: format!("/held/{}/let-in", percent(&it.id)),
            branch: it.git_ref.trim_start_matches("refs/").to_owned(),
            commit: it.commit,
            repository: it.repository,
            by: it.by,
            workflows: it.workflows.join(", "),
        });
        let held: Vec<HeldLine> = held.collect();
        Ok(RepositoriesPage {
            frame: Frame::new(Some(&who), "repositories").live("/live/runs".to_owned()),
            repositories: connected.collect(),
            may_let_in: held.iter().any(|it| it.may_let_in),
            is_left: held.iter().any(|it| !it.may_let_in),
            held,
            pushes: who.seen(&app).pushes(PUSHES)?.into_iter().map(line).collect(),
        })
    });
    shown(&page.await?)
}

fn line(push: Push) -> PushLine {
    let link = |(stream, workflow): &(StreamId, String)| {
        let (run, attempt) = stream.as_run()?;
        let (name, href) = (format!("run {run}"), run_href(run, attempt));
        Some(RunLink { name, workflow: workflow.clone(), href })
    };
    let name = |it: &str| {
        let short = it.strip_prefix("refs/heads/").or_else(|| it.strip_prefix("refs/tags/"));
        short.unwrap_or(it).to_owned()
    };
    PushLine {
        repository: push.repository,
        branch: name(&push.git_ref),
        commit: push.commit.chars().take(7).collect(),
        pusher: push.pusher,
        at: Moment::of(push.at),
        runs: push.runs.iter().filter_map(link).collect(),
        said: push.said,
    }
}
