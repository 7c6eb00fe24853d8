//! The thread that waits: what people say, the clock, until the deployment is over.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use ::deployment::{Input, Refusal};
use event::{DeploymentEvent, Timestamp};
use ports::Journal;

use super::{Deployment, DeploymentError, DeploymentObserver, Doors, Standing};

/// How long nobody looks at the clock: it may have been set.
const LOOK: Duration = Duration::from_secs(10);

/// What the thread is told.
#[derive(Debug)]
pub enum DeploymentInput {
    /// Something for the deployment.
    Told(Input),
    /// Leave everything as it is and go.
    Detach,
}

/// Why the shell came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeploymentEnded {
    /// The deployment is over.
    Over,
    /// Somebody wanted to leave; it can be resumed.
    Detached,
}

/// Drives a deployment in real time.
pub struct DeploymentShell<J, D, O> {
    driven: Deployment<J, D, O>,
    inputs: Receiver<DeploymentInput>,
}

impl<J: Journal<DeploymentEvent>, D: Doors, O: DeploymentObserver> DeploymentShell<J, D, O> {
    /// A shell around a deployment; the binary sends to the other end of `inputs`.
    pub fn new(
        driven: Deployment<J, D, O>,
        inputs: Receiver<DeploymentInput>,
    ) -> DeploymentShell<J, D, O> {
        DeploymentShell { driven, inputs }
    }

    /// The deployment.
    pub fn inner(&mut self) -> &mut Deployment<J, D, O> {
        &mut self.driven
    }

    /// Runs until it is over, or somebody wants to leave.
    ///
    /// # Errors
    /// When the journal fails.
    pub fn run(
        &mut self,
        now: &dyn Fn() -> Timestamp,
        refused: &mut dyn FnMut(&Refusal),
    ) -> Result<DeploymentEnded, DeploymentError> {
        let mut inputs = Vec::new();
        loop {
            let standing = self.driven.round(std::mem::take(&mut inputs), now(), refused)?;
            let patience = match standing {
                Standing::Over => return Ok(DeploymentEnded::Over),
                Standing::Again(patience) => patience.min(LOOK),
                Standing::Waiting(None) => LOOK,
                Standing::Waiting(Some(until)) => {
                    Duration::from_millis(until.0.saturating_sub(now().0)).min(LOOK)
                }
            };
            let first = match self.inputs.recv_timeout(patience) {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) => None,
                // Nobody is left to say anything; the clock still goes.
                Err(RecvTimeoutError::Disconnected) => {
                    std::thread::sleep(patience);
                    None
                }
            };
            for input in first.into_iter().chain(self.inputs.try_iter()) {
                match input {
                    DeploymentInput::Told(input) => inputs.push(input),
                    DeploymentInput::Detach => return Ok(DeploymentEnded::Detached),
                }
            }
        }
    }
}
