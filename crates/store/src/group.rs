//! One thread that commits for everybody: group commit.
//!
//! Callers put requests into a queue and wait. The thread takes everything that is waiting, has it done at
//! once, and answers everybody after the commit: while one commit is under way the next group gathers by
//! itself, so nobody ever waits for a timer.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// What the thread does.
pub(crate) trait Commit: Send + 'static {
    /// What is asked for.
    type Request: Send + 'static;
    /// What becomes of it.
    type Reply: Send + 'static;

    /// Does all of it, in one transaction where that goes. A reply for each request, in their order; what is
    /// said to be done is on the disk.
    fn commit(&mut self, group: &[Self::Request]) -> Vec<Self::Reply>;
}

/// How many at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Requests that wait. Past this callers wait to be let in, which costs them nothing: they would wait for
    /// the answer anyway.
    pub(crate) queue: usize,
    /// Requests in one transaction: bounds how long the first of them waits for its answer.
    pub(crate) group: usize,
}

/// A request, and who waits for its reply.
type Waiting<W> = (<W as Commit>::Request, SyncSender<<W as Commit>::Reply>);

/// The thread's handle. Dropping it ends the thread after what is queued.
pub(crate) struct Group<W: Commit> {
    queue: Option<SyncSender<Waiting<W>>>,
    thread: Option<JoinHandle<()>>,
}

impl<W: Commit> Group<W> {
    pub(crate) fn start(name: &str, limits: Limits, mut work: W) -> std::io::Result<Group<W>> {
        let (queue, requests) = sync_channel(limits.queue);
        let thread = std::thread::Builder::new().name(name.to_owned());
        let thread = thread.spawn(move || run(&mut work, limits, &requests))?;
        Ok(Group { queue: Some(queue), thread: Some(thread) })
    }

    /// Waits until the request is committed, or refused.
    pub(crate) fn ask(&self, request: W::Request) -> W::Reply {
        let (reply, answer) = sync_channel(1);
        let queue = self.queue.as_ref().expect("taken by drop only");
        queue.send((request, reply)).expect("the thread lives as long as this handle");
        answer.recv().expect("the thread answers every request")
    }
}

impl<W: Commit> Drop for Group<W> {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // Its panic was shown when it happened; whoever waited for it panicked too.
            let _ended = thread.join();
        }
    }
}

fn run<W: Commit>(work: &mut W, limits: Limits, requests: &Receiver<Waiting<W>>) {
    while let Ok((first, reply)) = requests.recv() {
        let (mut group, mut replies) = (vec![first], vec![reply]);
        for (request, reply) in requests.try_iter().take(limits.group - 1) {
            group.push(request);
            replies.push(reply);
        }
        let answers = work.commit(&group);
        assert_eq!(answers.len(), group.len(), "every request is answered");
        for (reply, answer) in replies.into_iter().zip(answers) {
            // A caller that does not wait any more has ended; what it asked for is done all the same.
            let _gone = reply.send(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};

    use super::*;

    /// Tells how many were in its group, once the first one was let go.
    struct Counting {
        gate: Arc<Barrier>,
        is_first: bool,
    }

    impl Commit for Counting {
        type Request = ();
        type Reply = usize;

        fn commit(&mut self, group: &[()]) -> Vec<usize> {
            if std::mem::take(&mut self.is_first) {
                // Under way; and then until the others wait.
                self.gate.wait();
                self.gate.wait();
            }
            vec![group.len(); group.len()]
        }
    }

    #[test]
    fn what_comes_meanwhile_is_done_at_once_and_no_more_than_the_limit() {
        let gate = Arc::new(Barrier::new(2));
        let work = Counting { gate: Arc::clone(&gate), is_first: true };
        let group = Group::start("test", Limits { queue: 8, group: 3 }, work).expect("a thread");
        let queue = group.queue.clone().expect("it runs");
        let ask = || {
            let (reply, answer) = sync_channel(1);
            queue.send(((), reply)).expect("it runs");
            answer
        };
        let first = ask();
        gate.wait();
        let others: Vec<_> = (0..5).map(|_| ask()).collect();
        gate.wait();
        assert_eq!(first.recv(), Ok(1));
        let sizes: Vec<usize> = others.iter().map(|it| it.recv().expect("answered")).collect();
        assert_eq!(sizes, [3, 3, 3, 2, 2]);
        drop((queue, group));
    }
}
