//! `launchway runs diff`: why it fails there and passes here.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use event::{Attempt, Conclusion, LogRange, RunRequest, StreamId};
use serde_json::json;
use server::RunLine;
use store::Store;
use views::{Compared, Difference, JobView, RunFilter, RunView, StepView, compare, take_in};

use super::logs;
use crate::cli::{DiffArgs, Format, RunRef};
use crate::distant::{Client, DistantRun};
use crate::exit::{Exit, Failure, Outcome};
use crate::journal;
use crate::terminal::log_line::steered_by_nobody;
use crate::terminal::style::{Style, out, plain_width, talk};

/// Runs among which the one before is looked for.
const RUNS_SEARCHED_MAX: usize = 200;
/// Lines that are compared of a step's log: what differs behind that follows from what stood before.
const LINES_COMPARED_MAX: usize = 1_000_000;

pub(crate) fn run(store: &Store, args: &DiffArgs) -> Outcome {
    let (first, second) = match (&args.first, &args.second) {
        (Some(first), Some(second)) => {
            (journal::find(store, &named(first)?)?, journal::find(store, &named(second)?)?)
        }
        _ => newest_two(store)?,
    };
    let side = |stream| {
        let mut view = journal::view(store, stream)?;
        take_in(&mut view, &journal::earlier(store, stream)?);
        Ok::<_, Failure>((crate::running::again::request(store, stream)?, view))
    };
    let open: &Opens<'_> = &|view, job, own| logs::open(store, view, job, own);
    told([side(first)?, side(second)?], open, args.format)
}

/// The same of two runs of a server.
pub(super) fn at_server(client: &Client, args: &DiffArgs) -> Outcome {
    let (first, second) = match (&args.first, &args.second) {
        (Some(first), Some(second)) => {
            (client.name(&named(first)?)?, client.name(&named(second)?)?)
        }
        _ => newest_two_at(client)?,
    };
    let side = |name: &str| {
        let DistantRun { request, mut view, .. } = client.run(name)?;
        take_in(&mut view, &client.earlier(&request)?);
        Ok::<_, Failure>((request, view))
    };
    let open: &Opens<'_> = &|view, job, own| {
        client.log(view, job.key.as_str(), own.map(|(number, _)| number)).ok().flatten()
    };
    told([side(&first)?, side(&second)?], open, args.format)
}

/// Where the logs of a run are; none where it is not to be had.
type Opens<'o> = dyn Fn(&RunView, &JobView, Option<(u32, &StepView)>) -> Option<File> + 'o;

fn told(sides: [(RunRequest, RunView); 2], open: &Opens<'_>, format: Format) -> Outcome {
    let [(first, ours), (second, theirs)] = sides;
    let mut differences = compare(
        Compared { request: &first, view: &ours },
        Compared { request: &second, view: &theirs },
    );
    let views = (ours, theirs);
    with_log_lines(open, &views, &mut differences);
    match format {
        Format::Json => differences.iter().for_each(|it| out(&machine(it).to_string())),
        Format::Human | Format::Github => show(&views, &differences),
    }
    Ok(Exit::Done)
}

/// `12` or `12.1`
fn named(text: &str) -> Result<RunRef, Failure> {
    let (run, attempt) = match text.split_once('.') {
        Some((run, attempt)) => (run, Some(attempt)),
        None => (text, None),
    };
    let number = |text: &str| {
        text.parse::<u64>().map_err(|_| {
            Failure::new(Exit::Usage, format!("`{text}` is not a run"))
                .hint("RUN or RUN.ATTEMPT, such as 12 or 12.1; launchway runs list shows them")
        })
    };
    Ok(RunRef { id: Some(number(run)?), attempt: attempt.map(number).transpose()? })
}

/// The newest run of this repository, behind the one of the same workflow that it is compared with.
fn newest_two(store: &Store) -> Result<(StreamId, StreamId), Failure> {
    let views = journal::newest_runs(store, RUNS_SEARCHED_MAX, journal::here().as_deref())?;
    let stream = |view: &RunView| StreamId::Run(view.header.run, view.header.attempt);
    let newest = views.first();
    let before = newest.and_then(|newest| {
        let of = &newest.header.workflow_path;
        let same = views.iter().skip(1).filter(|view| view.header.workflow_path == *of);
        counterpart(newest.conclusion, same.map(|view| (view, view.conclusion)))
    });
    match (before, newest) {
        (Some(before), Some(newest)) => Ok((stream(before), stream(newest))),
        _ => Err(no_two()
            .hint("name them: launchway runs diff 12 15; launchway runs list --all shows them")),
    }
}

fn no_two() -> Failure {
    Failure::new(Exit::Usage, "there are no two runs of one workflow to compare")
}

/// What a run is compared with, of those before it, the newest first: the newest, or, where it failed, the newest
/// that passed, if there is one.
fn counterpart<T: Copy>(
    newest: Option<Conclusion>,
    before: impl Iterator<Item = (T, Option<Conclusion>)>,
) -> Option<T> {
    let before: Vec<(T, Option<Conclusion>)> = before.collect();
    let has_passed = |it: &&(T, Option<Conclusion>)| it.1 == Some(Conclusion::Success);
    let passed = before.iter().find(has_passed).filter(|_| newest == Some(Conclusion::Failure));
    passed.or(before.first()).map(|(run, _)| *run)
}

