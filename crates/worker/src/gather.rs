//! Every action that a job uses, found before its first step runs, those inside composite actions
//! included (conformance 105, 106); local ones when their step comes (conformance 153).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use actions::{ActionSource, ManifestFile, Mirrors, Note, ResolveError, ResolveOptions};
use protocol::JobSpec;
use sandbox::Hands;
use sequencer::{Action, ActionHome, COMPOSITE_DEPTH_MAX};
use syntax::{Severity, Source};
use workflow::{ActionManifest, ActionRuns, Step, StepBody, Uses};

use crate::setup::{Actions, SetupError, text};

/// Finds actions, and keeps what there is to say about it.
#[derive(Debug)]
pub(crate) struct Gathering<'a> {
    spec: &'a JobSpec,
    workspace: PathBuf,
    options: ResolveOptions,
    /// Who reads what steps may have written.
    pub(crate) hands: Hands,
    /// To be shown in the log of the set-up.
    pub(crate) notes: Vec<(bool, String)>,
}

impl<'a> Gathering<'a> {
    pub(crate) fn new(spec: &'a JobSpec, workspace: &Path) -> Gathering<'a> {
        let mut options = ResolveOptions::new(&*spec.paths.actions);
        options.offline = spec.options.offline;
        options.no_native = spec.options.no_native;
        options.mirrors = Mirrors::new(spec.options.mirrors.clone());
        options.lock_file =
            (!spec.paths.lock_file.is_empty()).then(|| PathBuf::from(&*spec.paths.lock_file));
        let (workspace, hands) = (workspace.to_owned(), Hands::default());
        Gathering { spec, workspace, options, hands, notes: Vec::new() }
    }

    /// Whether the steps run in a container: what brings tools for this machine is of no use there.
    pub(crate) fn is_for_container(&mut self, is: bool) {
        self.options.tools_elsewhere = is;
    }

    /// The actions of these steps, by the text behind `uses`.
    pub(crate) fn all(&mut self, steps: &[Step]) -> Result<Actions, SetupError> {
        let mut found = Actions::new();
        self.collect(steps, None, 0, &mut found)?;
        Ok(found)
    }

    /// A local action and those that it uses.
    pub(crate) fn local(&mut self, path: &str) -> Result<Actions, SetupError> {
        let mut found = Actions::new();
        let action = self.read_local(path)?;
        if let ActionRuns::Composite { steps } = &action.manifest.runs {
            self.collect(steps, Some(&action), 1, &mut found)?;
        }
        found.insert(Arc::from(path), action);
        Ok(found)
    }

    fn collect(
        &mut self,
        steps: &[Step],
        within: Option<&Action>,
        depth: usize,
        found: &mut Actions,
    ) -> Result<(), SetupError> {
        if depth > COMPOSITE_DEPTH_MAX {
            return Err(SetupError::Refused(format!(
                "composite actions may be nested {COMPOSITE_DEPTH_MAX} deep at most"
            )));
        }
        for step in steps {
            if let StepBody::Parallel(steps) = &step.body {
                self.collect(steps, within, depth, found)?;
            }
            let StepBody::Uses { uses, .. } = &step.body else { continue };
            let key = sequencer::action_key(within, uses);
            if matches!(uses, Uses::Local { .. }) || found.contains_key(&*key) {
                continue;
            }
            let action = self.find(uses, &key, within)?;
            let runs = action.manifest.clone();
            found.insert(Arc::from(key), action.clone());
            if let ActionRuns::Composite { steps } = &runs.runs {
                self.collect(steps, Some(&action), depth + 1, found)?;
            }
        }
        Ok(())
    }

    fn find(
        &mut self,
        uses: &Uses,
        key: &str,
        within: Option<&Action>,
    ) -> Result<Action, SetupError> {
        match (uses, within) {
            // In the workflow's own repository, at its commit, which is the one on this machine.
            (Uses::SelfForm { path }, None | Some(Action { repository: None, .. })) => {
                let folder = Path::new(&*self.spec.paths.repository).join(path);
                self.read_folder(&folder, key, &Hands::default())
            }
            (Uses::SelfForm { .. }, Some(_)) => {
                let uses = Uses::parse_action(key)
                    .map_err(|error| SetupError::Refused(format!("{key}: {error}")))?;
                self.fetch(&uses)
            }
            (Uses::Docker { .. }, _) => Err(SetupError::Refused(format!(
                "{key} is a Docker action, which needs Docker and is not supported yet"
            ))),
            _ => self.fetch(uses),
        }
    }

    fn fetch(&mut self, uses: &Uses) -> Result<Action, SetupError> {
        let name = uses.to_string();
        let mut progress: Vec<String> = Vec::new();
        let resolved =
            actions::resolve(uses, &self.options, &mut |text| progress.push(text.to_owned()));
        self.notes.extend(progress.into_iter().map(|text| (false, text)));
        let resolved = resolved.map_err(|error| refused(&error))?;
        for note in &resolved.notes {
            self.notes.push(match note {
                Note::Info(text) => (false, text.clone()),
                Note::Warning(text) => (true, text.clone()),
            });
        }
        let manifest = read_manifest(&resolved.manifest, &name)?;
        let home = match &resolved.source {
            ActionSource::Native(native) => ActionHome::Native(Arc::from(*native)),
            ActionSource::Folder { action, .. } => ActionHome::Folder(Arc::from(text(action))),
        };
        Ok(Action {
            manifest,
            home,
            repository: Some(Arc::from(resolved.repository)),
            reference: Some(Arc::from(resolved.reference)),
        })
    }

    fn read_local(&mut self, path: &str) -> Result<Action, SetupError> {
        let folder = self.workspace.join(path);
        if !folder.is_dir() {
            return Err(SetupError::Refused(format!(
                "Can't find 'action.yml', 'action.yaml' or 'Dockerfile' under '{}'. Did you forget \
                 to run actions/checkout before running your local action?",
                folder.display()
            )));
        }
        let action = self.read_folder(&folder, path, &self.hands)?;
        if let ActionRuns::Node { pre: Some(_), .. } = &action.manifest.runs {
            // The runner's words (conformance 147): it was read too late for that.
            let text = format!("`pre` execution is not supported for local action from '{path}'");
            self.notes.push((true, text));
        }
        Ok(action)
    }

    fn read_folder(&self, folder: &Path, name: &str, hands: &Hands) -> Result<Action, SetupError> {
        let folder = folder.to_owned();
        let (file, folder) = hands.have(move || {
            let file = actions::manifest_in(&folder);
            (file, folder.canonicalize().unwrap_or(folder))
        });
        let file = file.map_err(|error| refused(&error))?;
        Ok(Action {
            manifest: read_manifest(&file, name)?,
            home: ActionHome::Folder(Arc::from(text(&folder))),
            repository: None,
            reference: None,
        })
    }
}

/// In one line, with what to do about it: an annotation has no line of its own for that.
fn refused(error: &ResolveError) -> SetupError {
    SetupError::Refused(format!("{}; {}", with_sources(error), error.hint()))
}

fn read_manifest(file: &ManifestFile, name: &str) -> Result<Arc<ActionManifest>, SetupError> {
    let (file, content) = match file {
        ManifestFile::Yaml { name, text } => (name, text),
        ManifestFile::Dockerfile { .. } => {
            return Err(SetupError::Refused(format!(
                "{name} is a Docker action, which needs Docker and is not supported yet"
            )));
        }
    };
    let source = Source::new(format!("{name}/{file}"), content.as_str());
    let (manifest, diagnostics) = workflow::read_action(&source);
    let error = diagnostics.iter().find(|it| it.severity == Severity::Error);
    match (manifest, error) {
        (Some(manifest), None) => match &manifest.runs {
            ActionRuns::Docker(_) => Err(SetupError::Refused(format!(
                "{name} is a Docker action, which needs Docker and is not supported yet"
            ))),
            ActionRuns::Composite { .. } | ActionRuns::Node { .. } => Ok(Arc::new(manifest)),
        },
        (_, Some(error)) => {
            let place = error.labels.first().map(|label| source.place(label.span.start));
            let place = place.map(|it| format!(" (line {}, column {})", it.line, it.column));
            Err(SetupError::Refused(format!(
                "{}{}: {}",
                source.name(),
                place.unwrap_or_default(),
                error.message
            )))
        }
        (None, None) => Err(SetupError::Refused(format!("{} says nothing to run", source.name()))),
    }
}

/// An error and what caused it, in one line.
pub(crate) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
