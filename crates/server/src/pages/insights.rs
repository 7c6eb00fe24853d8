//! What all pages of figures begin with: which of them it is, and of which time it tells.

use figures::Asked;
use views::Window;

use crate::api::metrics::Part;
use crate::app::App;
use crate::words::{Moment, last_day, percent};

/// The pages, each with where it is.
const PAGES: &[(&str, &str)] = &[
    ("Delivery", "/insights"),
    ("Pipelines", "/insights/pipelines"),
    ("Tests", "/insights/tests"),
    ("Images", "/insights/images"),
    ("Scans", "/insights/scans"),
];
/// Spans up to now that a click chooses.
const SPANS: &[(&str, &str)] =
    &[("30d", "30 days"), ("90d", "90 days"), ("180d", "180 days"), ("365d", "1 year")];
/// The one that is shown where nobody says, as `figures::window` has it.
const USUAL: &str = "90d";
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// How a page begins.
pub(super) struct Insights {
    pub(super) name: &'static str,
    /// The time that it tells of, where that is over: nobody takes it for today's.
    pub(super) past: Option<String>,
    pub(super) path: &'static str,
    pub(super) pages: Vec<Choice>,
    pub(super) spans: Vec<Choice>,
    /// What the form has besides the days.
    pub(super) others: Vec<(&'static str, String)>,
    /// Days, as a form takes them; empty where nobody chose one.
    pub(super) since: String,
    pub(super) until: String,
    pub(super) today: String,
}

/// Something to choose.
pub(super) struct Choice {
    pub(super) name: &'static str,
    pub(super) href: String,
    pub(super) is_here: bool,
}

impl Insights {
    /// The page at `path`, of what was asked for.
    pub(super) fn of(path: &'static str, app: &App, part: &Part, asked: &Asked) -> Insights {
        let told = |text: &Option<String>| text.clone().filter(|it| !it.is_empty());
        let (since, until) = (told(&part.since), told(&part.until));
        let others = [
            ("project", &part.project),
            ("environment", &part.environment),
            ("service", &part.service),
            ("repository", &part.repository),
        ];
        let others = others.map(|(name, value)| Some((name, told(value)?)));
        let others: Vec<(&'static str, String)> = others.into_iter().flatten().collect();
        // Going on to another page keeps the time; another span is one up to now.
        let all: Vec<_> = [("since", &since), ("until", &until)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.clone()?)))
            .chain(others.iter().cloned())
            .collect();
        let here = if until.is_none() { since.as_deref().unwrap_or(USUAL) } else { "" };
        let is_span = SPANS.iter().any(|(span, _)| *span == here);
        let page = |(name, at): &(&'static str, &'static str)| Choice {
            name,
            href: href(at, &all),
            is_here: *at == path,
        };
        let span = |(span, name): &(&'static str, &'static str)| Choice {
            name,
            href: href(path, &[&[("since", (*span).to_owned())], &others[..]].concat()),
            is_here: *span == here,
        };
        let Window { since: first, until: end } = asked.window;
        let name = PAGES.iter().find(|(_, at)| *at == path).expect("one of the pages").0;
        Insights {
            name,
            past: asked.is_past.then(|| time(asked.window)),
            path,
            pages: PAGES.iter().map(page).collect(),
            spans: SPANS.iter().map(span).collect(),
            others,
            since: if is_span { String::new() } else { day(first.0) },
            until: if until.is_some() { day(end.0 - 1) } else { String::new() },
            today: day(app.now().0),
        }
    }
}

fn href(path: &str, asked: &[(&'static str, String)]) -> String {
    let asked: Vec<String> =
        asked.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
    if asked.is_empty() { path.to_owned() } else { format!("{path}?{}", asked.join("&")) }
}

/// `2026-03-31`, in UTC.
fn day(at_ms: u64) -> String {
    Moment::of(event::Timestamp(at_ms)).iso.chars().take(10).collect()
}

/// `1 Jan 2026 to 31 Mar 2026, UTC`; to the minute where it is not of whole days.
fn time(window: Window) -> String {
    let Window { since, until } = window;
    if [since, until].iter().all(|it| it.0.is_multiple_of(DAY_MS)) {
        let first = last_day(event::Timestamp(since.0 + 1));
        return format!("{first} to {}, UTC", last_day(until));
    }
    format!("{} to {}", Moment::of(since).text, Moment::of(until).text)
}
