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
    let format = args.newest.of.settings.format;
    let is_told = |rows: &[DeploymentRow]| rows.is_empty() && format != Format::Json;
    let rows = match &args.at.server {
        Some(url) => {
            let of = Where { project: args.at.project.as_deref(), environment };
            let client = Client::of(url)?;
            let rows = client.deployments(of, args.newest.limit)?;
            if is_told(&rows) {
                talk(&client.nothing_went(of)?);
            }
            rows
        }
        None => {
            let (rows, book) = local(args, state)?;
            if is_told(&rows) {
                let known = book.places()?;
                talk(&nothing_went(Where { project: Some(&book.project), environment }, &known));
            }
            rows
        }
    };
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
fn local(args: &HistoryArgs, state: &StateFolder) -> Result<(Vec<DeploymentRow>, Book), Failure> {
    let found = load(args.newest.of.settings.file.as_deref())?;
    let (book, _) = Book::of(&found, state)?;
    if let Some(name) = &args.newest.of.environment {
        environment(&found, name)?;
    }
    let views = book.newest(args.newest.of.environment.as_deref(), args.newest.limit)?;
    Ok((views.iter().map(DeploymentRow::from).collect(), book))
}

/// That nothing is there to be told of a place, and of which places there is: whoever wrote a name wrong sees it.
/// `known` are environments with their projects.
pub(crate) fn nothing_went(of: Where<'_>, known: &[(String, String)]) -> String {
    let named: Vec<String> = known
        .iter()
        .filter(|(project, _)| of.project.is_none_or(|it| it == project))
        .map(|(project, environment)| place(environment, project, of.project.is_none()))
        .collect();
    let rest = if named.is_empty() {
        String::new()
    } else {
        format!("; deployments went to: {}", named.join(", "))
    };
    match (of.environment, of.project) {
        _ if known.is_empty() => "nothing was deployed yet".to_owned(),
        (Some(environment), _) => format!("no deployment went to {environment}{rest}"),
        (None, Some(project)) if named.is_empty() => {
            let mut projects: Vec<&str> =
                known.iter().map(|(project, _)| project.as_str()).collect();
            projects.dedup();
            format!("nothing of {project} was deployed; there are: {}", projects.join(", "))
        }
        (None, _) => format!("there is nothing to tell{rest}"),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_names_what_is_not_there_hears_what_is() {
        let check = |environment: Option<&str>, project: Option<&str>, known: &[&str], expect| {
            let known = known.iter().map(|it| it.split_once('/').unwrap());
            let known: Vec<_> = known.map(|(of, it)| (of.to_owned(), it.to_owned())).collect();
            assert_eq!(nothing_went(Where { project, environment }, &known), expect);
        };
        let two = ["planner/production", "planner/staging"];
        let three = ["other/test", two[0], two[1]];
        check(None, None, &[], "nothing was deployed yet");
        check(Some("staging"), Some("planner"), &[], "nothing was deployed yet");
        check(
            Some("stagng"),
            Some("planner"),
            &three,
            "no deployment went to stagng; deployments went to: production, staging",
        );
        check(
            Some("stagng"),
            None,
            &three,
            "no deployment went to stagng; deployments went to: test of other, production of planner, staging of planner",
        );
        check(
            None,
            Some("plan"),
            &three,
            "nothing of plan was deployed; there are: other, planner",
        );
        check(Some("test"), Some("plan"), &two, "no deployment went to test");
    }
}
