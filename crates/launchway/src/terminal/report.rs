//! A run while it happens, for whoever watches: a person, a pipe, a program, GitHub.

mod github;
mod json;
mod live;
mod plain;
pub(crate) mod screen;
pub(crate) mod tail;

use std::io::IsTerminal;

use event::{Conclusion, JobKey, RunEvent, RunId, StepKey};

use crate::cli::Format;
use crate::terminal::style::Style;

/// Takes what happens, in order.
pub(crate) trait Reporter: Send {
    /// Something happened; it is in the journal.
    fn event(&mut self, run: RunId, event: &RunEvent);
    /// A job printed these lines; they are in its log, masked. They come in blocks, because a job
    /// may print millions of them in a second.
    fn log(&mut self, run: RunId, job: &JobKey, step: &StepKey, block: &str);
    /// It is over, or the person looks away.
    fn end(&mut self) {}
}

/// The reporter for a format. People at a terminal get the live picture, pipes get plain lines.
pub(crate) fn reporter(format: Format) -> Box<dyn Reporter> {
    match format {
        Format::Json => Box::<json::JsonReporter>::default(),
        Format::Github => Box::<github::GithubReporter>::default(),
        Format::Human if can_be_drawn_on() => Box::new(live::LiveReporter::new()),
        Format::Human => Box::<plain::PlainReporter>::default(),
    }
}

/// Whether lines that are shown can be taken back: on a terminal that is not a dumb one.
fn can_be_drawn_on() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|it| it != "dumb")
}

/// The sign of an end. The word stands beside it: colour and sign never carry the meaning alone.
pub(crate) fn mark(conclusion: Conclusion, style: Style) -> String {
    match conclusion {
        Conclusion::Success => style.green("✓"),
        Conclusion::Failure | Conclusion::TimedOut => style.red("✗"),
        Conclusion::Cancelled => style.yellow("⊘"),
        Conclusion::Skipped => style.dim("–"),
    }
}

/// The lines of a block, without their ends.
fn lines(block: &str) -> impl DoubleEndedIterator<Item = &str> {
    let lines = block.strip_suffix('\n').unwrap_or(block).split('\n');
    lines.map(|line| line.trim_end_matches('\r'))
}
