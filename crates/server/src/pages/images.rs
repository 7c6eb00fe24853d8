//! Images of the default branch's newest runs: how large, how long they took, as tables and as pictures of them.

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use figures::{ImageRun, ImageSeries};
use views::{decimal_size, length, size_change};

use super::insights::Insights;
use super::test_results::{Link, link};
use super::{Frame, Page, shown};
use crate::api::metrics::Part;
use crate::app::{Shared, blocking};
use crate::chart::{Bar, Point, bars, line};
use crate::guard::Who;
use crate::words::Moment;

#[derive(Template)]
#[template(path = "images.html")]
struct ImagesPage {
    frame: Frame,
    insights: Insights,
    behind: u64,
    series: Vec<ImageTable>,
}

struct ImageTable {
    title: String,
    place: String,
    charts: Vec<(String, String)>,
    rows: Vec<ImageRow>,
}

struct ImageRow {
    run: Link,
    commit: String,
    when: Moment,
    size: String,
    change: String,
    took: String,
}

/// How large the images are.
pub(crate) async fn images(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Query(part): Query<Part>,
) -> Page {
    let page = blocking(move || {
        let asked = part.asked(&app, &who)?;
        let series = app.figures.image_series(&asked)?;
        let caught = app.figures.caught(&app.store)?;
        Ok(ImagesPage {
            frame: Frame::new(Some(&who), "insights"),
            insights: Insights::of("/insights/images", &app, &part, &asked),
            behind: caught.newest - caught.position,
            series: series.iter().map(ImageTable::of).collect(),
        })
    });
    shown(&page.await?)
}

impl ImageTable {
    fn of(it: &ImageSeries) -> ImageTable {
        let mut rows: Vec<ImageRow> = Vec::with_capacity(it.runs.len());
        for (index, run) in it.runs.iter().enumerate() {
            rows.push(ImageRow::of(run, &it.runs[..index]));
        }
        rows.reverse();
        ImageTable { title: it.title(), place: it.place(), charts: charts(&it.runs), rows }
    }
}

impl ImageRow {
    fn of(it: &ImageRun, before: &[ImageRun]) -> ImageRow {
        let earlier = before.iter().rev().find_map(|it| it.size_bytes);
        ImageRow {
            run: link((it.run, it.attempt)),
            commit: it.commit.chars().take(7).collect(),
            when: Moment::of(it.completed_at_ms),
            size: size(it),
            change: it
                .size_bytes
                .zip(earlier)
                .and_then(|(now, before)| size_change(now, before))
                .unwrap_or_default(),
            took: it.build_ms.map(length).unwrap_or_default(),
        }
    }
}

fn size(it: &ImageRun) -> String {
    it.size_bytes.map_or_else(|| "not known".to_owned(), decimal_size)
}

/// Each with what it shows; none of what was measured once only.
fn charts(runs: &[ImageRun]) -> Vec<(String, String)> {
    let mut charts = Vec::new();
    if runs.len() < 2 {
        return charts;
    }
    let points: Vec<Point> = runs.iter().map(point).collect();
    let sizes = || runs.iter().filter_map(|it| it.size_bytes);
    let what = match (sizes().min(), sizes().max()) {
        (Some(least), Some(most)) if least < most => {
            format!("Size, {} to {}", decimal_size(least), decimal_size(most))
        }
        _ => "Size".to_owned(),
    };
    charts.extend(line(&what, &points).map(|svg| (what.clone(), svg)));
    if runs.iter().any(|it| it.build_ms.is_some()) {
        let bar: Vec<Bar> = runs.iter().map(time).collect();
        let longest = length(bar.iter().map(|it| it.value).max().unwrap_or(0));
        let what = format!("How long it took to build, at most {longest}");
        charts.extend(bars(&what, &bar).map(|svg| (what.clone(), svg)));
    }
    charts
}

fn day(it: &ImageRun) -> String {
    let when = Moment::of(it.completed_at_ms).text;
    when.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

fn point(it: &ImageRun) -> Point {
    let run = link((it.run, it.attempt));
    let told = format!("{}: {}", run.name, size(it));
    Point { value: it.size_bytes.map(|it| it as f64), href: run.href, label: day(it), told }
}

fn time(it: &ImageRun) -> Bar {
    let told = it.build_ms.map_or_else(|| "not known".to_owned(), length);
    let told = format!("{}: {told}", link((it.run, it.attempt)).name);
    Bar { value: it.build_ms.unwrap_or(0), failed: 0, label: day(it), told }
}
