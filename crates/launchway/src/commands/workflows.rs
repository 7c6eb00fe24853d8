//! `launchway workflows`: which there are, and switching them off and on without touching a file, here or at a
//! server.

use std::path::Path;

use repository::Repository;
use serde_json::json;
use server::{KnownWorkflow, Reason, Switched, WorkflowState};

use super::whose::Whose;
use crate::cli::{Format, WorkflowsCommand, pasted};
use crate::exit::{Exit, Failure, Outcome};
use crate::journal;
use crate::running::files;
use crate::serving::repositories::switches;
use crate::terminal::style::{Style, out, talk};

pub(crate) fn run(command: &WorkflowsCommand, state: Option<&Path>) -> Outcome {
    let whose = Whose::of(command.at(), state)?;
    match command {
        WorkflowsCommand::List { format, .. } => {
            let (all, style) = (all(&whose)?, Style::stdout());
            let width = |cell: &dyn Fn(&KnownWorkflow) -> usize| all.iter().map(cell).max();
            let path = width(&|it| it.path.chars().count()).unwrap_or(0);
            let name = width(&|it| name_of(it).chars().count()).unwrap_or(0);
            for it in &all {
                out(&match format {
                    Format::Json => machine(it),
                    Format::Human | Format::Github => line(it, (path, name), style),
                });
            }
        }
        WorkflowsCommand::Enable { workflow, reason, .. } => {
            let Switched { path, .. } = switch(&whose, workflow, true, reason.said())?;
            talk(&format!("{path} runs on its events again"));
        }
        WorkflowsCommand::Disable { workflow, at, reason } => {
            let Switched { path, is_at_tip } = switch(&whose, workflow, false, reason.said())?;
            let here = if at.repository.is_none() { " here" } else { "" };
            talk(&pasted::whole(&format!(
                "{path} runs no more{here}, until: launchway workflows enable {workflow}"
            )));
            if !is_at_tip {
                talk(&format!("note: {}: it is switched off wherever it is", not_there(&whose)));
            }
        }
    }
    Ok(Exit::Done)
}

fn all(whose: &Whose) -> Result<Vec<KnownWorkflow>, Failure> {
    match whose {
        Whose::Here(state) => {
            let repository = standing_in()?;
            let off = state.disabled(&repository.full_name())?;
            of_clone(&repository, &off)
        }
        Whose::Folder(data, name) => switches::list(data, name),
        Whose::Server(client, name) => client.workflows(name),
    }
}

fn standing_in() -> Result<Repository, Failure> {
    Ok(Repository::discover(Path::new("."))?)
}

fn of_clone(repository: &Repository, off: &[String]) -> Result<Vec<KnownWorkflow>, Failure> {
    let mut all = Vec::new();
    for file in files::workflow_files(&repository.root.join(files::WORKFLOWS))? {
        let path = inside(repository, &file);
        let source = files::read(&file, &path)?;
        all.push(switches::described(path, &source, off));
    }
    Ok(all)
}

/// Where a file is not that was switched off all the same.
fn not_there(whose: &Whose) -> &'static str {
    match whose {
        Whose::Here(..) => "there is no such file here",
        Whose::Folder(..) | Whose::Server(..) => {
            "there is no such file at the tip of the default branch"
        }
    }
}

/// Switches one off or on, and writes that down.
fn switch(
    whose: &Whose,
    workflow: &str,
    is_on: bool,
    reason: &Reason,
) -> Result<Switched, Failure> {
    let action = if is_on { "workflow.enable" } else { "workflow.disable" };
    match whose {
        Whose::Here(state) => {
            let repository = standing_in()?;
            let name = repository.full_name();
            let off = state.disabled(&name)?;
            let known: Vec<String> =
                of_clone(&repository, &off)?.into_iter().map(|it| it.path).collect();
            let switched = switches::named((&known, &off), workflow, is_on)?;
            let path = &switched.path;
            let off = switches::switched_over(off, path, is_on)?;
            journal::record_because(state, (action, format!("{name} {path}")), reason)?;
            state.set_disabled(&name, &off)?;
            Ok(switched)
        }
        Whose::Folder(data, name) => {
            let record = |path: &str| data.record_because(action, format!("{name} {path}"), reason);
            switches::switch(data, name, workflow, is_on, &record)
        }
        Whose::Server(client, name) => client.switch_workflow(name, workflow, is_on, reason),
    }
}

fn name_of(it: &KnownWorkflow) -> &str {
    it.name.as_deref().unwrap_or_default()
}

fn line(it: &KnownWorkflow, (path, name): (usize, usize), style: Style) -> String {
    let on = match it.events.as_slice() {
        [] => "on nothing".to_owned(),
        events => format!("on {}", events.join(", ")),
    };
    let about = match it.state {
        WorkflowState::Broken => style.red("cannot be read; launchway check says why"),
        WorkflowState::Off => format!("{}, {}", style.yellow("disabled"), style.dim(&on)),
        WorkflowState::On => style.dim(&on),
    };
    let gap = if name > 0 { "  " } else { "" };
    format!("{:<path$}{gap}{:<name$}  {about}", it.path, name_of(it))
}

fn machine(it: &KnownWorkflow) -> String {
    json!({ "path": it.path, "name": it.name, "events": it.events, "state": it.state }).to_string()
}

fn inside(repository: &Repository, file: &Path) -> String {
    file.strip_prefix(&repository.root).unwrap_or(file).display().to_string()
}
