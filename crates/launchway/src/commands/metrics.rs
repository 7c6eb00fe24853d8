//! `launchway metrics`: DORA's five figures, and how well the pipelines do.

mod human;
mod images;
mod scans;
mod series;

use figures::{
    Asked, Caught, Deliveries, Delivery, Figures, FiguresError, Goals, NoWindow, Report,
    ReportPart, is_production,
};
use repository::Repository;
use serde_json::{Value as Json, json};
use settings::Settings;
use store::Store;

use crate::cli::{Figure, Format, MetricsArgs};
use crate::deploying::book::Book;
use crate::distant::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::goals;
use crate::journal;
use crate::settings_file::{Found, load, load_if_there};
use crate::state::StateFolder;
use crate::terminal::style::{Style, out, out_block, talk};
use crate::terminal::time::now;

/// Events behind which are so many that counting them takes a while: that is said.
const MANY_EVENTS: u64 = 100_000;

pub(crate) fn run(args: &MetricsArgs, state: &StateFolder) -> Outcome {
    let now = now();
    let window = figures::window(args.since.as_deref(), args.until.as_deref(), now);
    let window = window.map_err(|why| refused(args, why))?;
    let mut asked = Asked {
        project: None,
        environment: args.environment.clone(),
        service: args.service.clone(),
        repositories: args.repository.clone().map(|it| vec![it]),
        is_past: window.until < now,
        ..Asked::everything(window)
    };
    let parts = parts(args);
    let report = match &args.server {
        Some(url) => Client::of(url)?.metrics((&args.since, &args.until), &asked, parts)?,
        None => local(args, state, &mut asked, parts)?,
    };
    if args.format == Format::Json {
        lines(&report).iter().for_each(|line| out(&line.to_string()));
    } else {
        let style = Style::stdout();
        let text = match args.of {
            Some(figure) => human::opened(&report, figure, style),
            None => human::page(&report, style),
        };
        out_block(&text);
    }
    Ok(Exit::Done)
}

/// What is shown; as JSON everything is.
fn parts(args: &MetricsArgs) -> &'static [ReportPart] {
    match args.of {
        _ if args.format == Format::Json => ReportPart::ALL,
        None => human::PAGE,
        Some(
            Figure::Frequency
            | Figure::LeadTime
            | Figure::Failures
            | Figure::Recovery
            | Figure::Rework,
        ) => &[ReportPart::Delivery],
        Some(Figure::Pipelines) => &[ReportPart::Pipelines],
        Some(Figure::Flaky) => &[ReportPart::Flaky],
        Some(Figure::Tests) => &[ReportPart::Tests],
        Some(Figure::Images) => &[ReportPart::Images],
        Some(Figure::Scans) => &[ReportPart::Scans],
    }
}

fn refused(args: &MetricsArgs, why: NoWindow) -> Failure {
    let told = |text: &Option<String>| text.clone().unwrap_or_default();
    let (since, until) = (told(&args.since), told(&args.until));
    let (message, hint) = match why {
        NoWindow::Since => (
            format!("--since takes a span or a day of the last ten years, not `{since}`"),
            "such as 90d, 12w, 48h, 2026-03-01",
        ),
        NoWindow::Until => (
            format!(
                "--until takes a span or a day of the last ten years up to today, not `{until}`"
            ),
            "such as 7d, 4w, 48h, 2026-03-31; without it figures go up to now",
        ),
        NoWindow::Backwards => (
            format!("--until {until} is not after --since {since}"),
            "name an earlier --since, or leave it out: then it is 90 days before the end",
        ),
    };
    Failure::new(Exit::Usage, message).hint(hint)
}

/// From this machine's journal; deployments from the one that the settings name.
fn local(
    args: &MetricsArgs,
    state: &StateFolder,
    asked: &mut Asked,
    parts: &[ReportPart],
) -> Result<Report, Failure> {
    let found = match (&args.file, args.all) {
        (_, true) => None,
        (Some(file), _) => Some(load(Some(file))?),
        (None, _) => load_if_there()?,
    };
    let here = Repository::discover(std::path::Path::new(".")).ok();
    let here = here.map(|it| format!("{}/{}", it.owner, it.name));
    if asked.repositories.is_none() && !args.all {
        asked.repositories = here.clone().map(|it| vec![it]);
    }
    // Settings say what is wanted of their own repository; of any other one the usual is.
    let wanted = found.as_ref().map(|it| goals::of(&it.settings)).unwrap_or_default();
    let goals = |repository: &str| {
        let is_here = here.as_deref() == Some(repository);
        Ok(if is_here { wanted.clone() } else { Goals::default() })
    };
    let mut report = measured(found, state, asked, parts)?;
    if parts.contains(&ReportPart::Pipelines) {
        report.judge(&goals);
        report.look_at_queue(&journal::open_there(state)?, asked).map_err(failed)?;
    }
    Ok(report)
}

