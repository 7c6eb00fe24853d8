//! What is heard while something of the set-up takes its time: orders of the driver, and the job's time limit.

use std::cell::RefCell;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use docker::Waited;
use event::{AnnotationLevel, StepKey};
use protocol::{Report, ToWorker};

use super::{Job, SET_UP, Stop};
use crate::container::Meanwhile;
use crate::control::{Control, Order};
use crate::output::Output;
use crate::wait;

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) stop: Stop,
    has_timed_out: bool,
    is_told: bool,
}

/// Whoever waits, and what he has heard.
pub(super) struct Heed<'a> {
    control: &'a mut Control,
    deadline: Option<Instant>,
    pub(super) heard: Heard,
}

impl<'a> Heed<'a> {
    pub(super) fn new(control: &'a mut Control, deadline: Option<Instant>) -> Heed<'a> {
        let heard = Heard { stop: Stop::No, has_timed_out: false, is_told: false };
        Heed { control, deadline, heard }
    }

    /// Takes what is there. Whether the job is not to go on.
    pub(super) fn must_stop(&mut self) -> bool {
        loop {
            match self.control.next() {
                Order::Message(ToWorker::Cancel) => {
                    let stop = if self.heard.is_told { Stop::Killed } else { Stop::Cancelled };
                    self.heard.is_told = true;
                    self.heard.stop = self.heard.stop.max(stop);
                }
                Order::Closed => {
                    self.heard.stop = self.heard.stop.max(Stop::Abandoned);
                    break;
                }
                // How far the logs are is told with the next line.
                Order::Attached | Order::Message(_) => {}
                Order::Nothing => break,
            }
        }
        if self.deadline.take_if(|at| *at <= Instant::now()).is_some() {
            self.heard.has_timed_out = true;
            self.heard.stop = self.heard.stop.max(Stop::Cancelled);
        }
        self.heard.stop > Stop::No
    }

    /// Does something that says what it does, and waits for it so; what is said is shown at once.
    pub(super) fn during<T>(
        self,
        output: &mut Output,
        work: impl FnOnce(&mut Meanwhile<'_, '_>) -> T,
    ) -> (T, Heard) {
        let heed = RefCell::new(self);
        let done = work(&mut Meanwhile {
            say: &mut |line: &str| {
                output.show(line.as_bytes());
                heed.borrow_mut().tell(output);
            },
            wait: &mut |fd, silence| heed.borrow_mut().wait(fd, silence),
        });
        (done, heed.into_inner().heard)
    }

    /// Does something that waits for others, aside and for so long at most; none where that takes longer, or the job
    /// is not to go on.
    pub(super) fn meanwhile<T: Send + 'static>(
        mut self,
        at_most: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> (Option<T>, Heard) {
        // Its end is what is waited for: nothing is written into it.
        let Ok((end, held)) = std::io::pipe() else { return (Some(work()), self.heard) };
        let (send, done) = channel();
        std::thread::spawn(move || {
            let _ = send.send(work());
            drop(held);
        });
        let waited = self.wait(end.as_fd(), at_most);
        let done = (waited == Waited::Ready).then(|| done.recv().ok()).flatten();
        (done, self.heard)
    }

    fn tell(&mut self, output: &mut Output) {
        // A log that cannot be written is noticed with the step's end.
        if output.voice.log.flush().is_ok() {
            let (bytes, own) = (output.voice.log.length(), output.voice.own);
            self.control.report(Report::LogGrew { bytes, step: StepKey::new(SET_UP), own });
        }
    }

    /// Waits until something can be read there, for so long at most.
    pub(super) fn wait(&mut self, fd: BorrowedFd<'_>, silence: Duration) -> Waited {
        let until = Instant::now().checked_add(silence);
        loop {
            if self.must_stop() {
                return Waited::Stopped;
            }
            let deadline = [until, self.deadline].into_iter().flatten().min();
            if wait::is_readable(self.control, fd, deadline) {
                return Waited::Ready;
            }
            if until.is_some_and(|until| until <= Instant::now()) {
                return Waited::Silent;
            }
        }
    }
}

impl Job<'_> {
    /// Makes what was heard the job's own.
    pub(super) fn take(&mut self, heard: Heard) {
        self.stop = self.stop.max(heard.stop);
        self.is_told |= heard.is_told;
        if heard.has_timed_out {
            self.job_deadline = None;
            self.time_out();
        }
    }

    pub(super) fn time_out(&mut self) {
        self.has_timed_out = true;
        let minutes = self.bench.spec.timeout_minutes;
        let text = format!(
            "The job running on runner launchway has exceeded the maximum execution time of \
             {minutes} minutes."
        );
        self.output.note(AnnotationLevel::Error, &text);
    }
}
