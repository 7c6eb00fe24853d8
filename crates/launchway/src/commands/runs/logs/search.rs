//! `launchway runs logs --search`: the lines of a run's logs that have a text, found as on a job's page.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _};
use std::time::Duration;

use server::{FoundLines, LogFinder, QUERY_CHARS_MAX};
use views::{JobView, StepView};

use super::{Opens, PIECE_BYTES, Piece, pieces};
use crate::distant::LogSearch;
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal::log_line::{steered_by_nobody, unmarked};
use crate::terminal::style::{Style, out, talk};

/// So long one log is searched: nobody waits for it here but who asks.
const TIME_MAX: Duration = Duration::from_secs(60);

/// What is looked for.
pub(super) fn finder(text: &str, is_pattern: bool) -> Result<LogFinder, Failure> {
    let count = text.chars().count();
    if count == 0 || count > QUERY_CHARS_MAX {
        let message = format!("--search takes a text of 1 to {QUERY_CHARS_MAX} characters");
        return Err(Failure::new(Exit::Usage, message));
    }
    if !is_pattern {
        return Ok(LogFinder::text(text));
    }
    let wrong = |why| {
        Failure::new(
            Exit::Usage,
            format!("--search is no regular expression that can be searched for: {why}"),
        )
        .hint("without --regex it is a text, byte for byte")
    };
    LogFinder::pattern(text).map_err(wrong)
}

/// Prints what was found, log after log.
pub(super) fn run(jobs: &[&JobView], finder: &LogFinder, open: &Opens<'_>) -> Outcome {
    let mut has_it = false;
    for job in jobs {
        for Piece { own, .. } in pieces(job, false) {
            has_it |= one(job, own, finder, open)?;
        }
    }
    ended(has_it)
}

/// Prints what a server found. Of a log with more lines than it tells of, or longer ones, the rest is looked for here,
/// as in all logs where it did not get through them.
pub(super) fn at_server(
    found: Option<LogSearch>,
    jobs: &[&JobView],
    finder: &LogFinder,
    open: &Opens<'_>,
) -> Outcome {
    let Some(found) = found.filter(LogSearch::is_whole) else { return run(jobs, finder, open) };
    let style = Style::stdout();
    let mut has_it = false;
    for job in jobs {
        for Piece { own, .. } in pieces(job, false) {
            let Some(log) = found.log(&job.key, own.map(|(number, _)| number)) else { continue };
            let Some(lines) = log.lines() else {
                has_it |= one(job, own, finder, open)?;
                continue;
            };
            has_it = true;
            out(&style.bold(&format!("── {} ──", name(job, own))));
            lines.iter().for_each(|it| print_line(it.line, &it.text, style));
        }
    }
    ended(has_it)
}

fn ended(has_it: bool) -> Outcome {
    if has_it {
        return Ok(Exit::Done);
    }
    talk("no line has that");
    Ok(Exit::Failed)
}

fn name(job: &JobView, own: Option<(u32, &StepView)>) -> String {
    let step = own.map(|(_, step)| format!(" › {}", step.name)).unwrap_or_default();
    format!("{}{step}", job.name)
}

/// Prints what was found in one log; whether it has it.
fn one(
    job: &JobView,
    own: Option<(u32, &StepView)>,
    finder: &LogFinder,
    open: &Opens<'_>,
) -> Result<bool, Failure> {
    let Some(mut log) = open(job, own)? else { return Ok(false) };
    let name = name(job, own);
    let failed = |error: io::Error| {
        let what = format!("cannot read the log of {name}");
        Failure::caused(Exit::Missing, anyhow::Error::new(error).context(what))
    };
    let FoundLines { numbers, stopped_at } = finder.lines(&log, TIME_MAX).map_err(failed)?;
    if let Some(line) = stopped_at {
        talk(&format!(
            "warning: {name}: the search ended at line {line}, after {} s",
            TIME_MAX.as_secs()
        ));
    }
    if numbers.is_empty() {
        return Ok(false);
    }
    let style = Style::stdout();
    out(&style.bold(&format!("── {name} ──")));
    print(&mut log, &numbers, style).map_err(failed)?;
    Ok(true)
}

