//! `launchway vars`: variables of workflows that are kept on this machine.

use std::path::Path;

use serde_json::json;
use store::Value;

use super::secrets::named::{self, Here};
use super::secrets::removed_or_not;
use crate::cli::{Format, VarsCommand};
use crate::exit::{Exit, Outcome};
use crate::terminal::style::{Style, out, talk};
use crate::{given, kept};

pub(crate) fn run(command: &VarsCommand, state: Option<&Path>) -> Outcome {
    let here = Here::look(command.at(), state)?;
    match command {
        VarsCommand::List(args) => {
            let kept = kept::vault(&here.state).variables(&here.owner, None);
            list(&here, &kept.map_err(kept::failed)?, args.format)
        }
        VarsCommand::Set { name, value, .. } => {
            let name = given::checked_name("variable", name)?;
            let value = given::checked_value("variable", &name, value)?;
            here.keep((None, &name), Value::Variable(&value), None)?;
            talk(&format!("the variable {name} is kept for {}", here.owner));
            Ok(Exit::Done)
        }
        VarsCommand::Remove { name, .. } => {
            let name = given::checked_name("variable", name)?;
            removed_or_not("variable", &name, here.forget((None, &name), false)?)
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
