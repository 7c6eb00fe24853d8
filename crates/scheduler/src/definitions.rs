//! The files of the open runs, parsed: what deciding looks at, and what state never holds.
//!
//! After a restart the caller parses them again from the text in `RunCreated`; folding needs none.

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{RunRequest, StreamId};
use expr::Value;
use serde_json::Value as Json;
use syntax::{Diagnostic, Severity, Source};
use workflow::{Job, Uses, Workflow};

use crate::contexts;
use crate::place::Place;
use crate::trust::TrustedLabel;

/// The files of every open run.
#[derive(Debug, Default)]
pub struct Definitions {
    runs: BTreeMap<StreamId, Files>,
    elsewhere: BTreeMap<String, Arc<str>>,
    places: Vec<Place>,
    trusted: Vec<TrustedLabel>,
}

/// The files of one run, and the contexts that are the same for all its jobs.
#[derive(Debug)]
pub struct Files {
    main: File,
    called: BTreeMap<String, File>,
    pub(crate) github: Value,
    pub(crate) inputs: Value,
    pub(crate) vars: Value,
}

/// One workflow file with its jobs by id.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) workflow: Workflow,
    jobs: BTreeMap<Arc<str>, usize>,
    /// `env` and `defaults.run` as written: what travels to workers.
    pub(crate) env: Json,
    pub(crate) defaults: Json,
}

impl Definitions {
    /// No files.
    pub fn new() -> Definitions {
        Definitions::default()
    }

    /// Keeps the files of a run.
    pub fn insert(&mut self, stream: StreamId, files: Files) {
        self.runs.insert(stream, files);
    }

    /// Drops the files of a run that is completed.
    pub fn remove(&mut self, stream: StreamId) {
        self.runs.remove(&stream);
    }

    /// Concurrency groups (in lower case) that others than the runs known here have, with who has
    /// them; nothing where that is not known. Nobody here goes ahead in one of them.
    pub fn set_elsewhere(&mut self, groups: BTreeMap<String, Arc<str>>) {
        self.elsewhere = groups;
    }

    /// The groups that others have.
    pub fn elsewhere(&self) -> &BTreeMap<String, Arc<str>> {
        &self.elsewhere
    }

    /// The machines that take jobs. Where none is known, whoever drives takes any.
    pub fn set_places(&mut self, places: Vec<Place>) {
        self.places = places;
    }

    /// The machines that take jobs.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Labels whose jobs run without walls, with who may have them; all others any job may have.
    pub fn set_trusted(&mut self, labels: Vec<TrustedLabel>) {
        self.trusted = labels;
    }

    pub(crate) fn trusted(&self) -> &[TrustedLabel] {
        &self.trusted
    }

    /// The files of a run.
    pub fn get(&self, stream: StreamId) -> Option<&Files> {
        self.runs.get(&stream)
    }
}

impl Files {
    /// Parses the files of a request. Gives them, where the run's own file can be read, and every
    /// mistake found; files with errors are kept out.
    pub fn read(request: &RunRequest) -> (Option<Files>, Vec<Diagnostic>) {
        let mut diagnostics = Vec::new();
        let mut parse = |path: &str, text: &str| {
            let source = Source::new(path, text);
            let (workflow, found) = workflow::read(&source);
            let broken = found.iter().any(|it| it.severity == Severity::Error);
            diagnostics.extend(found);
            workflow.filter(|_| !broken)
        };
        let main = parse(&request.workflow.path, &request.workflow.text);
        let mut called = BTreeMap::new();
        for (key, file) in &request.called {
            if let Some(workflow) = parse(&file.path, &file.text) {
                called.insert(key.clone(), workflow);
            }
        }
        (main.map(|main| Files::new(request, main, called)), diagnostics)
    }

    /// Files that were parsed elsewhere; `called` by the keys of the request.
    pub fn new(request: &RunRequest, main: Workflow, called: BTreeMap<String, Workflow>) -> Files {
        let github = contexts::github(request, &main);
        Files {
            main: File::new(main),
            called: called.into_iter().map(|(key, it)| (key, File::new(it))).collect(),
            github,
            inputs: Value::from_json(&request.inputs),
            vars: Value::from_json(&request.vars),
        }
    }

    /// The run's own file, or the called one under `key`.
    pub(crate) fn file(&self, key: Option<&str>) -> Option<&File> {
        match key {
            None => Some(&self.main),
            Some(key) => self.called.get(key),
        }
    }

    /// The run's own workflow.
    pub fn workflow(&self) -> &Workflow {
        &self.main.workflow
    }

    /// A job by its file (none: the run's own) and its id.
    pub fn job(&self, file: Option<&str>, id: &str) -> Option<(&Workflow, &Job)> {
        let file = self.file(file)?;
        file.job(id).map(|job| (&file.workflow, job))
    }
}

impl File {
    fn new(workflow: Workflow) -> File {
        let number = |(at, job): (usize, &Job)| (Arc::clone(&job.id.value), at);
        let jobs = workflow.jobs.iter().enumerate().map(number).collect();
        let (root, _) = syntax::yaml::read(&workflow.source);
        let written = |path: &[&str]| {
            let found =
                path.iter().try_fold(root.as_ref()?, |node, key| node.as_mapping()?.get(key));
            found.map(syntax::Node::to_json)
        };
        let env = written(&["env"]).unwrap_or(Json::Null);
        let defaults = written(&["defaults", "run"]).unwrap_or(Json::Null);
        File { workflow, jobs, env, defaults }
    }

    pub(crate) fn job(&self, id: &str) -> Option<&Job> {
        self.jobs.get(id).map(|at| &self.workflow.jobs[*at])
    }
}

/// The key in `called` of a workflow that a file calls. `./` and `$/` mean the repository and commit
/// of the file they are written in (conformance 117), so inside a file of another repository they
/// become that repository's address.
pub fn called_key(file: Option<&str>, uses: &Uses) -> String {
    let path = match uses {
        Uses::Local { path } => path.strip_prefix("./").unwrap_or(path),
        Uses::SelfForm { path } => path,
        other => return other.to_string(),
    };
    let home = file.filter(|file| !file.starts_with("./")).and_then(|file| {
        let (name, reference) = file.rsplit_once('@')?;
        let mut parts = name.splitn(3, '/');
        Some((parts.next()?, parts.next()?, reference))
    });
    match home {
        Some((owner, repo, reference)) => format!("{owner}/{repo}/{path}@{reference}"),
        None => format!("./{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // proves: conformance 117
    #[test]
    fn c117_a_path_belongs_to_the_repository_of_the_file_it_stands_in() {
        let key = |file: Option<&str>, uses: &str| {
            called_key(file, &Uses::parse_workflow(uses).expect("a workflow's uses"))
        };
        let local = "./.github/workflows/a.yml";
        let remote = "octo/tools/.github/workflows/b.yml@v1";
        assert_eq!(key(None, local), local);
        assert_eq!(key(None, "$/.github/workflows/a.yml"), local);
        assert_eq!(key(Some(local), remote), remote);
        assert_eq!(key(Some(remote), local), "octo/tools/.github/workflows/a.yml@v1");
    }
}
