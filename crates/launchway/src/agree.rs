//! What a person has to know or agree to before jobs run: environments, and secrets that are missing.

use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal};

use mask::Secret;
use workflow::{JobBody, Workflow};

use crate::cli::Format;
use crate::exit::{Exit, Failure};
use crate::names::WantedNames;
use crate::select::Candidate;
use crate::terminal::style::talk;

/// A job that names an environment has its secrets and may deploy: it runs only where a person agreed
/// (`--environment NAME`, or a typed yes).
pub(crate) fn on_environments(candidates: &[Candidate], agreed: &[String]) -> Result<(), Failure> {
    for candidate in candidates {
        let Some(workflow) = &candidate.workflow else { continue };
        for (job, environment) in environments(workflow) {
            if agreed.iter().any(|name| name.eq_ignore_ascii_case(&environment)) {
                continue;
            }
            ask(&candidate.path, &job, &environment)?;
        }
    }
    Ok(())
}

/// Jobs with the environment they name; an expression stands for itself.
fn environments(workflow: &Workflow) -> Vec<(String, String)> {
    let named = workflow.jobs.iter().filter_map(|job| match &job.body {
        JobBody::Steps(steps) => steps.environment.as_ref().map(|environment| (job, environment)),
        JobBody::Call(_) => None,
    });
    let text = |environment: &workflow::Environment| {
        let literal = environment.name.literal_text().map(|name| name.to_string());
        literal.unwrap_or_else(|| workflow.source.slice(environment.name.span()).to_owned())
    };
    named.map(|(job, environment)| (job.id.value.to_string(), text(environment))).collect()
}

fn ask(path: &str, job: &str, environment: &str) -> Result<(), Failure> {
    let refused = || {
        let message = format!(
            "{path}: the job {job} runs in the environment {environment}, and nobody agreed to that"
        );
        Failure::new(Exit::Forbidden, message)
            .hint(format!("agree: --environment '{environment}', or leave the job out: -j OTHER"))
    };
    if !std::io::stdin().is_terminal() {
        return Err(refused());
    }
    talk(&format!(
        "{path}: the job {job} runs in the environment {environment}. Type yes to agree:"
    ));
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(|error| Failure::caused(Exit::Usage, error))?;
    if line.trim() == "yes" { Ok(()) } else { Err(refused()) }
}

/// Says which secrets and variables the files read and nobody set: on GitHub, as here, such a one is
/// empty and no error. `GITHUB_TOKEN` is taken from `gh`, where it is signed in and a file reads it.
pub(crate) fn on_secrets(
    candidates: &[Candidate],
    secrets: &mut BTreeMap<String, Secret>,
    vars: &BTreeMap<String, String>,
    format: Format,
) {
    let mut wanted = WantedNames::default();
    for candidate in candidates {
        wanted.look(&candidate.source);
    }
    if wanted.secrets.contains_key("GITHUB_TOKEN") && !secrets.contains_key("GITHUB_TOKEN") {
        secrets.extend(token_of_gh().map(|token| ("GITHUB_TOKEN".to_owned(), Secret::new(token))));
    }
    if format != Format::Human {
        return;
    }
    let missing_secrets = wanted.secrets.iter().filter(|(name, _)| !secrets.contains_key(*name));
    for (name, place) in missing_secrets {
        let line = place.source.place(place.span.start).line;
        talk(&format!(
            "note: the secret {name} ({}:{line}) is not set, so it is empty; set it with --secret {name}",
            place.source.name()
        ));
    }
    let has = |name: &String| vars.keys().any(|key| key.eq_ignore_ascii_case(name));
    for (name, place) in wanted.vars.iter().filter(|(name, _)| !has(name)) {
        let line = place.source.place(place.span.start).line;
        talk(&format!(
            "note: the variable {name} ({}:{line}) is not set, so it is empty; set it with --var {name}=VALUE",
            place.source.name()
        ));
    }
}

/// What the GitHub command line is signed in with.
fn token_of_gh() -> Option<String> {
    let output = std::process::Command::new("gh").args(["auth", "token"]).output().ok()?;
    let token = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !token.is_empty()).then_some(token)
}
