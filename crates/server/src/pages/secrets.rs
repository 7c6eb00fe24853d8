//! Secrets and variables of a repository: what there is, who set it and when, and a form that only
//! takes.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use serde::Deserialize;

use super::{Frame, Page, shown};
use crate::access::Scope;
use crate::api::change;
use crate::app::{Shared, blocking};
use crate::guard::Who;
use crate::keep::{KeepWish, KeptKind, KeptName, Named, NamedValue};
use crate::problem::Problem;
use crate::reason::Reason;
use crate::words::{Moment, last_day, percent};

#[derive(Template)]
#[template(path = "secrets.html")]
struct SecretsPage {
    frame: Frame,
    repositories: Vec<(String, bool)>,
    repository: String,
    rows: Vec<Row>,
    missing: Vec<MissingRow>,
    /// What is not known of what is missing, and why.
    unread: Option<String>,
    said: Option<String>,
    may: bool,
}

struct Row {
    name: String,
    kind: &'static str,
    environment: String,
    value: String,
    set_at: Moment,
    set_by: String,
    rotate_by: Option<String>,
    is_late: bool,
}

/// What is read, and nobody set.
struct MissingRow {
    name: String,
    kind: &'static str,
    environment: String,
    used_at: String,
}

impl MissingRow {
    fn of(it: NamedValue) -> MissingRow {
        MissingRow {
            name: it.name,
            kind: it.kind.as_str(),
            environment: it.environment.unwrap_or_default(),
            used_at: it.used_at,
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Asked {
    repository: Option<String>,
    said: Option<String>,
}

/// The page.
pub(crate) async fn secrets(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Query(asked): Query<Asked>,
) -> Page {
    let page = blocking(move || {
        let connected = who.seen(&app).repositories()?;
        let wanted = asked.repository.filter(|it| !it.is_empty());
        let repository = match (wanted, connected.as_slice()) {
            (Some(wanted), _) => wanted,
            (None, [only]) => only.name.clone(),
            (None, _) => String::new(),
        };
        let (kept, named, who) = match repository.as_str() {
            "" => (Vec::new(), Ok(Named::default()), who),
            name => {
                let who = who.within(name)?;
                (app.engine.kept(name)?, app.engine.named(name), who)
            }
        };
        // What is kept is shown of a repository that cannot be read, too.
        let (named, unread) = match named {
            Ok(Named { values, messages_not_known }) => {
                let why =
                    messages_not_known.map(|why| format!("What messages read is not known: {why}"));
                (values, why)
            }
            Err(refused) => {
                (Vec::new(), Some(format!("What is missing is not known: {}", refused.message)))
            }
        };
        let now = app.now();
        let row = |it: KeptName| Row {
            kind: if it.variable.is_some() { "variable" } else { "secret" },
            value: it.variable.unwrap_or_default(),
            environment: it.environment.unwrap_or_default(),
            name: it.name,
            set_at: Moment::of(it.set_at),
            set_by: it.set_by.unwrap_or_default(),
            rotate_by: it.rotate_by.map(last_day),
            is_late: it.rotate_by.is_some_and(|by| by <= now),
        };
        let is_name = |it: &String| it.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
        let choice =
            |it: &crate::engine::ConnectedRepository| (it.name.clone(), it.name == repository);
        Ok(SecretsPage {
            frame: Frame::new(Some(&who), "repositories"),
            repositories: connected.iter().map(choice).collect(),
            rows: kept.into_iter().map(row).collect(),
            missing: named.into_iter().filter(|it| it.is_missing).map(MissingRow::of).collect(),
            unread,
            said: asked.said.filter(is_name),
            may: who.may(Scope::Admin).is_ok(),
            repository,
        })
    });
    shown(&page.await?)
}

#[derive(Deserialize)]
pub(crate) struct Given {
    repository: String,
    kind: String,
    name: String,
    #[serde(default)]
    environment: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    rotate_by: String,
    /// `keep` or `forget`
    deed: String,
    /// Why.
    reason: Option<String>,
}

/// Keeps or forgets one.
pub(crate) async fn kept(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Form(given): Form<Given>,
) -> Result<Response, Problem> {
    who.may(Scope::Admin)?;
    let Given { repository, kind, name, environment, value, rotate_by, deed, reason } = given;
    let reason = Reason::given(reason)?;
    let kind =
        KeptKind::of(&kind).ok_or_else(|| Problem::bad("There are secrets and variables."))?;
    let some = |text: String| Some(text).filter(|it| !it.is_empty());
    // Forms end lines with two characters; a key of several lines has one.
    let value = (deed == "keep").then(|| value.replace("\r\n", "\n"));
    let wish = KeepWish {
        repository,
        name,
        environment: some(environment),
        kind,
        value,
        rotate_by: some(rotate_by),
        by: who.name(),
    };
    let place = blocking(move || {
        let who = who.within(&wish.repository)?;
        who.may(Scope::Admin)?;
        change(&app, &who, &wish, &reason)?;
        let (repository, name) = (percent(&wish.repository), percent(&wish.name));
        Ok(format!("/secrets?repository={repository}&said={name}"))
    });
    Ok(Redirect::to(&place.await?).into_response())
}
