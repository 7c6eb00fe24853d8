//! Deeds that one thread does for others: within walls for whoever is free, or free for whoever is within.
//!
//! A process that is free must not touch what somebody within walls can change: a name may be a link by
//! then, and lead to where they may not go. It has such deeds done within the same walls. The other way round,
//! code that is ours and works on what others wrote is kept in as they are, and has the few deeds done outside
//! that need more.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use crate::kernel::{Purpose, Sandbox, SandboxError};
use crate::rights::give_up_rights;

type Deed = Box<dyn FnOnce() + Send>;

/// Hands that do what they are asked to, one deed after another. Those of nobody ([`Hands::default`]) are one's own.
#[derive(Clone, Debug, Default)]
pub struct Hands(Option<Sender<Deed>>);

impl Hands {
    /// Has something done, and waits for it.
    ///
    /// # Panics
    /// When an earlier deed did.
    pub fn have<T: Send + 'static>(&self, deed: impl FnOnce() -> T + Send + 'static) -> T {
        let Some(to) = &self.0 else { return deed() };
        let (answer, answered) = mpsc::sync_channel(1);
        let deed = move || drop(answer.send(deed()));
        to.send(Box::new(deed)).expect("no deed panics");
        answered.recv().expect("no deed panics")
    }
}

impl Sandbox {
    /// Hands within the walls, on a thread of their own that ends with the last who knows them.
    ///
    /// # Errors
    /// Where the kernel refuses.
    pub fn hands(&self) -> Result<Hands, SandboxError> {
        let (to, asked) = mpsc::channel::<Deed>();
        let (said, ready) = mpsc::sync_channel(1);
        let confine = self.confine(Purpose::Files)?;
        let work = move || {
            let confined = confine();
            let is_confined = confined.is_ok();
            // Nobody who waits for it goes away.
            let _ = said.send(confined);
            if is_confined {
                serve(asked);
            }
        };
        let named = thread::Builder::new().name("hands".to_owned());
        named.spawn(work).map_err(SandboxError::Refused)?;
        let gone = |_| SandboxError::Refused(io::Error::other("the thread ended"));
        ready.recv().map_err(gone)??;
        Ok(Hands(Some(to)))
    }

    /// Does the work within the walls. The hands that it is given are this thread's, which stays who it is, without
    /// rights: whoever is within became who he is by then.
    ///
    /// # Errors
    /// Where the kernel refuses: then nothing was done.
    ///
    /// # Panics
    /// When the work does.
    pub fn inside_with<T: Send>(
        &self,
        work: impl FnOnce(Hands) -> T + Send,
    ) -> Result<T, SandboxError> {
        let (to, asked) = mpsc::channel::<Deed>();
        // A deed that panics takes the asking end with it: nobody waits for an answer then.
        thread::scope(move |scope| {
            let running = scope.spawn(move || self.inside(|| work(Hands(Some(to)))));
            // A thread's rights are its own from its begin on.
            give_up_rights(&[]).map_err(SandboxError::Refused)?;
            // Ends when the work lets go of its hands.
            serve(asked);
            running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

fn serve(asked: Receiver<Deed>) {
    asked.into_iter().for_each(|deed| deed());
}
