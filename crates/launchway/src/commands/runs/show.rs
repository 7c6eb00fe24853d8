//! `launchway runs show`

use std::io::Read;

use event::{BlobId, StreamId};
use figures::{Figures, RunImages, RunScans, RunTests};
use serde_json::json;
use server::run_details;
use store::Store;
use views::{JobView, RunView};

use crate::cli::{Format, RunRef};
use crate::exit::{Exit, Failure, Outcome};
use crate::journal;
use crate::running::standing::Standing;
use crate::state::StateFolder;
use crate::terminal::image_lines::image_lines;
use crate::terminal::run_page::{self, SummaryText};
use crate::terminal::scan_lines::scan_lines;
use crate::terminal::style::{Style, columns, out, talk};
use crate::terminal::test_lines::test_lines;
use crate::terminal::time::now;
use crate::terminal::waterfall;

/// Events that are not counted yet and are so many that this takes more than a moment.
const MANY_EVENTS: u64 = 50_000;

pub(crate) fn run(store: &Store, state: &StateFolder, run: &RunRef, format: Format) -> Outcome {
    let stream = journal::find(store, run)?;
    let mut view = journal::view(store, stream)?;
    let standing = Standing::of(state, &view)?;
    let summary = |blob: &BlobId| summary(store, blob);
    let told = told(store, state, &view)?;
    take_in(&mut view, journal::earlier(store, stream));
    page(&view, standing, &summary, format, &told);
    Ok(Exit::Done)
}

/// Takes in the artifacts of the attempts before this one. That one of them cannot be read hides nothing of this one.
pub(super) fn take_in(view: &mut RunView, earlier: Result<Vec<RunView>, Failure>) {
    match earlier {
        Ok(earlier) => view.take_artifacts(&earlier),
        Err(Failure { error, .. }) => {
            talk(&format!("warning: artifacts of attempts before are left out: {error:#}"));
        }
    }
}

/// What is counted of a run.
#[derive(Default)]
pub(super) struct Told {
    /// What its reports say; none where it is not over, or kept none.
    pub(super) tests: Option<RunTests>,
    pub(super) images: RunImages,
    /// None of a server of an earlier version, which does not tell.
    pub(super) scans: Option<RunScans>,
}

fn told(store: &Store, state: &StateFolder, view: &RunView) -> Result<Told, Failure> {
    let has_images = view.images().next().is_some();
    let may_have_tests = view.conclusion.is_some() && !view.artifacts.is_empty();
    if !has_images && !may_have_tests {
        return Ok(Told { scans: Some(RunScans::default()), ..Told::default() });
    }
    let stream = StreamId::Run(view.header.run, view.header.attempt);
    let told = Figures::open(state.root()).and_then(|figures| {
        // The run that it is compared with is to be in, too; but nobody waits here for years of runs.
        let caught = figures.caught(store)?;
        if caught.newest - caught.position <= MANY_EVENTS {
            figures.catch_up(store, &mut |_| true)?;
        }
        let tests = may_have_tests.then(|| figures.run_tests(store, stream)).transpose()?.flatten();
        let (images, scans) = (figures.run_images(store, view)?, figures.run_scans(store, view)?);
        Ok(Told { tests, images, scans: Some(scans) })
    });
    told.map_err(|error| Failure::caused(Exit::Missing, error))
}

/// The run on one page.
pub(super) fn page(
    view: &RunView,
    standing: Standing,
    summary: &SummaryText<'_>,
    format: Format,
    told: &Told,
) {
    match format {
        Format::Json => {
            let why = |job: &JobView| standing.about_job(view, job);
            let unattended = standing == Standing::Unattended;
            let mut details = run_details(view, unattended, standing.driven_by(), &why, now());
            details["tests"] = json!(told.tests);
            details["images"] = json!(told.images);
            details["scans"] = json!(told.scans.as_ref().map(|it| &it.scans));
            out(&details.to_string());
        }
        Format::Human | Format::Github => {
            for line in
                run_page::lines(view, standing, summary, now(), (columns(), Style::stdout()))
            {
                out(&line);
            }
            let tests = told.tests.as_ref().map(|it| test_lines(it, Style::stdout()));
            let images = image_lines(&told.images, Style::stdout());
            let scans = told.scans.as_ref().map(|it| scan_lines(it, Style::stdout()));
            let lines = [tests, Some(images), scans].into_iter().flatten().flatten();
            lines.for_each(|line| out(&line));
            let time = waterfall::lines(view, now(), columns(), Style::stdout());
            time.iter().for_each(|line| out(line));
        }
    }
}

/// The Markdown of a summary; nothing where it was pruned.
pub(crate) fn summary(store: &Store, blob: &BlobId) -> Option<String> {
    let mut text = String::new();
    store.blobs().get(blob).ok()?.read_to_string(&mut text).ok()?;
    Some(text)
}
