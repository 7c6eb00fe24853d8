//! What is done before the first step: the actions found, the services started, the notes said.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::Command;

use docker::Wanted;
use event::{AnnotationLevel, Conclusion, StepKey};
use expr::Value;
use protocol::Report;
use sequencer::{Ended, Plan};
use workflow::{Step, StepBody};

use super::heed::Heed;
use super::{Job, SET_UP, Stop};
use crate::container::{Container, Meanwhile, Setting};
use crate::diagnosis;
use crate::files::Files;
use crate::gather::{Gathering, with_sources};
use crate::orphans;
use crate::setup::{self, SetupError};
use crate::unenforced;
use crate::walls;

impl Job<'_> {
    /// None where it failed, which its log says then. A set-up with nothing to say is no step.
    pub(super) fn set_up(&mut self) -> Option<Plan> {
        let mut gathering = Gathering::new(self.bench.spec, &self.bench.folders.workspace);
        let plan = self.make_plan(&mut gathering);
        let mut notes = std::mem::take(&mut gathering.notes);
        if let Ok((plan, _)) = &plan {
            let known = std::mem::take(&mut self.not_enforced);
            for note in known.into_iter().chain(unenforced::of_job(self.bench.spec, &plan.job)) {
                notes.push((false, format!("not enforced: {note}")));
                self.report_unenforced(&note);
            }
        }
        let diagnosis = match &plan {
            Ok((plan, _)) if self.output.is_diagnosed => diagnosis::of_setup(&self.bench, plan),
            _ => Vec::new(),
        };
        let starts_some = |(plan, container): &(Plan, Option<Wanted>)| {
            container.is_some() || plan.job.services.is_some()
        };
        let is_silent = notes.is_empty() && diagnosis.is_empty();
        if is_silent && plan.as_ref().is_ok_and(|plan| !starts_some(plan)) {
            return plan.ok().map(|(plan, _)| plan);
        }
        let key = StepKey::new(SET_UP);
        self.begin(key.clone(), "Set up job");
        diagnosis.iter().for_each(|line| self.output.diagnose(line));
        self.say_notes(&notes);
        let plan = plan.and_then(|(plan, container)| self.start_container(plan, container));
        let plan = plan.and_then(|plan| self.start_services(plan));
        let conclusion = match &plan {
            Ok(_) => Conclusion::Success,
            Err(_) if self.stop > Stop::No => {
                self.output.note(AnnotationLevel::Error, "The operation was canceled.");
                Conclusion::Cancelled
            }
            Err(error) => {
                self.output.note(AnnotationLevel::Error, &with_sources(error));
                Conclusion::Failure
            }
        };
        self.end(&Ended { key, outcome: conclusion, conclusion });
        plan.ok()
    }

    fn make_plan(
        &mut self,
        gathering: &mut Gathering<'_>,
    ) -> Result<(Plan, Option<Wanted>), SetupError> {
        self.bench.settle()?;
        self.output.hands = self.bench.hands().clone();
        let notes = self.bench.walls.as_mut().map(|walls| std::mem::take(&mut walls.notes));
        for note in notes.unwrap_or_default() {
            self.output.show(format!("not enforced: {note}").as_bytes());
            self.report_unenforced(&note);
        }
        let folder = &self.bench.folders.file_commands;
        self.files = Files::within(folder).map_err(|source| SetupError::Folder {
            action: "cannot open the folder",
            path: folder.clone(),
            source,
        })?;
        let bench = &self.bench;
        let (plan, container) =
            setup::plan(bench.spec, &bench.folders, &bench.workspace, gathering)?;
        self.bench.find_node(&plan.actions)?;
        self.bench.bounds.iter().try_for_each(|bounds| bounds.check(container.is_some()))?;
        Ok((plan, container))
    }

    /// Starts the job's container; from then on paths are as its steps see them (conformance 157, 158).
    fn start_container(
        &mut self,
        mut plan: Plan,
        wanted: Option<Wanted>,
    ) -> Result<Plan, SetupError> {
        let Some(wanted) = wanted else { return Ok(plan) };
        // Actions of the repository are read when their step comes, and then it is too late to mount one. Each
        // Node is asked for its version: a job of scripts alone does not wait for that.
        if uses_actions(&plan.job.steps) {
            self.bench.nodes.look(self.bench.host.get("PATH").map_or("", String::as_str));
        }
        let bench = &self.bench;
        let borrowed = bench.spec.options.objects.iter().map(|it| PathBuf::from(&**it));
        let repository = walls::git_folder(Path::new(&*bench.spec.paths.repository));
        let setting = Setting {
            spec: bench.spec,
            folders: &bench.folders,
            host: &bench.host,
            nodes: &bench.nodes,
            borrowed: borrowed.chain(Some(repository)).filter(|it| it.is_dir()).collect(),
            has_services: plan.job.services.is_some(),
        };
        let heed = Heed::new(&mut self.control, self.job_deadline);
        let start =
            |meanwhile: &mut Meanwhile<'_, '_>| Container::start(wanted, &setting, meanwhile);
        let (container, heard) = heed.during(&mut self.output, start);
        self.take(heard);
        let (container, bench) = (container?, &self.bench);
        let folders = container.mounts.folders(&bench.folders);
        plan.contexts = setup::contexts(bench.spec, &folders);
        plan.file_commands = setup::text(&folders.file_commands);
        plan.container = container.context();
        container.place(&mut plan.actions);
        self.output.hear_paths_of(container.mounts.clone());
        self.files.are_inside(container.mounts.clone());
        self.bench.container = Some(container);
        Ok(plan)
    }

    /// Starts what the job has under `services`; its steps see the ports (conformance 105, 159).
    pub(super) fn start_services(&mut self, mut plan: Plan) -> Result<Plan, SetupError> {
        let entries = setup::services(&plan, &self.bench.workspace)?;
        if let Some(container) = &self.bench.container {
            let heed = Heed::new(&mut self.control, self.job_deadline);
            let start = |meanwhile: &mut Meanwhile<'_, '_>| {
                container.start_services(&entries, self.bench.spec, meanwhile)
            };
            let (services, heard) = heed.during(&mut self.output, start);
            self.take(heard);
            plan.services = services?;
            return Ok(plan);
        }
        let plans = setup::local_services(&entries)?;
        if plans.is_empty() {
            return Ok(plan);
        }
        for note in plans.iter().flat_map(|plan| &plan.notes) {
            self.report_unenforced(note);
        }
        let tracking =
            [(orphans::TRACKING_VARIABLE.to_owned(), self.bench.spec.tracking_id.to_string())];
        let heed = RefCell::new(Heed::new(&mut self.control, self.job_deadline));
        let is_cancelled = || heed.borrow_mut().must_stop();
        let output = &mut self.output;
        let mut say = |line: &str| output.show(line.as_bytes());
        let start = |command: &mut Command| self.bench.within_bounds(|| command.spawn());
        let mut environment = services::Environment {
            tracking: &tracking,
            is_cancelled: &is_cancelled,
            say: &mut say,
            start: &start,
        };
        let running = services::start(plans, &mut environment);
        let heard = heed.borrow().heard;
        self.take(heard);
        let running = running.map_err(|error| SetupError::Refused(with_sources(&error)))?;
        plan.services = Value::from_json(&running.context());
        self.services = Some(running);
        Ok(plan)
    }

    pub(super) fn report_unenforced(&mut self, note: &str) {
        let note = self.output.masker.mask(note);
        self.control.report(Report::NotEnforced { note });
    }

    pub(super) fn say_notes(&mut self, notes: &[(bool, String)]) {
        for (is_warning, text) in notes {
            if *is_warning {
                self.output.note(AnnotationLevel::Warning, text);
            } else {
                self.output.show(text.as_bytes());
            }
        }
    }
}

/// Whether any of the steps is an action.
fn uses_actions(steps: &[Step]) -> bool {
    steps.iter().any(|step| match &step.body {
        StepBody::Uses { .. } => true,
        StepBody::Parallel(steps) => uses_actions(steps),
        StepBody::Run { .. } | StepBody::Wait(_) | StepBody::WaitAll | StepBody::Cancel(_) => false,
    })
}
