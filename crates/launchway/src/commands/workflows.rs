//! `launchway workflows`: which there are, and switching them off and on without touching a file, here or at a
//! server.

use std::path::Path;

use repository::Repository;
use serde_json::json;
use server::{KnownWorkflow, Switched, WorkflowState};

use super::secrets::named::servers_folder;
use crate::cli::{AtServerArgs, Format, WorkflowsCommand};
use crate::distant::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::files;
use crate::journal;
use crate::serving::data::DataFolder;
use crate::serving::switches;
use crate::state::StateFolder;
use crate::terminal::style::{Style, out, talk};

pub(crate) fn run(command: &WorkflowsCommand, state: Option<&Path>) -> Outcome {
    let place = Place::of(command.at(), state)?;
    match command {
        WorkflowsCommand::List { format, .. } => {
            let (all, style) = (place.list()?, Style::stdout());
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
        WorkflowsCommand::Enable { workflow, .. } => {
            let Switched { path, .. } = place.switch(workflow, true)?;
            talk(&format!("{path} runs on its events again"));
        }
        WorkflowsCommand::Disable { workflow, at } => {
            let Switched { path, is_at_tip } = place.switch(workflow, false)?;
            let (here, more) = match &at.repository {
                None => (" here", String::new()),
                Some(repository) => {
                    let server = at.server.as_ref().map(|it| format!(" --server {it}"));
                    let data = at.data.as_ref().map(|it| format!(" --data {}", it.display()));
                    let at = server.or(data).unwrap_or_default();
                    ("", format!(" --repository {repository}{at}"))
                }
            };
            talk(&format!(
                "{path} runs no more{here}, until: launchway workflows enable {workflow}{more}"
            ));
            if !is_at_tip {
                talk(&format!("note: {}: it is switched off wherever it is", place.not_there()));
            }
        }
    }
    Ok(Exit::Done)
}

/// Whose workflows.
enum Place {
    /// Of the repository that somebody stands in.
    Here(Box<Repository>, StateFolder),
    /// Of one that is connected to this machine's server.
    Folder(DataFolder, String),
    /// Of one that is connected to a server.
    Server(Client, String),
}

impl Place {
    fn of(at: &AtServerArgs, state: Option<&Path>) -> Result<Place, Failure> {
        match (&at.repository, &at.server) {
            (Some(name), Some(url)) => Ok(Place::Server(Client::of(url)?, name.clone())),
            (Some(name), None) => {
                Ok(Place::Folder(servers_folder(at.data.as_deref(), state)?, name.clone()))
            }
            (None, _) => {
                let repository = Repository::discover(Path::new("."))?;
                Ok(Place::Here(Box::new(repository), StateFolder::locate(state)?))
            }
        }
    }

    fn list(&self) -> Result<Vec<KnownWorkflow>, Failure> {
        match self {
            Place::Here(repository, state) => {
                let off = state.disabled(&repository.full_name())?;
                let mut all = Vec::new();
                for file in files::workflow_files(&repository.root.join(files::WORKFLOWS))? {
                    let path = inside(repository, &file);
                    let source = files::read(&file, &path)?;
                    all.push(switches::described(path, &source, &off));
                }
                Ok(all)
            }
            Place::Folder(data, name) => switches::list(data, name),
            Place::Server(client, name) => client.workflows(name),
        }
    }

    /// Where a file is not that was switched off all the same.
    fn not_there(&self) -> &'static str {
        match self {
            Place::Here(..) => "there is no such file here",
            Place::Folder(..) | Place::Server(..) => {
                "there is no such file at the tip of the default branch"
            }
        }
    }

    /// Switches one off or on, and writes that down.
    fn switch(&self, workflow: &str, is_on: bool) -> Result<Switched, Failure> {
        let action = if is_on { "workflow.enable" } else { "workflow.disable" };
        match self {
            Place::Here(repository, state) => {
                let known: Vec<String> = self.list()?.into_iter().map(|it| it.path).collect();
                let name = repository.full_name();
                let off = state.disabled(&name)?;
                let switched = switches::named((&known, &off), workflow, is_on)?;
                let path = &switched.path;
                let off = switches::switched_over(off, path, is_on)?;
                journal::record(state, action, format!("{name} {path}"))?;
                state.set_disabled(&name, &off)?;
                Ok(switched)
            }
            Place::Folder(data, name) => {
                let record = |path: &str| data.record(action, format!("{name} {path}"));
                switches::switch(data, name, workflow, is_on, &record)
            }
            Place::Server(client, name) => client.switch_workflow(name, workflow, is_on),
        }
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
