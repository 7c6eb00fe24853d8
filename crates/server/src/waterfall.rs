//! Where the time of a run went: a table whose bars are SVG without a script. What the bars say stands beside
//! them in numbers.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use event::JobKey;
use views::{JobView, Part, PartKind, RunView, Waterfall, WaterfallRow, WaterfallStep, length};

use crate::ansi::attribute;
use crate::words::State;

/// A bar is as wide as its column: the whole of it in thousandths of a percent.
const WHOLE: u64 = 100_000;
/// What took no time beside the rest is seen all the same; in thousandths of a percent, as the next.
const LEAST: u64 = 200;
/// A step that is narrower has no edge of its own: it would be nothing but edge.
const EDGED_LEAST: u64 = 1_500;
/// Names on the way that made the run as long as it was; of more, the last ones.
const PATH_MAX: usize = 12;

/// A wait that is shorter is no wait to anybody.
const WAIT_TOLD_MS: u64 = 1_000;

/// Parts by their names, as the columns stand; the last only where there is one.
const PARTS: [(&str, PartKind); 5] = [
    ("gate", PartKind::Gate),
    ("queue", PartKind::Queue),
    ("set-up", PartKind::SetUp),
    ("steps", PartKind::Steps),
    ("lost", PartKind::Lost),
];
/// As far as rows are indented.
const DEPTH_MAX: usize = 4;

/// Parts by their names, with how long each took.
pub(crate) type Parts = Vec<(&'static str, Option<String>)>;

/// A job of the table.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) depth: usize,
    /// Its page; of legs, and of a job that calls a workflow, its place in the list of jobs.
    pub(crate) href: String,
    pub(crate) legs: usize,
    pub(crate) is_critical: bool,
    pub(crate) state: State,
    pub(crate) bar: String,
    /// Each part by its name, and how long it took; of [`Table::has_lost`] one more.
    pub(crate) parts: Parts,
}

/// The table.
pub(crate) struct Table {
    pub(crate) length: String,
    /// What the run itself waited for before it began, as a bar and by its parts.
    pub(crate) waited: Option<(String, Parts)>,
    pub(crate) rows: Vec<Row>,
    pub(crate) more: usize,
    /// The critical path, in its order.
    pub(crate) path: Vec<OnPath>,
    /// How many stand before those.
    pub(crate) path_more: usize,
    /// Whether a job of it has no worker any longer, and waits for a person.
    pub(crate) has_lost: bool,
    /// Whether the run is over, and the path with it.
    pub(crate) is_over: bool,
}

/// A job on the critical path.
pub(crate) struct OnPath {
    pub(crate) name: String,
    /// That it waited for a worker: another job may have had that.
    pub(crate) waited: Option<String>,
}

/// The table; none where nothing took time yet.
pub(crate) fn table(
    view: &RunView,
    waterfall: &Waterfall,
    href: impl Fn(&JobView) -> String,
    state: impl Fn(&JobView) -> State,
) -> Option<Table> {
    if waterfall.rows.is_empty() {
        return None;
    }
    let has_lost = waterfall.rows.iter().any(|it| it.time_ms(PartKind::Lost).is_some());
    let columns = &PARTS[..if has_lost { PARTS.len() } else { PARTS.len() - 1 }];
    let row = |it: &WaterfallRow| {
        let job = view.job(&it.job)?;
        let state = state(job);
        let time = |kind| it.time_ms(kind).map(length);
        Some(Row {
            name: job.name.as_str().to_owned(),
            depth: it.depth.min(DEPTH_MAX),
            href: href(job),
            legs: it.legs,
            is_critical: it.is_critical,
            state,
            bar: bar(waterfall, &it.parts, &steps(it, job), state.class == "bad"),
            parts: columns.iter().map(|(name, kind)| (*name, time(*kind))).collect(),
        })
    };
    let waited = waterfall.waited.filter(|it| it.time_ms() >= WAIT_TOLD_MS).map(|it| {
        let time = |kind| (kind == it.kind).then(|| length(it.time_ms()));
        let parts = columns.iter().map(|(name, kind)| (*name, time(*kind)));
        (bar(waterfall, &[it], &[], false), parts.collect())
    });
    let waits: BTreeMap<&JobKey, String> =
        waterfall.rows.iter().filter_map(|row| Some((&row.job, for_worker(row)?))).collect();
    let path = waterfall.critical.iter().filter_map(|key| view.job(key));
    let path = path.map(|job| OnPath {
        name: job.name.as_str().to_owned(),
        waited: waits.get(&job.key).cloned(),
    });
    let mut path: Vec<OnPath> = path.collect();
    let path_more = path.len().saturating_sub(PATH_MAX);
    path.drain(..path_more);
    Some(Table {
        length: length(waterfall.until.0 - waterfall.since.0),
        waited,
        rows: waterfall.rows.iter().filter_map(row).collect(),
        more: waterfall.left_out,
        path,
        path_more,
        has_lost,
        is_over: view.conclusion.is_some(),
    })
}

