//! What the settings ask of a run that is over, and whether it is so: how much of the lines tests ran, how large
//! images are.

pub(crate) mod coverage;
pub(crate) mod image_sizes;

use event::{Conclusion, StreamId};
use figures::{Figures, FiguresError};
use forge::Limit;
use serde_json::Value as Json;
use settings::Settings;
use store::Store;
use views::RunView;

use crate::cli::Format;
use crate::terminal::style::{Style, out};

/// What was found of one thing that is asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) line: String,
    /// It is not as it is asked.
    pub(crate) is_broken: bool,
    /// Anything can be said of it.
    pub(crate) is_known: bool,
    /// The line for programs.
    pub(crate) json: Json,
}

/// Whether the settings ask anything of runs.
pub(crate) fn asks(settings: &Settings) -> bool {
    !settings.coverage.is_empty() || !settings.images.is_empty()
}

/// Whether a run that ended so is looked at: what was stopped, or did not run, says nothing of it.
pub(crate) fn is_judged(conclusion: Option<Conclusion>) -> bool {
    matches!(conclusion, Some(Conclusion::Success | Conclusion::Failure | Conclusion::TimedOut))
}

/// What is found of a run that is over, limit by limit; none of what it has nothing to do with. Jobs that it did not
/// run again count as they were.
pub(crate) fn found(
    settings: &Settings,
    (figures, store): (&Figures, &Store),
    (view, stream): (&RunView, StreamId),
) -> Result<Vec<(Limit, Vec<Finding>)>, FiguresError> {
    let mut all = Vec::new();
    if !settings.coverage.is_empty() {
        let held = coverage::found(&settings.coverage, (figures, store), (view, stream))?;
        all.push((Limit::Coverage, held.iter().map(|it| it.finding(view)).collect::<Vec<_>>()));
    }
    if !settings.images.is_empty() {
        let held = image_sizes::found(&settings.images, (figures, store), (view, stream))?;
        all.push((Limit::Images, held.iter().map(|it| it.finding(view)).collect()));
    }
    all.retain(|(_, findings)| !findings.is_empty());
    Ok(all)
}

/// Says it at the end of a command: what is enough to whoever asked, what is not as what went wrong.
pub(crate) fn say(it: &Finding, format: Format) {
    let style = Style::stdout();
    match format {
        Format::Json => out(&it.json.to_string()),
        Format::Github if it.is_broken => {
            out(&format!("::error::{}", it.line.replace('%', "%25")));
        }
        _ if it.is_broken => out(&format!("{} {}", style.red("✗"), it.line)),
        _ if !it.is_known => out(&format!("{} {}", style.yellow("?"), it.line)),
        _ => out(&format!("{} {}", style.green("✓"), it.line)),
    }
}
