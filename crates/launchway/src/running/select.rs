//! Which workflows an event starts, and why the others do not.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use repository::{ChangedFiles, CommittedFile, Repository, TriggeringEvent};
use syntax::{Diagnostic, Severity, Source};
use workflow::{Strategy, TemplateKey, TemplateKind, Verdict, Workflow};

use crate::cli::EventArgs;
use crate::exit::{Exit, Failure};
use crate::running::files;

/// A workflow file with what could be read of it.
pub(crate) struct Candidate {
    /// From the repository's root, with `/`.
    pub(crate) path: String,
    pub(crate) source: Arc<Source>,
    pub(crate) workflow: Option<Workflow>,
    pub(crate) findings: Vec<Diagnostic>,
}

/// What the event means for a file.
pub(crate) enum Choice {
    /// It runs.
    Runs,
    /// It does not, for this reason.
    Not(String),
    /// It has mistakes; GitHub would refuse it.
    Broken,
}

impl Candidate {
    fn read(path: String, source: Arc<Source>) -> Candidate {
        let (workflow, mut findings) = workflow::read(&source);
        if let Some(workflow) = &workflow {
            findings.extend(workflow::empty_jobs(workflow, &findings));
        }
        Candidate { path, source, workflow, findings }
    }

    fn link(path: String, source: Arc<Source>) -> Candidate {
        let findings = vec![files::link_finding(&source)];
        Candidate { path, source, workflow: None, findings }
    }

    /// Whether GitHub would refuse it.
    pub(crate) fn is_broken(&self) -> bool {
        self.workflow.is_none()
            || self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// The workflow files that are asked about: those of `-W`, else the repository's (conformance 1), of
/// the commit that runs where one does.
pub(crate) fn candidates(
    repository: &Repository,
    committed: Option<&[CommittedFile]>,
    args: &EventArgs,
) -> Result<Vec<Candidate>, Failure> {
    if let Some(files) = committed.filter(|_| args.workflows.is_none()) {
        let yaml = files.iter().filter(|file| files::is_yaml(file.path.as_ref()));
        let candidates = yaml.map(|file| {
            let (path, source) = (file.path.clone(), Source::new(file.path.clone(), &*file.text));
            if file.is_link { Candidate::link(path, source) } else { Candidate::read(path, source) }
        });
        return non_empty(repository, args, candidates.collect());
    }
    let named = args.workflows.as_deref();
    let folder = named.map_or_else(|| repository.root.join(files::WORKFLOWS), Path::to_path_buf);
    let is_there = if named.is_some() { folder.exists() } else { is_folder_of_git(repository) };
    let paths = if is_there { files::workflow_files(&folder)? } else { missing(&folder, args)? };
    let mut candidates = Vec::new();
    for path in paths {
        let path = std::path::absolute(&path).unwrap_or(path);
        let inside = path.strip_prefix(&repository.root).unwrap_or(&path).display().to_string();
        // Who names a file means what it points to.
        candidates.push(match files::link(&path, &inside).filter(|_| named.is_none()) {
            Some(source) => Candidate::link(inside, source),
            None => Candidate::read(inside, files::read(&path, &files::shown(&path))?),
        });
    }
    non_empty(repository, args, candidates)
}

/// Whether the folder is one for git too: behind a link GitHub sees no folder.
fn is_folder_of_git(repository: &Repository) -> bool {
    let folder = repository.root.join(files::WORKFLOWS);
    folder.is_dir() && folder.ancestors().take(2).all(|part| !part.is_symlink())
}

fn missing(folder: &Path, args: &EventArgs) -> Result<Vec<PathBuf>, Failure> {
    if args.workflows.is_none() {
        return Ok(Vec::new());
    }
    Err(Failure::new(Exit::Usage, format!("there is no file or folder {}", folder.display())))
}

fn non_empty(
    repository: &Repository,
    args: &EventArgs,
    candidates: Vec<Candidate>,
) -> Result<Vec<Candidate>, Failure> {
    if candidates.is_empty() {
        let usual = || repository.root.join(files::WORKFLOWS);
        let place = args.workflows.clone().unwrap_or_else(usual);
        let message = format!("there is no workflow file in {}", files::shown(&place));
        return Err(Failure::new(Exit::Usage, message)
            .hint("workflows are *.yml files in .github/workflows; or name one: -W FILE")
            .hint("to see how it all works without one: launchway demo"));
    }
    Ok(candidates)
}

/// Workflows that somebody switched off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SwitchedOff<'s> {
    /// Their paths.
    pub(crate) paths: &'s [String],
    /// The repository, where it is connected to a server.
    pub(crate) at_server: Option<&'s str>,
}

/// What the event means for one file. Words in the commit's message that keep it from running are not heard for one
/// `is_named`, nor where nothing may be skipped.
pub(crate) fn choose(
    candidate: &Candidate,
    event: &TriggeringEvent,
    off: SwitchedOff<'_>,
    is_named: bool,
) -> Choice {
    if off.paths.contains(&candidate.path) {
        let file = candidate.path.rsplit('/').next().unwrap_or(&candidate.path);
        let at = off.at_server.map(|it| format!(" --repository {it}")).unwrap_or_default();
        return Choice::Not(format!(
            "It is switched off; `launchway workflows enable {file}{at}` lets it run."
        ));
    }
    if let Some(reason) = &event.starts_nothing {
        return Choice::Not(reason.clone());
    }
    let Some(workflow) = &candidate.workflow else {
        return Choice::Broken;
    };
    match workflow.on.decide(&trigger_event(event)) {
        Verdict::Not { reason, .. } => Choice::Not(reason),
        // A file of which only the trigger can be read still says that it would have run.
        Verdict::Runs if candidate.is_broken() => Choice::Broken,
        Verdict::Runs => match skip_word(event) {
            Some(word) if !is_named => Choice::Not(format!("The commit's message says {word}.")),
            _ => Choice::Runs,
        },
    }
}

/// With `-j` only workflows that have such a job are meant. Gives those that are left out.
pub(crate) fn keep_those_with(
    to_run: &mut Vec<Candidate>,
    jobs: &[String],
) -> Result<Vec<Candidate>, Failure> {
    if jobs.is_empty() {
        return Ok(Vec::new());
    }
    let has = |candidate: &Candidate, id: &str| {
        let workflow = candidate.workflow.as_ref();
        workflow.is_some_and(|workflow| workflow.jobs.iter().any(|job| &*job.id.value == id))
    };
    for id in jobs {
        if !to_run.iter().any(|candidate| has(candidate, id)) {
            let known = to_run.iter().filter_map(|candidate| candidate.workflow.as_ref());
            let names: Vec<&str> =
                known.flat_map(|workflow| &workflow.jobs).map(|job| &*job.id.value).collect();
            let failure =
                Failure::new(Exit::Usage, format!("no workflow that runs has a job {id}"));
            let meant = syntax::nearest(id, &names).map(|it| format!("did you mean {it}?"));
            let failure = meant.into_iter().fold(failure, Failure::hint);
            return Err(failure.hint(format!("there are: {}", names.join(", "))));
        }
    }
    let is_meant = |candidate: &mut Candidate| jobs.iter().any(|id| has(candidate, id));
    let meant: Vec<Candidate> = to_run.extract_if(.., is_meant).collect();
    Ok(std::mem::replace(to_run, meant))
}

/// A key of `--matrix` that no job has says nothing about any leg: a mistake, not a wish.
pub(crate) fn check_matrix_keys<'k>(
    to_run: &[Candidate],
    wanted: impl Iterator<Item = &'k String>,
) -> Result<(), Failure> {
    if to_run.is_empty() {
        return Ok(());
    }
    let workflows = || to_run.iter().filter_map(|candidate| candidate.workflow.as_ref());
    let matrices = workflows().flat_map(|it| &it.jobs).filter_map(|job| match &job.strategy {
        Some(Strategy::Written { matrix, .. }) => matrix.as_ref(),
        _ => None,
    });
    let mut names: Vec<String> = Vec::new();
    for matrix in matrices {
        let TemplateKind::Mapping(entries) = matrix.kind() else { return Ok(()) };
        let mut is_known = true;
        let mut add = |key: &TemplateKey| match key {
            TemplateKey::Text(text) => names.push(text.value.to_string()),
            _ => is_known = false,
        };
        for (key, value) in entries {
            add(key);
            // Keys that only some legs have.
            match value.kind() {
                TemplateKind::Sequence(legs) => {
                    for leg in legs {
                        if let TemplateKind::Mapping(more) = leg.kind() {
                            more.iter().for_each(|(key, _)| add(key));
                        }
                    }
                }
                _ => return Ok(()),
            }
        }
        if !is_known {
            return Ok(());
        }
    }
    // What a called workflow has is not looked through, nor what an expression gives.
    let is_call = |job: &workflow::Job| matches!(job.body, workflow::JobBody::Call(_));
    if workflows().flat_map(|it| &it.jobs).any(is_call) {
        return Ok(());
    }
    names.retain(|name| !matches!(name.as_str(), "include" | "exclude"));
    names.sort();
    names.dedup();
    for key in wanted {
        if !names.iter().any(|name| name.eq_ignore_ascii_case(key)) {
            let failure = Failure::new(Exit::Usage, format!("no job has {key} in its matrix"));
            let there_are = match names.len() {
                0 => "no job that runs has a matrix".to_owned(),
                _ => format!("there are: {}", names.join(", ")),
            };
            return Err(failure.hint(there_are));
        }
    }
    Ok(())
}

