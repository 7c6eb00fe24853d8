//! Workers with memory that do what workers do on bad days.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use driver::{Home, HomeError, Input};
use event::{
    BlobId, Digest, GateDemand, JobDefinition, JobGate, JobKey, RunRequest, StreamId, Timestamp,
};
use mask::MaskedText;
use ports::{Jobs, Lease};
use protocol::{JobOptions, JobPaths, JobSpec};
use scheduler::{GateRead, Surroundings};

/// One worker, as far as the story knows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Worker {
    pub(crate) started: bool,
    pub(crate) cancelled: bool,
    pub(crate) killed: bool,
}

/// All workers of the world, and what they ever said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crew {
    pub(crate) living: BTreeMap<Lease, Worker>,
    /// Leases that were ever started: a second start is a fault of the loop.
    pub(crate) started: BTreeMap<Lease, u64>,
    /// Old reports, to be said again.
    pub(crate) said: Vec<(Lease, protocol::Report)>,
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
        crew.living.insert(lease, Worker::default());
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
            lock_file: path(),
        };
        let (secrets, options) = (BTreeMap::new(), JobOptions::default());
        Ok(Surroundings { secrets, paths, options })
    }

    /// `open` asks nothing, `shut` lets nobody in; the others ask one of two people, and wait.
    fn gate(
        &mut self,
        request: &RunRequest,
        definition: &JobDefinition,
        at: Timestamp,
    ) -> Result<GateRead, HomeError> {
        if self.rules_gone.get() {
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
        Ok(GateRead::Ask(Box::new(JobGate {
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
            opens_at: opens_at.filter(|it| *it > at),
            shut: None,
        })))
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
