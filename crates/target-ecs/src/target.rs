//! The door: which order is which step, and what a call that failed means for it.

use std::time::Duration;

use aws::{Client, Fault, FaultKind};
use event::ServiceRequest;
use event::{Cause, CauseCode, Way};
use mask::{MaskedText, Masker};
use ports::{Observation, Order, Performer, Progress, Proposal, StepRan, Target};
use serde::Deserialize;

use crate::balancers;
use crate::config::EcsConfig;
use crate::contents::Values;
use crate::words::text;
use crate::{back, look, plan, register, run_task, scale, stabilise, update, watch};

/// How often ECS is asked. A verdict comes within one of these of ECS's own change.
const POLL_MS: u64 = 5000;
/// Added by chance, so that many deployments do not ask at once.
const JITTER_MS: u64 = 500;
/// The longest wait after calls that failed.
const BACK_OFF_MAX_MS: u64 = 60_000;

/// A service of ECS. It holds a client, and nothing that an order needs.
pub struct EcsTarget {
    pub(crate) client: Client,
    pub(crate) masker: Masker,
    pub(crate) values: Box<Values>,
    /// The account that the credentials were found to be of.
    guarded: Option<String>,
    /// Calls that failed one after the other.
    misses: u32,
}

/// What a step's body says, as the plan wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Deed {
    /// Registers a revision.
    Register(register::Register),
    /// Lets the service run it; undone by letting it run what ran before.
    Update(update::Update),
    /// Lets the service have another number of tasks.
    Scale(scale::Scale),
    /// Watches alarms, and what is printed.
    Watch(watch::Watch),
    /// Watches it.
    Stabilise(update::Update),
    /// Runs a task of the new revision.
    RunTask(run_task::RunTask),
}

/// Why an order cannot be carried on now.
pub(crate) enum Stop {
    /// A call did not go well.
    Fault(Fault),
    /// It is over.
    Over(Progress),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Stop::Fault(fault)
    }
}

impl From<Cause> for Stop {
    fn from(cause: Cause) -> Stop {
        Stop::Over(Progress::Failed(cause))
    }
}

/// How far an order is, or why not.
pub(crate) type Carried = Result<Progress, Stop>;

impl EcsTarget {
    /// A target behind a client of its region. What containers print is masked before anybody sees
    /// it.
    /// `values` gives what stands in files only.
    pub fn new(client: Client, masker: Masker, values: Box<Values>) -> EcsTarget {
        EcsTarget { client, masker, values, guarded: None, misses: 0 }
    }

    /// The account of the credentials; asked once. Not the expected one: nothing is touched.
    pub(crate) fn guard(&mut self, expected: Option<&str>) -> Result<String, Stop> {
        let account = match &self.guarded {
            Some(account) => account.clone(),
            None => self.client.caller_identity()?.account,
        };
        if let Some(expected) = expected.filter(|it| **it != *account) {
            let said = format!(
                "the credentials are of the AWS account {account}, and the settings want {expected}: \
                 sign in to that one, or correct `account`"
            );
            return Err(Cause::new(CauseCode::TargetRefused, text(said)).into());
        }
        self.guarded = Some(account.clone());
        Ok(account)
    }

