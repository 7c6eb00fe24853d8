//! How well pipelines are to do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::table::WORKFLOW_GOALS;
use crate::view::{View, key_text};

/// What is wanted of all pipelines, and of some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goals {
    /// So many of a hundred final attempts on the default branch succeed, where somebody wrote it.
    pub success: Option<u32>,
    /// The median of how long runs take.
    pub duration: Option<Duration>,
    /// Nineteen in twenty jobs wait no longer.
    pub queue: Option<Duration>,
    /// The median of how long the default branch stays red.
    pub repair: Option<Duration>,
    /// What holds in place of that, by the name of a workflow's file; they have no further ones.
    pub workflows: BTreeMap<Arc<str>, Goals>,
}

impl Goals {
    pub(crate) fn read(view: View<'_>) -> Goals {
        let of_workflow = |entry: &syntax::Entry| {
            (key_text(entry).value, Goals::leaves(View::new(&WORKFLOW_GOALS, &entry.value)))
        };
        let workflows = view.entries("workflows").iter().map(of_workflow).collect();
        Goals { workflows, ..Goals::leaves(view) }
    }

    fn leaves(view: View<'_>) -> Goals {
        let duration = |name: &str| view.duration(name).map(|it| it.value);
        Goals {
            // What nobody wrote is the usual goal, and is shown as that.
            success: view.entry("success").and(view.integer("success")).map(|it| it.value),
            duration: duration("duration"),
            queue: duration("queue"),
            repair: duration("repair"),
            workflows: BTreeMap::new(),
        }
    }
}
