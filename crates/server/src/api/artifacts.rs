//! Artifacts of a run, as the archives that they are kept as.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use event::{Attempt, StreamId};
use mask::MaskedText;
use views::{ArtifactView, RunView};

use super::Operation;
use crate::access::Scope;
use crate::app::{App, Shared, blocking};
use crate::guard::Who;
use crate::problem::Problem;
use crate::sent;
use crate::standing::Standing;
use crate::words::percent;

pub(super) const OPERATION: Operation = Operation {
    method: "get",
    path: "/api/v1/runs/{run}/artifacts/{artifact}",
    id: "readArtifact",
    summary: "An artifact of a run, of the attempt that is named or the ones before it, as a zip archive",
    scope: Scope::Read,
    query: &[],
    body: None,
    answer: (200, "application/zip"),
    route: || get(read),
};

/// The archive, for programs and for pages that link it.
pub(crate) async fn read(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path((run, name)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let standing = Standing::of(&app, &who);
    let (file, size, name) = blocking(move || {
        let none = || Problem::not_found("There is no such artifact.");
        let artifact = find(&app, app.stream(&run)?, &name)?.ok_or_else(none)?;
        if artifact.expires_at <= app.now() {
            let detail = "The artifact has expired: a re-run makes it again.";
            return Err(Problem::new(StatusCode::GONE, detail));
        }
        let gone = |_| Problem::new(StatusCode::GONE, "The bytes of the artifact are gone.");
        let file = app.store.blobs().get(&artifact.blob).map_err(gone)?;
        let size = file.metadata()?.len();
        Ok((file, size, name))
    })
    .await?;
    let heads = [
        (header::CONTENT_TYPE, "application/zip".to_owned()),
        (header::CONTENT_LENGTH, size.to_string()),
        (header::CONTENT_DISPOSITION, disposition(&name)),
    ];
    Ok((heads, sent::body(file, standing)).into_response())
}

/// The newest of its name, of this attempt and the ones before it: they belong to the run.
fn find(app: &App, stream: StreamId, name: &str) -> Result<Option<ArtifactView>, Problem> {
    let mut view = app.view(stream)?;
    let is_it = |known: &MaskedText| known.as_str() == name;
    // What stands here is the newest: whatever those before had, or whether they can be read at all.
    if !view.artifacts.keys().any(is_it) {
        let earlier: Vec<RunView> = earlier(app, &view).collect::<Result<_, _>>()?;
        view.take_artifacts(&earlier);
    }
    let found = view.artifacts.into_iter().find(|(known, _)| is_it(known));
    Ok(found.map(|(_, artifact)| artifact))
}

/// Takes in the artifacts of the attempts before this one. One that cannot be read shows none, and its own page says
/// why: this one can be read.
pub(crate) fn take_in(app: &App, view: &mut RunView) {
    let earlier: Vec<RunView> = earlier(app, view).filter_map(Result::ok).collect();
    view.take_artifacts(&earlier);
}

/// The attempts before this one, the oldest first. One that was pruned, or never began, has nothing.
fn earlier(app: &App, view: &RunView) -> impl Iterator<Item = Result<RunView, Problem>> {
    let (run, attempt) = (view.header.run, view.header.attempt);
    let views = (1..attempt.0).map(move |number| app.view(StreamId::Run(run, Attempt(number))));
    views.filter(|it| !matches!(it, Err(problem) if is_gone(problem)))
}

fn is_gone(problem: &Problem) -> bool {
    [StatusCode::NOT_FOUND, StatusCode::GONE].iter().any(|it| it.as_u16() == problem.status)
}

/// A file of that name, whatever a job called it (RFC 6266).
fn disposition(name: &str) -> String {
    format!("attachment; filename*=UTF-8''{}.zip", percent(name))
}
