//! What scans find on the default branch, and since when that is there.

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use figures::{LastScan, OpenFinding};

use super::insights::Insights;
use super::run_scans::{Severity, counted};
use super::test_results::{Link, link};
use super::{Frame, Page, shown};
use crate::api::metrics::Part;
use crate::app::{Shared, blocking};
use crate::guard::Who;
use crate::words::Moment;

#[derive(Template)]
#[template(path = "scans.html")]
struct ScansPage {
    frame: Frame,
    insights: Insights,
    behind: u64,
    scans: Vec<ScanTable>,
}

struct ScanTable {
    tool: String,
    place: String,
    run: Link,
    commit: String,
    when: Moment,
    counts: String,
    is_cut: bool,
    is_kept: bool,
    rows: Vec<FindingRow>,
    more: u64,
}

struct FindingRow {
    level: Severity,
    rule: String,
    file: String,
    count: u64,
    run: Link,
    since: Moment,
    or_earlier: bool,
}

/// What scans find.
pub(crate) async fn scans(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Query(part): Query<Part>,
) -> Page {
    let page = blocking(move || {
        let asked = part.asked(&app, &who)?;
        let scans = app.figures.last_scans(&asked)?;
        let caught = app.figures.caught(&app.store)?;
        Ok(ScansPage {
            frame: Frame::new(Some(&who), "insights"),
            insights: Insights::of("/insights/scans", &app, &part, &asked),
            behind: caught.newest - caught.position,
            scans: scans.iter().map(ScanTable::of).collect(),
        })
    });
    shown(&page.await?)
}

impl ScanTable {
    fn of(it: &LastScan) -> ScanTable {
        ScanTable {
            tool: it.tool.clone(),
            place: it.place(),
            run: link((it.run, it.attempt)),
            commit: it.commit.chars().take(7).collect(),
            when: Moment::of(it.completed_at_ms),
            counts: counted(&it.counts),
            is_cut: it.is_cut,
            is_kept: it.is_kept,
            rows: it.findings.iter().map(FindingRow::of).collect(),
            more: it.more,
        }
    }
}

impl FindingRow {
    fn of(it: &OpenFinding) -> FindingRow {
        FindingRow {
            level: Severity::of(&it.level),
            rule: it.rule.clone(),
            file: it.file.clone(),
            count: it.count,
            run: link((it.since_run, it.since_attempt)),
            since: Moment::of(it.since_ms),
            or_earlier: it.or_earlier,
        }
    }
}
