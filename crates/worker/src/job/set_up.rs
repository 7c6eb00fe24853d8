//! What is done before the first step: the actions found, the services started, the notes said.

use std::cell::{Cell, RefCell};

use event::{AnnotationLevel, Conclusion, StepKey};
use expr::Value;
use protocol::{Report, ToWorker};
use sequencer::{Ended, Plan};

use super::{Job, SET_UP, Stop};
use crate::control::Order;
use crate::diagnosis;
use crate::gather::{Gathering, with_sources};
use crate::orphans;
use crate::setup::{self, SetupError};
use crate::unenforced;

impl Job<'_> {
    /// None where it failed, which its log says then. A set-up with nothing to say is no step.
    pub(super) fn set_up(&mut self) -> Option<Plan> {
        let mut gathering = Gathering::new(self.bench.spec, &self.bench.folders.workspace);
        let plan = self.make_plan(&mut gathering);
        let mut notes = std::mem::take(&mut gathering.notes);
        if let Ok(plan) = &plan {
            for note in unenforced::of_job(self.bench.spec, &plan.job) {
                notes.push((false, format!("not enforced: {note}")));
                self.report_unenforced(&note);
            }
        }
        let diagnosis = match &plan {
            Ok(plan) if self.output.is_diagnosed => diagnosis::of_setup(&self.bench, plan),
            _ => Vec::new(),
        };
        let has_services = plan.as_ref().is_ok_and(|plan| plan.job.services.is_some());
        if plan.is_ok() && notes.is_empty() && diagnosis.is_empty() && !has_services {
            return plan.ok();
        }
        let key = StepKey::new(SET_UP);
        self.begin(key.clone(), "Set up job");
        diagnosis.iter().for_each(|line| self.output.diagnose(line));
        self.say_notes(&notes);
        let plan = plan.and_then(|plan| self.start_services(plan));
        let conclusion = match &plan {
            Ok(_) => Conclusion::Success,
            Err(error) => {
                self.output.note(AnnotationLevel::Error, &with_sources(error));
                Conclusion::Failure
            }
        };
        self.end(&Ended { key, outcome: conclusion, conclusion });
        plan.ok()
    }

    pub(super) fn make_plan(&mut self, gathering: &mut Gathering<'_>) -> Result<Plan, SetupError> {
        self.bench.settle()?;
        self.output.hands = self.bench.hands().clone();
        let plan = setup::plan(self.bench.spec, &self.bench.folders, gathering)?;
        self.bench.find_node(&plan.actions)?;
        Ok(plan)
    }

    /// Starts what the job has under `services`; its steps see the ports (conformance 105, 159).
    pub(super) fn start_services(&mut self, mut plan: Plan) -> Result<Plan, SetupError> {
        let plans = setup::services(&plan, &self.bench.workspace)?;
        if plans.is_empty() {
            return Ok(plan);
        }
        for note in plans.iter().flat_map(|plan| &plan.notes) {
            self.report_unenforced(note);
        }
        let tracking =
            [(orphans::TRACKING_VARIABLE.to_owned(), self.bench.spec.tracking_id.to_string())];
        let control = RefCell::new(&mut self.control);
        let heard = Cell::new(Stop::No);
        let is_cancelled = || {
            match control.borrow_mut().next() {
                Order::Message(ToWorker::Cancel) => heard.set(heard.get().max(Stop::Cancelled)),
                Order::Closed => heard.set(Stop::Abandoned),
                Order::Nothing | Order::Attached | Order::Message(_) => {}
            }
            heard.get() > Stop::No
        };
        let output = &mut self.output;
        let mut say = |line: &str| output.show(line.as_bytes());
        let mut environment = services::Environment {
            tracking: &tracking,
            is_cancelled: &is_cancelled,
            say: &mut say,
        };
        let running = services::start(plans, &mut environment);
        self.stop = self.stop.max(heard.get());
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
