//! One connection of a runner, from its greeting to its end.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use driver::Input;
use protocol::{
    FromRunner, Greeting, HeldLease, Order, RUNNER_PROTOCOL, Report, Standing, ToRunner,
    read_frame, write_frame,
};

use super::receiving::Receiving;
use super::{Fleet, Held, Inner, Link, Runner, known, lease_of};
use crate::sources;

impl Fleet {
    /// Serves a runner until its connection is over. `name` is whom its token says it is, and `repositories`
    /// are those that the token is bound to, if any.
    pub fn serve(self: &Arc<Fleet>, name: &str, repositories: &[String], link: &Arc<dyn Link>) {
        self.wait_for_leases();
        let greeting = link.receive().and_then(|frame| {
            match read_frame::<FromRunner>(&frame).map(|(message, _)| message) {
                Ok(FromRunner::Hello(greeting)) => Some(greeting),
                _ => None,
            }
        });
        let Some(greeting) = greeting else { return refuse(link, "it did not greet") };
        match self.join((name, repositories), &greeting, link) {
            Err(reason) => refuse(link, &reason),
            Ok((number, deeds)) => {
                self.book.say(&format!("the runner {name} is there"));
                let session =
                    Session { fleet: self, name, link, number, receiving: Receiving::new(self) };
                if let Err(reason) = session.run(&deeds) {
                    self.book.say(&format!("the runner {name} was cut off: {reason}"));
                }
                self.leave(name, number);
            }
        }
    }

    fn join(
        &self,
        (name, repositories): (&str, &[String]),
        greeting: &Greeting,
        link: &Arc<dyn Link>,
    ) -> Result<(u64, Arc<Mutex<()>>), String> {
        if greeting.protocol != RUNNER_PROTOCOL {
            return Err(format!(
                "this server speaks version {RUNNER_PROTOCOL} of the runners' protocol, the runner \
                 version {}: both have to be of one release",
                greeting.protocol
            ));
        }
        // Whatever an older connection sent is done before this one counts.
        let deeds = self.inner().runners.get(name).map(|it| Arc::clone(&it.deeds));
        let deeds = deeds.unwrap_or_default();
        let held = deeds.lock().expect("nobody panics while doing what a runner sent");
        let mut inner = self.inner();
        let has_leases = inner.leases.values().any(|it| it.runner == name);
        if let Some(before) = inner.runners.get(name)
            && before.known.machine != greeting.machine
            && (before.link.is_some() || has_leases)
        {
            return Err(format!(
                "another machine is the runner {name}, or has jobs as it: make a token of its own"
            ));
        }
        inner.sessions += 1;
        let number = inner.sessions;
        let known = known(greeting, repositories, self.book.now());
        self.book.keep(name, &known);
        let runner = Runner {
            known,
            link: Some((number, Arc::clone(link))),
            away_since: Instant::now(),
            deeds: Arc::clone(&deeds),
        };
        if let Some((_, older)) =
            inner.runners.insert(name.to_owned(), runner).and_then(|it| it.link)
        {
            older.close();
        }
        self.welcome(&mut inner, name, &greeting.holds);
        drop(inner);
        drop(held);
        self.book.changed(self);
        Ok((number, deeds))
    }

    /// Says what is known of each lease that the runner has, and gives it those that it is to have.
    fn welcome(&self, inner: &mut Inner, name: &str, holds: &[HeldLease]) {
        let own: Vec<HeldLease> = inner
            .leases
            .iter()
            .filter(|(_, held)| held.runner == name)
            .map(|(lease, _)| lease.clone())
            .collect();
        let (there, missing): (Vec<_>, Vec<_>) =
            own.into_iter().partition(|lease| holds.contains(lease));
        let left = holds.iter().filter(|lease| inner.leaves_alone(lease));
        let standing = |lease: &HeldLease| Standing {
            lease: lease.clone(),
            heard: inner.leases.get(lease).map_or(0, |held| held.heard),
            logs: self.log_lengths(lease),
        };
        let leases = there.iter().chain(left).map(standing).collect();
        let away_seconds = self.away.as_secs();
        inner.say(name, &ToRunner::Welcome { name: name.to_owned(), away_seconds, leases });
        for lease in there {
            let Held { is_cancelled, is_killed, .. } = inner.leases[&lease];
            if is_cancelled {
                inner.order(&lease, Order::Cancel);
            }
            if is_killed {
                inner.order(&lease, Order::Kill);
            }
        }
        for lease in missing {
            match &inner.leases[&lease] {
                Held { heard: 0, job: Some(job), .. } => match inner.bound(name, &job.repository) {
                    Some(reason) => self.lose(inner, &lease, reason),
                    None => {
                        let start = ToRunner::Start(Box::new((**job).clone()));
                        inner.say(name, &start);
                    }
                },
                // It is on its way.
                Held { heard: 0, job: None, .. } => {}
                _ => {
                    let reason = format!("nothing was left of it on the runner {name}");
                    self.lose(inner, &lease, reason);
                }
            }
        }
    }

    fn leave(&self, name: &str, number: u64) {
        let mut inner = self.inner();
        let Some(runner) = inner.runners.get_mut(name) else { return };
        if runner.link.as_ref().is_none_or(|(it, _)| *it != number) {
            return;
        }
        runner.link = None;
        runner.away_since = Instant::now();
        runner.known.heard_at = self.book.now();
        self.book.keep(name, &runner.known);
        drop(inner);
        self.book.say(&format!("the runner {name} is away"));
        self.book.changed(self);
    }
}

