//! `launchway environments`: where it is deployed to, and what guards each.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use server::{ConsolePage, EnvironmentLine, ShippedByJobs};
use settings::Environment;

use crate::cli::{EnvironmentsArgs, Format};
use crate::deploying::book::Book;
use crate::deploying::console;
use crate::distant::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::settings_file::load;
use crate::state::StateFolder;
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::moment;

/// An environment, wherever it is known from.
struct Line {
    /// Of a server the repository whose it is.
    repository: Option<String>,
    project: Option<String>,
    name: String,
    level: Option<u32>,
    url: Option<String>,
    guards: Vec<String>,
    /// Services with the versions that run; none where that is not told.
    runs: Option<BTreeMap<Arc<str>, Arc<str>>>,
    /// Of a server what jobs did there last.
    by_jobs: Option<ShippedByJobs>,
    /// Where the cloud shows what was deployed there last.
    console: Vec<ConsolePage>,
}

pub(crate) fn run(args: &EnvironmentsArgs, state: &StateFolder) -> Outcome {
    let lines = match &args.at.server {
        Some(url) => at_server(&Client::of(url)?, args.at.project.as_deref())?,
        None => local(args, state)?,
    };
    let format = args.settings.format;
    if lines.is_empty() && format != Format::Json {
        talk("there is no environment");
    }
    for line in &lines {
        if format == Format::Json { out(&machine(line)) } else { human(line, Style::stdout()) }
    }
    Ok(Exit::Done)
}

/// Those of the settings, with what the journal knows.
fn local(args: &EnvironmentsArgs, state: &StateFolder) -> Result<Vec<Line>, Failure> {
    let found = load(args.settings.file.as_deref())?;
    let (book, _) = Book::of(&found, state)?;
    let line = |environment: &Environment| {
        let newest = book.newest(Some(&environment.name.value), 1)?;
        let services = book.ledger(&environment.name.value)?.services.into_iter();
        let runs = services.filter_map(|(service, it)| Some((service, it.runs?)));
        Ok(Line {
            repository: None,
            project: Some(book.project.to_string()),
            name: environment.name.value.to_string(),
            level: Some(environment.level.value),
            url: environment.url.as_ref().map(|it| it.value.to_string()),
            guards: guards(environment),
            runs: Some(runs.map(|(name, it)| (name, it.release.release.version)).collect()),
            by_jobs: None,
            console: newest.first().map(console::pages).unwrap_or_default(),
        })
    };
    found.settings.environments.iter().map(line).collect()
}

/// Those of the repositories that a server runs.
fn at_server(client: &Client, project: Option<&str>) -> Result<Vec<Line>, Failure> {
    let list = client.environments()?;
    list.problems.iter().for_each(|it| talk(&format!("warning: {it}")));
    if list.behind_events > 0 {
        let behind = list.behind_events;
        talk(&format!(
            "warning: {behind} events of the server's journal are not counted yet: jobs may have shipped since"
        ));
    }
    let mut all = list.environments;
    all.retain(|it| project.is_none() || it.project.as_deref() == project);
    let line = |it: EnvironmentLine| Line {
        repository: Some(it.repository),
        project: it.project,
        name: it.environment,
        level: it.level,
        url: it.url,
        guards: it.guards,
        runs: it.runs,
        by_jobs: it.by_jobs,
        console: it.console,
    };
    Ok(all.into_iter().map(line).collect())
}

fn machine(it: &Line) -> String {
    json!({
        "environment": it.name, "project": it.project, "repository": it.repository,
        "level": it.level, "url": it.url, "guards": it.guards, "runs": it.runs,
        "by_jobs": it.by_jobs, "console": it.console,
    })
    .to_string()
}

fn human(it: &Line, style: Style) {
    let of = it.repository.as_ref().map(|it| format!(" of {it}")).unwrap_or_default();
    let url = it.url.as_ref().map(|it| format!("  {it}")).unwrap_or_default();
    out(&format!("{}{of}{url}", style.bold(&it.name)));
    if let Some(level) = it.level {
        let alone = match level {
            0..=3 => "nothing is deployed",
            4 => "a person starts every deployment",
            _ => "deploys without a person",
        };
        out(&format!("  level {level}: {alone}"));
    }
    it.guards.iter().for_each(|guard| out(&format!("  {guard}")));
    for (service, version) in it.runs.iter().flatten() {
        out(&format!("  {service} {version} runs"));
    }
    if let Some(ShippedByJobs { run, workflow, version, verdict, finished_at_ms }) = &it.by_jobs {
        let (verdict, at) = (verdict.replace('_', " "), moment(*finished_at_ms));
        out(&format!("  {version} by {workflow}, run {run}: {verdict}  {at}"));
    }
    console::lines(&it.console).iter().for_each(|line| out(&format!("  {}", style.dim(line))));
}

/// What has to be so before a deployment, in words.
fn guards(environment: &Environment) -> Vec<String> {
    let protect = &environment.protect;
    let list = |texts: &[settings::Text]| {
        let words: Vec<&str> = texts.iter().map(|it| &*it.value).collect();
        words.join(", ")
    };
    let mut guards = Vec::new();
    if !protect.branches.is_empty() {
        guards.push(format!("only from {}", list(&protect.branches)));
    }
    if !protect.tags.is_empty() {
        guards.push(format!("only tagged {}", list(&protect.tags)));
    }
    for quorum in &protect.reviewers {
        guards.push(format!("{} of {} agree", quorum.count.value, quorum.group.value));
    }
    if let Some(wait) = &protect.wait {
        guards.push(format!("{} after the request", settings::duration_text(wait.value)));
    }
    if let Some(word) = &protect.confirm {
        guards.push(format!("somebody types {}", word.value));
    }
    if !protect.windows.is_empty() {
        guards.push(format!("in {} windows", protect.windows.len()));
    }
    if !protect.freezes.is_empty() {
        guards.push(format!("not in {} freezes", protect.freezes.len()));
    }
    if !protect.checks.is_empty() {
        guards.push(format!("green: {}", list(&protect.checks)));
    }
    if let Some(below) = &environment.below {
        guards.push(format!("only what ran well in {}", below.value));
    }
    guards
}
