//! The thread that waits: inputs from everywhere, the clock, until nothing more will happen.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use event::Timestamp;
use ports::{Jobs, Journal};

use crate::inputs::Input;
use crate::round::{DriverError, Loop, Observer, Quiet};
use crate::surroundings::Home;

/// Inputs of one round; more are taken in the next, so that a flood cannot keep events from disk.
const ROUND_INPUTS_MAX: usize = 256;
/// How long nobody looks at the clock when no deadline is near: the clock may have been set.
const LOOK: Duration = Duration::from_secs(10);

/// How long nobody looks whether another process left a concurrency group, or wants one.
const GROUP_LOOK: Duration = Duration::from_millis(500);

/// Why the shell came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every run is over.
    Done,
    /// Lost jobs wait for a person and nothing else goes on.
    AwaitingPerson,
    /// Somebody wanted to leave.
    Detached,
}

/// Somebody who is given the loop after each round.
type Look<'l, J, W, H, O> = dyn FnMut(&Loop<J, W, H, O>) + 'l;

/// Drives a loop in real time.
pub struct Shell<J, W, H, O> {
    round: Loop<J, W, H, O>,
    inputs: Receiver<Input>,
}

impl<J: Journal, W: Jobs, H: Home, O: Observer> Shell<J, W, H, O> {
    /// A shell around a loop; workers and the binary send to the other end of `inputs`.
    pub fn new(round: Loop<J, W, H, O>, inputs: Receiver<Input>) -> Shell<J, W, H, O> {
        Shell { round, inputs }
    }

    /// The loop.
    pub fn inner(&mut self) -> &mut Loop<J, W, H, O> {
        &mut self.round
    }

    /// One input at once, before [`Shell::run`]: a run to make.
    ///
    /// # Errors
    /// When it is refused, or the journal fails.
    pub fn take(&mut self, input: Input) -> Result<(), DriverError> {
        self.round.round(vec![input], now())
    }

    /// Runs until nothing more will happen by itself. Refusals are given to `refused` and change
    /// nothing.
    ///
    /// # Errors
    /// When the journal fails.
    pub fn run(&mut self, refused: &mut dyn FnMut(&DriverError)) -> Result<Ended, DriverError> {
        let mut inputs = Vec::new();
        loop {
            // The first round without inputs does what adopted runs owe.
            match self.round.round(std::mem::take(&mut inputs), now()) {
                Err(error @ DriverError::Refused(_)) => refused(&error),
                other => other?,
            }
            match self.round.quiet() {
                Quiet::Done => return Ok(Ended::Done),
                Quiet::AwaitingPerson => return Ok(Ended::AwaitingPerson),
                Quiet::No => {}
            }
            match self.inputs.recv_timeout(self.patience()) {
                Ok(first) => inputs.push(first),
                Err(RecvTimeoutError::Timeout) => {}
                // Without workers and without a person there is still the clock.
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK),
            }
            inputs.extend(self.inputs.try_iter().take(ROUND_INPUTS_MAX));
            if inputs.iter().any(|input| matches!(input, Input::Detach | Input::Leave)) {
                return Ok(Ended::Detached);
            }
            if self.round.next_deadline().is_some_and(|deadline| deadline <= now()) {
                inputs.push(Input::Tick);
            }
        }
    }

    /// Runs until somebody wants it to end ([`Input::Detach`]), whether or not there is anything to
    /// do: more may come. Then no job begins any more, and those that run have `grace` to end; a
    /// second such wish, or [`Input::Leave`], does not wait for them. After each round `looked` is
    /// given the loop.
    ///
    /// # Errors
    /// When the journal fails.
    pub fn serve(
        &mut self,
        grace: Duration,
        refused: &mut dyn FnMut(&DriverError),
        looked: &mut Look<'_, J, W, H, O>,
    ) -> Result<(), DriverError> {
        let mut inputs = Vec::new();
        let mut ends_at: Option<Timestamp> = None;
        loop {
            match self.round.round(std::mem::take(&mut inputs), now()) {
                Err(error @ DriverError::Refused(_)) => refused(&error),
                other => other?,
            }
            self.round.forget_completed();
            looked(&self.round);
            let left = ends_at.map(|at| Duration::from_millis(at.0.saturating_sub(now().0)));
            if left.is_some_and(|left| left.is_zero() || self.round.state().leases_open() == 0) {
                return Ok(());
            }
            match self.inputs.recv_timeout(self.patience().min(left.unwrap_or(LOOK))) {
                Ok(first) => inputs.push(first),
                Err(RecvTimeoutError::Timeout) => {}
                // Nobody is left who could want anything, or say that it is to end.
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            inputs.extend(self.inputs.try_iter().take(ROUND_INPUTS_MAX));
            if inputs.iter().any(|input| matches!(input, Input::Leave)) {
                // What was heard is written down; nothing else is begun.
                self.round.begin_nothing();
                ends_at = Some(Timestamp(0));
            }
            for _ in inputs.extract_if(.., |input| matches!(input, Input::Detach)) {
                self.round.begin_nothing();
                let grace = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
                let wanted_before = ends_at.is_some();
                let at =
                    if wanted_before { now() } else { Timestamp(now().0.saturating_add(grace)) };
                ends_at = ends_at.map_or(Some(at), |before| Some(before.min(at)));
            }
            if self.round.next_deadline().is_some_and(|deadline| deadline <= now()) {
                inputs.push(Input::Tick);
            }
        }
    }

    fn patience(&self) -> Duration {
        let look = if self.round.watches_groups() { GROUP_LOOK } else { LOOK };
        let Some(deadline) = self.round.next_deadline() else { return look };
        Duration::from_millis(deadline.0.saturating_sub(now().0)).min(look)
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
