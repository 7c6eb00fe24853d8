//! `workflow_dispatch` of a connected repository: what it offers, and the run that somebody wants.

use repository::{CommittedFile, PrivateStore, Repository};
use server::{Dispatch, InputForm, Offer, OfferedInput, OfferedWorkflow, Refused, Why};
use syntax::Source;
use workflow::{Input, InputKind};

use crate::exit::{Exit, Failure};
use crate::running::files;
use crate::running::prepare::inputs;
use crate::running::select::{Candidate, Choice};
use crate::serving::face::refused;
use crate::serving::intake::orders::Ordered;
use crate::serving::intake::{Intake, Planning, rendered};
use crate::serving::repositories::{self, Connected};

/// What it offers at a branch or tag.
pub(crate) fn offer(
    intake: &Intake,
    repository: &str,
    git_ref: Option<&str>,
) -> Result<Offer, Refused> {
    let connected = connected(intake, repository)?;
    let refs = refs(&connected).map_err(refused)?;
    let git_ref = named(&refs, git_ref)?;
    if git_ref.is_empty() {
        return Ok(Offer { refs, ..Offer::default() });
    }
    let workflows = workflows(intake, &connected, &git_ref).map_err(refused)?;
    Ok(Offer { refs, git_ref, workflows })
}

fn connected(intake: &Intake, repository: &str) -> Result<Connected, Refused> {
    let known = repositories::all(&intake.data).map_err(refused)?;
    known.into_iter().find(|it| it.name == repository).ok_or_else(|| {
        Refused::new(Why::NotFound, format!("no repository {repository} is connected"))
    })
}

fn refs(connected: &Connected) -> Result<Vec<String>, Failure> {
    Ok(Repository::refs(&connected.path, connected.default_branch.as_deref())?)
}

/// The full name of a branch or tag that is there; a short one means the branch first. Without one
/// the default branch, and nothing where nothing was pushed yet.
fn named(refs: &[String], wanted: Option<&str>) -> Result<String, Refused> {
    let Some(wanted) = wanted.filter(|it| !it.is_empty()) else {
        return Ok(refs.first().cloned().unwrap_or_default());
    };
    let names = [wanted.to_owned(), format!("refs/heads/{wanted}"), format!("refs/tags/{wanted}")];
    let found = names.into_iter().find(|name| refs.contains(name));
    found.ok_or_else(|| Refused::new(Why::NotFound, format!("there is no branch or tag {wanted}")))
}

fn workflows(
    intake: &Intake,
    connected: &Connected,
    git_ref: &str,
) -> Result<Vec<OfferedWorkflow>, Failure> {
    let planning = planning(intake, connected, git_ref, "", &[], "")?;
    let environments = environments(connected)?;
    let mut offered = Vec::new();
    for candidate in planning.candidates()? {
        let Some(workflow) = &candidate.workflow else { continue };
        if workflow.on.get("workflow_dispatch").is_none() {
            continue;
        }
        let refused = match planning.choose(&candidate)? {
            Choice::Runs => None,
            Choice::Not(reason) => Some(reason),
            Choice::Broken => Some("It has mistakes.".to_owned()),
        };
        let name = workflow.name.as_ref().map(|name| name.value.to_string());
        let input = |input: &Input| offered_input(input, &environments);
        offered.push(OfferedWorkflow {
            name: name.unwrap_or_else(|| candidate.path.clone()),
            inputs: inputs::declared(workflow).iter().map(input).collect(),
            path: candidate.path.clone(),
            refused,
        });
    }
    Ok(offered)
}

fn offered_input(input: &Input, environments: &[String]) -> OfferedInput {
    OfferedInput {
        name: input.name.value.to_string(),
        description: input.description.as_ref().map(|it| it.value.to_string()),
        required: input.required,
        default: inputs::default_text(input),
        kind: match &input.kind {
            InputKind::String => InputForm::Text,
            InputKind::Boolean => InputForm::Boolean,
            InputKind::Number => InputForm::Number,
            InputKind::Choice(options) => {
                InputForm::Choice(options.iter().map(|it| it.value.to_string()).collect())
            }
            InputKind::Environment => InputForm::Environment(environments.to_vec()),
        },
    }
}

