//! `launchway runs list`

use serde_json::json;
use store::Store;
use views::{RunFilter, RunRow};

use crate::cli::Format;
use crate::exit::{Exit, Failure, Outcome};
use crate::journal;
use crate::running::standing::Standing;
use crate::state::StateFolder;
use crate::terminal::run_page::{sign, words};
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::{duration, moment};

pub(crate) fn run(
    store: &Store,
    state: &StateFolder,
    (limit, all, filter): (usize, bool, &RunFilter),
    format: Format,
) -> Outcome {
    // Who names a repository means that one, not the one they stand in.
    let here = if all || filter.repository.is_some() { None } else { journal::here() };
    let found = journal::runs(store, limit, here.as_deref(), filter)?;
    let views = found.views;
    let rows: Vec<RunRow> = views.iter().map(RunRow::from).collect();
    let standings: Result<Vec<Standing>, Failure> =
        views.iter().map(|view| Standing::of(state, view)).collect();
    if rows.is_empty() && format == Format::Human {
        talk(if filter.is_empty() { "no run yet; launchway run makes one" } else { NONE_FITS });
    }
    if let Some(searched) = found.searched {
        talk(&format!("the newest {searched} runs were looked through, and no older one"));
    }
    show(&rows.into_iter().zip(standings?).collect::<Vec<_>>(), format);
    Ok(Exit::Done)
}

/// Said of a list that somebody wanted some of.
pub(super) const NONE_FITS: &str = "no run fits";

/// The lines of a list.
pub(super) fn show(rows: &[(RunRow, Standing)], format: Format) {
    let width =
        |cell: fn(&RunRow) -> usize| rows.iter().map(|(row, _)| cell(row)).max().unwrap_or(0);
    let widths =
        (width(|row| row.workflow.chars().count()), width(|row| row.branch.chars().count()));
    // Of one alone it goes without saying.
    let is_of_several = rows.iter().any(|(row, _)| row.repository != rows[0].0.repository);
    let repository = width(|row| row.repository.chars().count());
    let of = |row: &RunRow| match is_of_several {
        true => format!("{:<repository$}  ", row.repository),
        false => String::new(),
    };
    for (row, standing) in rows {
        out(&if format == Format::Json {
            machine(row, *standing)
        } else {
            line(row, *standing, (&of(row), widths), Style::stdout())
        });
    }
}

fn line(
    row: &RunRow,
    standing: Standing,
    (repository, (workflow, branch)): (&str, (usize, usize)),
    style: Style,
) -> String {
    let unattended = standing == Standing::Unattended;
    let sign = if unattended { style.yellow("?") } else { sign(row.conclusion, row.status, style) };
    let state = row.conclusion.map_or(row.status.as_str(), event::Conclusion::as_str);
    let state = if unattended { "unattended" } else { state };
    let state = words(if row.lost { "lost" } else { state });
    let attempt = if row.attempt.0 > 1 { format!(".{}", row.attempt) } else { String::new() };
    let number = format!("{}{attempt}", row.run);
    let time = row
        .duration_ms
        .map(|ms| duration(event::Timestamp(0), event::Timestamp(ms)))
        .unwrap_or_default();
    format!(
        "{sign} {number:>5}  {state:<11}  {repository}{:<workflow$}  {:<branch$}  {}  {time:>9}  {}  {}",
        row.workflow,
        row.branch,
        row.commit,
        moment(row.created_at),
        row.title
    )
}

fn machine(row: &RunRow, standing: Standing) -> String {
    json!({
        "run": row.run, "attempt": row.attempt, "run_number": row.run_number,
        "repository": row.repository, "workflow": row.workflow, "title": row.title,
        "event": row.event, "actor": row.actor, "branch": row.branch, "commit": row.commit,
        "status": row.status, "conclusion": row.conclusion, "lost": row.lost,
        "driven_by": standing.driven_by(), "unattended": standing == Standing::Unattended,
        "created_at_ms": row.created_at, "started_at_ms": row.started_at, "duration_ms": row.duration_ms,
    })
    .to_string()
}
