//! The graph of a run's jobs: what needs what, in columns, as SVG without a script.
//!
//! A job stands one column behind the last of those that it needs. In a column jobs keep the order
//! of the file. The legs of a matrix are one box with a count.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use event::{JobKey, Status};
use views::{JobView, RunView};

use crate::ansi::attribute;
use crate::words::State;

/// More boxes than these say nothing to anybody; the list does.
const BOXES_MAX: usize = 60;
const BOX_WIDTH: usize = 200;
const BOX_HEIGHT: usize = 40;
const GAP_ACROSS: usize = 48;
const GAP_DOWN: usize = 14;
const EDGE: usize = 4;
/// Letters that fit into a box.
const NAME_CHARS_MAX: usize = 22;

struct Box<'v> {
    job: &'v JobView,
    column: usize,
    row: usize,
}

impl Box<'_> {
    fn left(&self) -> usize {
        EDGE + self.column * (BOX_WIDTH + GAP_ACROSS)
    }

    fn top(&self) -> usize {
        EDGE + self.row * (BOX_HEIGHT + GAP_DOWN)
    }

    fn middle(&self) -> usize {
        self.top() + BOX_HEIGHT / 2
    }
}

/// The graph; none where no job needs another, or there are too many.
pub(crate) fn svg(
    view: &RunView,
    critical: &[JobKey],
    href: impl Fn(&JobView) -> String,
    state: impl Fn(&JobView) -> State,
) -> Option<String> {
    let jobs: Vec<&JobView> = view.jobs.iter().filter(|job| job.within.is_none()).collect();
    if jobs.len() > BOXES_MAX || jobs.iter().all(|job| job.needs.is_empty()) {
        return None;
    }
    let boxes = placed(&jobs);
    let columns = boxes.values().map(|it| it.column).max().unwrap_or(0) + 1;
    let rows = boxes.values().map(|it| it.row).max().unwrap_or(0) + 1;
    let width = 2 * EDGE + columns * (BOX_WIDTH + GAP_ACROSS) - GAP_ACROSS;
    let height = 2 * EDGE + rows * (BOX_HEIGHT + GAP_DOWN) - GAP_DOWN;
    let mut svg = format!(
        "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" aria-hidden=\"true\">"
    );
    for (from, to) in edges(&boxes) {
        let (x1, y1) = (from.left() + BOX_WIDTH, from.middle());
        let (x2, y2) = (to.left(), to.middle());
        let bend = GAP_ACROSS / 2;
        let class = match critical
            .windows(2)
            .any(|it| it == [&from.job.key, &to.job.key].map(Clone::clone))
        {
            true => " class=\"critical\"",
            false => "",
        };
        let _ = write!(
            svg,
            "<path{class} d=\"M{x1} {y1}C{} {y1} {} {y2} {x2} {y2}\"/>",
            x1 + bend,
            x2 - bend
        );
    }
    for it in boxes.values() {
        draw(&mut svg, it, &href(it.job), state(it.job), view);
    }
    svg.push_str("</svg>");
    Some(svg)
}

fn placed<'v>(jobs: &[&'v JobView]) -> BTreeMap<&'v JobKey, Box<'v>> {
    let mut boxes: BTreeMap<&JobKey, Box<'_>> = BTreeMap::new();
    let mut filled: BTreeMap<usize, usize> = BTreeMap::new();
    let mut waiting: Vec<&JobView> = jobs.to_vec();
    while !waiting.is_empty() {
        let before = waiting.len();
        waiting.retain(|job| {
            let known = |need: &JobKey| boxes.get(need).map(|it| it.column);
            let is_there = |need: &JobKey| jobs.iter().any(|it| it.key == *need);
            let needs: Vec<_> = job.needs.iter().filter(|it| is_there(it)).map(known).collect();
            if needs.contains(&None) {
                return true;
            }
            let column = needs.into_iter().flatten().max().map_or(0, |column| column + 1);
            let row = filled.entry(column).or_default();
            boxes.insert(&job.key, Box { job, column, row: *row });
            *row += 1;
            false
        });
        // Needs never go in a circle: the reader of workflows refuses that.
        if waiting.len() == before {
            break;
        }
    }
    boxes
}

/// What needs what, without what follows from the rest: where c needs a and b, and b needs a, the
/// line from a to c says nothing.
fn edges<'b>(boxes: &'b BTreeMap<&JobKey, Box<'b>>) -> Vec<(&'b Box<'b>, &'b Box<'b>)> {
    let mut edges = Vec::new();
    for to in boxes.values() {
        for need in &to.job.needs {
            let Some(from) = boxes.get(need) else { continue };
            let others = to.job.needs.iter().filter(|it| *it != need);
            let follows = others.filter_map(|it| boxes.get(it)).any(|it| reaches(boxes, it, need));
            if !follows {
                edges.push((from, to));
            }
        }
    }
    edges
}

fn reaches(boxes: &BTreeMap<&JobKey, Box<'_>>, from: &Box<'_>, wanted: &JobKey) -> bool {
    from.job
        .needs
        .iter()
        .any(|need| need == wanted || boxes.get(need).is_some_and(|it| reaches(boxes, it, wanted)))
}

fn draw(svg: &mut String, it: &Box<'_>, href: &str, state: State, view: &RunView) {
    let name = it.job.name.as_str();
    let mut short: String = name.chars().take(NAME_CHARS_MAX).collect();
    if short.len() < name.len() {
        short.pop();
        short.push('…');
    }
    let legs = it.job.children.len();
    let done = it.job.children.iter().filter_map(|key| view.job(key));
    let done = done.filter(|job| job.status == Status::Completed).count();
    let (x, y) = (it.left(), it.top());
    let link = it.job.children.is_empty();
    if link {
        svg.push_str("<a tabindex=\"-1\" href=\"");
        attribute(href, svg);
        svg.push_str("\">");
    }
    let _ = write!(
        svg,
        "<g class=\"{}\"><rect x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"6\"/><text class=\"sign\" x=\"{}\" y=\"{}\">{}</text><text x=\"{}\" y=\"{}\">",
        state.class,
        x + 12,
        y + 25,
        state.sign,
        x + 32,
        y + 25
    );
    attribute(&short, svg);
    svg.push_str("</text>");
    if legs > 0 {
        let _ = write!(
            svg,
            "<text class=\"count\" x=\"{}\" y=\"{}\">{done}/{legs}</text>",
            x + BOX_WIDTH - 10,
            y + 25
        );
    }
    svg.push_str("<title>");
    attribute(name, svg);
    svg.push_str("</title></g>");
    if link {
        svg.push_str("</a>");
    }
}
