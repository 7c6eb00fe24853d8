//! A second fold, event by event, with the invariants after each; and what only a history can tell.

use std::collections::BTreeMap;

use driver::{Grown, Observer};
use event::{Fact, Fence, RunEvent, Status, StreamId};

use ports::Lease;
use scheduler::{Definitions, Files, State, check, evolve};
use views::{JobView, RunView};

use crate::visits::Visits;

/// Watches a loop.
#[derive(Debug, Default)]
pub struct Watcher {
    state: State,
    definitions: Definitions,
    fences: BTreeMap<StreamId, Fence>,
    /// What people are shown of each run.
    views: BTreeMap<StreamId, RunView>,
    /// What was visited.
    pub visits: Visits,
    /// What is wrong, the first of it.
    pub broken: Option<String>,
    /// The events, a line each, for telling a failed story.
    pub log: Vec<String>,
}

impl Watcher {
    /// The second fold.
    pub fn state(&self) -> &State {
        &self.state
    }

    fn take(&mut self, stream: StreamId, event: &RunEvent) {
        if let RunEvent::RunCreated(request) = event
            && let (Some(files), _) = Files::read(request)
        {
            self.definitions.insert(stream, files);
        }
        let run = self.state.run(stream);
        let job = event.job().zip(run).and_then(|(key, run)| run.job(key));
        let phase = job.map_or("no job", |job| job.phase);
        self.visits.count(phase, event.kind());
        self.log.push(format!("{stream} {phase}: {}", event.encode()));
        let story = self.history(stream, event);
        let fold = evolve(&mut self.state, stream, event).map_err(|error| error.to_string());
        let rules = check(&self.state, &self.definitions).map_err(|broken| broken.to_string());
        self.show(stream, event);
        let told = self.views[&stream].jobs.iter().try_for_each(|job| self.why(stream, job));
        for found in [story, fold, rules, told] {
            if let (None, Err(what)) = (&self.broken, found) {
                self.broken = Some(format!("{what}\nafter {}", event.encode()));
            }
        }
    }

    fn show(&mut self, stream: StreamId, event: &RunEvent) {
        match event {
            RunEvent::RunCreated(request) => {
                self.views.insert(stream, RunView::new(request));
            }
            event => {
                let view = self.views.get_mut(&stream);
                view.expect("a stream begins with its run").apply(event);
            }
        }
    }

    /// Whoever asks why a job does not run hears it, in a sentence.
    fn why(&self, stream: StreamId, job: &JobView) -> Result<(), String> {
        if matches!(job.status, Status::InProgress | Status::Completed) {
            return Ok(());
        }
        match self.views[&stream].why_waiting(&job.key) {
            Some(why) if !why.trim().is_empty() => Ok(()),
            _ => Err(format!("nobody is told why `{}` of {stream} waits", job.key)),
        }
    }

    /// When nothing more is to be decided, no job says that it waits for just that.
    ///
    /// # Errors
    /// With the job that says so.
    pub fn at_rest(&self) -> Result<(), String> {
        for (stream, view) in &self.views {
            for job in &view.jobs {
                let why = view.why_waiting(&job.key).unwrap_or_default();
                if ["about to be decided", "nothing was decided"].iter().any(|it| why.contains(it))
                {
                    let known = self.state.run(*stream).and_then(|run| run.job(&job.key));
                    let phase = known.map_or("no job", |job| job.phase);
                    return Err(format!("`{}` of {stream} is {phase}, and says: {why}", job.key));
                }
            }
        }
        Ok(())
    }

    /// What the state does not keep: fences only grow, and after a cancel only what wanted to run on
    /// gets a worker.
    fn history(&mut self, stream: StreamId, event: &RunEvent) -> Result<(), String> {
        let RunEvent::JobLeased { job, fence, .. } = event else { return Ok(()) };
        let last = self.fences.insert(stream, *fence).unwrap_or_default();
        if *fence <= last {
            return Err(format!("the fence of `{job}` does not grow"));
        }
        let Some(run) = self.state.run(stream).filter(|run| run.is_cancelled()) else {
            return Ok(());
        };
        let view = run.job(job).ok_or("a job without a run")?;
        let definition = view.definition.ok_or("leased without a plan")?;
        let files = self.definitions.get(stream).ok_or("a run without files")?;
        let found = files.job(definition.file.as_deref(), &definition.id);
        let condition = found.and_then(|(_, job)| job.condition.as_ref());
        let text = condition.map_or("", |condition| &*condition.text.value);
        if ["always()", "cancelled()"].iter().any(|wants| text.contains(wants)) {
            Ok(())
        } else {
            Err(format!("`{job}` starts in a cancelled run, and its condition is `{text}`"))
        }
    }
}

impl Observer for Watcher {
    fn on_event(&mut self, stream: StreamId, event: &RunEvent) {
        self.take(stream, event);
    }

    fn on_log(&mut self, _: &Lease, _: &Grown) {}

    fn on_adopted(&mut self, stream: StreamId, events: &[RunEvent]) {
        // Streams come one after the other, as they do in a real start. Half a fold of several may
        // break what holds between them, so the rules are looked at with the next event.
        for event in events {
            if let RunEvent::RunCreated(request) = event
                && let (Some(files), _) = Files::read(request)
            {
                self.definitions.insert(stream, files);
            }
            self.show(stream, event);
            if let Err(error) = evolve(&mut self.state, stream, event) {
                self.broken.get_or_insert(error.to_string());
            }
            if let RunEvent::JobLeased { fence, .. } = event {
                self.fences.insert(stream, *fence);
            }
        }
    }
}
