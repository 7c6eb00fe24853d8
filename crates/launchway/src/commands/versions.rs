//! `launchway versions`: the version tags of a repository, and what is known of each, here or at a server.

use std::collections::BTreeMap;
use std::path::Path;

use event::Status;
use figures::Figures;
use repository::Repository;
use versions::{AtGitHub, Standing, VersionLine, VersionList, VersionRecord};
use views::decimal_size;

use super::whose::Whose;
use crate::cli::{Format, VersionsCommand};
use crate::exit::{Exit, Failure, Outcome};
use crate::images::tags::COMMIT_DIGITS;
use crate::journal;
use crate::serving::repositories::{keeping, tagged};
use crate::settings_file::load_if_there;
use crate::state::StateFolder;
use crate::terminal::run_page::sign;
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::moment;
use crate::versions::{Sources, failed};

pub(crate) fn run(command: &VersionsCommand, state: Option<&Path>) -> Outcome {
    match command {
        VersionsCommand::List { at, format } => list(&all(&Whose::of(at, state)?)?, *format),
        VersionsCommand::Show { tag, at, format } => {
            let record = one(&Whose::of(at, state)?, tag)?;
            match format {
                Format::Json => out(&json_of(&record)),
                Format::Human | Format::Github => show(&record, Style::stdout()),
            }
            behind(record.behind_events);
        }
    }
    Ok(Exit::Done)
}

#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "the method is of one lifetime, and the closure of any"
)]
fn all(whose: &Whose) -> Result<VersionList, Failure> {
    match whose {
        Whose::Here(state) => here(&standing_in()?, state, |it| it.list()),
        Whose::Folder(data, name) => {
            let connected = keeping::connected(data, name)?;
            tagged::list(data, &journal::open(&data.state)?, &connected)
        }
        Whose::Server(client, name) => client.versions(name),
    }
}

fn one(whose: &Whose, tag: &str) -> Result<VersionRecord, Failure> {
    let (found, name) = match whose {
        Whose::Here(state) => {
            let repository = standing_in()?;
            (here(&repository, state, |it| it.show(tag))?, repository.full_name())
        }
        Whose::Folder(data, name) => {
            let connected = keeping::connected(data, name)?;
            let store = journal::open(&data.state)?;
            (tagged::show(data, &store, (&connected, tag))?, name.clone())
        }
        Whose::Server(client, name) => return client.version(name, tag),
    };
    let none = || Failure::new(Exit::Usage, tagged::no_such(&name, tag));
    found.ok_or_else(|| none().hint("launchway versions list shows those that there are"))
}

fn standing_in() -> Result<Repository, Failure> {
    Ok(Repository::discover(Path::new("."))?)
}