/// The newest run of a server, behind the one of the same workflow that it is compared with.
fn newest_two_at(client: &Client) -> Result<(String, String), Failure> {
    let runs = client.runs(RUNS_SEARCHED_MAX, &RunFilter::default())?.runs;
    let name = |line: &RunLine| format!("{}.{}", line.run, line.attempt);
    let newest = runs.first();
    let before = newest.and_then(|newest| {
        let of = |it: &RunLine| (it.repository.clone(), it.workflow.clone());
        let same = runs.iter().skip(1).filter(|it| of(it) == of(newest));
        counterpart(newest.conclusion, same.map(|it| (it, it.conclusion)))
    });
    match (before, newest) {
        (Some(before), Some(newest)) => Ok((name(before), name(newest))),
        _ => Err(no_two().hint(
            "name them: launchway runs diff 12 15 --server URL; launchway runs list --server URL shows them",
        )),
    }
}

/// Behind each step that ended otherwise, the first line that it printed otherwise.
fn with_log_lines(open: &Opens<'_>, views: &(RunView, RunView), differences: &mut Vec<Difference>) {
    let mut at = 0;
    while let Some(difference) = differences.get(at) {
        at += 1;
        if difference.what != "outcome" {
            continue;
        }
        if let Some(line) = first_other_line(open, views, difference) {
            differences.insert(at, line);
            at += 1;
        }
    }
}

fn first_other_line(
    open: &Opens<'_>,
    views: &(RunView, RunView),
    difference: &Difference,
) -> Option<Difference> {
    let (job, step) = (difference.job.as_ref()?, difference.step.as_ref()?);
    let lines = |view: &RunView| {
        let job: &JobView = view.job(job)?;
        let range: LogRange = job.steps.iter().find(|it| it.key == *step)?.log?;
        Some((open(view, job, job.background_of(step))?, range))
    };
    let ((mut ours, our_range), (mut theirs, their_range)) = (lines(&views.0)?, lines(&views.1)?);
    let mut ours = BufReader::new(logs::part(&mut ours, &our_range).ok()?);
    let mut theirs = BufReader::new(logs::part(&mut theirs, &their_range).ok()?);
    for number in 1..=LINES_COMPARED_MAX {
        let (one, other) = (line(&mut ours), line(&mut theirs));
        if one.is_none() && other.is_none() {
            return None;
        }
        if one != other {
            return Some(Difference {
                what: format!("log line {number}"),
                first: one,
                second: other,
                ..difference.clone()
            });
        }
    }
    None
}

/// The next line; none at the end, or where it cannot be read.
fn line(log: &mut impl BufRead) -> Option<String> {
    let mut bytes = Vec::new();
    let mut piece = Read::by_ref(log).take(logs::PIECE_BYTES);
    let read = piece.read_until(b'\n', &mut bytes).ok()?;
    (read > 0)
        .then(|| steered_by_nobody(String::from_utf8_lossy(&bytes).trim_end(), Style::plain()))
}

fn machine(difference: &Difference) -> serde_json::Value {
    json!({
        "type": "difference", "job": difference.job, "step": difference.step,
        "what": difference.what, "first": difference.first, "second": difference.second,
    })
}

fn show(views: &(RunView, RunView), differences: &[Difference]) {
    let style = Style::stdout();
    let name = |view: &RunView| {
        let Attempt(attempt) = view.header.attempt;
        format!("run {}.{attempt}, {}, {}", view.header.run, view.state(), view.header.title)
    };
    out(&format!("{} {}", style.red("-"), name(&views.0)));
    out(&format!("{} {}", style.green("+"), name(&views.1)));
    if differences.is_empty() {
        talk("nothing differs but times and numbers");
    }
    let mut place = None;
    for difference in differences {
        let here = (&difference.job, &difference.step);
        if place != Some(here) {
            place = Some(here);
            out("");
            out(&style.bold(&place_of(difference)));
        }
        let what = &difference.what;
        let padding = " ".repeat(plain_width(what));
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| style.dim("(none)"));
        out(&format!("  {what}  {} {}", style.red("-"), text(&difference.first)));
        out(&format!("  {padding}  {} {}", style.green("+"), text(&difference.second)));
    }
}

fn place_of(difference: &Difference) -> String {
    match (&difference.job, &difference.step) {
        (None, _) => "the run".to_owned(),
        (Some(job), None) => format!("job {job}"),
        (Some(job), Some(step)) => format!("job {job} › step {step}"),
    }
}

#[cfg(test)]
mod tests {
    use Conclusion::{Cancelled, Failure, Success};

    use super::*;

    #[test]
    fn what_failed_is_compared_with_what_passed() {
        let check = |newest, before: &[Conclusion], expected: Option<usize>| {
            let before = before.iter().enumerate().map(|(at, it)| (at, Some(*it)));
            assert_eq!(counterpart(newest, before), expected);
        };
        check(Some(Failure), &[Failure, Cancelled, Success, Success], Some(2));
        check(Some(Failure), &[Cancelled, Failure], Some(0));
        check(Some(Success), &[Failure, Success], Some(0));
        check(None, &[Failure, Success], Some(0));
        check(Some(Failure), &[], None);
    }
}
