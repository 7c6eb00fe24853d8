//! Which runs of a list somebody wants: the same words on a page, in the API and in the terminal.

use event::{Conclusion, Status};

use crate::row::RunRow;

/// Where a run stands: on its way, or how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It is that far.
    Status(Status),
    /// It ended so.
    Conclusion(Conclusion),
}

impl RunState {
    /// Every one that a run can be in, in the order in which it comes there.
    pub const ALL: [RunState; 9] = [
        RunState::Status(Status::Queued),
        RunState::Status(Status::Waiting),
        RunState::Status(Status::InProgress),
        RunState::Status(Status::Completed),
        RunState::Conclusion(Conclusion::Success),
        RunState::Conclusion(Conclusion::Failure),
        RunState::Conclusion(Conclusion::TimedOut),
        RunState::Conclusion(Conclusion::Cancelled),
        RunState::Conclusion(Conclusion::Skipped),
    ];

    /// Its word, as lists write it for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            RunState::Status(status) => status.as_str(),
            RunState::Conclusion(conclusion) => conclusion.as_str(),
        }
    }

    /// The one of that word.
    pub fn of(word: &str) -> Option<RunState> {
        RunState::ALL.into_iter().find(|it| it.as_str() == word)
    }

    fn fits(self, row: &RunRow) -> bool {
        match self {
            RunState::Status(status) => row.status == status,
            RunState::Conclusion(conclusion) => row.conclusion == Some(conclusion),
        }
    }
}

/// Which runs. What is none is not asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// `owner/name`
    pub repository: Option<String>,
    /// The workflow file: `ci.yml`, `ci`, or with its folder.
    pub workflow: Option<String>,
    /// A branch or tag, by its short name or whole.
    pub branch: Option<String>,
    /// Where it stands.
    pub state: Option<RunState>,
    /// Who set it off, in either case.
    pub actor: Option<String>,
    /// The event's name.
    pub event: Option<String>,
}

impl RunFilter {
    /// Whether a run is one of them.
    pub fn fits(&self, row: &RunRow) -> bool {
        let is =
            |wanted: &Option<String>, has: &dyn Fn(&str) -> bool| wanted.as_deref().is_none_or(has);
        is(&self.repository, &|it| *it == *row.repository)
            && is(&self.workflow, &|it| is_workflow(it, &row.workflow))
            && is(&self.branch, &|it| crate::row::ref_name(it) == row.branch)
            && self.state.is_none_or(|it| it.fits(row))
            && is(&self.actor, &|it| it.eq_ignore_ascii_case(&row.actor))
            && is(&self.event, &|it| *it == *row.event)
    }

    /// Whether every run is one of them.
    pub fn is_empty(&self) -> bool {
        *self == RunFilter::default()
    }
}

/// Whether somebody means a file by a name: with its folder or without, with its ending or without.
fn is_workflow(wanted: &str, file: &str) -> bool {
    let wanted = wanted.rsplit('/').next().unwrap_or_default();
    let stem = [".yml", ".yaml"].iter().find_map(|it| file.strip_suffix(it));
    wanted == file || Some(wanted) == stem
}
