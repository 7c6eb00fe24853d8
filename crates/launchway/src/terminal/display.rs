//! What happens, on its way to whoever watches.
//!
//! A thread of its own shows it: a terminal that is stopped and a pipe that nobody reads hold up the
//! picture, not the loop that remembers what jobs report and ends them when their time is up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use driver::Grown;
use event::{Fence, JobKey, RunEvent, RunId, StepKey, StreamId};
use ports::Lease;
use protocol::own_log;
use store::Store;

use crate::terminal::report::{Reporter, tail::Tails};

/// Something to show.
enum News {
    /// It is in the journal now.
    Event(StreamId, Box<RunEvent>),
    /// It has been in the journal for some time.
    Past(RunId, Box<RunEvent>),
    /// A log grew.
    Log(Lease, Grown),
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
    /// Its background steps, in the order in which they began: they number their logs.
    aside: BTreeMap<(RunId, JobKey), Vec<StepKey>>,
    reporter: &'r mut dyn Reporter,
}

impl Shown {
    pub(crate) fn event(&self, stream: StreamId, event: &RunEvent) {
        self.hand_in(News::Event(stream, Box::new(event.clone())));
    }

    pub(crate) fn past(&self, run: RunId, event: &RunEvent) {
        self.hand_in(News::Past(run, Box::new(event.clone())));
    }

    pub(crate) fn log(&self, lease: &Lease, grown: &Grown) {
        self.hand_in(News::Log(lease.clone(), grown.clone()));
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
        let (fences, aside) = (BTreeMap::new(), BTreeMap::new());
        let screen = Screen { store, tails: Tails::default(), fences, aside, reporter };
        (Shown { news: sender }, Display { news: receiver, screen })
    }

    /// Shows until nothing more can come.
    pub(crate) fn run(mut self) {
        for news in self.news {
            match news {
                News::Event(stream, event) => self.screen.event(stream, &event),
                News::Past(run, event) => self.screen.reporter.event(run, &event),
                News::Log(lease, grown) => self.screen.log(&lease, &grown),
            }
        }
    }
}

impl Screen<'_> {
    fn event(&mut self, stream: StreamId, event: &RunEvent) {
        let (run, attempt) = stream.as_run().expect("the stream of a run");
        match event {
            RunEvent::JobStarted { job, fence, .. } => {
                self.fences.insert((run, job.clone()), *fence);
            }
            RunEvent::StepStarted { job, step, background: true, .. } => {
                self.aside.entry((run, job.clone())).or_default().push(step.clone());
            }
            RunEvent::StepCompleted { job, step, log, .. } => {
                if let Some(fence) = self.fences.get(&(run, job.clone())).copied() {
                    let lease = Lease { stream, job: job.clone(), fence };
                    let own = self.own(run, job, step);
                    let step = step.clone();
                    self.log(&lease, &Grown { step, own, bytes: log.end_bytes });
                }
            }
            // Started again it has another log; the end of this one is not followed any further.
            RunEvent::JobLost { job, .. } => drop(self.forget(run, job)),
            RunEvent::JobCompleted { job, fence, log, .. } => {
                let aside = self.forget(run, job);
                // The blobs have the bytes now; the growing files go.
                if let (Some(_), Some(fence)) = (log, fence) {
                    let path = self.store.logs().path(run, attempt, job, *fence);
                    for (number, _) in (1..).zip(&aside) {
                        let _ = self.store.logs().remove(&own_log(&path, number));
                    }
                    let _ = self.store.logs().remove(&path);
                }
            }
            _ => {}
        }
        self.reporter.event(run, event);
    }

    /// The number of the own log of the background step that this is or is inside of.
    fn own(&self, run: RunId, job: &JobKey, step: &StepKey) -> Option<u32> {
        let root = step.as_str().split('/').next()?;
        let aside = self.aside.get(&(run, job.clone()))?;
        (1..).zip(aside).find(|(_, it)| it.as_str() == root).map(|(number, _)| number)
    }

    /// Shows the last of what a job printed, and gives back its background steps.
    fn forget(&mut self, run: RunId, job: &JobKey) -> Vec<StepKey> {
        let reporter = &mut *self.reporter;
        let last = StepKey::new("");
        self.tails.finish(run.0, job, &mut |block| reporter.log(run, job, &last, block));
        let key = (run, job.clone());
        self.fences.remove(&key);
        self.aside.remove(&key).unwrap_or_default()
    }

    fn log(&mut self, lease: &Lease, Grown { step, own, bytes }: &Grown) {
        let (run, attempt) = lease.stream.as_run().expect("the stream of a run");
        let path = self.store.logs().path(run, attempt, &lease.job, lease.fence);
        let path = own.map_or(path.clone(), |number| own_log(&path, number));
        let reporter = &mut *self.reporter;
        self.tails.advance((run.0, &lease.job, *own), &path, *bytes, &mut |block| {
            reporter.log(run, &lease.job, step, block);
        });
    }
}
