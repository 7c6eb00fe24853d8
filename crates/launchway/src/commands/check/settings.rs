//! `launchway.yml` and `.env` files among what is checked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use settings::Settings;
use settings::dotenv::{self, EnvFile};
use syntax::{Diagnostic, Severity, Source, Span};

use crate::exit::Failure;
use crate::running::files;
use crate::settings_file::{folder, read_env};

/// What was found, in how many files.
#[derive(Default)]
pub(super) struct Checked {
    pub(super) found: Vec<Diagnostic>,
    pub(super) files: usize,
}

/// Whether a path names settings rather than a workflow.
pub(super) fn is_settings(path: &Path) -> bool {
    let in_workflows = path.parent().is_some_and(|folder| folder.ends_with(files::WORKFLOWS));
    path.file_name().is_some_and(|name| name == settings::FILE) && !in_workflows
}

/// Whether a path names a `.env` file: `.env`, `.env.staging`, `staging.env`.
pub(super) fn is_env(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name == ".env" || name.starts_with(".env.") || name.ends_with(".env")
}

/// Settings, and every `.env` file that they name.
pub(super) fn check_settings(path: &Path) -> Result<Checked, Failure> {
    let source = files::read(path, &files::shown(path))?;
    let (settings, found) = settings::read(&source);
    let mut checked = Checked { found, files: 1 };
    if let Some(settings) = settings {
        let mut named = Named { root: &folder(path), files: BTreeMap::new() };
        named.collect(&settings)?;
        named.judge(&source, &mut checked)?;
    }
    Ok(checked)
}

/// One `.env` file, against its example where it has one.
pub(super) fn check_env(path: &Path) -> Result<Checked, Failure> {
    let shown = files::shown(path);
    let source = files::read(path, &shown)?;
    let (file, mut found) = dotenv::read(&shown, source.text());
    let mut files = 1;
    if let Some(example) = example_of(&folder(path), &file_name(path))? {
        let whole = is_whole(&found) && is_whole(&example.1);
        found.extend(example.1);
        if whole {
            found.extend(dotenv::compare(&file, &example.0, &[]));
        }
        files += 1;
    }
    Ok(Checked { found, files })
}

/// Whether all of a file could be read: of what could not, nobody knows that it is missing.
fn is_whole(found: &[Diagnostic]) -> bool {
    found.iter().all(|it| it.severity < Severity::Error)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The `.env` files that settings name, each once.
struct Named<'r> {
    root: &'r Path,
    files: BTreeMap<Arc<str>, NamedFile>,
}

struct NamedFile {
    /// Where the settings name it.
    span: Span,
    /// Absent where it is not there.
    read: Option<(EnvFile, Vec<Diagnostic>)>,
    /// What each service that uses it gets, from wherever.
    names: Vec<BTreeSet<Arc<str>>>,
}

impl Named<'_> {
    fn collect(&mut self, settings: &Settings) -> Result<(), Failure> {
        for environment in &settings.environments {
            for service in &settings.order {
                let resolved = settings
                    .resolve(&environment.name, service)
                    .expect("names of the settings themselves");
                let service = resolved.service;
                let mut names: BTreeSet<Arc<str>> = BTreeSet::new();
                names.extend(service.env.iter().map(|it| Arc::clone(&it.name.value)));
                names.extend(service.secrets.iter().map(|it| Arc::clone(&it.name.value)));
                for path in &service.settings {
                    if !self.files.contains_key(&path.value) {
                        let read = read_env(&self.root.join(&*path.value))?;
                        let file = NamedFile { span: path.span, read, names: Vec::new() };
                        self.files.insert(Arc::clone(&path.value), file);
                    }
                    if let Some((file, _)) = &self.files[&path.value].read {
                        names.extend(file.variables.iter().map(|it| Arc::clone(&it.name.value)));
                    }
                }
                for path in &service.settings {
                    let file = self.files.get_mut(&path.value).expect("it was read");
                    file.names.push(names.clone());
                }
            }
        }
        Ok(())
    }

    fn judge(self, source: &Arc<Source>, checked: &mut Checked) -> Result<(), Failure> {
        let mut told = BTreeSet::new();
        for (path, file) in self.files {
            let example = example_of(self.root, &path)?;
            if let Some((example, found)) = &example
                && told.insert(example.source.name().to_owned())
            {
                checked.files += 1;
                checked.found.extend(found.iter().cloned());
            }
            let Some((read, found)) = file.read else {
                checked.found.push(absent(source, file.span, &path, example.is_some()));
                continue;
            };
            checked.files += 1;
            let whole = is_whole(&found);
            checked.found.extend(found);
            if let Some((example, _)) = example.filter(|it| whole && is_whole(&it.1)) {
                let mut all = file.names.into_iter();
                let first = all.next().unwrap_or_default();
                // Missing is what one of its services would go without.
                let also = all.fold(first, |one, other| &one & &other);
                let also: Vec<&str> = also.iter().map(|it| &**it).collect();
                checked.found.extend(dotenv::compare(&read, &example, &also));
            }
        }
        Ok(())
    }
}

/// The example beside a file; `path` begins at `root`.
fn example_of(root: &Path, path: &str) -> Result<Option<(EnvFile, Vec<Diagnostic>)>, Failure> {
    for candidate in dotenv::examples_of(path) {
        if let Some(read) = read_env(&root.join(candidate))? {
            return Ok(Some(read));
        }
    }
    Ok(None)
}

/// A file that is not here may be where it is needed: many keep it out of the repository.
fn absent(source: &Arc<Source>, span: Span, path: &str, has_example: bool) -> Diagnostic {
    let message = format!("{path} is not here, and was not checked");
    let (severity, hint) = if has_example {
        (
            Severity::Note,
            "it has an example; a deployment from here needs the file itself".to_owned(),
        )
    } else {
        let example = dotenv::examples_of(path).remove(0);
        (Severity::Warning, format!("write it, or {example} that says what belongs in it"))
    };
    Diagnostic::new("env-file", severity, source, span, message).hint(hint)
}
