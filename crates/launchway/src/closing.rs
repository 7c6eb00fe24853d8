//! The last words of a command that ran something: a table, what failed and where, where the logs are.

use event::{BlobId, Conclusion, StreamId};
use store::Store;
use views::RunView;

use crate::cli::Format;
use crate::exit::Failure;
use crate::journal;
use crate::standing::Standing;
use crate::terminal::run_page::{self, SummaryText};
use crate::terminal::style::{Style, columns, out};
use crate::terminal::time::now;

/// Shows each run as `runs show` would, and what to do next.
pub(crate) fn show(store: &Store, streams: &[StreamId], format: Format) -> Result<(), Failure> {
    if format != Format::Human {
        return Ok(());
    }
    for stream in streams {
        let view = journal::view(store, *stream)?;
        let summary = |blob: &BlobId| crate::commands::runs::summary(store, blob);
        show_one(&view, &summary, "");
    }
    Ok(())
}

/// Shows one; `more` stands behind each command that is named.
pub(crate) fn show_one(view: &RunView, summary: &SummaryText<'_>, more: &str) {
    let style = Style::stdout();
    out("");
    // Whoever says its last words drives it no more.
    let standing = match view.conclusion {
        Some(_) => Standing::Over,
        None => Standing::Unattended,
    };
    for line in run_page::lines(view, standing, summary, now(), (columns(), style)) {
        out(&line);
    }
    let run = view.header.run;
    out("");
    let say = |text: String| out(&style.dim(&format!("{text}{more}")));
    match view.conclusion {
        Some(Conclusion::Success | Conclusion::Skipped) => {
            say(format!("logs: launchway runs logs {run}"));
        }
        Some(_) => {
            say(format!("logs of what failed: launchway runs logs {run} --failed"));
            say(format!("once more, only what failed: launchway runs rerun {run} --failed"));
        }
        None => say(format!("it is not finished: launchway runs resume {run}")),
    }
}