/// The lines of these numbers, in order.
fn print(log: &mut File, numbers: &[u64], style: Style) -> io::Result<()> {
    log.rewind()?;
    let mut lines = BufReader::new(log);
    let (mut wanted, mut number) = (numbers.iter().copied().peekable(), 1_u64);
    let mut piece = Vec::new();
    while wanted.peek().is_some()
        && lines.by_ref().take(PIECE_BYTES).read_until(b'\n', &mut piece)? > 0
    {
        if wanted.next_if_eq(&number).is_some() {
            let text = String::from_utf8_lossy(&piece);
            print_line(number, text.trim_end_matches(['\r', '\n']), style);
        }
        number += u64::from(piece.ends_with(b"\n"));
        piece.clear();
    }
    Ok(())
}

fn print_line(number: u64, text: &str, style: Style) {
    out(&format!("{number:>6}  {}", steered_by_nobody(unmarked(text), style)));
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use event::{Fact as _, RunEvent};
    use serde_json::json;
    use views::RunView;

    use super::*;

    fn view() -> RunView {
        let events = [
            json!({ "type": "RunCreated", "run": 1, "attempt": 1, "run_number": 1, "carried": [],
                "repository": "octo/app", "repository_path": "/app",
                "workflow": { "path": "ci.yml", "text": "" }, "called": {}, "title": "a change",
                "event": { "name": "push", "git_ref": "refs/heads/main", "payload": {} },
                "change": { "commit": "c", "authored_at": 1, "committed_at": 1, "uncommitted": 0 },
                "inputs": {}, "vars": {}, "secret_names": [], "actor": "mona",
                "triggering_actor": "mona", "at": 1 }),
            json!({ "type": "JobReady", "job": "build", "at": 2 }),
            json!({ "type": "JobReady", "job": "test", "at": 2 }),
        ];
        let decode = |it: &serde_json::Value| RunEvent::decode(it.to_string().as_bytes()).unwrap();
        RunView::of(events.iter().map(decode).collect::<Vec<_>>().iter()).unwrap()
    }

    /// What the server says it found, and which logs are fetched for it.
    fn check(found: &serde_json::Value, fetched: &[&str]) {
        let view = view();
        let jobs: Vec<&JobView> = view.jobs.iter().collect();
        let opened = RefCell::new(Vec::new());
        let open = |job: &JobView, _: Option<(u32, &StepView)>| {
            opened.borrow_mut().push(job.key.as_str().to_owned());
            Ok(None)
        };
        let found = serde_json::from_value(found.clone()).unwrap();
        at_server(found, &jobs, &LogFinder::text("x"), &open).unwrap();
        assert_eq!(opened.into_inner(), fetched);
    }

    #[test]
    fn of_a_server_only_those_logs_are_fetched_that_it_does_not_tell_all_of() {
        let log = |job: &str, count: u64, cut: u64| {
            let line = json!({ "line": 7, "text": "x", "cut_bytes": cut });
            json!({ "job": job, "name": job, "aside": null, "step": null, "count": count,
                "lines": [line] })
        };
        let all = |logs: &[serde_json::Value], not_searched: u64| {
            json!({ "count": 1, "logs": logs, "logs_not_shown": 0,
                "logs_not_searched": not_searched })
        };
        check(&all(&[], 0), &[]);
        check(&all(&[log("build", 1, 0), log("test", 1, 0)], 0), &[]);
        check(&all(&[log("build", 1, 0), log("test", 21, 0)], 0), &["test"]);
        check(&all(&[log("build", 1, 900), log("test", 1, 0)], 0), &["build"]);
        check(&all(&[log("build", 1, 0)], 1), &["build", "test"]);
        // One of before searches nothing.
        check(&serde_json::Value::Null, &["build", "test"]);
    }
}
