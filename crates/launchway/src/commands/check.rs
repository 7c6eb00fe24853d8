//! `launchway check`: every mistake with its place, reason and remedy.

mod settings;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use syntax::{Diagnostic, Node, Severity, Source};

use crate::cli::{CheckArgs, Format};
use crate::exit::{Exit, Failure, Outcome};
use crate::running::files;
use crate::terminal::diagnostics;
use crate::terminal::plural::plural;
use crate::terminal::style::{Style, out, talk};

/// Fewer files are not worth a thread.
const SHARE_MIN: usize = 16;

pub(crate) fn run(args: &CheckArgs) -> Outcome {
    let Wanted { workflows, settings, env_files } = wanted(args)?;
    let mut found = check_files(&workflows)?;
    let mut files = workflows.len();
    let settings = settings.iter().map(|path| settings::check_settings(path));
    let env_files = env_files.iter().map(|path| settings::check_env(path));
    for checked in settings.chain(env_files) {
        let checked = checked?;
        found.extend(checked.found);
        files += checked.files;
    }
    // People see notes when they ask: a hundred of them would hide the one warning.
    let hides_notes = args.format == Format::Human && !args.notes;
    let shown = found.iter().filter(|it| !hides_notes || it.severity > Severity::Note);
    for text in diagnostics::render(shown, args.format, Style::stdout()) {
        out(&text);
    }
    if args.format == Format::Human {
        talk(&closing(&found, files, hides_notes));
    }
    let limit = if args.deny.is_some() { Severity::Warning } else { Severity::Error };
    let refused = found.iter().any(|diagnostic| diagnostic.severity >= limit);
    Ok(if refused { Exit::Refused } else { Exit::Done })
}

/// What is to be checked, by its kind.
#[derive(Default)]
struct Wanted {
    workflows: Vec<PathBuf>,
    settings: Vec<PathBuf>,
    env_files: Vec<PathBuf>,
}

fn wanted(args: &CheckArgs) -> Result<Wanted, Failure> {
    let here = [PathBuf::from(".")];
    let paths = if args.paths.is_empty() { &here[..] } else { &args.paths };
    let mut wanted = Wanted::default();
    for path in paths {
        let has_settings = path.is_dir() && path.join(::settings::FILE).is_file();
        if has_settings {
            wanted.settings.push(path.join(::settings::FILE));
        }
        if settings::is_settings(path) {
            wanted.settings.push(path.clone());
        } else if settings::is_env(path) && !path.is_dir() {
            wanted.env_files.push(path.clone());
        } else if !has_settings || path.join(files::WORKFLOWS).is_dir() {
            // Settings make it a repository: other YAML at its root is no workflow.
            wanted.workflows.extend(files::workflow_files(path)?);
        }
    }
    if wanted.workflows.is_empty() && wanted.settings.is_empty() && wanted.env_files.is_empty() {
        let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        let message = format!("there is no workflow file in {}", names.join(", "));
        return Err(Failure::new(Exit::Usage, message).hint(
            "workflows are *.yml files in .github/workflows; or name a file: launchway check FILE",
        ));
    }
    Ok(wanted)
}

/// A file on its way through the check.
struct Checked {
    path: PathBuf,
    source: Arc<Source>,
    root: Option<Node>,
    /// What was wrong with the YAML itself.
    found: Vec<Diagnostic>,
}

impl Checked {
    fn read(path: &Path) -> Result<Checked, Failure> {
        let shown = files::shown(path);
        let is_workflow = path.parent().is_some_and(|folder| folder.ends_with(files::WORKFLOWS));
        if let Some(source) = files::link(path, &shown).filter(|_| is_workflow) {
            let found = vec![files::link_finding(&source)];
            return Ok(Checked { path: path.to_path_buf(), source, root: None, found });
        }
        let source = files::read(path, &shown)?;
        let (root, found) = syntax::yaml::read(&source);
        Ok(Checked { path: path.to_path_buf(), source, root, found })
    }
}

/// Mistakes of reading first; the rules look only at what could be read. Calls of reusable workflows
/// are checked against the files that are looked at together.
fn check_files(paths: &[PathBuf]) -> Result<Vec<Diagnostic>, Failure> {
    let checked = side_by_side(paths, |path| Checked::read(path));
    let checked: Vec<Checked> = checked.into_iter().collect::<Result<_, _>>()?;
    Ok(check_together(&checked))
}

fn check_together(checked: &[Checked]) -> Vec<Diagnostic> {
    let mut context = check::CheckContext::default();
    for file in checked {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(root) = &file.root {
            context.workflows.insert(format!("{}/{name}", files::WORKFLOWS).into(), root);
        }
    }
    side_by_side(checked, |file| check_file(file, &context)).concat()
}

fn check_file(file: &Checked, context: &check::CheckContext<'_>) -> Vec<Diagnostic> {
    if file.path.file_stem().is_some_and(|stem| stem == "action") {
        return workflow::read_action(&file.source).1;
    }
    let (workflow, mut found) =
        workflow::read_node(&file.source, file.root.as_ref(), file.found.clone());
    if let Some(workflow) = &workflow {
        found.extend(workflow::empty_jobs(workflow, &found));
    }
    let mut found = check::without_ignored(&file.source, found);
    if let Some(root) = &file.root {
        found.extend(check::check_node(&file.source, root, context));
    }
    found.sort_by_key(|finding| finding.labels.first().map(|label| label.span));
    found
}

/// The findings of workflow files that lie nowhere, looked at together.
pub(crate) fn check_sources(sources: &[Arc<Source>]) -> Vec<Diagnostic> {
    let checked = |source: &Arc<Source>| {
        let (root, found) = syntax::yaml::read(source);
        let path = PathBuf::from(source.name());
        Checked { path, source: Arc::clone(source), root, found }
    };
    check_together(&sources.iter().map(checked).collect::<Vec<_>>())
}

/// Does the work for each item, on every processor, and gives the results in the items' order.
fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = items.len().div_ceil(processors).max(SHARE_MIN);
    if items.len() <= share {
        return items.iter().map(work).collect();
    }
    let share_of = &|items: &[T]| items.iter().map(&work).collect::<Vec<R>>();
    std::thread::scope(|scope| {
        let shares = items.chunks(share);
        let threads: Vec<_> = shares.map(|items| scope.spawn(move || share_of(items))).collect();
        let joined = threads.into_iter().map(std::thread::ScopedJoinHandle::join);
        // A fault of ours in a thread is one here.
        joined.flat_map(|it| it.unwrap_or_else(|fault| std::panic::resume_unwind(fault))).collect()
    })
}

fn closing(found: &[Diagnostic], files: usize, hides_notes: bool) -> String {
    let files = plural(files, "file");
    let has_notes = found.iter().any(|it| it.severity == Severity::Note);
    let more = if hides_notes && has_notes { "; --notes shows the notes" } else { "" };
    match diagnostics::summary(found) {
        Some(counts) => format!("{counts} in {files}{more}"),
        None => format!("nothing to say about {files}"),
    }
}
