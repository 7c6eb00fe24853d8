//! Who decided what, newest first, with a filter.

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use serde::Deserialize;

use super::{Frame, Page, shown};
use crate::app::{Shared, blocking};
use crate::audit::{self, Wanted};
use crate::guard::Who;
use crate::words::{Moment, percent};

/// Decisions of one page.
const LINES: usize = 60;
/// What people filter by.
const ACTIONS: [(&str, &str); 9] = [
    ("", "Everything"),
    ("gate", "Gates"),
    ("run", "Runs"),
    ("deployment", "Deployments"),
    ("secret", "Secrets"),
    ("variable", "Variables"),
    ("token", "Tokens"),
    ("repository", "Repositories"),
    ("request", "Refused requests"),
];

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    asked: Asked,
    actions: Vec<(&'static str, &'static str, bool)>,
    rows: Vec<Row>,
    older: Option<String>,
}

struct Row {
    at: Moment,
    actor: String,
    proof: String,
    action: String,
    object: String,
    href: Option<String>,
    reason: String,
    source: String,
    address: String,
    is_refused: bool,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    before: Option<u64>,
    actor: String,
    action: String,
    object: String,
    refused: Option<String>,
}

/// The page.
pub(crate) async fn audit(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Query(asked): Query<Asked>,
) -> Page {
    let page = blocking(move || {
        let Asked { before, actor, action, object, refused } = asked.clone();
        let refused = refused.is_some();
        let wanted = Wanted { before, after: None, actor, action, object, refused };
        let found = audit::find(&app, &wanted, LINES)?;
        let older = found.next.map(|older| {
            let refused = if asked.refused.is_some() { "&refused=1" } else { "" };
            format!(
                "/audit?actor={}&action={}&object={}{refused}&before={older}",
                percent(&asked.actor),
                percent(&asked.action),
                percent(&asked.object)
            )
        });
        let here =
            |(value, name): &(&'static str, &'static str)| (*value, *name, *value == asked.action);
        Ok(AuditPage {
            frame: Frame::new(Some(&who), "audit"),
            actions: ACTIONS.iter().map(here).collect(),
            rows: found.lines.into_iter().map(|it| Row::of(it.line)).collect(),
            older,
            asked,
        })
    });
    shown(&page.await?)
}

/// Digests and commits by their beginning, as people name them; the export has them whole.
fn short(object: &str) -> String {
    let is_digest =
        |word: &str| matches!(word.len(), 40 | 64) && word.bytes().all(|it| it.is_ascii_hexdigit());
    let word = |word: &str| if is_digest(word) { word[..12].to_owned() } else { word.to_owned() };
    object.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

impl Row {
    fn of(line: views::AuditLine) -> Row {
        // What begins with a run's stream leads to the run.
        let mut words = line.object.split([' ', '/']);
        let href = match (words.next(), words.next(), words.next()) {
            (Some("run"), Some(run), Some(attempt)) => Some(format!("/runs/{run}.{attempt}")),
            (Some("deployment"), Some(id), _) => Some(format!("/deployments/{id}")),
            _ => None,
        };
        Row {
            at: Moment::of(line.at),
            actor: line.actor,
            proof: line.proof,
            action: line.action,
            object: short(&line.object),
            href,
            reason: line.reason,
            source: line.source,
            address: line.address,
            is_refused: line.is_refused,
        }
    }
}
