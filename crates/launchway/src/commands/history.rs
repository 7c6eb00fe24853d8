//! `launchway history`: what was deployed, newest first.

use views::DeploymentRow;

use crate::cli::{Format, HistoryArgs};
use crate::deploying::book::Book;
use crate::deploying::machine;
use crate::deploying::request::environment;
use crate::distant::{Client, Where};
use crate::exit::{Exit, Failure, Outcome};
use crate::settings_file::load;
use crate::state::StateFolder;
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::{duration, moment};

pub(crate) fn run(args: &HistoryArgs, state: &StateFolder) -> Outcome {
    let environment = args.newest.of.environment.as_deref();
    let rows = match &args.at.server {
        Some(url) => {
            let of = Where { project: args.at.project.as_deref(), environment };
            Client::of(url)?.deployments(of, args.newest.limit)?
        }
        None => local(args, state)?,
    };
    let format = args.newest.of.settings.format;
    if rows.is_empty() && format != Format::Json {
        talk("nothing was deployed yet");
    }
    // Numbers of a server are one for all its projects, and so may be its lines.
    let is_of_all = args.at.server.is_some() && args.at.project.is_none();
    for row in &rows {
        out(&if format == Format::Json {
            machine::row(row)
        } else {
            line(row, is_of_all, Style::stdout())
        });
    }
    Ok(Exit::Done)
}

/// From the journal that the settings name.
fn local(args: &HistoryArgs, state: &StateFolder) -> Result<Vec<DeploymentRow>, Failure> {
    let found = load(args.newest.of.settings.file.as_deref())?;
    let (book, _) = Book::of(&found, state)?;
    if let Some(name) = &args.newest.of.environment {
        environment(&found, name)?;
    }
    let views = book.newest(args.newest.of.environment.as_deref(), args.newest.limit)?;
    Ok(views.iter().map(DeploymentRow::from).collect())
}

/// `production`, or `production of planner` where several projects are told of.
pub(super) fn place(environment: &str, project: &str, is_of_all: bool) -> String {
    if is_of_all { format!("{environment} of {project}") } else { environment.to_owned() }
}

fn line(row: &DeploymentRow, is_of_all: bool, style: Style) -> String {
    let services: Vec<String> =
        row.services.iter().map(|(service, version)| format!("{service} {version}")).collect();
    let standing = row.standing.replace('_', " ");
    let sign = match &*row.standing {
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
        place(&row.environment, &row.project, is_of_all),
        services.join(", "),
        row.kind.as_str(),
        row.by,
    )
}
