//! What a person has to know or agree to before jobs run: environments, a work tree that is not
//! committed, and secrets that are missing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, IsTerminal};

use event::{RunRequest, Terms};
use mask::Secret;
use syntax::Span;
use workflow::{JobBody, Step, StepBody, Template, Workflow};

use crate::cli::Format;
use crate::exit::{Exit, Failure};
use crate::running::given;
use crate::running::levels::Levels;
use crate::running::names::WantedNames;
use crate::running::prepare::foreseen::ForeseenJob;
use crate::running::prepare::refuse::count_files;
use crate::running::select::Candidate;
use crate::terminal::style::talk;

/// Commands that give the commit away; whoever gets it must be able to find it again.
const PUSHES: [&str; 2] = ["git push", "docker push"];

/// Something in a job that nobody may do unasked, or not with what is not committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Matter {
    /// The workflow file, from the repository's root.
    pub(crate) path: String,
    /// The job's id.
    pub(crate) job: String,
    pub(crate) kind: MatterKind,
}

/// The kinds of [`Matter`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MatterKind {
    /// It runs in this environment: it has its secrets and may deploy.
    Environment(String),
    /// It runs in an environment whose name only the run tells.
    LaterEnvironment {
        /// The name as written.
        written: String,
    },
    /// A step pushes, with this command.
    Push(&'static str),
}

/// What has to be agreed to in the jobs of a run, and what wants a clean work tree.
pub(crate) fn matters(jobs: &[ForeseenJob<'_>]) -> Vec<Matter> {
    let mut matters = Vec::new();
    for job in jobs {
        let JobBody::Steps(steps) = &job.job.body else { continue };
        let mut add = |kind| {
            let (path, job) = (job.workflow.source.name().to_owned(), job.job.id.value.to_string());
            let matter = Matter { path, job, kind };
            if !matters.contains(&matter) {
                matters.push(matter);
            }
        };
        if let Some(environment) = &steps.environment {
            for leg in &job.legs {
                match leg.text(&environment.name) {
                    Some(name) if name.is_empty() => {}
                    Some(name) => add(MatterKind::Environment(name.to_string())),
                    None => add(MatterKind::LaterEnvironment {
                        written: written(job.workflow, environment.name.span()),
                    }),
                }
            }
        }
        if let Some(command) = PUSHES.into_iter().find(|it| pushes(&steps.steps, job.workflow, it))
        {
            add(MatterKind::Push(command));
        }
    }
    matters
}

fn written(workflow: &Workflow, span: Span) -> String {
    workflow.source.slice(span).to_owned()
}

fn pushes(steps: &[Step], workflow: &Workflow, command: &str) -> bool {
    steps.iter().any(|step| match &step.body {
        StepBody::Run { script, .. } => script_has(script, workflow, command),
        StepBody::Parallel(steps) => pushes(steps, workflow, command),
        _ => false,
    })
}

/// Whether a line of the script begins with the command, a comment or a text does not count.
fn script_has(script: &Template, workflow: &Workflow, command: &str) -> bool {
    let literal = script.literal_text();
    let text = literal.as_deref().unwrap_or_else(|| workflow.source.slice(script.span()));
    let commands = text.split(['\n', ';', '&', '|']);
    commands.map(str::trim_start).any(|it| it.starts_with(command))
}

/// What names an environment or pushes needs a clean work tree, or `--committed`: what was shipped
/// must be found again (`design` 8.7).
pub(crate) fn on_work_tree(matters: &[Matter], request: &RunRequest) -> Result<(), Failure> {
    let files = request.change.uncommitted;
    if files == 0 {
        return Ok(());
    }
    let why = matters.iter().find_map(|matter| match &matter.kind {
        MatterKind::Environment(name) => Some((matter, format!("runs in the environment {name}"))),
        MatterKind::Push(command) => Some((matter, format!("pushes (`{command}`)"))),
        MatterKind::LaterEnvironment { .. } => None,
    });
    let Some((Matter { path, job, .. }, why)) = why else { return Ok(()) };
    let files = count_files(files);
    Err(Failure::new(
        Exit::Forbidden,
        format!("{path}: the job {job} {why}, and {files} not committed"),
    )
    .hint("commit, or run what is committed: --committed; or leave the job out: -j OTHER"))
}

/// A job that names an environment has its secrets and may deploy: it runs only where a person agreed
/// (`--environment NAME`, or a typed yes). A yes is added to the terms; a name that only the run tells
/// is compared with them when the job is to start.
pub(crate) fn on_environments(
    matters: &[Matter],
    terms: &mut Terms,
    levels: &Levels,
) -> Result<(), Failure> {
    for Matter { path, job, kind } in matters {
        match kind {
            MatterKind::Environment(name) => {
                if let Some(why) = levels.refusal(name) {
                    let message = format!("{path}: the job {job} cannot run: {why}");
                    return Err(
                        Failure::new(Exit::Forbidden, message).hint("leave the job out: -j OTHER")
                    );
                }
                if !terms.environments.iter().any(|it| it.eq_ignore_ascii_case(name)) {
                    ask(path, job, name)?;
                    terms.environments.push(name.clone());
                }
            }
            MatterKind::LaterEnvironment { written } => talk(&format!(
                "note: {path}: the environment of the job {job} is known when it starts ({written}); it runs only in those you agreed to with --environment"
            )),
            MatterKind::Push(_) => {}
        }
    }
    Ok(())
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
    (vars, kept): (&BTreeMap<String, String>, &BTreeSet<String>),
    format: Format,
) {
    let mut wanted = WantedNames::default();
    for candidate in candidates {
        wanted.look(&candidate.source);
    }
    if wanted.secrets.contains_key("GITHUB_TOKEN") && !secrets.contains_key("GITHUB_TOKEN") {
        secrets.extend(
            given::token_of_gh(None).map(|token| ("GITHUB_TOKEN".to_owned(), Secret::new(token))),
        );
    }
    if format != Format::Human {
        return;
    }
    // One that is kept for an environment is set for its jobs.
    let is_set = |name: &String| secrets.contains_key(name) || kept.contains(name);
    for (name, place) in wanted.secrets.iter().filter(|(name, _)| !is_set(name)) {
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
