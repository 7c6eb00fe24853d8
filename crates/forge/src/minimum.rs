//! The check that says whether tests ran enough of the lines.

use event::Conclusion;
use serde_json::json;
use views::RunView;

use crate::owed::{Check, CommitStatus, Subject, iso};
use crate::words;

/// What was found of a minimum, for the check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minimum {
    /// Nothing is under it.
    pub is_held: bool,
    /// All of it, a line each: `api: 71.0 %, under the minimum of 85 %`.
    pub lines: Vec<String>,
}

impl Minimum {
    fn title(&self) -> String {
        let first = self.lines.first().cloned().unwrap_or_default();
        match self.lines.len() {
            0 | 1 => first,
            more => format!("{first}, and {} more", more - 1),
        }
    }

    fn conclusion(&self) -> &'static str {
        if self.is_held { Conclusion::Success.as_str() } else { Conclusion::Failure.as_str() }
    }
}

/// The check of a run that is over. It has one name whatever came of it, so that a branch can require it.
pub fn minimum_check(view: &RunView, subject: &Subject, minimum: &Minimum) -> Check {
    let page = format!("{}/tests", words::page(subject, view, None));
    let lines: Vec<String> =
        minimum.lines.iter().map(|it| format!("- {}", words::plain(it))).collect();
    let key = format!("launchway:run/{}/{}@coverage", view.header.run, view.header.attempt);
    let summary = format!(
        "{}\n\nThe minimum stands in `launchway.yml` of the default branch. [File by file]({page})",
        lines.join("\n")
    );
    let name = name(view);
    let mut body = json!({
        "name": name,
        "external_id": key,
        "details_url": page,
        "status": "completed",
        "conclusion": minimum.conclusion(),
        "output": { "title": words::cut(&minimum.title(), words::TITLE_MAX), "summary": summary },
    });
    if let Some(at) = view.completed_at {
        body["completed_at"] = iso(at).into();
    }
    Check { key, head: subject.head.clone(), name, body, annotations: Vec::new() }
}

/// The same as a status.
pub fn minimum_status(view: &RunView, subject: &Subject, minimum: &Minimum) -> CommitStatus {
    let body = json!({
        "state": minimum.conclusion(),
        "context": name(view),
        "description": words::cut(&minimum.title(), words::DESCRIPTION_MAX),
        "target_url": format!("{}/tests", words::page(subject, view, None)),
    });
    CommitStatus { head: subject.head.clone(), body }
}

/// `ci / minimum coverage (push)`
fn name(view: &RunView) -> String {
    let path = &view.header.workflow_path;
    let file = path.rsplit('/').next().unwrap_or(path);
    let file = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    format!("{file} / minimum coverage ({})", view.header.event)
}