fn refuse(link: &Arc<dyn Link>, reason: &str) {
    let reason = reason.to_owned();
    link.order(write_frame(&ToRunner::Refused { reason }, b""));
    link.close();
}

/// A connection that was let in.
struct Session<'s> {
    fleet: &'s Arc<Fleet>,
    name: &'s str,
    link: &'s Arc<dyn Link>,
    number: u64,
    receiving: Receiving<'s>,
}

impl Session<'_> {
    fn run(mut self, deeds: &Mutex<()>) -> Result<(), String> {
        while let Some(frame) = self.link.receive() {
            let deed = deeds.lock().expect("nobody panics while doing what a runner sent");
            if !self.is_newest() {
                return Ok(());
            }
            self.take(&frame)?;
            drop(deed);
        }
        Ok(())
    }

    fn is_newest(&self) -> bool {
        let mut inner = self.fleet.inner();
        let Some(runner) = inner.runners.get_mut(self.name) else { return false };
        runner.known.heard_at = self.fleet.book.now();
        runner.link.as_ref().is_some_and(|(number, _)| *number == self.number)
    }

    fn say(&self, message: &ToRunner) {
        self.link.order(write_frame(message, b""));
    }

    /// Whether the runner has the lease. One that is over is answered so; one of a run that is left alone is not.
    fn has(&self, lease: &HeldLease) -> bool {
        let inner = self.fleet.inner();
        if inner.leases.get(lease).is_some_and(|held| held.runner == self.name) {
            return true;
        }
        if inner.leaves_alone(lease) {
            return false;
        }
        drop(inner);
        self.say(&ToRunner::Order { lease: lease.clone(), order: Order::Over });
        false
    }

    fn take(&mut self, frame: &[u8]) -> Result<(), String> {
        let (message, bytes) =
            read_frame::<FromRunner>(frame).map_err(|error| error.to_string())?;
        match message {
            FromRunner::Hello(_) => return Err("it greeted twice".to_owned()),
            FromRunner::Renew => self.say(&ToRunner::Renewed),
            FromRunner::Log { lease, log, offset } => {
                if self.has(&lease) {
                    self.receiving.log(&lease, log, offset, bytes)?;
                }
            }
            FromRunner::Blob { lease, blob, piece } => {
                if self.has(&lease) {
                    self.receiving.blob(&lease, &blob, piece, bytes)?;
                }
            }
            FromRunner::Report { lease, number, report } => {
                // What is remembered has a number, so that it counts once.
                if number.is_none() != matches!(report, Report::LogGrew { .. }) {
                    return Err("a report has no number, or one that it should not".to_owned());
                }
                if self.has(&lease) {
                    let lease = lease_of(&lease);
                    // Nobody listens only while everything ends.
                    let _ = self.fleet.inputs.send(Input::Report { lease, number, report });
                }
            }
            FromRunner::Gone { lease, reason } => {
                if self.has(&lease) {
                    let lease = lease_of(&lease);
                    let _ = self.fleet.inputs.send(Input::WorkerGone { lease, reason });
                }
            }
            FromRunner::Sources { lease, tips } => {
                if self.has(&lease) {
                    self.send_sources(lease, tips);
                }
            }
            FromRunner::Want { lease, blob } => {
                if self.has(&lease) {
                    self.send_blob(lease, blob);
                }
            }
        }
        Ok(())
    }

    /// The commits of the job's repository, beside what else is said.
    fn send_sources(&self, lease: HeldLease, tips: Vec<String>) {
        let Some(job) = self.job(&lease) else { return };
        let link = Arc::clone(self.link);
        aside(self.link, lease, move |lease| sources::send(&job, tips, lease, &*link));
    }

    /// An artifact of the run, which the job was told of.
    fn send_blob(&self, lease: HeldLease, blob: event::BlobId) {
        let Some(job) = self.job(&lease) else { return };
        let (link, store) = (Arc::clone(self.link), Arc::clone(&self.fleet.store));
        aside(self.link, lease, move |lease| {
            let named = format!("\"{}\"", blob.as_str());
            if !job.artifacts.contains(&named) {
                return Err("it is no artifact of the run".to_owned());
            }
            super::receiving::send_blob(store.blobs(), lease, &blob, &*link)
        });
    }

    fn job(&self, lease: &HeldLease) -> Option<Arc<protocol::RunnerJob>> {
        let job = self.fleet.inner().leases.get(lease).and_then(|held| held.job.clone());
        if job.is_none() {
            let reason = "the job has begun".to_owned();
            self.say(&ToRunner::Missing { lease: lease.clone(), reason });
        }
        job
    }
}

/// Does something long on a thread of its own, and says when it cannot be done.
fn aside(
    link: &Arc<dyn Link>,
    lease: HeldLease,
    work: impl FnOnce(&HeldLease) -> Result<(), String> + Send + 'static,
) {
    let (link, of) = (Arc::clone(link), lease.clone());
    let thread = std::thread::Builder::new().spawn({
        let link = Arc::clone(&link);
        move || {
            if let Err(reason) = work(&lease) {
                link.order(write_frame(&ToRunner::Missing { lease, reason }, b""));
            }
        }
    });
    if thread.is_err() {
        let reason = "the server has no thread for it".to_owned();
        link.order(write_frame(&ToRunner::Missing { lease: of, reason }, b""));
    }
}