/// Environments that are known: those of the settings at the tip of the default branch, and those
/// that whoever connected the repository agreed to.
fn environments(connected: &Connected) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    if let Some(tip) = connected.tip()? {
        let text = connected.at(&tip, (String::new(), String::new()))?;
        let text = text.committed_file(settings::FILE)?;
        let settings = text.and_then(|it| settings::read(&Source::new(settings::FILE, it)).0);
        let known = settings.map(|it| it.environments).unwrap_or_default();
        names.extend(known.iter().map(|it| it.name.value.to_string()));
    }
    let more = connected.environments.iter();
    names.extend(more.filter(|it| !it.is_empty()).cloned());
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.to_lowercase()));
    Ok(names)
}

fn planning<'i>(
    intake: &'i Intake,
    connected: &Connected,
    git_ref: &str,
    workflow: &str,
    inputs: &[(String, String)],
    by: &str,
) -> Result<Planning<'i>, Failure> {
    let repository = connected.at(git_ref, (by.to_owned(), String::new()))?;
    let event = repository.dispatched(git_ref, workflow, inputs);
    Planning::about(intake, repository, event, connected)
}

/// The run that somebody wants, numbered.
pub(crate) fn ordered(
    intake: &Intake,
    wanted: &Dispatch,
    by: &event::Actor,
) -> Result<Ordered, Failure> {
    let unknown = |refused: Refused| Failure::new(Exit::Usage, refused.message);
    let connected = connected(intake, &wanted.repository).map_err(unknown)?;
    let refs = refs(&connected)?;
    let git_ref = named(&refs, wanted.git_ref.as_deref()).map_err(unknown)?;
    if git_ref.is_empty() {
        let message = format!("nothing was pushed to {} yet", connected.name);
        return Err(Failure::new(Exit::Usage, message));
    }
    let path = path_of(&connected, &git_ref, &wanted.workflow)?;
    let given: Vec<_> = wanted.inputs.clone().into_iter().collect();
    let mut planning = planning(intake, &connected, &git_ref, &path, &given, by.name.as_str())?;
    planning.environments = wanted.environments.clone();
    planning.asked = by.asked();
    let candidate = planning.candidates()?.into_iter().find(|it| it.path == path);
    let candidate =
        candidate.ok_or_else(|| Failure::new(Exit::Usage, format!("{path} is not there")))?;
    refuse_what_does_not_run(&planning, &candidate)?;
    planning.run(&candidate)?.map_err(|said| {
        Failure::new(Exit::Refused, format!("{path} does not run: {}", said.join("\n")))
    })
}

/// Workflows are named by their path, or by their file alone.
fn path_of(connected: &Connected, git_ref: &str, wanted: &str) -> Result<String, Failure> {
    let repository = connected.at(git_ref, (String::new(), String::new()))?;
    let event = repository.dispatched(git_ref, "", &[]);
    let files = event.committed_files(&repository, &PrivateStore::passing(), files::WORKFLOWS)?;
    let is_it =
        |file: &&CommittedFile| file.path == wanted || file.path.rsplit('/').next() == Some(wanted);
    let files = files.unwrap_or_default();
    let found = files.iter().find(is_it).map(|file| file.path.clone());
    found.ok_or_else(|| {
        let short = git_ref.trim_start_matches("refs/heads/").trim_start_matches("refs/tags/");
        Failure::new(Exit::Usage, format!("{short} has no workflow {wanted}"))
    })
}

fn refuse_what_does_not_run(planning: &Planning<'_>, candidate: &Candidate) -> Result<(), Failure> {
    let path = &candidate.path;
    match planning.choose(candidate)? {
        Choice::Runs => Ok(()),
        Choice::Not(reason) => {
            Err(Failure::new(Exit::Refused, format!("{path} does not run: {reason}")))
        }
        Choice::Broken => {
            let found = rendered(&candidate.findings).join("\n");
            Err(Failure::new(Exit::Refused, format!("{path} has mistakes\n{found}")))
        }
    }
}