/// What this machine's own journal says of the repository that somebody stands in.
fn here<T>(
    repository: &Repository,
    state: &StateFolder,
    look: impl FnOnce(&Sources<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let store = journal::open(state)?;
    let figures = Figures::open(state.root()).map_err(failed)?;
    figures.catch_up(&store, &mut |_| true).map_err(failed)?;
    let settings = load_if_there()?;
    let project = settings.as_ref().map(|it| it.settings.project.value.to_string());
    look(&Sources {
        path: &repository.root,
        name: &repository.full_name(),
        project: project.as_deref(),
        store: &store,
        figures: &figures,
        at_github: &BTreeMap::new(),
    })
}

fn behind(events: u64) {
    if events > 0 {
        talk(&format!(
            "warning: {events} events of the journal are not counted yet: runs may have ended since"
        ));
    }
}

fn json_of<T: serde::Serialize>(it: &T) -> String {
    serde_json::to_string(it).expect("plain data with text keys")
}

fn list(list: &VersionList, format: Format) {
    if list.versions.is_empty() && format != Format::Json {
        talk("there is no version: versions are tags that are valid semver, as v1.2.3");
    }
    let width = list.versions.iter().map(|it| it.tag.chars().count()).max().unwrap_or(0);
    for it in &list.versions {
        out(&match format {
            Format::Json => json_of(it),
            Format::Human | Format::Github => line(it, width, Style::stdout()),
        });
    }
    if list.left_out > 0 {
        talk(&format!("note: {} lower ones are not listed", list.left_out));
    }
    behind(list.behind_events);
}

fn digits(commit: &str) -> String {
    commit.chars().take(COMMIT_DIGITS).collect()
}

fn line(it: &VersionLine, width: usize, style: Style) -> String {
    let standing = match it.standing {
        Standing::Succeeded => style.green("succeeded"),
        Standing::Failed => style.red("failed   "),
        Standing::Open => style.yellow("open     "),
        Standing::NoRuns => style.dim("no runs  "),
    };
    let by = it.by.as_ref().map(|it| format!("by {it}, ")).unwrap_or_default();
    let tag = style.bold(&format!("{:<width$}", it.tag));
    let kind = if it.prerelease { ", pre-release" } else { "" };
    let gone = if it.gone { ", its tag is gone" } else { "" };
    let release = match &it.github {
        Some(AtGitHub::Made { url, .. } | AtGitHub::Others { url }) => format!("  {url}"),
        _ => String::new(),
    };
    format!(
        "{standing}  {tag}  {}  {by}{}{kind}{gone}{release}",
        digits(&it.commit),
        moment(it.at_ms)
    )
}

fn show(record: &VersionRecord, style: Style) {
    out(&line(&record.version, 0, style));
    match &record.previous {
        Some(tag) => out(&format!("  behind {tag}")),
        None => out("  the first"),
    }
    match (&record.version.github, &record.no_release) {
        (Some(AtGitHub::Made { .. }), _) => out("  the release at GitHub was made by this server"),
        (Some(AtGitHub::Others { .. }), _) => {
            out("  the release at GitHub was made by somebody else, and is left alone");
        }
        (Some(AtGitHub::TakenAway), _) => {
            out("  somebody took the release at GitHub away; it is not made again");
        }
        (Some(AtGitHub::Refused { why }), _) => out(&format!("  no release at GitHub: {why}")),
        (None, Some(why)) => out(&format!("  {why}")),
        (None, None) => {}
    }
    for group in &record.notes.groups {
        let title = if group.title.is_empty() { "What came with it" } else { &group.title };
        out(&format!("\n{}", style.bold(title)));
        for it in &group.lines {
            let number = it.pull_request.map(|it| format!(" (#{it})")).unwrap_or_default();
            out(&format!("  {}{number}  {}", it.text, style.dim(&digits(&it.commit))));
        }
    }
    if record.notes.more > 0 {
        out(&format!("  and {} more", record.notes.more));
    }
    came_of_it(record, style);
}

fn came_of_it(record: &VersionRecord, style: Style) {
    if !record.runs.is_empty() {
        out(&format!("\n{}", style.bold("Runs")));
    }
    for it in &record.runs {
        let how = it.conclusion.map_or("goes on", event::Conclusion::as_str);
        let sign = sign(it.conclusion, Status::InProgress, style);
        out(&format!("  {sign} {}  {}  {how}", it.run, it.workflow));
    }
    if !record.artifacts.is_empty() {
        out(&format!("\n{}", style.bold("Artifacts")));
    }
    for it in &record.artifacts {
        out(&format!("  {}  {}  of run {}", it.name, decimal_size(it.size_bytes), it.run));
    }
    if record.more_artifacts > 0 {
        out(&format!("  and {} more", record.more_artifacts));
    }
    if !record.deployments.is_empty() {
        out(&format!("\n{}", style.bold("Where it went")));
    }
    for it in &record.deployments {
        let (verdict, at) = (it.verdict.as_str().replace('_', " "), moment(it.at_ms));
        out(&format!("  {}  {}  {verdict}, {}, {at}", it.environment, it.service, it.by.named()));
    }
}