fn measured(
    found: Option<Found>,
    state: &StateFolder,
    asked: &mut Asked,
    parts: &[ReportPart],
) -> Result<Report, Failure> {
    let Some(found) = found else {
        let store = journal::open_there(state)?;
        return caught_up(state.root(), &store)?.report(&store, asked, parts).map_err(failed);
    };
    journal::open_there(state)?;
    asked.project = Some(found.settings.project.value.to_string());
    let (book, own) = Book::of(&found, state)?;
    let figures = caught_up(state.root(), &book.store)?;
    if own.own() == state.root() {
        return figures.report(&book.store, asked, parts).map_err(failed);
    }
    let shared = if parts.contains(&ReportPart::Delivery) {
        caught_up(own.own(), book.copy())?.delivery(asked).map_err(failed)?
    } else {
        Deliveries::default()
    };
    let beside = beside(asked, &shared.told, &found.settings);
    let mut report = figures.report(&book.store, &beside, parts).map_err(failed)?;
    report.delivery = [shared.told, report.delivery].concat();
    report.delivery_left_out += shared.left_out;
    Ok(report)
}

/// What is asked of this machine's own, beside a shared journal: what jobs deployed to environments that the
/// settings do not name. Those that they name are deployed to by the command, and counted there.
fn beside(asked: &Asked, shared: &[Delivery], settings: &Settings) -> Asked {
    let names = settings.environments.iter().map(|it| it.name.value.to_string());
    let has_production = shared.iter().any(|it| is_production(&it.environment));
    Asked {
        only_jobs: true,
        besides: names.collect(),
        only_production: has_production,
        ..asked.clone()
    }
}

/// The figures of a journal, with all that ended until now.
fn caught_up(folder: &std::path::Path, store: &Store) -> Result<Figures, Failure> {
    let figures = Figures::open(folder).map_err(failed)?;
    figures.look_again(store).map_err(failed)?;
    let mut is_told = false;
    let mut goes_on = |caught: Caught| {
        if !is_told && caught.newest - caught.position > MANY_EVENTS {
            let left = caught.newest - caught.position;
            talk(&format!("counting {left} events; this is done once"));
            is_told = true;
        }
        true
    };
    figures.catch_up(store, &mut goes_on).map_err(failed)?;
    Ok(figures)
}

fn failed(error: FiguresError) -> Failure {
    Failure::caused(Exit::Missing, error)
}

/// One JSON object a line, each with its type.
fn lines(report: &Report) -> Vec<Json> {
    let mut lines = vec![json!({
        "type": "metrics", "since_ms": report.since_ms, "until_ms": report.until_ms,
        "is_past": report.is_past,
        "samples_min": report.samples_min, "behind_events": report.behind_events,
        "delivery_left_out": report.delivery_left_out, "goal_notes": report.goal_notes,
    })];
    let typed = |kind: &str, value: Json| {
        let mut line = json!({ "type": kind });
        if let (Some(line), Json::Object(fields)) = (line.as_object_mut(), value) {
            line.extend(fields);
        }
        line
    };
    lines.extend(report.delivery.iter().map(|it| typed("delivery", json!(it))));
    lines.extend(report.pipelines.iter().map(|it| typed("pipeline", json!(it))));
    lines.extend(report.queues.iter().map(|it| typed("queue", json!(it))));
    lines.push(typed("load", json!(report.load)));
    lines.extend(report.oldest_ready.iter().map(|it| typed("oldest_ready", json!(it))));
    lines.extend(report.slow_jobs.iter().map(|it| typed("slow_job", json!(it))));
    lines.extend(report.slow_steps.iter().map(|it| typed("slow_step", json!(it))));
    lines.extend(report.slow_tests.iter().map(|it| typed("slow_test", json!(it))));
    lines.extend(report.flaky.iter().map(|it| typed("flaky", json!(it))));
    lines.extend(report.tests.iter().map(|it| typed("tests", json!(it))));
    lines.extend(report.images.iter().map(|it| typed("images", json!(it))));
    lines.extend(report.scans.iter().map(|it| typed("scan", json!(it))));
    lines
}
