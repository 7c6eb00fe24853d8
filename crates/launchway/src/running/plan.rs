//! What an event would run, and why the rest would not: `launchway plan`.
//!
//! ```text
//!   rehearsal.rs    plays the run through in memory: the scheduler decides, nothing is started
//!   foresight.rs    what of an expression is known before anything ran
//!   card.rs         what a job asks for: machine, services, environment, permissions
//!   human.rs        the plan for people        json.rs, dot.rs    for programs
//! ```

mod card;
pub(crate) mod dot;
mod foresight;
pub(crate) mod human;
pub(crate) mod json;
mod rehearsal;

use event::{JobKey, SkipReason};
use repository::{Repository, TriggeringEvent};
use syntax::Diagnostic;

use crate::running::agree::{Matter, MatterKind};
use crate::running::prepare::refuse::count_files;

pub(crate) use rehearsal::{Fate, Rehearsal, Rehearsed, rehearse};

/// What an event means for every workflow file.
pub(crate) struct Plan {
    pub(crate) repository: String,
    pub(crate) event: String,
    pub(crate) git_ref: String,
    pub(crate) commit: String,
    /// Files that differ from the commit, and would run as they are.
    pub(crate) uncommitted: usize,
    /// Where it runs, where that is not what one may take for granted.
    pub(crate) note: Option<String>,
    pub(crate) files: Vec<PlannedFile>,
}

/// One workflow file.
pub(crate) struct PlannedFile {
    pub(crate) path: String,
    pub(crate) name: String,
    pub(crate) decision: Decision,
}

/// What becomes of a file.
pub(crate) enum Decision {
    /// It runs.
    Runs(Box<PlannedRun>),
    /// It does not, and rightly so.
    Not(String),
    /// It has mistakes.
    Broken(Vec<Diagnostic>),
}

/// A run as it would be.
pub(crate) struct PlannedRun {
    pub(crate) rehearsal: Rehearsal,
    /// What this machine cannot do: `launchway run` would refuse.
    pub(crate) refusals: Vec<Diagnostic>,
    /// What a person has to agree to, and has not.
    pub(crate) matters: Vec<Matter>,
    pub(crate) missing_secrets: Vec<Missing>,
    pub(crate) missing_vars: Vec<Missing>,
}

/// A secret or variable that a file reads and nobody gave.
pub(crate) struct Missing {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) line: u32,
}

impl PlannedFile {
    /// What keeps it from running that is no decision of its own.
    pub(crate) fn mistakes(&self) -> &[Diagnostic] {
        match &self.decision {
            Decision::Broken(found) => found,
            Decision::Runs(_) | Decision::Not(_) => &[],
        }
    }
}

impl Plan {
    /// An empty plan for an event.
    pub(crate) fn new(repository: &Repository, event: &TriggeringEvent) -> Plan {
        Plan {
            repository: repository.full_name(),
            event: event.name.clone(),
            git_ref: event.git_ref.clone(),
            commit: event.commit.clone(),
            uncommitted: if event.files_at.is_some() { 0 } else { repository.uncommitted.len() },
            note: event.note.clone(),
            files: Vec::new(),
        }
    }

    /// Whether a file has mistakes.
    pub(crate) fn is_broken(&self) -> bool {
        self.files.iter().any(|file| matches!(file.decision, Decision::Broken(_)))
    }
}

impl PlannedRun {
    /// What has to be agreed to before a job runs, in words, with what to do.
    pub(crate) fn matters_of(&self, job: &Rehearsed) -> Vec<String> {
        let (workflow, _) = self.rehearsal.text(job);
        let of_job = self
            .matters
            .iter()
            .filter(|matter| matter.path == workflow.source.name() && matter.job == *job.id);
        let files = self.rehearsal.request.change.uncommitted;
        let clean = || format!("{} not committed: commit, or --committed", count_files(files));
        let mut words = Vec::new();
        for matter in of_job {
            match &matter.kind {
                MatterKind::Environment(name) => {
                    let terms = &self.rehearsal.request.terms;
                    if !terms.environments.iter().any(|it| it.eq_ignore_ascii_case(name)) {
                        words.push(format!("runs only where agreed to: --environment {name}"));
                    }
                    if files > 0 {
                        words.push(format!(
                            "runs in {name} only from a clean work tree; {}",
                            clean()
                        ));
                    }
                }
                MatterKind::LaterEnvironment { written } => {
                    words.push(format!("runs only in an environment agreed to ({written})"));
                }
                MatterKind::Push(command) if files > 0 => {
                    words.push(format!("`{command}` only from a clean work tree; {}", clean()));
                }
                MatterKind::Push(_) => {}
            }
        }
        words
    }

    /// The refusals that stand in a job's text.
    pub(crate) fn refusals_of(&self, job: &Rehearsed) -> impl Iterator<Item = &Diagnostic> {
        let (workflow, text) = self.rehearsal.text(job);
        self.refusals.iter().filter(move |refusal| {
            refusal.labels.first().is_some_and(|label| {
                let (inner, outer) = (label.span.range(), text.node.span.range());
                label.source.name() == workflow.source.name()
                    && outer.start <= inner.start
                    && inner.end <= outer.end
            })
        })
    }
}

/// Why a job does not run, in words. `name` gives a job's name.
pub(crate) fn reason(reason: &SkipReason, name: impl Fn(&JobKey) -> String) -> String {
    match reason {
        SkipReason::Condition { expression } => format!("its condition is false: {expression}"),
        SkipReason::Needs { job } => format!("it needs {}, which does not run", name(job)),
        SkipReason::Caller => "the job that calls it does not run".to_owned(),
        SkipReason::Forced => "the run is ended".to_owned(),
    }
}
