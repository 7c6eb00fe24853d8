//! `launchway vars`: variables of workflows that are kept on this machine, or at a server.

use std::path::Path;

use serde_json::json;

use super::secrets::named::{Given, Here, Variable};
use super::secrets::removed_or_not;
use crate::cli::{Format, VarsCommand};
use crate::exit::{Exit, Outcome};
use crate::running::given;
use crate::terminal::style::{Style, out, talk};

pub(crate) fn run(command: &VarsCommand, state: Option<&Path>) -> Outcome {
    let here = Here::look(command.at(), state)?;
    match command {
        VarsCommand::List(args) => list(&here, args.format),
        VarsCommand::Set { name, value, reason, .. } => {
            let name = given::checked_name("variable", name)?;
            let value = given::checked_value("variable", &name, value)?;
            here.keep((None, &name), Given::Variable(&value), reason.said())?;
            talk(&format!("the variable {name} is kept for {}", here.owner));
            Ok(Exit::Done)
        }
        VarsCommand::Remove { name, reason, .. } => {
            let name = given::checked_name("variable", name)?;
            let was_there = here.forget((None, &name), false, reason.said())?;
            removed_or_not("variable", &name, was_there)
        }
    }
}

fn list(here: &Here, format: Format) -> Outcome {
    let style = Style::stdout();
    let variables = here.variables()?;
    if variables.is_empty() && format != Format::Json {
        talk("no workflow names a variable, and none is kept");
    }
    for Variable { name, value, used_at } in variables {
        out(&if format == Format::Json {
            json!({ "type": "variable", "name": name, "value": value, "used_at": used_at })
                .to_string()
        } else {
            let value = value.map_or_else(|| style.yellow("missing"), |it| format!("= {it}"));
            let used = used_at.unwrap_or_else(|| "named nowhere".to_owned());
            format!("{} {value}  {}", style.bold(&name), style.dim(&used))
        });
    }
    Ok(Exit::Done)
}
