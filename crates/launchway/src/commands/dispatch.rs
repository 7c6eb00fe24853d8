//! `launchway run workflow_dispatch --server URL`: a run that a server makes, followed here.

use std::path::Path;

use repository::Repository;
use serde_json::{Map, Value as Json, json};

use super::runs::followed;
use crate::cli::{Format, RunArgs};
use crate::distant::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::running::given;
use crate::terminal::style::talk;

pub(crate) fn run(args: &RunArgs, url: &str) -> Outcome {
    if args.event.event != "workflow_dispatch" {
        let message = format!("a server is not asked for {}", args.event.event);
        return Err(Failure::new(Exit::Usage, message).hint(
            "what is pushed to it runs by itself; by hand: run workflow_dispatch --server URL",
        ));
    }
    let Some(workflow) = &args.event.workflows else {
        return Err(
            Failure::new(Exit::Usage, "which workflow?").hint("name its file: -W deploy.yml")
        );
    };
    let client = Client::of(url)?;
    let repository = repository(&client, args.event.repository.as_deref())?;
    let mut inputs = Map::new();
    for flag in &args.event.inputs {
        let (key, value) = given::pair("--input", flag)?;
        inputs.insert(key.to_owned(), Json::from(value));
    }
    let wanted = json!({
        "workflow": workflow.display().to_string(), "ref": args.git_ref, "inputs": inputs,
    });
    let name = client.dispatch(&repository, &wanted)?;
    if args.format == Format::Human {
        talk(&format!("run {name} of {repository}: {}/runs/{name}", url.trim_end_matches('/')));
    }
    followed(&client, url, &name, args.format)
}

/// Which repository of the server: the one that is named, the one that this folder is a clone of, or
/// the only one that it has.
fn repository(client: &Client, named: Option<&Path>) -> Result<String, Failure> {
    let known = client.repositories()?;
    if let Some(named) = named {
        let named = named.display().to_string();
        return match known.contains(&named) {
            true => Ok(named),
            false => {
                Err(Failure::new(Exit::Usage, format!("the server has no repository {named}"))
                    .hint(format!("it has: {}", known.join(", "))))
            }
        };
    }
    let here = Repository::discover(Path::new(".")).ok().map(|it| it.full_name());
    match (here.filter(|it| known.contains(it)), known.as_slice()) {
        (Some(here), _) => Ok(here),
        (None, [only]) => Ok(only.clone()),
        (None, []) => Err(Failure::new(Exit::Usage, "no repository is connected to the server")),
        (None, _) => Err(Failure::new(Exit::Usage, "which repository of the server?")
            .hint(format!("name one: -C OWNER/NAME; it has: {}", known.join(", ")))),
    }
}
