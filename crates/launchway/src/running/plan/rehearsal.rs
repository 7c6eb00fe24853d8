//! A run played through without a worker: what it shows, job by job.
//!
//! ```text
//!   stage.rs    the machine plays the run, every job answered with success
//!   seen.rs     what the expressions of a job can be told while it is played
//! ```

mod seen;
mod stage;

use std::collections::BTreeMap;
use std::sync::Arc;

use event::{JobDefinition, JobKey, RunRequest, SkipReason, StreamId};
use scheduler::{Files, Input};
use workflow::{Job, Template, Workflow};

use self::seen::Seen;
use self::stage::Stage;
use crate::exit::{Exit, Failure};
use crate::running::plan::foresight::{After, Foresight};

/// How a job will fare.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fate {
    /// It runs when what it needs has ended well.
    Runs,
    /// Whether it runs is known later.
    Later(After),
    /// It does not run.
    Skipped(SkipReason),
    /// It fails before it begins: what is written cannot be evaluated.
    Fails(String),
}

/// A job as it stands in a file, with what was learned about it.
#[derive(Clone, Debug)]
pub(crate) struct Rehearsed {
    pub(crate) key: JobKey,
    pub(crate) id: Arc<str>,
    pub(crate) parent: Option<JobKey>,
    pub(crate) file: Option<String>,
    pub(crate) needs: Vec<JobKey>,
    pub(crate) fate: Fate,
    /// The job itself, or its legs; none where that is known later, or never.
    pub(crate) legs: Vec<JobDefinition>,
    pub(crate) is_matrix: bool,
    /// What of it is known later: the key in the file, as written, and what it waits for.
    pub(crate) later: Vec<Later>,
}

/// A field that is known later.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Later {
    /// Of `with` one input: `with.region`.
    pub(crate) field: String,
    pub(crate) written: String,
    pub(crate) after: After,
}

/// What a rehearsal showed.
pub(crate) struct Rehearsal {
    /// The request, with its concurrency group.
    pub(crate) request: RunRequest,
    /// The run's own group, where it is known later.
    pub(crate) group_later: Option<Later>,
    /// In the order in which they became known: a called file's jobs behind those of its caller.
    pub(crate) jobs: Vec<Rehearsed>,
    index: BTreeMap<JobKey, usize>,
    files: Files,
}

/// Plays the run of `request` through.
pub(crate) fn rehearse(request: RunRequest) -> Result<Rehearsal, Failure> {
    let stream = StreamId::Run(request.run, request.attempt);
    let mut stage = Stage::of(&request, stream)?;
    let create = Input::CreateRun { request: Box::new(request.clone()), carried: Vec::new() };
    let created = scheduler::decide(&stage.state, &stage.written, create)
        .map_err(|refusal| Failure::caused(Exit::Refused, refusal))?;
    stage.fold(created);
    stage.play();
    let request = stage.state.run(stream).expect("it was created").request().clone();
    let files = read(&request)?;
    let group_later = files.workflow().concurrency.as_ref().and_then(|concurrency| {
        let after = stage.foresight_of_run().later(&concurrency.group)?;
        let written = slice(files.workflow(), &concurrency.group);
        Some(Later { field: "concurrency".to_owned(), written, after })
    });
    Ok(Rehearsal { request, group_later, jobs: stage.jobs, index: stage.index, files })
}

impl Rehearsal {
    /// A job by its key.
    pub(crate) fn job(&self, key: &JobKey) -> Option<&Rehearsed> {
        self.index.get(key).map(|at| &self.jobs[*at])
    }

    /// A job's text.
    pub(crate) fn text(&self, job: &Rehearsed) -> (&Workflow, &Job) {
        self.files.job(job.file.as_deref(), &job.id).expect("its file declared it")
    }

    /// The run's own file.
    pub(crate) fn workflow(&self) -> &Workflow {
        self.files.workflow()
    }

    /// What the expressions of a job can be told now; of a leg with its matrix.
    pub(crate) fn foresight(&self, job: &Rehearsed, leg: Option<&JobDefinition>) -> Foresight {
        let (request, jobs) = (&self.request, self.jobs.as_slice());
        let seen = Seen { request, jobs, index: &self.index, workflow: self.workflow() };
        seen.of(job, leg)
    }
}

/// The files of a request; those of a candidate that runs have no mistakes.
fn read(request: &RunRequest) -> Result<Files, Failure> {
    let (files, _) = Files::read(request);
    files.ok_or_else(|| Failure::new(Exit::Fault, "a file that was read cannot be read again"))
}

/// The text of a template, as it stands in the file, without the quotes around it.
fn slice(workflow: &Workflow, template: &Template) -> String {
    let text = workflow.source.slice(template.span()).trim();
    let quoted = ['"', '\''].iter().find_map(|it| text.strip_prefix(*it)?.strip_suffix(*it));
    quoted.unwrap_or(text).to_owned()
}
