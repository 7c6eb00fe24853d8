//! `launchway environments`: where it is deployed to, and what guards each.

use serde_json::json;
use settings::Environment;

use crate::cli::{Format, SettingsArgs};
use crate::deploying::book::Book;
use crate::exit::{Exit, Outcome};
use crate::settings_file::load;
use crate::state::StateFolder;
use crate::terminal::style::{Style, out};

pub(crate) fn run(args: &SettingsArgs, state: &StateFolder) -> Outcome {
    let found = load(args.file.as_deref())?;
    let (book, _) = Book::of(&found, state)?;
    let style = Style::stdout();
    for environment in &found.settings.environments {
        let name = &environment.name.value;
        let ledger = book.ledger(name)?;
        let runs = ledger.services.iter();
        let runs = runs.filter_map(|(service, it)| Some((service, it.runs.as_ref()?)));
        let guards = guards(environment);
        if args.format == Format::Json {
            let runs: serde_json::Map<_, _> = runs
                .map(|(service, it)| (service.to_string(), json!(it.release.release.version)))
                .collect();
            let line = json!({
                "environment": name, "level": environment.level.value,
                "url": environment.url.as_ref().map(|it| &it.value), "guards": guards, "runs": runs,
            });
            out(&line.to_string());
            continue;
        }
        let url = environment.url.as_ref().map(|it| format!("  {}", it.value));
        out(&format!("{}{}", style.bold(name), url.unwrap_or_default()));
        let alone = match environment.level.value {
            0..=3 => "nothing is deployed",
            4 => "a person starts every deployment",
            _ => "deploys without a person",
        };
        out(&format!("  level {}: {alone}", environment.level.value));
        guards.iter().for_each(|guard| out(&format!("  {guard}")));
        runs.for_each(|(service, it)| {
            out(&format!("  {service} {} runs", it.release.release.version));
        });
    }
    Ok(Exit::Done)
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
