//! What is drawn: a pure function of the views.

use std::collections::BTreeMap;

use event::{Conclusion, JobKey, RunId, Status, Timestamp};
use views::{JobView, RunView, length};

use crate::terminal::run_page::sign;
use crate::terminal::style::{Style, plain_width};

/// The lines of the picture: a heading for each run, a line for each job. Where there are more jobs
/// than rows, those that need no look (ended well, skipped, not begun) give way first.
pub(super) fn frame(
    views: &BTreeMap<RunId, RunView>,
    last_line: &dyn Fn(RunId, &JobKey) -> Option<String>,
    (columns, rows): (usize, usize),
    now: Timestamp,
    style: Style,
) -> Vec<String> {
    let mut lines = Vec::new();
    let rows_for_jobs = rows.saturating_sub(2 + 2 * views.len()) / views.len().max(1);
    for (run, view) in views {
        lines.push(heading(view, now, style));
        let graph = Graph::of(view);
        let shown = graph.most_interesting(rows_for_jobs.max(1));
        let width = shown.iter().map(Node::width).max().unwrap_or(0).min(columns / 2);
        for node in &shown {
            let last_line = last_line(*run, &node.job.key);
            lines.push(job_line(view, node, width, last_line, now, style));
        }
        if shown.len() < graph.nodes.len() {
            let more = graph.nodes.len() - shown.len();
            lines.push(style.dim(&format!("  … and {more} more jobs")));
        }
    }
    lines
}

/// Levels that are shown by room at the left; deeper ones stand below each other.
const LEVELS_SHOWN_MAX: usize = 6;

/// The jobs that do something, in the order in which they can begin.
struct Graph<'v> {
    nodes: Vec<Node<'v>>,
}

/// A job with the length of the longest way to it.
#[derive(Clone, Copy)]
struct Node<'v> {
    level: usize,
    job: &'v JobView,
}

impl<'v> Graph<'v> {
    fn of(view: &'v RunView) -> Graph<'v> {
        let mut levels: BTreeMap<&JobKey, usize> = BTreeMap::new();
        // Needs may stand behind the jobs that need them; there are no more levels than jobs.
        for _ in 0..=view.jobs.len() {
            let mut is_settled = true;
            for job in &view.jobs {
                let behind = |key: &JobKey| levels.get(key).map_or(0, |level| level + 1);
                let needs = job.needs.iter().map(behind).max().unwrap_or(0);
                let outer = job.within.as_ref().and_then(|outer| levels.get(outer).copied());
                let level = needs.max(outer.unwrap_or(0));
                is_settled &= levels.insert(&job.key, level) == Some(level);
            }
            if is_settled {
                break;
            }
        }
        let leaves = view.in_order().into_iter().filter(|(_, job)| job.children.is_empty());
        let mut nodes: Vec<Node<'v>> =
            leaves.map(|(_, job)| Node { level: levels[&job.key], job }).collect();
        nodes.sort_by_key(|node| node.level);
        Graph { nodes }
    }

    /// At most `room` jobs: first those that run or failed, then those that wait, then the rest.
    fn most_interesting(&self, room: usize) -> Vec<Node<'v>> {
        let rank = |node: &Node<'_>| match (node.job.status, node.job.conclusion) {
            (Status::InProgress, _) => 0,
            (_, Some(Conclusion::Failure | Conclusion::TimedOut)) => 1,
            (Status::Queued | Status::Waiting, _) => 2,
            _ => 3,
        };
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        order.sort_by_key(|at| rank(&self.nodes[*at]));
        order.truncate(room);
        order.sort_unstable();
        order.into_iter().map(|at| self.nodes[at]).collect()
    }
}

impl Node<'_> {
    /// `╰ ` below the level before, `  ` for every level above that.
    fn indent(&self) -> String {
        match self.level.min(LEVELS_SHOWN_MAX) {
            0 => String::new(),
            level => format!("{}╰ ", "  ".repeat(level - 1)),
        }
    }

    fn width(&self) -> usize {
        2 * self.level.min(LEVELS_SHOWN_MAX) + plain_width(self.job.name.as_str())
    }
}

fn heading(view: &RunView, now: Timestamp, style: Style) -> String {
    let header = &view.header;
    let time = view.duration_ms(now).map(length).unwrap_or_default();
    let branch = header.git_ref.strip_prefix("refs/heads/").unwrap_or(&header.git_ref);
    let about = format!("run {}, {} {branch}, {time}", header.run, header.event);
    format!("{} {}", style.bold(&header.workflow_path), style.dim(&about))
}

fn job_line(
    view: &RunView,
    node: &Node<'_>,
    width: usize,
    last_line: Option<String>,
    now: Timestamp,
    style: Style,
) -> String {
    let job = node.job;
    let padding = " ".repeat(width.saturating_sub(node.width()));
    let time = job.duration_ms(now).map(length).unwrap_or_default();
    let more = match (job.conclusion, job.status) {
        (Some(conclusion), _) => conclusion.as_str().to_owned(),
        (None, Status::InProgress) => running(job, last_line),
        (None, _) => view.why_waiting(&job.key).unwrap_or_else(|| job.status.as_str().to_owned()),
    };
    let sign = sign(job.conclusion, job.status, style);
    let indent = style.dim(&node.indent());
    format!("  {indent}{sign} {}{padding}  {time:>9}  {}", job.name, style.dim(&more))
}

/// The step that runs, and the last thing it said.
fn running(job: &JobView, last_line: Option<String>) -> String {
    let step = job.steps.iter().rev().find(|step| step.status == Status::InProgress);
    match (step, last_line) {
        (Some(step), Some(line)) => format!("{} │ {line}", step.name),
        (Some(step), None) => step.name.to_string(),
        (None, _) => "setting up".to_owned(),
    }
}
