//! The graph of a run's jobs: what needs what, in columns, as SVG without a script.
//!
//! A job stands one column behind the last of those that it needs. In a column jobs keep the order
//! of the file. The legs of a matrix are one box with a count.

use std::collections::{BTreeMap, BTreeSet};
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
    critical: &BTreeSet<(JobKey, JobKey)>,
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
        let class = match critical.contains(&(from.job.key.clone(), to.job.key.clone())) {
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
    let behind = behind(boxes);
    let mut edges = Vec::new();
    for to in boxes.values() {
        for need in &to.job.needs {
            let Some(from) = boxes.get(need) else { continue };
            let others = to.job.needs.iter().filter(|it| *it != need);
            let mut others = others.filter_map(|it| behind.get(it));
            if !others.any(|it| it.contains(need)) {
                edges.push((from, to));
            }
        }
    }
    edges
}

/// All that each box needs, and that its needs need. A column needs those before it alone, so each is looked at once:
/// every way from box to box would be as many as the layers have jobs, to the power of the layers.
fn behind<'b>(boxes: &BTreeMap<&'b JobKey, Box<'b>>) -> BTreeMap<&'b JobKey, BTreeSet<&'b JobKey>> {
    let mut order: Vec<&Box<'b>> = boxes.values().collect();
    order.sort_by_key(|it| it.column);
    let mut behind: BTreeMap<&JobKey, BTreeSet<&JobKey>> = BTreeMap::new();
    for it in order {
        let mut all = BTreeSet::new();
        for need in it.job.needs.iter().filter(|need| boxes.contains_key(need)) {
            all.insert(need);
            all.extend(behind.get(need).into_iter().flatten());
        }
        behind.insert(&it.job.key, all);
    }
    behind
}

fn draw(svg: &mut String, it: &Box<'_>, href: &str, state: State, view: &RunView) {
    let name = it.job.name.as_str();
    let short = shortened(name);
    let legs = it.job.children.len();
    let done = it.job.children.iter().filter_map(|key| view.job(key));
    let done = done.filter(|job| job.status == Status::Completed).count();
    let (x, y) = (it.left(), it.top());
    let place = it.job.named_environment();
    // Two lines where a box has an environment, too.
    let line = y + if place.is_some() { 18 } else { 25 };
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
        line
    );
    attribute(&short, svg);
    svg.push_str("</text>");
    if let Some(place) = &place {
        let _ = write!(svg, "<text class=\"place\" x=\"{}\" y=\"{}\">", x + 32, y + 33);
        attribute(&shortened(place), svg);
        svg.push_str("</text>");
    }
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

fn shortened(name: &str) -> String {
    let mut short: String = name.chars().take(NAME_CHARS_MAX).collect();
    if short.len() < name.len() {
        short.pop();
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use event::{Fact as _, RunEvent};
    use serde_json::{Value as Json, json};

    use super::*;

    /// `c needs a b`, a line for each job.
    fn view(script: &str) -> RunView {
        let job = |line: &str| -> Json {
            let mut words = line.split_whitespace();
            let name = words.next().expect("a name");
            let needs: Vec<&str> = words.filter(|it| *it != "needs").collect();
            json!({ "key": name, "id": name, "needs": needs })
        };
        let jobs: Vec<Json> = script.lines().filter(|it| !it.trim().is_empty()).map(job).collect();
        let events = [
            json!({ "type": "RunCreated", "run": 12, "attempt": 1, "run_number": 7, "carried": [],
                "repository": "octo/planner", "repository_path": "/src/planner",
                "workflow": { "path": ".github/workflows/ci.yml", "text": "on: push" },
                "called": {}, "title": "Tidy the shelves",
                "event": { "name": "push", "git_ref": "refs/heads/main", "payload": {} },
                "change": { "commit": "0123456789abcdef0123456789abcdef01234567",
                    "authored_at": 1, "committed_at": 2, "uncommitted": 0 },
                "inputs": {}, "vars": {}, "secret_names": [], "actor": "octocat",
                "triggering_actor": "octocat", "at": 0 }),
            json!({ "type": "JobsDeclared", "parent": null, "file": null, "jobs": jobs }),
        ];
        let events =
            events.map(|it| RunEvent::decode(it.to_string().as_bytes()).expect("an event"));
        RunView::of(&events).expect("it begins with RunCreated")
    }

    fn lines(script: &str) -> Vec<String> {
        let view = view(script);
        let jobs: Vec<&JobView> = view.jobs.iter().collect();
        let boxes = placed(&jobs);
        edges(&boxes).iter().map(|(from, to)| format!("{} {}", from.job.key, to.job.key)).collect()
    }

    #[test]
    fn what_follows_from_the_rest_has_no_line() {
        let check = |script: &str, expect: &[&str]| assert_eq!(lines(script), expect, "{script}");
        check("a\nb needs a", &["a b"]);
        check("a\nb needs a\nc needs a b", &["a b", "b c"]);
        check("a\nb needs a\nc needs b\nd needs a c", &["a b", "b c", "c d"]);
        check("a\nb\nc needs a b\nd needs a", &["a c", "b c", "a d"]);
        // The last of a file may come first.
        check("c needs a b\nb needs a\na", &["a b", "b c"]);
    }

    #[test]
    fn lines_of_the_critical_path_are_marked() {
        let view = view("a\nb needs a\nc needs a b\nd needs a");
        let key = |name: &str| JobKey::new(name);
        // As the waterfall has it where `b` was skipped; no line leads from `a` to `c` itself.
        let critical = [("a", "b"), ("b", "c"), ("a", "c")];
        let critical = critical.map(|(need, job)| (key(need), key(job))).into();
        let svg = svg(&view, &critical, |_| String::new(), |_| State::LOST);
        let svg = svg.expect("jobs need each other");
        assert_eq!((svg.matches("<path").count(), svg.matches("critical").count()), (3, 2));
    }

    #[test]
    fn layers_that_need_all_before_them_are_drawn_at_once() {
        let name = |layer: usize, at: usize| format!("job-{layer:02}-{at}");
        let jobs = (0..20).flat_map(|layer| (0..3).map(move |at| (layer, at)));
        let script: Vec<String> = jobs
            .map(|(layer, at)| {
                let before = (0..layer).flat_map(|it| (0..3).map(move |at| name(it, at)));
                let before: Vec<String> = before.collect();
                format!("{} needs {}", name(layer, at), before.join(" "))
            })
            .collect();
        // From each layer to the next, and no further.
        assert_eq!(lines(&script.join("\n")).len(), 19 * 9);
    }
}
