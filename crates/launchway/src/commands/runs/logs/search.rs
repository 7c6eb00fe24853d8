//! `launchway runs logs --search`: the lines of a run's logs that have a text, found as on a job's page.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _};
use std::time::Duration;

use server::{FoundLines, LogFinder, QUERY_CHARS_MAX};
use views::JobView;

use super::{Opens, PIECE_BYTES, Piece, pieces};
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal::log_line::steered_by_nobody;
use crate::terminal::style::{Style, out, talk};

/// So long one log is searched: nobody waits for it here but who asks.
const TIME_MAX: Duration = Duration::from_secs(60);

/// What is looked for.
pub(super) fn finder(text: &str, is_pattern: bool) -> Result<LogFinder, Failure> {
    let count = text.chars().count();
    if count == 0 || count > QUERY_CHARS_MAX {
        let message = format!("--search takes a text of 1 to {QUERY_CHARS_MAX} characters");
        return Err(Failure::new(Exit::Usage, message));
    }
    if !is_pattern {
        return Ok(LogFinder::text(text));
    }
    let wrong = |why| {
        Failure::new(
            Exit::Usage,
            format!("--search is no regular expression that can be searched for: {why}"),
        )
        .hint("without --regex it is a text, byte for byte")
    };
    LogFinder::pattern(text).map_err(wrong)
}

/// Prints what was found, log after log.
pub(super) fn run(jobs: &[&JobView], finder: &LogFinder, open: &Opens<'_>) -> Outcome {
    let style = Style::stdout();
    let mut exit = Exit::Failed;
    for job in jobs {
        for Piece { own, .. } in pieces(job, false) {
            let Some(mut log) = open(job, own)? else { continue };
            let step = own.map(|(_, step)| format!(" › {}", step.name)).unwrap_or_default();
            let name = format!("{}{step}", job.name);
            let failed = |error: io::Error| {
                let what = format!("cannot read the log of {name}");
                Failure::caused(Exit::Missing, anyhow::Error::new(error).context(what))
            };
            let FoundLines { numbers, stopped_at } =
                finder.lines(&log, TIME_MAX).map_err(failed)?;
            if let Some(line) = stopped_at {
                talk(&format!(
                    "warning: {name}: the search ended at line {line}, after {} s",
                    TIME_MAX.as_secs()
                ));
            }
            if numbers.is_empty() {
                continue;
            }
            exit = Exit::Done;
            out(&style.bold(&format!("── {name} ──")));
            print(&mut log, &numbers, style).map_err(failed)?;
        }
    }
    if exit == Exit::Failed {
        talk("no line has that");
    }
    Ok(exit)
}

/// The lines of these numbers, in order.
fn print(log: &mut File, numbers: &[u64], style: Style) -> io::Result<()> {
    log.rewind()?;
    let mut lines = BufReader::new(log);
    let (mut wanted, mut number) = (numbers.iter().copied().peekable(), 1_u64);
    let mut piece = Vec::new();
    while wanted.peek().is_some()
        && lines.by_ref().take(PIECE_BYTES).read_until(b'\n', &mut piece)? > 0
    {
        if wanted.next_if_eq(&number).is_some() {
            let text = String::from_utf8_lossy(&piece);
            let text = steered_by_nobody(text.trim_end_matches(['\r', '\n']), style);
            out(&format!("{number:>6}  {text}"));
        }
        number += u64::from(piece.ends_with(b"\n"));
        piece.clear();
    }
    Ok(())
}
