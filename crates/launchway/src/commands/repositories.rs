//! `launchway repositories`: whose pushes a server runs.

use std::path::Path;

use serde_json::json;

use crate::cli::{Format, RepositoriesCommand};
use crate::exit::{Exit, Failure, Outcome};
use crate::given;
use crate::serving::data::DataFolder;
use crate::serving::repositories::{self, Connected};
use crate::serving::usable;
use crate::terminal::style::{out, talk};

pub(crate) fn run(command: &RepositoriesCommand, state: Option<&Path>) -> Outcome {
    match command {
        RepositoriesCommand::Add { path, name, environments, labels, data } => {
            let data = DataFolder::locate(data.data.as_deref(), state)?;
            let path = usable(path)?;
            let labels = given::terms(&[], labels, true)?.labels;
            let name = match name {
                Some(name) => checked(name)?,
                None => own_name(&path)?,
            };
            let environments = environments.clone();
            let wanted = Connected { name, path, environments, labels };
            add(&data, wanted)
        }
        RepositoriesCommand::List { format, data } => {
            list(&DataFolder::locate(data.data.as_deref(), state)?, *format)
        }
        RepositoriesCommand::Remove { which, data } => {
            remove(&DataFolder::locate(data.data.as_deref(), state)?, which)
        }
    }
}

/// `owner/name`, as GitHub has them.
fn checked(name: &str) -> Result<String, Failure> {
    let is_part = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it))
    };
    match name.split_once('/') {
        Some((owner, name)) if is_part(owner) && is_part(name) => Ok(format!("{owner}/{name}")),
        _ => Err(Failure::new(Exit::Usage, format!("`{name}` is no name of a repository"))
            .hint("OWNER/NAME, of letters, digits, dashes, dots and underscores")),
    }
}

fn own_name(path: &Path) -> Result<String, Failure> {
    let name = repository::bare_name(path)?;
    checked(&name).map_err(|failure| failure.hint("or give it one: --name OWNER/NAME"))
}

fn add(data: &DataFolder, wanted: Connected) -> Outcome {
    let program = std::env::current_exe().map_err(|error| Failure::caused(Exit::Missing, error))?;
    repositories::add(data, wanted.clone(), &program)?;
    let agreed = match wanted.environments.join(", ") {
        names if names.is_empty() => String::new(),
        names => format!(", jobs may run in {names}"),
    };
    data.record("repository.add", format!("{}{agreed}", wanted.name))?;
    let (name, path) = (&wanted.name, wanted.path.display());
    talk(&format!("{name}: what is pushed to {path} is run from now on"));
    if !data.is_served() {
        talk(&format!(
            "hint: no server runs yet: launchway serve --data {}",
            data.state.root().display()
        ));
    }
    Ok(Exit::Done)
}

fn list(data: &DataFolder, format: Format) -> Outcome {
    let known = repositories::all(data)?;
    for it in &known {
        out(&match format {
            Format::Json => json!({
                "name": it.name, "path": it.path.display().to_string(),
                "environments": it.environments, "labels": it.labels,
            })
            .to_string(),
            Format::Human | Format::Github => {
                let agreed = match it.environments.as_slice() {
                    [] => String::new(),
                    names => format!("  jobs may run in: {}", names.join(", ")),
                };
                format!("{}  {}{agreed}", it.name, it.path.display())
            }
        });
    }
    if known.is_empty() && format == Format::Human {
        talk("no repository is connected; launchway repositories add PATH connects one");
    }
    Ok(Exit::Done)
}

fn remove(data: &DataFolder, which: &str) -> Outcome {
    let Some(found) = repositories::find(data, which)? else {
        return Err(Failure::new(Exit::Usage, format!("{which} is not connected"))
            .hint("launchway repositories list shows what is"));
    };
    repositories::remove(data, &found)?;
    data.record("repository.remove", found.name.clone())?;
    talk(&format!("{} is run no more; its runs stay", found.name));
    Ok(Exit::Done)
}
