//! What was looked for in all logs of a run, by job, with a link to each line.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use views::RunView;

use super::job::href;
use super::{Frame, Page, shown};
use crate::ansi;
use crate::app::{Shared, blocking, turn};
use crate::guard::Who;
use crate::problem::Problem;
use crate::run_search::{self, LogHits, RunHits, TIME_MAX};
use crate::words::{grouped, percent, run_href};

#[derive(Template)]
#[template(path = "run_search.html")]
struct SearchPage {
    frame: Frame,
    number: String,
    title: String,
    href: String,
    query: String,
    is_pattern: bool,
    said: String,
    /// What is wrong with the pattern, in several lines.
    wrong: Option<String>,
    logs: Vec<LogLines>,
}

struct LogLines {
    name: String,
    href: String,
    said: String,
    lines: Vec<HitLine>,
    /// Where the others are.
    more: Option<String>,
}

struct HitLine {
    number: u64,
    href: String,
    class: &'static str,
    html: String,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    q: String,
    re: Option<String>,
}

/// The page.
pub(crate) async fn run_search(
    State(app): State<Shared>,
    Extension(who): Extension<Who>,
    Path(run): Path<String>,
    Query(asked): Query<Asked>,
) -> Page {
    let turn = match asked.q.is_empty() {
        true => None,
        false => Some(turn(&app.finding).await?),
    };
    let page = blocking(move || {
        let _turn = turn;
        let view = app.view(app.stream(&run)?)?;
        let header = &view.header;
        let mut page = SearchPage {
            frame: Frame::new(Some(&who), "runs"),
            number: header.run.to_string(),
            title: header.title.as_str().to_owned(),
            href: run_href(header.run, header.attempt),
            query: asked.q.clone(),
            is_pattern: asked.re.is_some(),
            said: String::new(),
            wrong: None,
            logs: Vec::new(),
        };
        if asked.q.is_empty() {
            return Ok(page);
        }
        let wanted = run_search::Asked { query: &asked.q, is_pattern: asked.re.is_some() };
        match wanted.finder()? {
            Ok(finder) => {
                let found = run_search::find(&app, &view, None, &finder)?;
                page.said = found_said(&found);
                let lines = found.logs.iter().map(|it| LogLines::of(&view, it, &asked));
                page.logs = lines.collect();
            }
            Err(wrong) => {
                page.said = "This is no regular expression that can be searched for.".to_owned();
                page.wrong = Some(wrong);
            }
        }
        Ok::<SearchPage, Problem>(page)
    });
    shown(&page.await?)
}

impl LogLines {
    fn of(view: &RunView, found: &LogHits<'_>, asked: &Asked) -> LogLines {
        let re = if asked.re.is_some() { "&re=1" } else { "" };
        let aside = found.aside.map(|(number, _)| format!("aside={number}&")).unwrap_or_default();
        let base = href(view, found.job);
        let question = format!("{base}?{aside}q={}{re}", percent(&asked.q));
        let lines = found.hits.lines.iter().map(|line| {
            let (kind, html) = ansi::line(&line.text);
            let number = line.number;
            let href = format!("{question}&line={number}#L{number}");
            HitLine { number, href, class: kind.class(), html }
        });
        let lines: Vec<HitLine> = lines.collect();
        let step = found.aside.map(|(_, step)| format!(" › {step}")).unwrap_or_default();
        LogLines {
            name: format!("{}{step}", found.job.name),
            more: ((lines.len() as u64) < found.hits.count).then(|| question.clone()),
            href: question,
            said: lines_said(found.hits.count),
            lines,
        }
    }
}

fn lines_said(count: u64) -> String {
    if count == 1 { "1 line".to_owned() } else { format!("{} lines", grouped(count)) }
}

/// How much was found, and what was not looked at, in words.
fn found_said(found: &RunHits<'_>) -> String {
    let logs = found.logs.len() as u64 + found.not_shown;
    let mut said = match (found.count, logs) {
        (0, _) => "No line has that.".to_owned(),
        (count, 1) => format!("{} of one log.", lines_said(count)),
        (count, logs) => format!("{} of {} logs.", lines_said(count), grouped(logs)),
    };
    if found.not_shown > 0 {
        said += &format!(" {} of these logs are not shown.", grouped(found.not_shown));
    }
    if found.not_searched > 0 {
        said += &format!(
            " The search ended after {} s: {} logs were not looked through to their end; the search of one job gets further.",
            TIME_MAX.as_secs(),
            grouped(found.not_searched)
        );
    }
    said
}
