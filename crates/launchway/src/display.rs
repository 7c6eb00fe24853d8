//! What happens, on its way to whoever watches.
//!
//! A thread of its own shows it: a terminal that is stopped and a pipe that nobody reads hold up the
//! picture, not the loop that remembers what jobs report and ends them when their time is up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use event::{Fence, JobKey, RunEvent, RunId, StepKey, StreamId};
use ports::Lease;
use store::Store;

use crate::terminal::report::{Reporter, tail::Tails};

/// Something to show.
enum News {
    /// It is in the journal now.
    Event(StreamId, Box<RunEvent>),
    /// It has been in the journal for some time.
    Past(RunId, Box<RunEvent>),
    /// A log grew to here.
    Log(Lease, StepKey, u64),
}

/// Where what happens is handed in; the display ends when the last of these is gone.
#[derive(Clone)]
pub(crate) struct Shown {
    // As long as it takes: a bound would stop the loop, and what waits is small.
    news: Sender<News>,
}

/// The thread's side.
pub(crate) struct Display<'r> {
    news: Receiver<News>,
    screen: Screen<'r>,
}

struct Screen<'r> {
    store: Arc<Store>,
    tails: Tails,
    /// The lease of each job that runs, which is part of its log's name.
    fences: BTreeMap<(RunId, JobKey), Fence>,
    reporter: &'r mut dyn Reporter,
}

impl Shown {
    pub(crate) fn event(&self, stream: StreamId, event: &RunEvent) {
        self.hand_in(News::Event(stream, Box::new(event.clone())));
    }

    pub(crate) fn past(&self, run: RunId, event: &RunEvent) {
        self.hand_in(News::Past(run, Box::new(event.clone())));
    }

    pub(crate) fn log(&self, lease: &Lease, step: &StepKey, bytes: u64) {
        self.hand_in(News::Log(lease.clone(), step.clone(), bytes));
    }

    fn hand_in(&self, news: News) {
        // The thread ends after the last of us; only a fault of ours ends it before.
        let _ = self.news.send(news);
    }
}

impl<'r> Display<'r> {
    /// Both sides. The reporter gets what is handed in, in that order.
    pub(crate) fn new(store: Arc<Store>, reporter: &'r mut dyn Reporter) -> (Shown, Display<'r>) {
        let (sender, receiver) = channel();
        let (tails, fences) = (Tails::default(), BTreeMap::new());
        let screen = Screen { store, tails, fences, reporter };
        (Shown { news: sender }, Display { news: receiver, screen })
    }

    /// Shows until nothing more can come.
    pub(crate) fn run(mut self) {
        for news in self.news {
            match news {
                News::Event(stream, event) => self.screen.event(stream, &event),
                News::Past(run, event) => self.screen.reporter.event(run, &event),
                News::Log(lease, step, bytes) => self.screen.log(&lease, &step, bytes),
            }
        }
    }
}

impl Screen<'_> {
    fn event(&mut self, stream: StreamId, event: &RunEvent) {
        let StreamId::Run(run, attempt) = stream;
        match event {
            RunEvent::JobStarted { job, fence, .. } => {
                self.fences.insert((run, job.clone()), *fence);
            }
            RunEvent::StepCompleted { job, step, log, .. } => {
                if let Some(fence) = self.fences.get(&(run, job.clone())).copied() {
                    let lease = Lease { stream, job: job.clone(), fence };
                    self.log(&lease, step, log.end_bytes);
                }
            }
            // Started again it has another log; the end of this one is not followed any further.
            RunEvent::JobLost { job, .. } => {
                let reporter = &mut *self.reporter;
                let last = StepKey::new("");
                self.tails.finish(run.0, job, &mut |block| reporter.log(run, job, &last, block));
                self.fences.remove(&(run, job.clone()));
            }
            RunEvent::JobCompleted { job, fence, log, .. } => {
                let reporter = &mut *self.reporter;
                let last = StepKey::new("");
                self.tails.finish(run.0, job, &mut |block| reporter.log(run, job, &last, block));
                self.fences.remove(&(run, job.clone()));
                // The blob has the bytes now; the growing file goes.
                if let (Some(_), Some(fence)) = (log, fence) {
                    let path = self.store.logs().path(run, attempt, job, *fence);
                    let _ = self.store.logs().remove(&path);
                }
            }
            _ => {}
        }
        self.reporter.event(run, event);
    }

    fn log(&mut self, lease: &Lease, step: &StepKey, bytes: u64) {
        let StreamId::Run(run, attempt) = lease.stream;
        let path = self.store.logs().path(run, attempt, &lease.job, lease.fence);
        let reporter = &mut *self.reporter;
        self.tails.advance(run.0, &lease.job, &path, bytes, &mut |block| {
            reporter.log(run, &lease.job, step, block);
        });
    }
}
