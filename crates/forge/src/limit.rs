//! The checks that say whether a run is within what the settings ask of it.

use event::Conclusion;
use serde_json::json;
use views::RunView;

use crate::owed::{Check, CommitStatus, Subject, iso};
use crate::words;

/// What is asked of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// That tests run enough of the lines.
    Coverage,
    /// That images are not too large.
    Images,
}

impl Limit {
    fn name(self) -> &'static str {
        match self {
            Limit::Coverage => "minimum coverage",
            Limit::Images => "maximum image size",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Limit::Coverage => "coverage",
            Limit::Images => "images",
        }
    }

    /// The page that has more, and what is told of it.
    fn page(self, subject: &Subject, view: &RunView) -> (String, &'static str) {
        let run = words::page(subject, view, None);
        match self {
            Limit::Coverage => (format!("{run}/tests"), "File by file"),
            Limit::Images => (run, "Image by image"),
        }
    }

    /// What stands in the settings.
    fn asked(self) -> &'static str {
        match self {
            Limit::Coverage => "minimum",
            Limit::Images => "maximum",
        }
    }
}

/// What was found of a limit, for the check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Which.
    pub limit: Limit,
    /// Nothing is beyond it.
    pub is_held: bool,
    /// All of it, a line each: `api: 71.0 %, under the minimum of 85 %`.
    pub lines: Vec<String>,
}

impl Judged {
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
pub fn limit_check(view: &RunView, subject: &Subject, judged: &Judged) -> Check {
    let (page, more) = judged.limit.page(subject, view);
    let lines: Vec<String> =
        judged.lines.iter().map(|it| format!("- {}", words::plain(it))).collect();
    let (header, limit) = (&view.header, judged.limit);
    let key = format!("launchway:run/{}/{}@{}", header.run, header.attempt, limit.key());
    let summary = format!(
        "{}\n\nThe {} stands in `launchway.yml` of the default branch. [{more}]({page})",
        lines.join("\n"),
        limit.asked()
    );
    let name = name(view, limit);
    let mut body = json!({
        "name": name,
        "external_id": key,
        "details_url": page,
        "status": "completed",
        "conclusion": judged.conclusion(),
        "output": { "title": words::cut(&judged.title(), words::TITLE_MAX), "summary": summary },
    });
    if let Some(at) = view.completed_at {
        body["completed_at"] = iso(at).into();
    }
    Check { key, head: subject.head.clone(), name, body, annotations: Vec::new() }
}

/// The same as a status.
pub fn limit_status(view: &RunView, subject: &Subject, judged: &Judged) -> CommitStatus {
    let body = json!({
        "state": judged.conclusion(),
        "context": name(view, judged.limit),
        "description": words::cut(&judged.title(), words::DESCRIPTION_MAX),
        "target_url": judged.limit.page(subject, view).0,
    });
    CommitStatus { head: subject.head.clone(), body }
}

/// `ci / minimum coverage (push)`
fn name(view: &RunView, limit: Limit) -> String {
    let path = &view.header.workflow_path;
    let file = path.rsplit('/').next().unwrap_or(path);
    let file = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    format!("{file} / {} ({})", limit.name(), view.header.event)
}
