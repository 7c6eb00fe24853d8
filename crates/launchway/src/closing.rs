//! The last words of a command that ran something: a table, what failed and where, where the logs are.

use event::{BlobId, Conclusion, StreamId};
use store::Store;

use crate::cli::Format;
use crate::engine::run_of;
use crate::exit::Failure;
use crate::journal;
use crate::standing::Standing;
use crate::terminal::run_page;
use crate::terminal::style::{Style, out};
use crate::terminal::time::now;

/// Shows each run as `runs show` would, and what to do next.
pub(crate) fn show(store: &Store, streams: &[StreamId], format: Format) -> Result<(), Failure> {
    if format != Format::Human {
        return Ok(());
    }
    let style = Style::stdout();
    for stream in streams {
        let view = journal::view(store, *stream)?;
        out("");
        // Whoever says its last words drives it no more.
        let standing = match view.conclusion {
            Some(_) => Standing::Over,
            None => Standing::Unattended,
        };
        let summary = |blob: &BlobId| crate::commands::runs::summary(store, blob);
        for line in run_page::lines(&view, standing, &summary, now(), style) {
            out(&line);
        }
        let run = run_of(*stream);
        out("");
        match view.conclusion {
            Some(Conclusion::Success | Conclusion::Skipped) => {
                out(&style.dim(&format!("logs: launchway runs logs {run}")));
            }
            Some(_) => {
                out(&style.dim(&format!("logs of what failed: launchway runs logs {run} --failed")));
                out(&style.dim(&format!(
                    "once more, only what failed: launchway runs rerun {run} --failed"
                )));
            }
            None => out(&style.dim(&format!("it is not finished: launchway runs resume {run}"))),
        }
    }
    Ok(())
}
