//! Workers with memory that do what workers do on bad days.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use driver::{Home, HomeError, Input, Kept};
use event::{
    BlobId, Digest, GateDemand, JobDefinition, JobGate, JobKey, RunRequest, StreamId, Timestamp,
};
use mask::MaskedText;
use ports::{Jobs, Lease};
use protocol::{JobOptions, JobPaths, JobSpec, Report};
use scheduler::{GateRead, Surroundings};

/// One worker, as far as the story knows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Worker {
    pub(crate) started: bool,
    pub(crate) cancelled: bool,
    pub(crate) killed: bool,
    /// Whether a driver listens.
    pub(crate) attached: bool,
    /// Its numbered reports, where it outlives its driver.
    pub(crate) spool: Vec<Report>,
}

/// All workers of the world, and what they ever said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crew {
    pub(crate) living: BTreeMap<Lease, Worker>,
    /// Workers that ended; their folders stay until their leases are over.
    pub(crate) ended: BTreeMap<Lease, Worker>,
    /// What each worker kept, for ever.
    pub(crate) spools: BTreeMap<Lease, Vec<Report>>,
    /// Leases that were ever started: a second start is a fault of the loop.
    pub(crate) started: BTreeMap<Lease, u64>,
    /// Old reports, to be said again.
    pub(crate) said: Vec<(Lease, Option<u64>, Report)>,
    /// What must not be, the first of it.
    pub(crate) broken: Option<String>,
}

/// The door to the crew.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeJobs(pub(crate) Rc<RefCell<Crew>>);

impl Jobs for FakeJobs {
    fn start(&mut self, spec: JobSpec) {
        let stream = StreamId::Run(spec.run, spec.attempt);
        let lease = Lease { stream, job: spec.job, fence: spec.fence };
        let mut crew = self.0.borrow_mut();
        *crew.started.entry(lease.clone()).or_default() += 1;
        let same_job = |it: &&Lease| it.stream == lease.stream && it.job == lease.job;
        if let Some(other) = crew.living.keys().find(same_job) {
            let (job, one, two) = (&lease.job, other.fence, lease.fence);
            crew.broken = Some(format!("`{job}` has two workers, under {one} and {two}"));
        }
        crew.living.insert(lease, Worker { attached: true, ..Worker::default() });
    }

    fn cancel(&mut self, lease: &Lease) {
        if let Some(worker) = self.0.borrow_mut().living.get_mut(lease) {
            worker.cancelled = true;
        }
    }

    fn kill(&mut self, lease: &Lease) {
        if let Some(worker) = self.0.borrow_mut().living.get_mut(lease) {
            worker.killed = true;
        }
    }

    fn heard(&mut self, lease: &Lease, reports: u64) {
        let mut crew = self.0.borrow_mut();
        let said = crew.spools.get(lease).map_or(0, |spool| spool.len() as u64);
        if reports > said {
            crew.broken = Some(format!("{reports} reports were heard, {said} were said"));
        }
    }

    fn closed(&mut self, lease: &Lease) {
        let mut crew = self.0.borrow_mut();
        crew.living.remove(lease);
        crew.ended.remove(lease);
    }
}

/// A home without a disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeHome {
    /// Every so many leases cannot be given what they need.
    pub(crate) broken_every: Option<u64>,
    /// How often the rules of environments have changed.
    pub(crate) rules: Rc<std::cell::Cell<u8>>,
    /// Nobody can read them.
    pub(crate) rules_gone: Rc<std::cell::Cell<bool>>,
    /// What jobs wait for that want to be behind another environment ended well.
    pub(crate) is_well: Rc<std::cell::Cell<bool>>,
    /// Gates that somebody is to look at beside the loop.
    pub(crate) aside: Rc<RefCell<BTreeSet<(StreamId, JobKey)>>>,
}

impl Home for FakeHome {
    fn surroundings(
        &mut self,
        lease: &Lease,
        _: &RunRequest,
        _: &JobDefinition,
    ) -> Result<Surroundings, HomeError> {
        if self.broken_every.is_some_and(|every| lease.fence.0.is_multiple_of(every)) {
            return Err(HomeError { message: "no secrets to be had".to_owned() });
        }
        let path = || std::sync::Arc::from("");
        let paths = JobPaths {
            repository: path(),
            job: path(),
            log: path(),
            blobs: path(),
            actions: path(),
            caches: path(),
            tools: path(),
            downloads: path(),
            lock_file: path(),
        };
        let (secrets, options) = (BTreeMap::new(), JobOptions::default());
        Ok(Surroundings { secrets, paths, options })
    }

    /// `open` asks nothing, `shut` lets nobody in; the others ask one of two people, and wait: `later` for the
    /// clock, `behind` for what runs come to.
    fn gate(
        &mut self,
        request: &RunRequest,
        definition: &JobDefinition,
        at: Timestamp,
    ) -> Result<GateRead, HomeError> {
        let is_gone = self.rules_gone.get();
        // Whoever is asked says why, or nothing at all.
        if is_gone && at.0.is_multiple_of(2) {
            return Err(HomeError { message: "nobody answers".to_owned() });
        }
        let name = definition.environment.as_ref().map(MaskedText::as_str).unwrap_or_default();
        if name == "shut" {
            return Ok(GateRead::Forbid(MaskedText::without_secrets("nobody runs there")));
        }
        let digest = Digest::of(&[self.rules.get()]);
        let text = |text: &str| MaskedText::without_secrets(text);
        let members = ["hubot", "mona"].map(Into::into).to_vec();
        let demand = GateDemand::Approval { group: "devops".into(), count: 1, members };
        let opens_at = (name == "later").then(|| Timestamp(request.at.0 + 600_000));
        let is_behind = name == "behind" && !self.is_well.get();
        let look_at = is_behind.then(|| Timestamp(at.0 + 60_000));
        let asked = JobGate {
            environment: name.into(),
            rules: event::Rules {
                source: text("octo/planner"),
                branch: "main".into(),
                commit: "c0ffee".into(),
                digest,
            },
            demands: if name == "open" { Vec::new() } else { vec![demand] },
            asked_by: vec!["octocat".into()],
            what: digest,
            rules_ask_people: true,
            opens_at: opens_at.filter(|it| *it > at).or(look_at),
            shut: is_behind.then(|| text("it was not run below")),
            waits_for_runs: is_behind,
        };
        if !is_gone {
            return Ok(GateRead::Ask(Box::new(asked)));
        }
        Ok(GateRead::Unreadable(Box::new(JobGate {
            demands: Vec::new(),
            what: Digest::ZERO,
            rules_ask_people: true,
            opens_at: Some(Timestamp(at.0 + 60_000)),
            shut: Some(text("nobody can read them")),
            waits_for_runs: false,
            ..asked
        })))
    }

    fn look_aside(&mut self, kept: Kept<'_>) {
        self.aside.borrow_mut().insert((kept.stream, kept.definition.key.clone()));
    }

    fn keep_log(&mut self, lease: &Lease) -> Option<BlobId> {
        Some(BlobId::new(format!("{}.{}", lease.job, lease.fence)))
    }

    fn runner(&self, _: StreamId, _: &JobKey) -> std::sync::Arc<str> {
        "laptop".into()
    }
}

/// An input in a few words, for telling a failed story.
pub(crate) fn words(input: &Input) -> String {
    match input {
        Input::CreateRun { request, .. } => format!("create run {}", request.run),
        other => format!("{other:?}"),
    }
}