fn trigger_event(event: &TriggeringEvent) -> workflow::TriggerEvent<'_> {
    let text = |pointer: &str| event.payload.pointer(pointer).and_then(serde_json::Value::as_str);
    workflow::TriggerEvent {
        activity: event.activity.as_deref(),
        git_ref: Some(&event.git_ref),
        branch: event.base_ref.as_deref().or_else(|| text("/workflow_run/head_branch")).or_else(
            || text("/merge_group/base_ref").map(|it| it.strip_prefix("refs/heads/").unwrap_or(it)),
        ),
        // GitHub documents no payload of this event; its name and version are looked for here.
        image: text("/image_version/name").zip(text("/image_version/version")),
        workflow: text("/workflow_run/name"),
        schedule: text("/schedule"),
        changed_files: match &event.changed {
            ChangedFiles::Files(files) => workflow::ChangedFiles::Known(files),
            ChangedFiles::All => workflow::ChangedFiles::AlwaysRun,
        },
        ..workflow::TriggerEvent::named(&event.name)
    }
}

/// Conformance 23: words in the head commit's message that keep push and pull_request from running.
pub(crate) fn skip_word(event: &TriggeringEvent) -> Option<&'static str> {
    const WORDS: [&str; 5] =
        ["[skip ci]", "[ci skip]", "[no ci]", "[skip actions]", "[actions skip]"];
    const TRAILERS: [&str; 2] = ["skip-checks: true", "skip-checks:true"];
    if !matches!(event.name.as_str(), "push" | "pull_request") {
        return None;
    }
    let message = event.message.as_deref()?;
    let trailer = message.trim_end().lines().last().filter(|last| TRAILERS.contains(last));
    WORDS.into_iter().find(|word| message.contains(word)).or(trailer.map(|_| "skip-checks: true"))
}
