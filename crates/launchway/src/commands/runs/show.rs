//! `launchway runs show`

use std::io::Read;

use event::BlobId;
use server::run_details;
use store::Store;
use views::{JobView, RunView};

use crate::cli::{Format, RunRef};
use crate::exit::{Exit, Outcome};
use crate::journal;
use crate::standing::Standing;
use crate::state::StateFolder;
use crate::terminal::run_page::{self, SummaryText};
use crate::terminal::style::{Style, out};
use crate::terminal::time::now;

pub(crate) fn run(store: &Store, state: &StateFolder, run: &RunRef, format: Format) -> Outcome {
    let view = journal::view(store, journal::find(store, run)?)?;
    let standing = Standing::of(state, &view)?;
    let summary = |blob: &BlobId| summary(store, blob);
    page(&view, standing, &summary, format);
    Ok(Exit::Done)
}

/// The run on one page.
pub(super) fn page(view: &RunView, standing: Standing, summary: &SummaryText<'_>, format: Format) {
    match format {
        Format::Json => {
            let why = |job: &JobView| standing.about_job(view, job);
            let unattended = standing == Standing::Unattended;
            out(&run_details(view, unattended, standing.driven_by(), &why).to_string());
        }
        Format::Human | Format::Github => {
            for line in run_page::lines(view, standing, summary, now(), Style::stdout()) {
                out(&line);
            }
        }
    }
}

/// The Markdown of a summary; nothing where it was pruned.
pub(crate) fn summary(store: &Store, blob: &BlobId) -> Option<String> {
    let mut text = String::new();
    store.blobs().get(blob).ok()?.read_to_string(&mut text).ok()?;
    Some(text)
}
