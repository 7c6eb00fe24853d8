//! The workflows of a connected repository: which there are at the tip of its default branch, and switching them
//! off and on without touching a file. Pushes, schedules and dispatches honour it (`Planning::choose`).

use std::sync::Arc;

use server::{KnownWorkflow, WorkflowState};
use syntax::Source;

use super::data::DataFolder;
use super::keeping::connected;
use crate::exit::{Exit, Failure};
use crate::files;

/// Those that are switched off, by their paths.
pub(crate) fn off(data: &DataFolder, repository: &str) -> Result<Vec<String>, Failure> {
    data.state.disabled(repository)
}

/// What there is to know of a workflow file.
pub(crate) fn described(path: String, source: &Arc<Source>, off: &[String]) -> KnownWorkflow {
    let (workflow, _) = workflow::read(source);
    let is_off = off.contains(&path);
    let state = match &workflow {
        None => WorkflowState::Broken,
        Some(_) if is_off => WorkflowState::Off,
        Some(_) => WorkflowState::On,
    };
    let events = workflow.iter().flat_map(|it| &it.on.events);
    let events = events.map(|it| it.name.value.to_string()).collect();
    let name = workflow.and_then(|it| it.name).map(|it| it.value.to_string());
    KnownWorkflow { path, name, events, state }
}

/// All of them, and those that are switched off and not there any more.
pub(crate) fn list(data: &DataFolder, repository: &str) -> Result<Vec<KnownWorkflow>, Failure> {
    let connected = connected(data, repository)?;
    let off = off(data, &connected.name)?;
    let mut all = Vec::new();
    if let Some(tip) = connected.tip()? {
        let at = connected.at(&tip, Default::default())?;
        for file in at.files_in(files::WORKFLOWS)? {
            if !file.is_link && files::is_yaml(file.path.as_ref()) {
                let source = Source::new(file.path.as_str(), &*file.text);
                all.push(described(file.path, &source, &off));
            }
        }
    }
    for path in off {
        if !all.iter().any(|it| it.path == path) {
            let (name, events) = (None, Vec::new());
            all.push(KnownWorkflow { path, name, events, state: WorkflowState::Off });
        }
    }
    Ok(all)
}

/// Switches one off or on that is named by its path or its file name; the path.
pub(crate) fn switch(
    data: &DataFolder,
    repository: &str,
    wanted: &str,
    is_on: bool,
) -> Result<String, Failure> {
    let known: Vec<String> = list(data, repository)?.into_iter().map(|it| it.path).collect();
    let path = named(&known, wanted)?;
    let mut off = off(data, repository)?;
    off.retain(|it| *it != path);
    if !is_on {
        off.push(path.clone());
    }
    data.state.set_disabled(repository, &off)?;
    Ok(path)
}

/// The path that somebody means by a path or a file name.
pub(crate) fn named(known: &[String], wanted: &str) -> Result<String, Failure> {
    let is_it = |path: &&String| *path == wanted || path.rsplit('/').next() == Some(wanted);
    known.iter().find(is_it).cloned().ok_or_else(|| {
        Failure::new(Exit::Usage, format!("there is no workflow {wanted}"))
            .hint(format!("there are: {}", known.join(", ")))
    })
}
