//! `launchway workflows`: which there are, and switching them off and on without touching a file.

use std::path::Path;

use repository::Repository;

use crate::cli::WorkflowsCommand;
use crate::exit::{Exit, Failure, Outcome};
use crate::files;
use crate::journal;
use crate::state::StateFolder;
use crate::terminal::style::{Style, out, talk};

pub(crate) fn run(command: &WorkflowsCommand, state: &StateFolder) -> Outcome {
    let repository = Repository::discover(Path::new("."))?;
    let name = repository.full_name();
    match command {
        WorkflowsCommand::List => list(&repository, &state.disabled(&name)?),
        WorkflowsCommand::Enable { workflow } => {
            let path = existing(&repository, workflow)?;
            let mut disabled = state.disabled(&name)?;
            disabled.retain(|it| *it != path);
            state.set_disabled(&name, &disabled)?;
            journal::record(state, "workflow.enable", format!("{name} {path}"))?;
            talk(&format!("{path} runs on its events again"));
            Ok(Exit::Done)
        }
        WorkflowsCommand::Disable { workflow } => {
            let path = existing(&repository, workflow)?;
            let mut disabled = state.disabled(&name)?;
            if !disabled.contains(&path) {
                disabled.push(path.clone());
            }
            state.set_disabled(&name, &disabled)?;
            journal::record(state, "workflow.disable", format!("{name} {path}"))?;
            talk(&format!(
                "{path} runs no more here, until: launchway workflows enable {workflow}"
            ));
            Ok(Exit::Done)
        }
    }
}

fn list(repository: &Repository, disabled: &[String]) -> Outcome {
    let style = Style::stdout();
    for file in files::workflow_files(&repository.root.join(files::WORKFLOWS))? {
        let path = inside(repository, &file);
        let source = files::read(&file, &path)?;
        let (workflow, _) = workflow::read(&source);
        let about = match &workflow {
            None => style.red("cannot be read; launchway check says why"),
            Some(_) if disabled.contains(&path) => style.yellow("disabled"),
            Some(workflow) => {
                let events: Vec<&str> =
                    workflow.on.events.iter().map(|it| &*it.name.value).collect();
                style.dim(&format!(
                    "on {}",
                    if events.is_empty() { "nothing".to_owned() } else { events.join(", ") }
                ))
            }
        };
        let name = workflow
            .and_then(|workflow| workflow.name)
            .map_or_else(String::new, |name| format!("  {}", name.value));
        out(&format!("{path}{name}  {about}"));
    }
    Ok(Exit::Done)
}

/// The path of a workflow file that a person names by its file name or path.
fn existing(repository: &Repository, name: &str) -> Result<String, Failure> {
    let folder = repository.root.join(files::WORKFLOWS);
    let all = files::workflow_files(&folder)?;
    let paths: Vec<String> = all.iter().map(|file| inside(repository, file)).collect();
    let found = paths.iter().find(|path| *path == name || path.rsplit('/').next() == Some(name));
    found.cloned().ok_or_else(|| {
        Failure::new(Exit::Usage, format!("there is no workflow {name}"))
            .hint(format!("there are: {}", paths.join(", ")))
    })
}

fn inside(repository: &Repository, file: &Path) -> String {
    file.strip_prefix(&repository.root).unwrap_or(file).display().to_string()
}
