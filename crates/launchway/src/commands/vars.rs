//! `launchway vars`: variables of workflows that are kept on this machine.

use serde_json::json;
use store::{Scope, Value};

use super::secrets::named::{self, Here};
use super::secrets::removed_or_not;
use crate::cli::{Format, VarsCommand};
use crate::exit::{Exit, Outcome};
use crate::state::StateFolder;
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::now;
use crate::{given, kept};

pub(crate) fn run(command: &VarsCommand, state: &StateFolder) -> Outcome {
    let here = Here::look()?;
    let vault = kept::vault(state);
    let scope = Scope { repository: here.owner.clone(), environment: None };
    match command {
        VarsCommand::List(args) => {
            let kept = vault.variables(&here.owner, None).map_err(kept::failed)?;
            list(&here, &kept, args.format)
        }
        VarsCommand::Set { name, value } => {
            let name = given::checked_name("variable", name)?;
            let value = given::checked_value("variable", &name, value)?;
            vault
                .set(&scope, &name, Value::Variable(&value), (now(), None))
                .map_err(kept::failed)?;
            talk(&format!("the variable {name} is kept for {}", here.owner));
            Ok(Exit::Done)
        }
        VarsCommand::Remove { name } => {
            let name = given::checked_name("variable", name)?;
            let removed = vault.remove(&scope, &name, false).map_err(kept::failed)?;
            removed_or_not("variable", &name, removed)
        }
    }
}

fn list(here: &Here, kept: &std::collections::BTreeMap<String, String>, format: Format) -> Outcome {
    let style = Style::stdout();
    let mut names: Vec<&String> = kept.keys().chain(here.wanted.vars.keys()).collect();
    names.sort();
    names.dedup();
    if names.is_empty() && format != Format::Json {
        talk("no workflow names a variable, and none is kept");
    }
    for name in names {
        let value = kept.get(name);
        let used = here.wanted.vars.get(name).map(named::at);
        out(&if format == Format::Json {
            json!({ "type": "variable", "name": name, "value": value, "used_at": used }).to_string()
        } else {
            let value = value.map_or_else(|| style.yellow("missing"), |it| format!("= {it}"));
            let used = used.unwrap_or_else(|| "named nowhere".to_owned());
            format!("{} {value}  {}", style.bold(name), style.dim(&used))
        });
    }
    Ok(Exit::Done)
}