/// That a job waited for a worker, and how long where that is of one job.
fn for_worker(row: &WaterfallRow) -> Option<String> {
    let ms = row.time_ms(PartKind::Queue).filter(|ms| *ms >= WAIT_TOLD_MS)?;
    Some(match row.legs {
        0 | 1 => format!("waited {} for a worker", length(ms)),
        _ => "jobs of it waited for workers".to_owned(),
    })
}

/// The steps of a row that are drawn, by their names.
fn steps<'v>(row: &'v WaterfallRow, job: &'v JobView) -> Vec<(&'v WaterfallStep, &'v str)> {
    row.steps.iter().filter_map(|it| Some((it, job.steps.get(it.place)?.name.as_str()))).collect()
}

fn bar(
    waterfall: &Waterfall,
    parts: &[Part],
    steps: &[(&WaterfallStep, &str)],
    is_bad: bool,
) -> String {
    let mut svg = String::from("<svg class=\"bar\" width=\"100%\" height=\"16\">");
    let whole = waterfall.until.0.saturating_sub(waterfall.since.0).max(1);
    let place = |at: event::Timestamp| {
        let at = at.0.saturating_sub(waterfall.since.0).min(whole);
        u64::try_from(u128::from(at) * u128::from(WHOLE) / u128::from(whole)).unwrap_or(WHOLE)
    };
    let mut draw = |class: &str,
                    (since, until): (event::Timestamp, event::Timestamp),
                    told: &str| {
        let from = place(since).min(WHOLE - LEAST);
        let width = (place(until) - place(since)).max(LEAST).min(WHOLE - from);
        // Waiting is thin, and doing is thick: colour is not all that says which is which.
        let (y, height) = match class {
            "gate" | "lost" | "queue" => (6, 4),
            "set-up" => (4, 8),
            _ => (1, 14),
        };
        let _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"{}\" y=\"{y}\" width=\"{}\" height=\"{height}\"><title>",
            css_length(from),
            css_length(width)
        );
        attribute(told, &mut svg);
        svg.push_str("</title></rect>");
    };
    for part in parts {
        let (class, name) = match part.kind {
            PartKind::Gate => ("gate", "gate"),
            PartKind::Lost => ("lost", "lost"),
            PartKind::Queue => ("queue", "queue"),
            PartKind::SetUp => ("set-up", "set-up"),
            PartKind::Steps if is_bad => ("did bad", "steps"),
            PartKind::Steps => ("did", "steps"),
        };
        draw(class, (part.since, part.until), &format!("{name} {}", length(part.time_ms())));
    }
    for (it, name) in steps {
        if place(it.until) - place(it.since) < EDGED_LEAST {
            continue;
        }
        let took = length(it.until.0 - it.since.0);
        draw("step", (it.since, it.until), &format!("{name} {took}"));
    }
    svg.push_str("</svg>");
    svg
}

/// `12.345%` of the column, for thousandths of a percent.
fn css_length(thousandths: u64) -> String {
    format!("{}.{:03}%", thousandths / 1000, thousandths % 1000)
}
