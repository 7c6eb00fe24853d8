//! Summaries on a run's page: what steps wrote for people (`GITHUB_STEP_SUMMARY`), rendered so that it does nothing.

use std::io::Read as _;

use event::BlobId;
use views::{JobView, RunView, SummaryView, decimal_size};

use crate::app::App;
use crate::problem::Problem;
use crate::words::{percent, run_href};

/// Bytes of one summary that are rendered; GitHub takes a megabyte, which is no page that anybody reads.
const SUMMARY_BYTES_MAX: usize = 128 << 10;
/// Bytes of all summaries of a run that are rendered: its page is loaded anew whenever something happens.
const SUMMARIES_BYTES_MAX: usize = 512 << 10;
/// Summaries that are named at all; the API has every one.
const SUMMARIES_MAX: usize = 200;

/// A summary as it is shown.
#[derive(Default)]
pub(super) struct Shown {
    /// What a link to it names: its job's first has one.
    pub(super) anchor: Option<String>,
    pub(super) job: String,
    pub(super) step: String,
    /// None where nothing of it is rendered.
    pub(super) html: Option<String>,
    /// What is said of the part that is not.
    pub(super) rest: Option<String>,
    pub(super) is_gone: bool,
    /// The text as the step wrote it.
    pub(super) raw: String,
}

/// Summaries of a run, and how many more there are.
#[derive(Default)]
pub(super) struct Summaries {
    pub(super) shown: Vec<Shown>,
    pub(super) more: usize,
}

/// Where a job's summaries begin on its run's page.
pub(super) fn anchor(job: &JobView) -> String {
    format!("summary-{}", percent(job.key.as_str()))
}

impl Summaries {
    pub(super) fn of(app: &App, view: &RunView) -> Result<Summaries, Problem> {
        let run = run_href(view.header.run, view.header.attempt);
        let mut left = SUMMARIES_BYTES_MAX;
        let mut summaries = Summaries::default();
        for job in &view.jobs {
            for (at, summary) in job.summaries.iter().enumerate() {
                if summaries.shown.len() == SUMMARIES_MAX {
                    summaries.more += 1;
                    continue;
                }
                let (text, bytes) = begin(app, &summary.blob, left.min(SUMMARY_BYTES_MAX))?;
                left = left.saturating_sub(text.len());
                let raw = format!("/api/v1{run}/summaries/{}", summary.blob.as_str());
                let mut shown = Shown::of(&text, bytes);
                shown.anchor = (at == 0).then(|| anchor(job));
                shown.job = job.name.as_str().to_owned();
                shown.step = step(job, summary);
                shown.raw = raw;
                summaries.shown.push(shown);
            }
        }
        Ok(summaries)
    }
}

impl Shown {
    /// Of the part that was read, and the bytes of the whole; none where it is gone.
    fn of(text: &str, bytes: Option<u64>) -> Shown {
        let made = (!text.is_empty()).then(|| markdown::html(text));
        let is_cut = made.as_ref().is_some_and(|it| it.is_cut);
        let rest = match bytes {
            None => Some("It is gone from the data folder.".to_owned()),
            Some(bytes) if is_cut || bytes > text.len() as u64 => Some(format!(
                "It has {}; what is shown here ends before that.",
                decimal_size(bytes)
            )),
            Some(_) => None,
        };
        let html = made.map(|it| it.html);
        Shown { html, rest, is_gone: bytes.is_none(), ..Shown::default() }
    }
}

/// The name of the step that wrote it, else its key.
fn step(job: &JobView, summary: &SummaryView) -> String {
    let step = job.steps.iter().find(|it| it.key == summary.step);
    step.map_or_else(|| summary.step.as_str().to_owned(), |it| it.name.as_str().to_owned())
}

/// The beginning of a summary, whole lines of it, and the bytes of all; no bytes of one that is gone.
fn begin(app: &App, blob: &BlobId, limit: usize) -> Result<(String, Option<u64>), Problem> {
    let Ok(file) = app.store.blobs().get(blob) else { return Ok((String::new(), None)) };
    let bytes = app.store.blobs().size(blob)?;
    let mut text = Vec::new();
    file.take(limit as u64).read_to_end(&mut text)?;
    if bytes > text.len() as u64 {
        // A line that is cut may be half a table, and half a letter.
        let end = memchr::memrchr(b'\n', &text).map_or(0, |at| at + 1);
        text.truncate(end);
    }
    Ok((String::from_utf8_lossy(&text).into_owned(), Some(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_rendered_is_said() {
        let check = |text: &str, bytes: Option<u64>, html: Option<&str>, rest: Option<&str>| {
            let shown = Shown::of(text, bytes);
            assert_eq!((shown.html.as_deref(), shown.rest.as_deref()), (html, rest), "{text}");
        };
        check("**x**\n", Some(6), Some("<p><strong>x</strong></p>\n"), None);
        let rest = "It has 204.8 KB; what is shown here ends before that.";
        check("x\n", Some(204_800), Some("<p>x</p>\n"), Some(rest));
        check("", Some(204_800), None, Some(rest));
        check("", None, None, Some("It is gone from the data folder."));
        check("", Some(0), None, None);
    }
}