    fn carry(&mut self, order: &Order<'_>) -> Carried {
        let config = EcsConfig::of(order.service)?;
        let deed = Deed::deserialize(&order.step.body).map_err(|error| {
            let said = format!("the body of {} is not one of ECS: {error}", order.step.key);
            Cause::new(CauseCode::Fault, text(said))
        })?;
        let expected = match &deed {
            Deed::Register(it) => Some(it.account.as_str()),
            Deed::Update(it) | Deed::Stabilise(it) => Some(it.account.as_str()),
            Deed::Scale(it) => Some(it.account.as_str()),
            Deed::Watch(it) => Some(it.update.account.as_str()),
            Deed::RunTask(_) => config.account.as_deref(),
        };
        self.guard(expected)?;
        match (deed, order.way) {
            (Deed::Register(it), Way::Forward) => register::forward(self, order, &it),
            (Deed::Update(it), Way::Forward) => update::forward(self, order, &config, &it),
            (Deed::Update(it), Way::Back) => back::back(self, order, &config, &it),
            (Deed::Scale(it), Way::Forward) => scale::carry(self, order, &config, it.to),
            (Deed::Scale(it), Way::Back) => scale::carry(self, order, &config, it.from),
            (Deed::Watch(it), Way::Forward) => watch::forward(self, order, &config, &it),
            (Deed::Stabilise(it), Way::Forward) => stabilise::forward(self, order, &config, &it),
            (Deed::RunTask(it), Way::Forward) => run_task::forward(self, order, &config, &it),
            // These have nothing to undo, and say so in the plan.
            (_, Way::Back) => Ok(Progress::Done { effect: serde_json::Value::Null }),
        }
    }

    /// What becomes of an order whose call failed.
    fn missed(&mut self, order: &Order<'_>, fault: &Fault) -> Progress {
        self.misses += 1;
        // Credentials that ended may be renewed by whoever brings them.
        if fault.may_pass() || fault.kind == FaultKind::SignIn {
            let doubled = POLL_MS.saturating_mul(1 << self.misses.min(5).saturating_sub(1));
            let again_in = doubled.min(BACK_OFF_MAX_MS) + jitter(order);
            let again_in = Duration::from_millis(again_in);
            return Progress::Unreachable { cause: fault.cause(), again_in };
        }
        Progress::Failed(fault.cause())
    }

    /// A text that AWS or a container gave.
    pub(crate) fn masked(&self, said: &str) -> MaskedText {
        self.masker.mask(said)
    }
}

impl Performer for EcsTarget {
    fn advance(&mut self, order: &Order<'_>) -> Progress {
        self.client.call_as(format!("launchway/{}", order.deployment));
        match self.carry(order) {
            Ok(progress) | Err(Stop::Over(progress)) => {
                self.misses = 0;
                progress
            }
            Err(Stop::Fault(fault)) => self.missed(order, &fault),
        }
    }
}

impl Target for EcsTarget {
    fn observe(&mut self, wanted: &ServiceRequest) -> Result<Observation, Cause> {
        self.client.call_as("launchway".to_owned());
        look::observe(self, wanted).map_err(|stop| match stop {
            Stop::Fault(fault) => fault.cause(),
            Stop::Over(Progress::Failed(cause)) => cause,
            Stop::Over(_) => Cause::new(CauseCode::Fault, text("a look ended as a step does")),
        })
    }

    fn printed(&mut self, ran: &StepRan<'_>) -> Result<Vec<MaskedText>, Cause> {
        let config = EcsConfig::of(ran.service)?;
        let printed = run_task::printed(self, &config, ran.effect);
        printed.map_err(|why| Cause::new(CauseCode::Unavailable, text(why)))
    }

    fn report(&mut self, wanted: &ServiceRequest) -> Result<Vec<MaskedText>, Cause> {
        let config = EcsConfig::of(wanted)?;
        balancers::report(self, &config).map_err(|fault| fault.cause())
    }

    fn propose(&self, wanted: &ServiceRequest, seen: &Observation) -> Result<Proposal, Cause> {
        plan::propose(wanted, seen)
    }
}

/// Not over: this is seen.
pub(crate) fn underway(order: &Order<'_>, seen: impl Into<String>) -> Progress {
    let again_in = Duration::from_millis(POLL_MS + jitter(order));
    Progress::Underway { seen: text(seen), again_in }
}

/// Whether there is no time for another look before the order's time is over.
pub(crate) fn is_last_look(order: &Order<'_>) -> bool {
    order.now.0 + POLL_MS + JITTER_MS >= order.until.0
}

fn jitter(order: &Order<'_>) -> u64 {
    order.deployment.0.wrapping_mul(7919).wrapping_add(order.now.0) % JITTER_MS
}
