//! Letting in the code of a fork: its runs wait until somebody looked at it.

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Redirect;

use crate::access::Scope;
use crate::app::{App, Shared, blocking};
use crate::audit;
use crate::engine::LetIn;
use crate::guard::Who;
use crate::problem::Problem;
use crate::reason::{Because, Reason};

/// Lets in what waits under an id, by a button.
pub(crate) async fn let_in(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(id): Path<String>,
    Because(reason): Because,
) -> Result<Redirect, Problem> {
    blocking(move || admit(&app, &who, &id, &reason).map(drop)).await?;
    Ok(Redirect::to("/repositories"))
}

/// The same for pages and for programs, written down either way.
pub(crate) fn admit(app: &App, who: &Who, id: &str, reason: &Reason) -> Result<LetIn, Problem> {
    who.may(Scope::Operate)?;
    let held = who.seen(app).held()?.into_iter().find(|it| it.id == id);
    let Some(held) = held else {
        return Err(Problem::not_found(
            "Nothing waits that is called so; it may be let in already.",
        ));
    };
    who.within(&held.repository)?.may(Scope::Operate)?;
    let object = format!("{} {} at {}", held.repository, held.git_ref, held.commit);
    let record = audit::recorder(app, who, ("fork.let_in", reason), |_| object.clone());
    Ok(app.engine.let_in(id, &who.name(), &record)?)
}
