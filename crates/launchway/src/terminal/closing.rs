//! The last words of a command that ran something: a table, what failed and where, where the logs are.

use event::{BlobId, Conclusion, StreamId};
use figures::Figures;
use store::Store;
use views::RunView;

use crate::cli::Format;
use crate::exit::{Exit, Failure};
use crate::held;
use crate::journal;
use crate::running::engine::exit_of;
use crate::running::standing::Standing;
use crate::settings_file::load_if_there;
use crate::state::StateFolder;
use crate::terminal::run_page::{self, SummaryText};
use crate::terminal::style::{Style, columns, out, talk};
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

/// The exit code of what is over, and before it whether it is as the settings ask.
pub(crate) fn ended(
    (store, state): (&Store, &StateFolder),
    streams: &[StreamId],
    format: Format,
) -> Result<Exit, Failure> {
    let is_held = is_as_asked((store, state), streams, format)?;
    let ended = exit_of(store, streams)?;
    Ok(if ended == Exit::Done && !is_held { Exit::Failed } else { ended })
}

fn is_as_asked(
    (store, state): (&Store, &StateFolder),
    streams: &[StreamId],
    format: Format,
) -> Result<bool, Failure> {
    let found = load_if_there().unwrap_or_else(|failure| {
        talk(&format!("warning: whether the run is as asked is not known: {:#}", failure.error));
        None
    });
    let settings = found.map(|it| it.settings).filter(held::asks);
    let Some(settings) = settings else { return Ok(true) };
    let failed = |error| Failure::caused(Exit::Missing, error);
    let figures = Figures::open(state.root()).map_err(failed)?;
    let mut is_held = true;
    for stream in streams {
        let view = journal::view(store, *stream)?;
        if !held::is_judged(view.conclusion) {
            continue;
        }
        let found = held::found(&settings, (&figures, store), (&view, *stream)).map_err(failed)?;
        for it in found.iter().flat_map(|(_, findings)| findings) {
            is_held &= !it.is_broken;
            held::say(it, format);
        }
    }
    Ok(is_held)
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
