//! `launchway history`: what was deployed, newest first.

use views::DeploymentRow;

use crate::cli::{Format, HistoryArgs};
use crate::deploying::book::Book;
use crate::deploying::machine;
use crate::deploying::request::environment;
use crate::exit::{Exit, Outcome};
use crate::settings_file::load;
use crate::state::StateFolder;
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::{duration, moment};

pub(crate) fn run(args: &HistoryArgs, state: &StateFolder) -> Outcome {
    let found = load(args.of.settings.file.as_deref())?;
    let (book, _) = Book::of(&found, state)?;
    if let Some(name) = &args.of.environment {
        environment(&found, name)?;
    }
    let views = book.newest(args.of.environment.as_deref(), args.limit)?;
    let rows: Vec<DeploymentRow> = views.iter().map(DeploymentRow::from).collect();
    let format = args.of.settings.format;
    if rows.is_empty() && format != Format::Json {
        talk("nothing was deployed yet");
    }
    for row in &rows {
        out(&if format == Format::Json { machine::row(row) } else { line(row, Style::stdout()) });
    }
    Ok(Exit::Done)
}

fn line(row: &DeploymentRow, style: Style) -> String {
    let services: Vec<String> =
        row.services.iter().map(|(service, version)| format!("{service} {version}")).collect();
    let standing = row.standing.replace('_', " ");
    let sign = match row.standing {
        "succeeded" => style.green("✓"),
        "failed" | "rolled_back" | "rollback_stuck" | "refused" => style.red("✗"),
        "cancelled" | "superseded" => style.yellow("⊘"),
        _ => style.cyan("…"),
    };
    let time = row.duration_ms.map_or_else(String::new, |ms| {
        format!(" ({})", duration(event::Timestamp(0), event::Timestamp(ms)))
    });
    let why = row.cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default();
    let reason = row.reason.as_ref().map(|it| format!(", because: {it}")).unwrap_or_default();
    format!(
        "{sign} {:>5}  {}  {}  {}  {} by {}{reason}  {standing}{time}{why}",
        row.id,
        moment(row.requested_at),
        row.environment,
        services.join(", "),
        row.kind.as_str(),
        row.by,
    )
}
