//! `launchway runners`: the machines that take jobs of a server, and who waits for one.

use serde_json::Value as Json;

use crate::cli::{Format, RunnersCommand};
use crate::distant::Client;
use crate::exit::{Exit, Outcome};
use crate::terminal::style::{Style, out, talk};

pub(crate) fn run(command: &RunnersCommand) -> Outcome {
    match command {
        RunnersCommand::List { format, of } => list(&Client::of(&of.server)?.runners()?, *format),
        RunnersCommand::Drain { name, of, reason } => {
            Client::of(&of.server)?.set_runner(name, "drain", reason.said())?;
            talk(&format!("{name} takes no job any more; what runs there goes on"));
        }
        RunnersCommand::Resume { name, of, reason } => {
            Client::of(&of.server)?.set_runner(name, "resume", reason.said())?;
            talk(&format!("{name} takes jobs again"));
        }
    }
    Ok(Exit::Done)
}

fn list(all: &Json, format: Format) {
    let many = |key: &str| all[key].as_array().cloned().unwrap_or_default();
    let (runners, queue) = (many("runners"), many("queue"));
    if format == Format::Json {
        runners.iter().chain(&queue).for_each(|line| out(&line.to_string()));
        return;
    }
    let style = Style::stdout();
    let text = |line: &Json, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    for it in &runners {
        let takes = match it["takes"].as_str() {
            Some("nothing") => "  drained: it takes no job",
            Some("away") => "  away: nobody hears of it",
            _ => "",
        };
        let labels: Vec<&str> =
            it["labels"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("  {}", labels.join(", ")) };
        let bound = it["repositories"].as_array().map(|it| {
            let names: Vec<&str> = it.iter().filter_map(Json::as_str).collect();
            let names =
                if names.is_empty() { "other repositories".into() } else { names.join(", ") };
            format!("  jobs of {names} alone")
        });
        let bound = bound.unwrap_or_default();
        let name = style.bold(&text(it, "name"));
        out(&format!("{name}  {} of {} busy{labels}{bound}{takes}", it["busy"], it["capacity"]));
    }
    for it in &queue {
        out(&format!(
            "  run {}  {}  {}",
            text(it, "run"),
            text(it, "job"),
            style.dim(&text(it, "why_waiting"))
        ));
    }
}
